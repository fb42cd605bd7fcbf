//! Answers: the exact statistics of a series over a time range, from its chunks.

mod bucket_width;
mod buckets;
mod order_statistics;
mod range;
mod zone;

pub use crate::statistics::chunk::{KeyRange, key_ranges};
pub use bucket_width::{BucketWidth, BucketWidthError};
pub use buckets::{Bucket, Buckets, BucketsError, MAX_BUCKETS, TooMuch};
pub use order_statistics::MAX_KEPT_VALUES;

use crate::statistics::chunk::{Chunk, CorruptChunk};
use crate::statistics::quantile::Quantiles;
use crate::statistics::summary::{Statistics, Summary};
use crate::time::Timestamp;
use order_statistics::{Changed, Search, SearchPass};
use range::{overlaps, points_within};

/// The exact statistics of all points with `from <= time < to`, from the chunks of one series.
///
/// Chunks are added in passes. One pass is enough for [`MAX_KEPT_VALUES`] points, two or three for any number in practice, and
/// four for any values. [`key_ranges`] returns the keys of the chunks that matter; others are ignored.
///
/// ```
/// use eventpulse_core::statistics::answer::{Answer, AnswerError, Pass};
/// use eventpulse_core::statistics::chunk::Chunk;
/// use eventpulse_core::statistics::series::{Point, Series};
/// use eventpulse_core::statistics::summary::Statistics;
/// use eventpulse_core::time::Timestamp;
///
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
///
/// let series = Series { owner: "u1".parse().unwrap(), entity: "12345".into(), measure: "value".into() };
/// let points = [1.0, 2.0, 6.0].map(|value| Point { time: Timestamp::from_secs(0), value });
/// let chunk = Chunk::new(series, "up_1", 0, points.to_vec()).unwrap();
/// let statistics = answer(&[chunk]).unwrap().unwrap();
/// assert_eq!((statistics.mean, statistics.median), (3.0, 2.0));
/// ```
pub struct Answer {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    total: Option<Summary>,
    search: Search,
    quantiles: Quantiles,
    /// The exact summary of all chunks in this pass, and in the first one. Other chunks have another summary.
    seen: Option<Summary>,
    seen_first: Option<Option<Summary>>,
}

/// The result of a pass over the chunks.
#[derive(Debug, Clone, PartialEq)]
pub enum Pass {
    /// The statistics; `None` if the range has no points.
    Complete(Option<Statistics>),
    /// Some ranks need another pass: add the same chunks again.
    Again,
}

/// The reason why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// A chunk cannot be read.
    #[error(transparent)]
    Corrupt(#[from] CorruptChunk),
    /// A later pass has other chunks than the first, because an upload was added or withdrawn in between. Begin a new answer.
    #[error("the chunks changed between two passes")]
    Changed,
}

impl From<Changed> for AnswerError {
    fn from(_: Changed) -> AnswerError {
        AnswerError::Changed
    }
}

impl Answer {
    /// Returns an answer for `from <= time < to`; `None` is no bound.
    #[must_use]
    pub fn new(from: Option<Timestamp>, to: Option<Timestamp>) -> Answer {
        Answer::keeping(MAX_KEPT_VALUES, from, to)
    }

    /// Returns an answer that keeps at most `values` values of 8 bytes each, instead of [`MAX_KEPT_VALUES`].
    #[must_use]
    pub fn keeping(values: usize, from: Option<Timestamp>, to: Option<Timestamp>) -> Answer {
        let (search, quantiles) = (Search::new(values), Quantiles::default());
        Answer { from, to, total: None, search, quantiles, seen: None, seen_first: None }
    }

    /// Asks for quantiles, before the first pass.
    #[must_use]
    pub fn with_quantiles(self, quantiles: Quantiles) -> Answer {
        Answer { quantiles, ..self }
    }

    /// Adds a chunk; at most once in each pass, in any order. Returns the number of its points in the range, in the first pass.
    ///
    /// # Errors
    /// Returns an error if the points of the chunk are needed and cannot be read.
    pub fn add(&mut self, chunk: &Chunk) -> Result<usize, AnswerError> {
        let summary = chunk.summary();
        if !overlaps(chunk, self.from, self.to) {
            return Ok(0);
        }
        summary.merge_into(&mut self.seen);
        let is_first_pass = self.seen_first.is_none();
        if !is_first_pass && !self.search.wants(summary.min(), summary.max()) {
            return Ok(0);
        }
        let points = chunk.points()?;
        let inside = points_within(&points, self.from, self.to);
        if is_first_pass {
            if inside.len() == points.len() {
                summary.merge_into(&mut self.total);
            } else if let Some(summary) = Summary::of(inside) {
                summary.merge_into(&mut self.total);
            }
        }
        for point in inside {
            self.search.add(point.value);
        }
        Ok(inside.len())
    }

    /// Ends a pass, after all chunks were added.
    ///
    /// # Errors
    /// Returns [`AnswerError::Changed`] if this pass had other chunks than the first.
    pub fn end_pass(&mut self) -> Result<Pass, AnswerError> {
        let seen = self.seen.take();
        if *self.seen_first.get_or_insert_with(|| seen.clone()) != seen {
            return Err(AnswerError::Changed);
        }
        let found = match self.search.end_pass(|count| self.quantiles.ranks(count))? {
            SearchPass::Complete(found) => found,
            SearchPass::Again => return Ok(Pass::Again),
        };
        let order = self.quantiles.values(found.count, |rank| found.at(rank));
        Ok(Pass::Complete(self.total.as_ref().zip(order).map(|(total, order)| total.statistics(order))))
    }
}

#[cfg(test)]
#[path = "answer/tests.rs"]
mod tests;
