//! The search for the chunks of the earlier attempts of an upload.

use std::collections::{BTreeMap, HashMap};

use crate::statistics::chunk::attempt_of_sort_key;
use crate::statistics::series::Series;
use crate::statistics::series_summaries::SeriesSet;

/// A search for the chunks that the earlier attempts of an upload wrote. The caller lists the keys of all chunks of the upload.
pub struct ChunkSearch {
    /// The number of chunks that were not found yet, by the number under which an attempt wrote them.
    missing: BTreeMap<u32, u64>,
    /// The series with chunks.
    pub(super) known: SeriesSet,
    /// The chunks of the wanted series, the most important series first.
    pub(super) wanted: Vec<FoundChunks>,
    /// The indexes in `wanted`, by partition key.
    indexes: HashMap<String, usize>,
}

/// The chunks of a series.
pub(super) struct FoundChunks {
    pub(super) series: Series,
    pub(super) sort_keys: Vec<String>,
}

impl ChunkSearch {
    /// Begins a search; `expected` is [`Upload::chunks_by_write_number`](crate::upload::Upload::chunks_by_write_number).
    pub(super) fn new(expected: BTreeMap<u32, u64>, wanted: impl Iterator<Item = Series>) -> Self {
        let wanted: Vec<_> = wanted.map(|series| FoundChunks { series, sort_keys: Vec::new() }).collect();
        let keys = wanted.iter().map(|found| found.series.partition_key());
        let indexes = keys.zip(0..).collect();
        Self { missing: expected, known: SeriesSet::default(), wanted, indexes }
    }

    /// Adds a chunk of the upload, once. Those of attempts that were rolled back or are not decided do not count.
    pub fn found(&mut self, partition_key: &str, sort_key: &str) {
        let number = attempt_of_sort_key(sort_key);
        let Some(missing) = number.and_then(|number| self.missing.get_mut(&number)) else { return };
        *missing = missing.saturating_sub(1);
        self.known.insert(partition_key);
        let found = self.indexes.get(partition_key).and_then(|index| self.wanted.get_mut(*index));
        if let Some(found) = found {
            found.sort_keys.push(sort_key.to_owned());
        }
    }

    /// Returns the number of chunks that were not found yet.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.missing.values().sum()
    }

    /// Returns whether as many chunks were found as the history counts. If not, the index lags behind the table: search again.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.missing() == 0
    }
}
