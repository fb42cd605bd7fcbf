//! Buckets: the exact statistics of a series in consecutive time intervals, for plots.

use std::collections::BTreeMap;
use std::time::Duration;

use super::order_statistics::{MAX_KEPT_VALUES, Search, SearchPass};
use super::range::{overlaps, points_within};
use crate::statistics::chunk::{Chunk, CorruptChunk};
use crate::statistics::quantile::Quantiles;
use crate::statistics::series::Point;
use crate::statistics::summary::{Statistics, Summary};
use crate::time::Timestamp;

/// The maximum number of buckets of one answer.
pub const MAX_BUCKETS: usize = 2_000;

/// One bucket.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    /// The beginning of the bucket. It ends at the beginning of the next one.
    pub start: Timestamp,
    /// The statistics of the points in it.
    pub statistics: Statistics,
}

/// The limit that an answer in buckets exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooMuch {
    /// More than [`MAX_BUCKETS`] have points.
    #[error("the points lie in more than {MAX_BUCKETS} buckets")]
    Buckets,
    /// There are more points than [`MAX_KEPT_VALUES`].
    #[error("there are more than {MAX_KEPT_VALUES} points")]
    Points,
}

/// The reason why a chunk was not added to the buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BucketsError {
    /// The chunk cannot be read.
    #[error(transparent)]
    Corrupt(#[from] CorruptChunk),
    /// The answer exceeds a limit.
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
}

/// The exact statistics of points with `from <= time < to`, in buckets of equal width that are aligned to the Unix epoch.
pub struct Buckets {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    width_micros: i64,
    open: BTreeMap<i64, (Option<Summary>, Search)>,
    points: usize,
    quantiles: Quantiles,
}

impl Buckets {
    /// Returns empty buckets. A width of less than a microsecond counts as one microsecond.
    #[must_use]
    pub fn new(from: Option<Timestamp>, to: Option<Timestamp>, width: Duration) -> Self {
        let width_micros = i64::try_from(width.as_micros()).unwrap_or(i64::MAX).max(1);
        Self { from, to, width_micros, open: BTreeMap::new(), points: 0, quantiles: Quantiles::default() }
    }

    /// Asks for quantiles of each bucket.
    #[must_use]
    pub fn with_quantiles(self, quantiles: Quantiles) -> Self {
        Self { quantiles, ..self }
    }

    /// Adds a chunk, once, in any order.
    ///
    /// # Errors
    /// Returns an error if the points of the chunk cannot be read, or if there are too many points or buckets.
    pub fn add(&mut self, chunk: &Chunk) -> Result<(), BucketsError> {
        if !overlaps(chunk, self.from, self.to) {
            return Ok(());
        }
        let points = chunk.points()?;
        let mut rest = points_within(&points, self.from, self.to);
        self.points += rest.len();
        if self.points > MAX_KEPT_VALUES {
            return Err(TooMuch::Points.into());
        }
        while let Some(first) = rest.first() {
            let index = self.index(first);
            let (bucket, after) = rest.split_at(rest.partition_point(|point| self.index(point) <= index));
            let (total, search) = self.open.entry(index).or_insert_with(|| (None, Search::new(MAX_KEPT_VALUES)));
            if let Some(summary) = Summary::of(bucket) {
                summary.merge_into(total);
            }
            for point in bucket {
                search.add(point.value);
            }
            rest = after;
        }
        if self.open.len() > MAX_BUCKETS { Err(TooMuch::Buckets.into()) } else { Ok(()) }
    }

    fn index(&self, point: &Point) -> i64 {
        point.time.as_micros().div_euclid(self.width_micros)
    }

    /// Returns the buckets that have points, in the order of time.
    #[must_use]
    pub fn finish(self) -> Vec<Bucket> {
        let (width, quantiles) = (self.width_micros, self.quantiles);
        let bucket = |(index, (total, mut search)): (i64, (Option<Summary>, Search))| {
            let Ok(SearchPass::Complete(found)) = search.end_pass(|count| quantiles.ranks(count)) else {
                return None;
            };
            let order = quantiles.values(found.count, |rank| found.at(rank))?;
            let start = Timestamp::from_micros(index.saturating_mul(width)).max(Timestamp::MIN);
            Some(Bucket { start, statistics: total?.statistics(order) })
        };
        self.open.into_iter().filter_map(bucket).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::series::Series;

    fn chunk(segment: u32, points: &[(i64, f64)]) -> Chunk {
        let points = points.iter().map(|(second, value)| Point { time: at(*second), value: *value }).collect();
        let series = Series { owner: "u1".parse().unwrap(), entity: "d".into(), measure: "value".into() };
        Chunk::new(series, "up_1", segment, points).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_secs(second)
    }

    #[test]
    fn each_point_is_in_the_bucket_of_its_time() {
        let mut buckets = Buckets::new(Some(at(-60)), Some(at(121)), Duration::from_secs(60));
        for chunk in [
            chunk(0, &[(-61, 9.0), (-60, 1.0), (-1, 3.0), (0, 35.0), (59, 40.0), (60, 7.0)]),
            chunk(1, &[(30, 123.0), (120, 5.0), (121, 9.0)]),
        ] {
            buckets.add(&chunk).unwrap();
        }
        let found: Vec<_> = buckets
            .finish()
            .into_iter()
            .map(|Bucket { start, statistics: s }| (start, s.count, s.mean, s.median, s.min, s.max))
            .collect();
        let expected = [
            (at(-60), 2, 2.0, 2.0, 1.0, 3.0),
            (at(0), 3, 66.0, 40.0, 35.0, 123.0),
            (at(60), 1, 7.0, 7.0, 7.0, 7.0),
            (at(120), 1, 5.0, 5.0, 5.0, 5.0),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn buckets_have_the_quantiles_that_were_asked_for() {
        let asked = Quantiles::parse("0.5,0.1").unwrap();
        let mut buckets = Buckets::new(None, None, Duration::from_secs(60)).with_quantiles(asked);
        buckets.add(&chunk(0, &[(0, 1.0), (1, 2.0), (60, 5.0)])).unwrap();
        let quantiles = |bucket: Bucket| serde_json::to_string(&bucket.statistics.quantiles).unwrap();
        let found: Vec<String> = buckets.finish().into_iter().map(quantiles).collect();
        assert_eq!(found, [r#"{"0.5":1.5,"0.1":1.1}"#, r#"{"0.5":5.0,"0.1":5.0}"#]);
    }

    #[test]
    fn too_many_buckets_are_an_error() {
        let mut buckets = Buckets::new(None, None, Duration::from_secs(1));
        let points: Vec<(i64, f64)> = (0..=2000).map(|second| (second, 1.0)).collect();
        assert_eq!(buckets.add(&chunk(0, &points[..2000])), Ok(()));
        assert_eq!(buckets.add(&chunk(1, &points[2000..])), Err(TooMuch::Buckets.into()));
    }
}
