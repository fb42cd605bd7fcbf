//! The median of the points of a series in one upload, for its receipt.

use std::collections::HashMap;

use crate::statistics::answer::{Answer, Pass};
use crate::statistics::chunk::Chunk;

/// The search for the median of the points of some chunks. It needs memory for all of them, so search in one series after
/// another.
pub struct MedianSearch {
    /// None if a chunk cannot be read.
    answer: Option<Answer>,
}

impl Default for MedianSearch {
    fn default() -> Self {
        Self { answer: Some(Answer::new(None, None)) }
    }
}

impl MedianSearch {
    /// Adds a chunk. Returns whether its points can be read.
    pub fn add(&mut self, chunk: &Chunk) -> bool {
        let Some(answer) = &mut self.answer else { return chunk.points().is_ok() };
        let is_readable = answer.add(chunk).is_ok();
        if !is_readable {
            self.answer = None;
        }
        is_readable
    }

    /// Adds chunks that were just made, so that their points can be read.
    pub fn add_all(&mut self, chunks: &[&Chunk]) {
        for chunk in chunks {
            self.add(chunk);
        }
    }

    /// Returns the median; `None` if there are no points, or too many to keep, or some cannot be read.
    #[must_use]
    pub fn end(self) -> Option<f64> {
        match self.answer?.end_pass() {
            Ok(Pass::Complete(statistics)) => statistics.map(|statistics| statistics.median),
            Ok(Pass::Again) | Err(_) => None,
        }
    }
}

/// Chunks by entity and measure.
pub struct ChunksBySeries<'a>(HashMap<&'a str, HashMap<&'a str, Vec<&'a Chunk>>>);

impl<'a> ChunksBySeries<'a> {
    /// Groups chunks.
    #[must_use]
    pub fn new(chunks: &'a [Chunk]) -> Self {
        let mut by_series: HashMap<&str, HashMap<&str, Vec<&Chunk>>> = HashMap::new();
        for chunk in chunks {
            let (entity, measure) = (chunk.series().entity.as_str(), chunk.series().measure.as_str());
            by_series.entry(entity).or_default().entry(measure).or_default().push(chunk);
        }
        Self(by_series)
    }

    /// Returns the chunks of a series.
    #[must_use]
    pub fn of(&self, entity: &str, measure: &str) -> &[&'a Chunk] {
        self.0.get(entity).and_then(|measures| measures.get(measure)).map_or(&[], Vec::as_slice)
    }

    /// Returns the median of a series, as [`MedianSearch::end`] does.
    #[must_use]
    pub fn median(&self, entity: &str, measure: &str) -> Option<f64> {
        let mut search = MedianSearch::default();
        search.add_all(self.of(entity, measure));
        search.end()
    }
}
