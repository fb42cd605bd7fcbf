//! The chunks found in one upload, and what they say of its series.

use std::collections::{BTreeMap, HashMap};

use super::Retention;
use crate::statistics::answer::{Answer, Pass};
use crate::statistics::chunk::Chunk;
use crate::statistics::summary::{Merger, Summary};
use crate::upload::SeriesStatistics;

/// How many bytes of chunks are kept of one upload.
const MAX_CHUNK_BYTES_KEPT: usize = 16 << 20;
/// How many bytes of names the history tells, all series together: its item has 400 KB.
const MAX_SERIES_NAME_BYTES_TOLD: usize = 32 << 10;
/// How many series are counted apart.
const MAX_SERIES_COUNTED: usize = 1_000;
/// How many series the history tells.
const MAX_SERIES_TOLD: usize = 100;

/// Entity and measure.
type Name = (String, String);

/// The chunks found.
pub(super) struct ChunkCollector {
    pub(super) keep: Retention,
    pub(super) chunks: Vec<Chunk>,
    pub(super) chunk_bytes: usize,
    pub(super) chunks_dropped: bool,
    /// How many there are, kept or not.
    pub(super) count: u64,
    series: BTreeMap<Name, Merger>,
    series_omitted: u64,
}

impl ChunkCollector {
    pub(super) fn new(keep: Retention) -> Self {
        Self {
            keep,
            chunks: Vec::new(),
            chunk_bytes: 0,
            chunks_dropped: keep == Retention::Rejected,
            count: 0,
            series: BTreeMap::new(),
            series_omitted: 0,
        }
    }

    pub(super) fn add(&mut self, chunk: Chunk) {
        self.count += 1;
        let name = (chunk.series().entity.clone(), chunk.series().measure.clone());
        if let Some(merger) = self.series.get_mut(&name) {
            merger.add(*chunk.summary());
        } else if self.series.len() < MAX_SERIES_COUNTED {
            self.series.entry(name).or_default().add(*chunk.summary());
        } else {
            self.series_omitted += 1;
        }
        if self.chunks_dropped {
            return;
        }
        self.chunk_bytes += chunk.size_bytes();
        self.chunks.push(chunk);
        if self.keep == Retention::Bounded && self.chunk_bytes > MAX_CHUNK_BYTES_KEPT {
            self.chunks_dropped = true;
            self.chunks = Vec::new();
        }
    }

    /// What each series received, the largest first, and how many series are not told.
    pub(super) fn features(&self) -> (Vec<SeriesStatistics>, u64) {
        let mut series: Vec<(&Name, Summary)> =
            self.series.iter().filter_map(|(name, merger)| Some((name, merger.total()?))).collect();
        series.sort_by_key(|(_, summary)| std::cmp::Reverse(summary.count())); // stable: by name among equals
        let mut name_bytes = 0;
        let told = series.iter().take(MAX_SERIES_TOLD).take_while(|((entity, measure), _)| {
            name_bytes += entity.len() + measure.len();
            name_bytes <= MAX_SERIES_NAME_BYTES_TOLD
        });
        let told = told.count();
        let beyond = (series.len() - told) as u64 + self.series_omitted;
        series.truncate(told);
        let medians = self.medians(series.iter().map(|(name, _)| *name));
        let features = series.into_iter().map(|(name, summary)| {
            let median = medians.get(name).copied().flatten();
            SeriesStatistics::new(name.clone(), &summary, median)
        });
        (features.collect(), beyond)
    }

    /// The medians of some series, if their points are at hand.
    fn medians<'a>(&'a self, names: impl Iterator<Item = &'a Name>) -> HashMap<&'a Name, Option<f64>> {
        if self.keep != Retention::Bounded || self.chunks_dropped {
            return HashMap::new();
        }
        let mut answers: BTreeMap<(&str, &str), (&Name, Answer)> =
            names.map(|name| ((name.0.as_str(), name.1.as_str()), (name, Answer::new(None, None)))).collect();
        for chunk in &self.chunks {
            let series = chunk.series();
            if let Some((_, answer)) = answers.get_mut(&(series.entity.as_str(), series.measure.as_str()))
                && answer.add(chunk).is_err()
            {
                return HashMap::new(); // not with chunks that were made a moment ago
            }
        }
        let median = |mut answer: Answer| match answer.end_pass() {
            Ok(Pass::Complete(statistics)) => statistics.map(|statistics| statistics.median),
            _ => None,
        };
        answers.into_values().map(|(name, answer)| (name, median(answer))).collect()
    }
}
