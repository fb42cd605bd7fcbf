//! The statistics of a series over a range of time, from its chunks.

mod buckets;
mod median;

pub use crate::statistics::chunk::{KeyRange, key_ranges};
pub use buckets::{Bucket, Buckets, MAX_BUCKETS, TooMuch};

use crate::statistics::chunk::{Chunk, CorruptChunk};
use crate::statistics::series::Point;
use crate::statistics::summary::{Merger, Statistics, Summary};
use crate::time::Timestamp;
use median::{Changed, Found, Median};

/// Up to so many points are kept to select the median from, 32 MiB; of more, a median takes further passes.
pub const MAX_KEPT_VALUES: usize = 4 << 20;

/// The exact statistics of all points with `from <= time < to`, from the chunks of one series.
///
/// Chunks come in passes: once is enough for [`MAX_KEPT_VALUES`] points, and a second or third pass for any number in practice (a
/// fifth is the last whatever the values). Which chunks can matter, [`key_ranges`] tells; others do no harm.
///
/// ```
/// # use eventpulse_core::statistics::answer::{Answer, AnswerError, Pass};
/// # use eventpulse_core::statistics::{chunk::Chunk, summary::Statistics};
/// fn answer(chunks: &[Chunk]) -> Result<Option<Statistics>, AnswerError> {
///     let mut answer = Answer::new(None, None);
///     loop {
///         for chunk in chunks {
///             answer.add(chunk)?;
///         }
///         if let Pass::Complete(statistics) = answer.end_pass()? {
///             return Ok(statistics);
///         }
///     }
/// }
/// ```
pub struct Answer {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    merger: Merger,
    median: Median,
    /// The chunks and their points that this pass and the one before it saw.
    seen: (u64, u64),
    seen_before: Option<(u64, u64)>,
}

/// What a pass over the chunks came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pass {
    /// The statistics; `None` if there are no points in the range.
    Complete(Option<Statistics>),
    /// The median takes another pass: add the same chunks again.
    Again,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// A chunk cannot be read.
    #[error(transparent)]
    Corrupt(#[from] CorruptChunk),
    /// A later pass saw other chunks than the first: an upload came in between, or was withdrawn. Begin a new answer.
    #[error("the chunks changed between two passes")]
    Changed,
}

impl From<Changed> for AnswerError {
    fn from(_: Changed) -> AnswerError {
        AnswerError::Changed
    }
}

impl Answer {
    /// An answer for `from <= time < to`; `None` is no bound.
    #[must_use]
    pub fn new(from: Option<Timestamp>, to: Option<Timestamp>) -> Answer {
        Answer::keeping(MAX_KEPT_VALUES, from, to)
    }

    /// The same, keeping at most `values` values (8 bytes each) instead of [`MAX_KEPT_VALUES`].
    #[must_use]
    pub fn keeping(values: usize, from: Option<Timestamp>, to: Option<Timestamp>) -> Answer {
        Answer { from, to, merger: Merger::default(), median: Median::new(values), seen: (0, 0), seen_before: None }
    }

    /// Adds a chunk; at most once in each pass, in any order. In the first pass it returns how many of its points lie in
    /// the range.
    ///
    /// # Errors
    /// When the points of the chunk are needed and cannot be read.
    pub fn add(&mut self, chunk: &Chunk) -> Result<usize, AnswerError> {
        let summary = chunk.summary();
        if !overlaps(chunk, self.from, self.to) {
            return Ok(0);
        }
        self.seen.0 += 1;
        self.seen.1 = self.seen.1.saturating_add(summary.count());
        let is_first_pass = self.seen_before.is_none();
        if !is_first_pass && !self.median.wants(summary.min(), summary.max()) {
            return Ok(0);
        }
        let points = chunk.points()?;
        let inside = inside(&points, self.from, self.to);
        if is_first_pass {
            let summary = if inside.len() == points.len() { Some(*summary) } else { Summary::of(inside) };
            if let Some(summary) = summary {
                self.merger.add(summary);
            }
        }
        for point in inside {
            self.median.add(point.value);
        }
        Ok(inside.len())
    }

    /// Ends a pass, when all chunks were added.
    ///
    /// # Errors
    /// [`AnswerError::Changed`] when this pass saw other chunks than the first.
    pub fn end_pass(&mut self) -> Result<Pass, AnswerError> {
        let seen = std::mem::take(&mut self.seen);
        if self.seen_before.replace(seen).is_some_and(|before| before != seen) {
            return Err(AnswerError::Changed);
        }
        match self.median.end_pass()? {
            Found::Nothing => Ok(Pass::Complete(None)),
            Found::Value(median) => Ok(Pass::Complete(self.merger.total().map(|total| total.statistics(median)))),
            Found::NotYet => Ok(Pass::Again),
        }
    }
}

/// Whether a chunk can have points of the range.
fn overlaps(chunk: &Chunk, from: Option<Timestamp>, to: Option<Timestamp>) -> bool {
    let is_before = from.is_some_and(|from| chunk.summary().last() < from);
    let is_after = to.is_some_and(|to| chunk.summary().first() >= to);
    !is_before && !is_after
}

/// The points of the range, out of points in time order.
fn inside(points: &[Point], from: Option<Timestamp>, to: Option<Timestamp>) -> &[Point] {
    let start = from.map_or(0, |from| points.partition_point(|point| point.time < from));
    let end = to.map_or(points.len(), |to| points.partition_point(|point| point.time < to));
    points.get(start..end).unwrap_or_default()
}

#[cfg(test)]
#[path = "answer/tests.rs"]
mod tests;
