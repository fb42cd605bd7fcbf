//! Summaries of points, which merge without rounding, and the statistics of an answer.
//!
//! A [`Summary`] has the exact sum of the values and the exact sum of their squares. Mean, variance and deviation are rounded
//! once, from these sums, when they are asked for. So they depend on the multiset of the values alone, not on the order or on
//! the parts in which the values arrived. See `docs/numbers.md`.

mod stored;

use std::collections::BTreeMap;

use num_bigint::{BigInt, BigUint};
use serde::Serialize;

use crate::statistics::exact::{Place, Sums, UNIT, round};
use crate::statistics::quantile::{OrderNumbers, QuantileValues};
use crate::statistics::series::Point;
use crate::time::Timestamp;

/// Count, sums, extremes and times of at least one point. Summaries of disjoint sets of points merge.
///
/// Equal multisets of points have equal summaries, and these have equal bytes.
///
/// ```
/// use eventpulse_core::statistics::series::Point;
/// use eventpulse_core::statistics::summary::Summary;
/// use eventpulse_core::time::Timestamp;
///
/// let points = [0.1, 0.2, 0.3].map(|value| Point { time: Timestamp::from_secs(0), value });
/// let mut summary = Summary::of(&points[..1]).unwrap();
/// summary.merge(&Summary::of(&points[1..]).unwrap());
/// assert_eq!((summary.count(), summary.mean(), summary.max()), (3, 0.2, 0.3));
/// assert_eq!(Some(summary), Summary::of(&points));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    count: u64,
    sums: Sums,
    min: Place,
    max: Place,
    first: Timestamp,
    last: Timestamp,
}

/// The statistics of a series over a time range. All numbers are finite. A zero has no sign.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Statistics {
    /// The number of points, at least 1.
    pub count: u64,
    /// The sum. `None` if it exceeds the largest `f64`.
    pub sum: Option<f64>,
    /// The arithmetic mean.
    pub mean: f64,
    /// The median: the middle value, or the mean of the two middle ones.
    pub median: f64,
    /// The variance of the sample (n - 1). `None` for a single point, and if it exceeds the largest `f64`.
    pub variance: Option<f64>,
    /// The standard deviation of the sample (n - 1). `None` for a single point, and if it exceeds the largest `f64`.
    pub standard_deviation: Option<f64>,
    /// The difference of the quantiles 0.75 and 0.25. `None` if it exceeds the largest `f64`.
    pub interquartile_range: Option<f64>,
    /// The quantiles that were asked for.
    #[serde(skip_serializing_if = "QuantileValues::is_empty")]
    pub quantiles: QuantileValues,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
    /// The time of the earliest point.
    pub first: Timestamp,
    /// The time of the latest point.
    pub last: Timestamp,
}

/// The reason why a number is not available.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unavailable {
    /// A single value has no deviation.
    OneValue,
    /// The number exceeds the largest double, 1.8e308.
    TooLarge,
    /// The number would need another pass over the values.
    NotComputed,
}

/// The bytes are not a summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not a summary")]
pub struct InvalidSummary;

impl Summary {
    /// Summarizes points in any order; `None` for no points. The values are finite.
    #[must_use]
    pub fn of(points: &[Point]) -> Option<Summary> {
        let head = points.first()?;
        let (mut min, mut max) = (Place::of(head.value), Place::of(head.value));
        let (mut first, mut last) = (head.time, head.time);
        for point in points {
            let place = Place::of(point.value);
            min = min.min(place);
            max = max.max(place);
            first = first.min(point.time);
            last = last.max(point.time);
        }
        Some(Summary { count: points.len() as u64, sums: Sums::of(points), min, max, first, last })
    }

    /// Adds the points of another summary.
    pub fn merge(&mut self, other: &Summary) {
        self.count = self.count.saturating_add(other.count);
        self.sums.add(&other.sums);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }

    /// Adds the points to a total, which may have none yet.
    pub(crate) fn merge_into(&self, total: &mut Option<Summary>) {
        match total {
            Some(total) => total.merge(self),
            None => *total = Some(self.clone()),
        }
    }

    /// Returns the number of points, at least 1.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Returns the sum, correctly rounded; `None` if it exceeds the largest `f64`.
    #[must_use]
    pub fn sum(&self) -> Option<f64> {
        let (sum, position) = self.sums.values.to_big();
        round::nearest(&sum, &BigUint::from(1u8), UNIT + position)
    }

    /// Returns the arithmetic mean, correctly rounded.
    #[must_use]
    pub fn mean(&self) -> f64 {
        let (sum, position) = self.sums.values.to_big();
        // A mean is between the extremes, so it never exceeds the largest double.
        round::nearest(&sum, &self.count.into(), UNIT + position).unwrap_or(f64::MAX)
    }

    /// Returns the smallest value; -0.0 is smaller than 0.0.
    #[must_use]
    pub fn min(&self) -> f64 {
        self.min.value()
    }

    /// Returns the largest value; 0.0 is larger than -0.0.
    #[must_use]
    pub fn max(&self) -> f64 {
        self.max.value()
    }

    /// Returns the value of all points if they have the same one, as of a single point. A zero has no sign.
    #[must_use]
    pub fn only_value(&self) -> Option<f64> {
        (self.min() == self.max()).then(|| self.min() + 0.0)
    }

    /// Returns the time of the earliest point.
    #[must_use]
    pub fn first(&self) -> Timestamp {
        self.first
    }

    /// Returns the time of the latest point.
    #[must_use]
    pub fn last(&self) -> Timestamp {
        self.last
    }

    /// Returns the variance of the sample (n - 1), correctly rounded. `None` for a single point, and if it exceeds the largest
    /// `f64`, which happens for deviations beyond 1.3e154.
    #[must_use]
    pub fn variance(&self) -> Option<f64> {
        let (numerator, denominator, exponent) = self.variance_ratio()?;
        round::nearest(&numerator.into(), &denominator, exponent)
    }

    /// Returns the standard deviation of the sample (n - 1), correctly rounded. `None` for a single point, and if it exceeds
    /// the largest `f64`, which happens only for values of both signs near that limit.
    #[must_use]
    pub fn standard_deviation(&self) -> Option<f64> {
        let (numerator, denominator, exponent) = self.variance_ratio()?;
        round::nearest_root(&numerator, &denominator, exponent)
    }

    /// Returns the variance as numerator, denominator and exponent of 2: (n Σx² - (Σx)²) / (n (n - 1)).
    fn variance_ratio(&self) -> Option<(BigUint, BigUint, i64)> {
        let count = BigUint::from(self.count);
        let denominator = &count * (self.count > 1).then(|| self.count - 1)?;
        let (sum, position) = self.sums.values.to_big();
        let (squares, of_squares) = self.sums.squares.to_big();
        let (square_of_sum, of_sum) = (&sum * &sum, 2 * position);
        let lowest = of_squares.min(of_sum);
        let scaled = |integer: BigInt, position: i64| integer << (position - lowest);
        let numerator = scaled(squares * BigInt::from(count), of_squares) - scaled(square_of_sum, of_sum);
        Some((numerator.to_biguint()?, denominator, 2 * UNIT + lowest))
    }

    /// Returns the statistics of the points, from the numbers that depend on the order of their values.
    #[must_use]
    pub fn statistics(&self, order: OrderNumbers) -> Statistics {
        let OrderNumbers { median, interquartile_range, quantiles } = order;
        Statistics {
            count: self.count,
            sum: self.sum(),
            mean: self.mean(),
            median,
            variance: self.variance(),
            standard_deviation: self.standard_deviation(),
            interquartile_range,
            quantiles,
            min: self.min() + 0.0,
            max: self.max() + 0.0,
            first: self.first,
            last: self.last,
        }
    }
}

impl Statistics {
    /// Returns the reason for each number that is `None`, by the name of its field.
    #[must_use]
    pub fn unavailable(&self) -> BTreeMap<&'static str, Unavailable> {
        let numbers = [
            ("sum", self.sum),
            ("variance", self.variance),
            ("standard_deviation", self.standard_deviation),
            ("interquartile_range", self.interquartile_range),
        ];
        unavailable(self.count, &numbers)
    }
}

/// Returns the reason for each number that is `None`, by its name, for this number of points.
pub(crate) fn unavailable(count: u64, numbers: &[(&'static str, Option<f64>)]) -> BTreeMap<&'static str, Unavailable> {
    let missing = numbers.iter().filter(|(_, number)| number.is_none());
    let reason = |name: &str| match name {
        "median" => Unavailable::NotComputed,
        "variance" | "standard_deviation" if count == 1 => Unavailable::OneValue,
        _ => Unavailable::TooLarge,
    };
    missing.map(|(name, _)| (*name, reason(name))).collect()
}

#[cfg(test)]
#[path = "summary/tests.rs"]
pub(crate) mod tests;
