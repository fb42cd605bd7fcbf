//! The collector of accepted points: the chunks of an upload and the statistics of its series.

use super::spec::Retention;
use crate::intake::validation::Points;
use crate::statistics::chunk::{Chunk, ChunkBuilder};
use crate::statistics::series_median::ChunksBySeries;
use crate::statistics::series_statistics::{SeriesReport, SeriesStatistics, largest};
use crate::statistics::series_summaries::SeriesSummaries;

/// The maximum size of the chunks that are retained of one upload in bytes, by [`Retention::Bounded`].
const MAX_BOUNDED_BYTES: usize = 16 << 20;

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
    summaries: SeriesSummaries,
}

/// The result of a collection.
pub(super) struct Collection {
    /// The chunks that were not drained; none if they were dropped.
    pub(super) chunks: Option<Vec<Chunk>>,
    /// The number of all chunks.
    pub(super) count: u64,
    /// The statistics of the largest series.
    pub(super) series: SeriesReport,
    /// The summaries of the series.
    pub(super) summaries: SeriesSummaries,
}

impl ChunkCollector {
    pub(super) fn new(builder: ChunkBuilder, retention: Retention) -> Self {
        let chunks = Chunks {
            retention,
            retained: Vec::new(),
            size_bytes: 0,
            dropped: retention == Retention::Rejected,
            count: 0,
            summaries: SeriesSummaries::default(),
        };
        let builder = (retention != Retention::Rejected).then_some(builder);
        Self { builder, chunks }
    }

    /// Adds the points of a record.
    #[inline]
    pub(super) fn add(&mut self, points: Points<'_>) {
        let Self { builder, chunks } = self;
        if let Some(builder) = builder {
            points.for_each_run(|entity, measure, points| {
                builder.add_run(entity, measure, points, |chunk| chunks.add(chunk));
            });
        }
    }

    /// Makes chunks of the points that are left in the next series. Returns whether there was one.
    pub(super) fn flush_next(&mut self) -> bool {
        let Self { builder, chunks } = self;
        builder.as_mut().is_some_and(|builder| builder.flush_next(|chunk| chunks.add(chunk)))
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
        let series = self.chunks.report();
        let Chunks { retained, dropped, count, summaries, .. } = self.chunks;
        Collection { chunks: (!dropped).then_some(retained), count, series, summaries }
    }
}

impl Chunks {
    fn add(&mut self, chunk: Chunk) {
        self.count += 1;
        self.summaries.add(&chunk);
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

    /// Returns the statistics of the largest series; with medians, if all chunks are retained.
    fn report(&self) -> SeriesReport {
        let has_medians = self.retention == Retention::Bounded && !self.dropped;
        let statistics = self.summaries.kept().map(|(name, summary)| {
            let median = summary.only_value().filter(|_| has_medians);
            SeriesStatistics::new(name.clone(), summary.clone(), median)
        });
        let mut listed = largest(statistics.collect());
        if has_medians && listed.iter().any(|series| series.median.is_none()) {
            let chunks = ChunksBySeries::new(&self.retained);
            for series in listed.iter_mut().filter(|series| series.median.is_none()) {
                series.median = chunks.median(&series.entity, &series.measure);
            }
        }
        SeriesReport { listed, count: self.summaries.count(), is_whole: false }
    }
}
