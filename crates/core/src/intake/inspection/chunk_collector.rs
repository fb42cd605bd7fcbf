//! The collector of accepted points: the chunks of an upload and the statistics of its series.

use std::collections::{BTreeMap, HashMap};

use super::spec::Retention;
use crate::statistics::answer::{Answer, Pass};
use crate::statistics::chunk::{Chunk, ChunkBuilder};
use crate::statistics::series::SeriesPoint;
use crate::statistics::series_statistics::SeriesStatistics;
use crate::statistics::summary::Summary;

/// The maximum size of the chunks that are retained of one upload in bytes, by [`Retention::Bounded`].
const MAX_BOUNDED_BYTES: usize = 16 << 20;
/// The maximum number of series whose statistics are collected.
const MAX_SERIES: usize = 1_000;
/// The maximum number of series that are reported.
const MAX_REPORTED_SERIES: usize = 100;
/// The maximum size of the names of all reported series in bytes. The item of a history has 400 KB.
const MAX_REPORTED_NAME_BYTES: usize = 32 << 10;

/// Entity and measure.
type Name = (String, String);

pub(super) struct ChunkCollector {
    /// None if no chunks are wanted.
    builder: Option<ChunkBuilder>,
    chunks: Chunks,
}

/// The finished chunks.
struct Chunks {
    retention: Retention,
    retained: Vec<Chunk>,
    size_bytes: usize,
    /// Whether the chunks are dropped instead of retained. They still count.
    dropped: bool,
    /// The number of chunks, retained or not.
    count: u64,
    series: BTreeMap<Name, Summary>,
    series_omitted: u64,
}

/// The result of a collection.
pub(super) struct Collection {
    /// The chunks that were not drained; none if they were dropped.
    pub(super) chunks: Option<Vec<Chunk>>,
    /// The number of all chunks.
    pub(super) count: u64,
    /// The statistics of the series, largest first.
    pub(super) series: Vec<SeriesStatistics>,
    /// The number of further series.
    pub(super) series_omitted: u64,
}

impl ChunkCollector {
    pub(super) fn new(builder: ChunkBuilder, retention: Retention) -> Self {
        let chunks = Chunks {
            retention,
            retained: Vec::new(),
            size_bytes: 0,
            dropped: retention == Retention::Rejected,
            count: 0,
            series: BTreeMap::new(),
            series_omitted: 0,
        };
        let builder = (retention != Retention::Rejected).then_some(builder);
        Self { builder, chunks }
    }

    /// Adds a point.
    #[inline]
    pub(super) fn add(&mut self, point: SeriesPoint<'_>) {
        let Self { builder, chunks } = self;
        if let Some(builder) = builder {
            builder.add(point, |chunk| chunks.add(chunk));
        }
    }

    /// Makes chunks of the points that are left.
    pub(super) fn flush(&mut self) {
        let Self { builder, chunks } = self;
        if let Some(builder) = builder {
            builder.flush(|chunk| chunks.add(chunk));
        }
    }

    /// Returns the number of chunks so far, retained or not.
    pub(super) fn count(&self) -> u64 {
        self.chunks.count
    }

    /// Returns the size of the retained chunks in bytes.
    pub(super) fn size_bytes(&self) -> usize {
        self.chunks.size_bytes
    }

    pub(super) fn drain(&mut self) -> Vec<Chunk> {
        self.chunks.size_bytes = 0;
        std::mem::take(&mut self.chunks.retained)
    }

    pub(super) fn finish(self) -> Collection {
        let (series, series_omitted) = self.chunks.series_statistics();
        let Chunks { retained, dropped, count, .. } = self.chunks;
        Collection { chunks: (!dropped).then_some(retained), count, series, series_omitted }
    }
}

impl Chunks {
    fn add(&mut self, chunk: Chunk) {
        self.count += 1;
        self.add_to_series(&chunk);
        if self.dropped {
            return;
        }
        self.size_bytes += chunk.size_bytes();
        self.retained.push(chunk);
        if self.retention == Retention::Bounded && self.size_bytes > MAX_BOUNDED_BYTES {
            self.dropped = true;
            self.retained = Vec::new();
        }
    }

    fn add_to_series(&mut self, chunk: &Chunk) {
        let name = (chunk.series().entity.clone(), chunk.series().measure.clone());
        if let Some(total) = self.series.get_mut(&name) {
            total.merge(chunk.summary());
        } else if self.series.len() < MAX_SERIES {
            self.series.insert(name, chunk.summary().clone());
        } else {
            self.series_omitted += 1;
        }
    }

    /// Returns the statistics of the series, largest first, and the number of further series.
    fn series_statistics(&self) -> (Vec<SeriesStatistics>, u64) {
        let mut series: Vec<(&Name, &Summary)> = self.series.iter().collect();
        series.sort_by_key(|(_, summary)| std::cmp::Reverse(summary.count())); // stable: equal counts stay sorted by name
        let mut name_bytes = 0;
        let reported = series.iter().take(MAX_REPORTED_SERIES).take_while(|((entity, measure), _)| {
            name_bytes += entity.len() + measure.len();
            name_bytes <= MAX_REPORTED_NAME_BYTES
        });
        let reported = reported.count();
        let omitted = (series.len() - reported) as u64 + self.series_omitted;
        series.truncate(reported);
        let medians = self.medians(series.iter().map(|(name, _)| *name));
        let statistics = series.into_iter().map(|(name, summary)| {
            let median = medians.get(name).copied().flatten();
            SeriesStatistics::new(name.clone(), summary, median)
        });
        (statistics.collect(), omitted)
    }

    /// Returns the medians of some series; empty unless all chunks are retained.
    fn medians<'a>(&'a self, names: impl Iterator<Item = &'a Name>) -> HashMap<&'a Name, Option<f64>> {
        if self.retention != Retention::Bounded || self.dropped {
            return HashMap::new();
        }
        let mut answers: BTreeMap<(&str, &str), (&Name, Answer)> =
            names.map(|name| ((name.0.as_str(), name.1.as_str()), (name, Answer::new(None, None)))).collect();
        for chunk in &self.retained {
            let series = chunk.series();
            if let Some((_, answer)) = answers.get_mut(&(series.entity.as_str(), series.measure.as_str()))
                && answer.add(chunk).is_err()
            {
                return HashMap::new(); // cannot happen: the chunks were just made
            }
        }
        let median = |mut answer: Answer| match answer.end_pass() {
            Ok(Pass::Complete(statistics)) => statistics.map(|statistics| statistics.median),
            _ => None,
        };
        answers.into_values().map(|(name, answer)| (name, median(answer))).collect()
    }
}
