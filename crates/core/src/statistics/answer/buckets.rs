//! The statistics of a series bucket by bucket, for plots.

use std::collections::BTreeMap;
use std::time::Duration;

use super::median::{Found, Median};
use super::{AnswerError, MAX_KEPT_VALUES, inside, overlaps};
use crate::statistics::chunk::Chunk;
use crate::statistics::series::Point;
use crate::statistics::summary::{Merger, Statistics, Summary};
use crate::time::Timestamp;

/// The most buckets of one answer.
pub const MAX_BUCKETS: usize = 2_000;

/// One bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// When it begins. It ends where the next one would.
    pub start: Timestamp,
    /// The statistics of its points.
    pub statistics: Statistics,
}

/// Why there are no buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooMuch {
    /// More than [`MAX_BUCKETS`] have points.
    #[error("the points lie in more than {MAX_BUCKETS} buckets")]
    Buckets,
    /// There are more points than [`MAX_KEPT_VALUES`].
    #[error("there are more than {MAX_KEPT_VALUES} points")]
    Points,
}

/// Gathers points with `from <= time < to` into buckets of one width, aligned to the Unix epoch. Exact.
pub struct Buckets {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    width_micros: i64,
    open: BTreeMap<i64, (Merger, Median)>,
    points: usize,
}

impl Buckets {
    /// No points yet. A width of less than a microsecond is taken for one.
    #[must_use]
    pub fn new(from: Option<Timestamp>, to: Option<Timestamp>, width: Duration) -> Self {
        let width_micros = i64::try_from(width.as_micros()).unwrap_or(i64::MAX).max(1);
        Self { from, to, width_micros, open: BTreeMap::new(), points: 0 }
    }

    /// Adds a chunk, once, in any order.
    ///
    /// # Errors
    /// When its points cannot be read. `Ok(Err(_))`: there is more than one answer holds.
    pub fn add(&mut self, chunk: &Chunk) -> Result<Result<(), TooMuch>, AnswerError> {
        if !overlaps(chunk, self.from, self.to) {
            return Ok(Ok(()));
        }
        let points = chunk.points()?;
        let mut rest = inside(&points, self.from, self.to);
        self.points += rest.len();
        if self.points > MAX_KEPT_VALUES {
            return Ok(Err(TooMuch::Points));
        }
        while let Some(first) = rest.first() {
            let place = self.place(first);
            let (bucket, after) = rest.split_at(rest.partition_point(|point| self.place(point) <= place));
            let (merger, median) =
                self.open.entry(place).or_insert_with(|| (Merger::default(), Median::new(MAX_KEPT_VALUES)));
            if let Some(summary) = Summary::of(bucket) {
                merger.add(summary);
            }
            for point in bucket {
                median.add(point.value);
            }
            rest = after;
        }
        Ok(if self.open.len() > MAX_BUCKETS { Err(TooMuch::Buckets) } else { Ok(()) })
    }

    fn place(&self, point: &Point) -> i64 {
        point.time.as_micros().div_euclid(self.width_micros)
    }

    /// The buckets that have points, in the order of time.
    #[must_use]
    pub fn finish(self) -> Vec<Bucket> {
        let width = self.width_micros;
        let bucket = |(place, (merger, mut median)): (i64, (Merger, Median))| {
            let Ok(Found::Value(median)) = median.end_pass() else { return None };
            let start = Timestamp::from_micros(place.saturating_mul(width)).max(Timestamp::MIN);
            Some(Bucket { start, statistics: merger.total()?.statistics(median) })
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
    fn each_point_is_in_the_bucket_of_its_time_and_in_no_other() {
        let mut buckets = Buckets::new(Some(at(-60)), Some(at(121)), Duration::from_secs(60));
        for chunk in [
            chunk(0, &[(-61, 9.0), (-60, 1.0), (-1, 3.0), (0, 35.0), (59, 40.0), (60, 7.0)]),
            chunk(1, &[(30, 123.0), (120, 5.0), (121, 9.0)]),
        ] {
            buckets.add(&chunk).unwrap().unwrap();
        }
        let told: Vec<_> = buckets
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
        assert_eq!(told, expected);
    }

    #[test]
    fn more_buckets_than_an_answer_holds() {
        let mut buckets = Buckets::new(None, None, Duration::from_secs(1));
        let points: Vec<(i64, f64)> = (0..=2000).map(|second| (second, 1.0)).collect();
        assert_eq!(buckets.add(&chunk(0, &points[..2000])).unwrap(), Ok(()));
        assert_eq!(buckets.add(&chunk(1, &points[2000..])).unwrap(), Err(TooMuch::Buckets));
    }
}
