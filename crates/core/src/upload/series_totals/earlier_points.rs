//! The points of the earlier attempts of an upload in some series.

use std::collections::HashMap;

use super::search::{ChunkSearch, FoundChunks};
use crate::statistics::chunk::{Chunk, ChunkKey};
use crate::statistics::series_median::{ChunksBySeries, MedianSearch};
use crate::statistics::series_summaries::SeriesSet;
use crate::statistics::summary::Summary;

/// The maximum number of chunks that are read for one correction: 16 million points.
pub(super) const MAX_CHUNKS_READ: usize = 4_096;

/// The points of the earlier attempts. The caller reads the chunks with [`keys`](Self::keys), and adds them in that order, so
/// that the points of one series are in memory at a time.
pub struct EarlierPoints<'a> {
    /// The series with earlier chunks; all of them, if the search was complete.
    known: SeriesSet,
    is_complete: bool,
    /// The chunks of the correction; none if they are not retained.
    own: Option<&'a ChunksBySeries<'a>>,
    /// The series to read, by partition key.
    series: HashMap<String, Reading>,
    keys: Vec<ChunkKey>,
}

/// A series whose chunks are being read.
#[derive(Default)]
struct Reading {
    /// The number of chunks that are not read yet.
    left: usize,
    summary: Option<Summary>,
    search: Option<MedianSearch>,
    median: Option<f64>,
}

impl<'a> EarlierPoints<'a> {
    pub(super) fn new(search: ChunkSearch, own: Option<&'a ChunksBySeries<'a>>) -> Self {
        let is_complete = search.is_complete();
        let (mut series, mut keys) = (HashMap::new(), Vec::new());
        for FoundChunks { series: name, sort_keys } in search.wanted {
            if sort_keys.is_empty() || keys.len() + sort_keys.len() > MAX_CHUNKS_READ {
                continue;
            }
            let search = own.map(|_| MedianSearch::default());
            series.insert(name.partition_key(), Reading { left: sort_keys.len(), search, ..Reading::default() });
            keys.extend(sort_keys.into_iter().map(|sort_key| ChunkKey { series: name.clone(), sort_key }));
        }
        Self { known: search.known, is_complete, own, series, keys }
    }

    /// Returns the keys of the chunks to read, series by series.
    #[must_use]
    pub fn keys(&self) -> &[ChunkKey] {
        &self.keys
    }

    /// Adds a chunk, once. Returns whether its points can be read; if not, those of its series are unknown.
    pub fn add(&mut self, chunk: &Chunk) -> bool {
        let key = chunk.partition_key();
        let Some(reading) = self.series.get_mut(&key) else { return chunk.points().is_ok() };
        let is_readable = match &mut reading.search {
            Some(search) => search.add(chunk),
            None => chunk.points().is_ok(),
        };
        if !is_readable {
            self.series.remove(&key);
            return false;
        }
        reading.left = reading.left.saturating_sub(1);
        chunk.summary().merge_into(&mut reading.summary);
        if reading.left == 0
            && let (Some(mut search), Some(own)) = (reading.search.take(), self.own)
        {
            search.add_all(own.of(&chunk.series().entity, &chunk.series().measure));
            reading.median = search.end();
        }
        true
    }

    /// Returns the summary of the earlier points of a series; `None` unless all of them are read.
    pub(super) fn summary(&self, partition_key: &str) -> Option<&Summary> {
        self.read(partition_key)?.summary.as_ref()
    }

    /// Returns the median of the earlier points of a series and those of the correction; `None` unless all of them are read.
    pub(super) fn median(&self, partition_key: &str) -> Option<f64> {
        self.read(partition_key)?.median
    }

    /// Returns whether a series surely has no earlier points.
    pub(super) fn is_new(&self, partition_key: &str) -> bool {
        self.is_complete && !self.known.contains(partition_key)
    }

    /// Returns the series that surely have earlier points.
    pub(super) fn known(&self) -> &SeriesSet {
        &self.known
    }

    fn read(&self, partition_key: &str) -> Option<&Reading> {
        self.series.get(partition_key).filter(|reading| self.is_complete && reading.left == 0)
    }
}
