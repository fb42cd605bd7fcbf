//! Buckets: the exact statistics of a series in consecutive time intervals, for plots.

use std::collections::BTreeMap;

use super::bucket_width::{BucketWidth, Span};
use super::order_statistics::{MAX_KEPT_VALUES, Search, SearchPass};
use super::range::{overlaps, points_within};
use crate::statistics::chunk::{Chunk, CorruptChunk};
use crate::statistics::quantile::Quantiles;
use crate::statistics::summary::{Statistics, Summary};
use crate::time::Timestamp;

/// The maximum number of buckets of one answer.
pub const MAX_BUCKETS: usize = 2_000;

/// One bucket.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    /// The start of the bucket (inclusive), at the earliest [`Timestamp::MIN`].
    pub start: Timestamp,
    /// The end of the bucket (exclusive), at the latest [`Timestamp::MAX`].
    pub end: Timestamp,
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

/// The exact statistics of points with `from <= time < to`, in buckets of a width.
pub struct Buckets<'w> {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    width: &'w BucketWidth,
    open: BTreeMap<Span, (Option<Summary>, Search)>,
    points: usize,
    quantiles: Quantiles,
}

impl<'w> Buckets<'w> {
    /// Returns empty buckets.
    #[must_use]
    pub fn new(from: Option<Timestamp>, to: Option<Timestamp>, width: &'w BucketWidth) -> Self {
        Self { from, to, width, open: BTreeMap::new(), points: 0, quantiles: Quantiles::default() }
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
            let span = self.width.span(first.time);
            let (bucket, after) = rest.split_at(rest.partition_point(|point| point.time.as_micros() < span.end));
            let (total, search) = self.open.entry(span).or_insert_with(|| (None, Search::new(MAX_KEPT_VALUES)));
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

    /// Returns the buckets that have points, in the order of time.
    #[must_use]
    pub fn finish(self) -> Vec<Bucket> {
        let quantiles = self.quantiles;
        let bucket = |(span, (total, mut search)): (Span, (Option<Summary>, Search))| {
            let Ok(SearchPass::Complete(found)) = search.end_pass(|count| quantiles.ranks(count)) else {
                return None;
            };
            let order = quantiles.values(found.count, |rank| found.at(rank))?;
            let (start, end) = (Timestamp::from_micros(span.start), Timestamp::from_micros(span.end));
            Some(Bucket { start, end, statistics: total?.statistics(order) })
        };
        self.open.into_iter().filter_map(bucket).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::series::{Point, Series};

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
        let width = BucketWidth::parse("1m", None).unwrap();
        let mut buckets = Buckets::new(Some(at(-60)), Some(at(121)), &width);
        for chunk in [
            chunk(0, &[(-61, 9.0), (-60, 1.0), (-1, 3.0), (0, 35.0), (59, 40.0), (60, 7.0)]),
            chunk(1, &[(30, 123.0), (120, 5.0), (121, 9.0)]),
        ] {
            buckets.add(&chunk).unwrap();
        }
        let found: Vec<_> = buckets
            .finish()
            .into_iter()
            .map(|Bucket { start, end, statistics: s }| (start, end, s.count, s.mean, s.median, s.min, s.max))
            .collect();
        let expected = [
            (at(-60), at(0), 2, 2.0, 2.0, 1.0, 3.0),
            (at(0), at(60), 3, 66.0, 40.0, 35.0, 123.0),
            (at(60), at(120), 1, 7.0, 7.0, 7.0, 7.0),
            (at(120), at(180), 1, 5.0, 5.0, 5.0, 5.0),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn buckets_have_the_quantiles_that_were_asked_for() {
        let asked = Quantiles::parse("0.5,0.1").unwrap();
        let width = BucketWidth::parse("1m", None).unwrap();
        let mut buckets = Buckets::new(None, None, &width).with_quantiles(asked);
        buckets.add(&chunk(0, &[(0, 1.0), (1, 2.0), (60, 5.0)])).unwrap();
        let quantiles = |bucket: Bucket| serde_json::to_string(&bucket.statistics.quantiles).unwrap();
        let found: Vec<String> = buckets.finish().into_iter().map(quantiles).collect();
        assert_eq!(found, [r#"{"0.5":1.5,"0.1":1.1}"#, r#"{"0.5":5.0,"0.1":5.0}"#]);
    }

    #[test]
    fn first_and_last_instant_are_in_buckets_that_end_there() {
        let points = [(Timestamp::MIN, 1.0), (Timestamp::MAX, 2.0)].map(|(time, value)| Point { time, value });
        let series = Series { owner: "u1".parse().unwrap(), entity: "d".into(), measure: "value".into() };
        let chunk = Chunk::new(series, "up_1", 0, points.to_vec()).unwrap();
        for (width, zone) in [("1h", None), ("3660d", None), ("1d", Some("Asia/Tokyo")), ("7y", Some("America/Lima"))] {
            let width = BucketWidth::parse(width, zone).unwrap();
            let mut buckets = Buckets::new(None, None, &width);
            buckets.add(&chunk).unwrap();
            let found: Vec<_> = buckets.finish().iter().map(|b| (b.start, b.end, b.statistics.count)).collect();
            let [(first, _, 1), (_, last, 1)] = found[..] else { panic!("{width:?}: {found:?}") };
            assert_eq!((first, last), (Timestamp::MIN, Timestamp::MAX), "{width:?}");
        }
    }

    #[test]
    fn too_many_buckets_are_an_error() {
        let width = BucketWidth::parse("1s", None).unwrap();
        let mut buckets = Buckets::new(None, None, &width);
        let points: Vec<(i64, f64)> = (0..=2000).map(|second| (second, 1.0)).collect();
        assert_eq!(buckets.add(&chunk(0, &points[..2000])), Ok(()));
        assert_eq!(buckets.add(&chunk(1, &points[2000..])), Err(TooMuch::Buckets.into()));
    }
}
