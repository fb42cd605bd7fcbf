//! Summaries of points, which merge, and the statistics of an answer.
//!
//! A [`Summary`] has the population standard deviation instead of the usual sum of squares. The deviation is at most half of
//! `max - min`, so finite values do not overflow it, and it does not underflow where squares would. The rounding error of the mean is
//! kept with it, so that summaries of values with a large common offset merge without losing digits.

use serde::{Deserialize, Serialize};
use statrs::statistics::{Accumulate, OnlineMoments};

use crate::statistics::series::Point;
use crate::time::Timestamp;

/// The magnitude from which sums and differences of values might overflow. They are computed on values scaled by [`DOWN`].
const LARGE: f64 = power_of_two(960);
const DOWN: f64 = power_of_two(-64);
const UP: f64 = power_of_two(64);

/// Count, mean, deviation, extremes and times of at least one point. Summaries of disjoint sets of points merge.
///
/// ```
/// use eventpulse_core::statistics::series::Point;
/// use eventpulse_core::statistics::summary::Summary;
/// use eventpulse_core::time::Timestamp;
///
/// let points = [1.0, 2.0, 6.0].map(|value| Point { time: Timestamp::from_secs(0), value });
/// let summary = Summary::of(&points[..1]).unwrap().merge(&Summary::of(&points[1..]).unwrap());
/// assert_eq!((summary.count(), summary.mean(), summary.max()), (3, 3.0, 6.0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    count: u64,
    mean: f64,
    /// The rounding error of `mean`: the true mean is closer to `mean + mean_rest`.
    mean_rest: f64,
    /// The standard deviation of the population: the root of the mean squared distance from the mean.
    deviation: f64,
    min: f64,
    max: f64,
    first: Timestamp,
    last: Timestamp,
}

/// The statistics of a series over a time range. All numbers are finite.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// The number of points, at least 1.
    pub count: u64,
    /// The arithmetic mean.
    pub mean: f64,
    /// The median: the middle value, or the mean of the two middle ones.
    pub median: f64,
    /// The standard deviation of the sample (n - 1). `None`, in JSON null, for a single point, and if it exceeds the largest `f64`.
    pub standard_deviation: Option<f64>,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
    /// The time of the earliest point.
    pub first: Timestamp,
    /// The time of the latest point.
    pub last: Timestamp,
}

/// The bytes are not a summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are no summary")]
pub struct InvalidSummary;

impl Summary {
    /// The length of [`to_bytes`](Self::to_bytes).
    pub const BYTES: usize = 64;

    /// Summarizes points in any order; `None` for no points.
    ///
    /// The mean is that of a compensated sum. The deviation comes from the online moments of statrs, of the distances from the mean
    /// in units of a power of two near the largest distance. So neither a large offset nor large or small values cost digits.
    #[must_use]
    pub fn of(points: &[Point]) -> Option<Summary> {
        let (head, tail) = points.split_first()?;
        let (mut min, mut max, mut first, mut last) = (head.value, head.value, head.time, head.time);
        for point in tail {
            min = smaller(min, point.value);
            max = larger(max, point.value);
            first = first.min(point.time);
            last = last.max(point.time);
        }
        let (down, up) = scale(min, max);
        let (mean, mean_rest) = mean(points, down);
        let distance = (max * down - mean).max(mean - min * down);
        let exponent = exponent(distance);
        let unit = power_of_two(-exponent);
        let moments = points
            .iter()
            .fold(OnlineMoments::<2>::default(), |moments, point| moments.push((point.value * down - mean) * unit));
        let deviation = moments.population_variance()?.sqrt() * power_of_two(exponent);
        let count = points.len() as u64;
        let (mean, mean_rest, deviation) = (mean * up, mean_rest * up, deviation * up);
        Some(Summary { count, mean, mean_rest, deviation, min, max, first, last }.bounded())
    }

    /// Returns the summary of both sets of points, after Chan, Golub and LeVeque, [Updating Formulae and a Pairwise Algorithm for
    /// Computing Sample Variances](http://i.stanford.edu/pub/cstr/reports/cs/tr/79/773/CS-TR-79-773.pdf). Commutes exactly.
    #[must_use]
    pub fn merge(&self, other: &Summary) -> Summary {
        let (light, heavy) = if self.order() < other.order() { (self, other) } else { (other, self) };
        let min = smaller(light.min, heavy.min);
        let max = larger(light.max, heavy.max);
        let (down, up) = scale(min, max);
        let count = light.count.saturating_add(heavy.count);
        let weight = light.count as f64 / count as f64;
        let (difference, rest) = two_sum(light.mean * down, -heavy.mean * down);
        let difference = difference + (rest + (light.mean_rest - heavy.mean_rest) * down);
        let (mean, rest) = two_sum(heavy.mean * down, difference * weight);
        let (mean, mean_rest) = two_sum(mean, rest + heavy.mean_rest * down);
        let deviation = norm([
            heavy.deviation * down * (1.0 - weight).sqrt(),
            light.deviation * down * weight.sqrt(),
            difference * (weight * (1.0 - weight)).sqrt(),
        ]);
        Summary {
            count,
            mean: mean * up,
            mean_rest: mean_rest * up,
            deviation: deviation * up,
            min,
            max,
            first: light.first.min(heavy.first),
            last: light.last.max(heavy.last),
        }
        .bounded()
    }

    /// Returns the summary of points with these statistics, exact but for the last digit; `None` for impossible statistics.
    #[must_use]
    pub fn of_statistics(
        count: u64,
        mean: f64,
        standard_deviation: Option<f64>,
        (min, max): (f64, f64),
        (first, last): (Timestamp, Timestamp),
    ) -> Option<Summary> {
        let points = count as f64;
        let deviation = standard_deviation.unwrap_or(0.0) * ((points - 1.0) / points).sqrt();
        let summary = Summary { count, mean, mean_rest: 0.0, deviation, min, max, first, last }.bounded();
        Summary::from_bytes(&summary.to_bytes()).ok()
    }

    /// Corrects rounding at the limits: the mean is between the extremes, the deviation is finite.
    fn bounded(self) -> Summary {
        let mean = self.mean.clamp(self.min, self.max);
        let mean_rest = if mean == self.mean && self.mean_rest.is_finite() { self.mean_rest } else { 0.0 };
        Summary { mean, mean_rest, deviation: self.deviation.min(f64::MAX), ..self }
    }

    /// Returns the key of a total order, so that a merge does not depend on the order of two summaries.
    fn order(&self) -> (u64, [u64; 5], Timestamp, Timestamp) {
        let numbers = [self.mean, self.mean_rest, self.deviation, self.min, self.max];
        (self.count, numbers.map(f64::to_bits), self.first, self.last)
    }

    /// Returns the number of points, at least 1.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Returns the arithmetic mean.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Returns the smallest value; -0.0 is smaller than 0.0.
    #[must_use]
    pub fn min(&self) -> f64 {
        self.min
    }

    /// Returns the largest value; 0.0 is larger than -0.0.
    #[must_use]
    pub fn max(&self) -> f64 {
        self.max
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

    /// Returns the variance of the sample (n - 1). `None` for a single point, and if it exceeds the largest `f64`, which happens for
    /// deviations beyond 1.3e154; [`standard_deviation`](Self::standard_deviation) has no such limit.
    #[must_use]
    pub fn variance(&self) -> Option<f64> {
        self.standard_deviation().map(|deviation| deviation * deviation).filter(|variance| variance.is_finite())
    }

    /// Returns the standard deviation of the sample (n - 1). `None` for a single point, and if it exceeds the largest `f64`, which
    /// happens only for values of both signs near that limit.
    #[must_use]
    pub fn standard_deviation(&self) -> Option<f64> {
        if self.count < 2 {
            return None;
        }
        let n = self.count as f64;
        let deviation = self.deviation * (n / (n - 1.0)).sqrt();
        deviation.is_finite().then_some(deviation)
    }

    /// Returns the statistics of the points, whose median is `median`. A zero loses its sign.
    #[must_use]
    pub fn statistics(&self, median: f64) -> Statistics {
        Statistics {
            count: self.count,
            mean: self.mean + 0.0,
            median: median + 0.0,
            standard_deviation: self.standard_deviation(),
            min: self.min + 0.0,
            max: self.max + 0.0,
            first: self.first,
            last: self.last,
        }
    }

    /// Returns the stored form: eight little-endian numbers of eight bytes. (The numbers of DynamoDB end at 9.9e125.)
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let words = [
            self.count,
            self.mean.to_bits(),
            self.mean_rest.to_bits(),
            self.deviation.to_bits(),
            self.min.to_bits(),
            self.max.to_bits(),
            self.first.as_micros() as u64,
            self.last.as_micros() as u64,
        ];
        let mut bytes = [0; Self::BYTES];
        for (chunk, word) in bytes.chunks_exact_mut(8).zip(words) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// Parses the stored form.
    ///
    /// # Errors
    /// Returns [`InvalidSummary`] for bytes that are not the summary of any points.
    pub fn from_bytes(bytes: &[u8]) -> Result<Summary, InvalidSummary> {
        let bytes: &[u8; Self::BYTES] = bytes.try_into().map_err(|_| InvalidSummary)?;
        let mut words = [0; 8];
        for (word, chunk) in words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u64::from_le_bytes(*chunk);
        }
        let [count, mean, mean_rest, deviation, min, max, first, last] = words;
        let [mean, mean_rest, deviation, min, max] = [mean, mean_rest, deviation, min, max].map(f64::from_bits);
        let first = Timestamp::try_from_micros(first as i64).ok_or(InvalidSummary)?;
        let last = Timestamp::try_from_micros(last as i64).ok_or(InvalidSummary)?;
        // A comparison with NaN is false.
        let is_possible = count > 0
            && first <= last
            && min.is_finite()
            && max.is_finite()
            && min <= mean
            && mean <= max
            && mean_rest.abs() <= mean.abs()
            && 0.0 <= deviation
            && deviation / 2.0 <= max / 2.0 - min / 2.0;
        if !is_possible {
            return Err(InvalidSummary);
        }
        Ok(Summary { count, mean, mean_rest, deviation, min, max, first, last })
    }
}

/// Merges many summaries as the leaves of a balanced tree, so that rounding errors grow with the logarithm of their number.
#[derive(Debug, Clone, Default)]
pub(crate) struct Merger {
    /// A binary counter: none at index i, or the summary of 2^i summaries.
    levels: Vec<Option<Summary>>,
}

impl Merger {
    pub(crate) fn add(&mut self, mut summary: Summary) {
        for level in &mut self.levels {
            match level.take() {
                None => {
                    *level = Some(summary);
                    return;
                }
                Some(other) => summary = other.merge(&summary),
            }
        }
        self.levels.push(Some(summary));
    }

    pub(crate) fn total(&self) -> Option<Summary> {
        self.levels.iter().flatten().copied().reduce(|total, level| total.merge(&level))
    }
}

/// Returns the smaller value by `total_cmp`, so that the signs of zeros do not make the result depend on the order.
fn smaller(a: f64, b: f64) -> f64 {
    if b.total_cmp(&a).is_lt() { b } else { a }
}

fn larger(a: f64, b: f64) -> f64 {
    if b.total_cmp(&a).is_gt() { b } else { a }
}

/// Returns the sum and its rounding error (Knuth).
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_seen = sum - a;
    let a_seen = sum - b_seen;
    (sum, (a - a_seen) + (b - b_seen))
}

/// Returns the mean of the values times `down`, and its rounding error (Sum2 of Ogita, Rump and Oishi).
fn mean(points: &[Point], down: f64) -> (f64, f64) {
    let (mut sum, mut rest) = (0.0, 0.0);
    for point in points {
        let error;
        (sum, error) = two_sum(sum, point.value * down);
        rest += error;
    }
    let n = points.len() as f64;
    let quotient = sum / n;
    two_sum(quotient, ((-quotient).mul_add(n, sum) + rest) / n)
}

/// Returns the root of the sum of the squares without intermediate overflow or underflow. (`hypot` differs between platforms.)
fn norm(numbers: [f64; 3]) -> f64 {
    let largest = numbers.iter().fold(0.0, |largest: f64, number| largest.max(number.abs()));
    let exponent = exponent(largest);
    let unit = power_of_two(-exponent);
    let squares: f64 = numbers.iter().map(|number| (number * unit) * (number * unit)).sum();
    squares.sqrt() * power_of_two(exponent)
}

fn scale(min: f64, max: f64) -> (f64, f64) {
    if max >= LARGE || min <= -LARGE { (DOWN, UP) } else { (1.0, 1.0) }
}

/// Returns the exponent of a finite number, limited so that [`power_of_two`] accepts it and its negation.
fn exponent(number: f64) -> i32 {
    let biased = (number.to_bits() >> 52) & 0x7ff;
    if number == 0.0 { 0 } else { (biased as i32 - 1023).clamp(-1000, 1000) }
}

/// Returns 2 to the power of `exponent`, which is within -1022 and 1023.
const fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

#[cfg(test)]
#[path = "summary/tests.rs"]
pub(crate) mod tests;
