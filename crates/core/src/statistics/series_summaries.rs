//! The summaries of the series of an attempt, from its chunks.

use std::collections::{BTreeMap, HashSet};

use sha2::{Digest as _, Sha256};

use crate::encoding::first_bits;
use crate::id::OwnerId;
use crate::statistics::chunk::Chunk;
use crate::statistics::series::Series;
use crate::statistics::series_statistics::SeriesName;
use crate::statistics::summary::Summary;

/// The maximum number of series whose summaries are kept.
const MAX_KEPT: usize = 1_000;

/// The summaries of the first 1,000 series, and the number of all.
#[derive(Debug, Clone, Default)]
pub struct SeriesSummaries {
    kept: BTreeMap<SeriesName, Summary>,
    /// The series that are not kept.
    others: SeriesSet,
}

/// A set of series, by digests of their partition keys: hundreds of thousands of names would not fit in memory.
#[derive(Debug, Clone, Default)]
pub struct SeriesSet {
    digests: HashSet<u128>,
}

impl SeriesSummaries {
    /// Adds the points of a chunk.
    pub fn add(&mut self, chunk: &Chunk) {
        let Series { entity, measure, .. } = chunk.series();
        let name = (entity.clone(), measure.clone());
        if let Some(summary) = self.kept.get_mut(&name) {
            summary.merge(chunk.summary());
        } else if self.kept.len() < MAX_KEPT {
            self.kept.insert(name, chunk.summary().clone());
        } else {
            self.others.insert(&chunk.partition_key());
        }
    }

    /// Returns the summary of a series; `None` if it has no points, or is not kept.
    #[must_use]
    pub fn get(&self, name: &SeriesName) -> Option<&Summary> {
        self.kept.get(name)
    }

    /// Returns the kept summaries by the names of their series.
    pub fn kept(&self) -> impl Iterator<Item = (&SeriesName, &Summary)> {
        self.kept.iter()
    }

    /// Returns the number of series, kept or not.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.kept.len() as u64 + self.others.len()
    }

    /// Returns whether a series has points.
    #[must_use]
    pub fn contains(&self, series: &Series) -> bool {
        self.kept.contains_key(&(series.entity.clone(), series.measure.clone()))
            || self.others.contains(&series.partition_key())
    }

    /// Returns the number of series of `owner` that none of the other sets has.
    #[must_use]
    pub fn count_beyond(&self, owner: &OwnerId, others: &[&SeriesSet]) -> u64 {
        let is_beyond = |(entity, measure): &&SeriesName| {
            let series = Series { owner: owner.clone(), entity: entity.clone(), measure: measure.clone() };
            let key = series.partition_key();
            !others.iter().any(|other| other.contains(&key))
        };
        self.kept.keys().filter(is_beyond).count() as u64 + self.others.count_beyond(others)
    }
}

impl SeriesSet {
    /// Adds the series with this [partition key](crate::statistics::series::Series::partition_key).
    pub fn insert(&mut self, partition_key: &str) {
        self.digests.insert(digest(partition_key));
    }

    /// Returns whether the series with this partition key is in the set.
    #[must_use]
    pub fn contains(&self, partition_key: &str) -> bool {
        self.digests.contains(&digest(partition_key))
    }

    /// Returns the number of series.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.digests.len() as u64
    }

    /// Returns whether there is no series.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.digests.is_empty()
    }

    /// Returns the number of series that are in none of the `others`.
    #[must_use]
    pub fn count_beyond(&self, others: &[&Self]) -> u64 {
        let is_beyond = |digest: &&u128| !others.iter().any(|other| other.digests.contains(*digest));
        self.digests.iter().filter(is_beyond).count() as u64
    }
}

/// Returns 128 bits of SHA-256: an owner cannot find two series with equal digests.
fn digest(partition_key: &str) -> u128 {
    first_bits(&Sha256::digest(partition_key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::series::Point;
    use crate::time::Timestamp;

    fn chunk(entity: usize, values: &[f64]) -> Chunk {
        let series = Series { owner: "u1".parse().unwrap(), entity: entity.to_string(), measure: "value".to_owned() };
        let points = values.iter().map(|value| Point { time: Timestamp::from_secs(0), value: *value });
        Chunk::new(series, "up_1", 0, points.collect()).unwrap()
    }

    #[test]
    fn a_series_with_several_chunks_counts_once_kept_or_not() {
        let mut summaries = SeriesSummaries::default();
        for values in [[1.0, 2.0], [3.0, 6.0]] {
            (0..MAX_KEPT + 7).for_each(|entity| summaries.add(&chunk(entity, &values)));
        }
        assert_eq!((summaries.kept().count(), summaries.count()), (MAX_KEPT, MAX_KEPT as u64 + 7));
        let name = |entity: usize| (entity.to_string(), "value".to_owned());
        let kept = summaries.get(&name(MAX_KEPT - 1)).unwrap();
        assert_eq!((kept.count(), kept.mean()), (4, 3.0), "a kept summary has all points");
        assert_eq!(summaries.get(&name(MAX_KEPT)), None);
        let series = |entity: usize| chunk(entity, &[0.0]).series().clone();
        assert!(summaries.contains(&series(0)) && summaries.contains(&series(MAX_KEPT)));
        assert!(!summaries.contains(&series(MAX_KEPT + 7)));
        let mut others = SeriesSet::default();
        [0, MAX_KEPT].iter().for_each(|entity| others.insert(&series(*entity).partition_key()));
        let owner = series(0).owner;
        assert_eq!(summaries.count_beyond(&owner, &[&others]), MAX_KEPT as u64 + 5);
        assert_eq!(summaries.count_beyond(&owner, &[]), MAX_KEPT as u64 + 7);
    }

    #[test]
    fn series_beyond_other_sets_are_counted() {
        let set = |keys: &[&str]| {
            let mut set = SeriesSet::default();
            keys.iter().for_each(|key| set.insert(key));
            set
        };
        let (one, two, three) = (set(&["a", "b", "b"]), set(&["b", "c", "d"]), set(&["d", "e"]));
        assert_eq!((one.len(), one.contains("a"), one.contains("c")), (2, true, false));
        assert_eq!((one.count_beyond(&[&two]), two.count_beyond(&[&one]), two.count_beyond(&[])), (1, 2, 3));
        assert_eq!(two.count_beyond(&[&one, &three]), 1);
    }
}
