//! Statistics by exact fractions: an independent judge of the numbers that EventPulse serves. The end-to-end tests include this file,
//! too.
//!
//! It follows the definitions and nothing else: a finite double is a fraction, arithmetic of fractions is exact, and each result is
//! rounded once. The nearest double is found by bisection over all doubles and by comparing the fraction with its two neighbours.
//! Zero has no sign here.
#![allow(dead_code, reason = "each user needs a part")]

use std::cmp::Ordering;

use num_bigint::BigInt;
use num_rational::BigRational;

/// The bits of infinity, which stands for 2^1024 here: the neighbour of the largest double if exponents went on.
const BEYOND: u64 = 0x7ff << 52;

/// The statistics of a multiset of values, each rounded once to the nearest double, ties to even.
#[derive(Debug, Clone, PartialEq)]
pub struct Numbers {
    pub count: u64,
    /// `None` if it exceeds the largest double, as below.
    pub sum: Option<f64>,
    pub mean: f64,
    /// The sample variance (n - 1); `None` also for one value.
    pub variance: Option<f64>,
    /// The root of the exact variance, not of the rounded one; `None` also for one value.
    pub standard_deviation: Option<f64>,
    pub min: f64,
    pub max: f64,
    pub median: f64,
    pub interquartile_range: Option<f64>,
}

impl Numbers {
    /// Returns the statistics of at least one value.
    pub fn of(values: &[f64]) -> Self {
        let n = BigInt::from(values.len());
        let (units, unit) = in_common_units(values);
        let total: BigInt = units.iter().sum();
        // The distances from the mean, n times each, so that they are integers.
        let squares: BigInt = units.iter().map(|value| (value * &n - &total).pow(2)).sum();
        let sum = times_power_of_two(total, unit);
        let variance = (values.len() > 1).then(|| times_power_of_two(squares, 2 * unit) / (n.pow(2) * (&n - 1)));
        let sorted = sorted(values);
        let quartiles = [(1, 4), (3, 4)].map(|(numerator, denominator)| {
            quantile_of_sorted(&sorted, &BigRational::new(BigInt::from(numerator), BigInt::from(denominator)))
        });
        Self {
            count: values.len() as u64,
            sum: nearest(&sum),
            mean: nearest(&(sum / n)).expect("the mean lies between the values"),
            variance: variance.as_ref().and_then(nearest),
            standard_deviation: variance.as_ref().and_then(nearest_root),
            min: sorted[0] + 0.0,
            max: sorted[sorted.len() - 1] + 0.0,
            median: quantile(values, "0.5"),
            interquartile_range: nearest(&(&quartiles[1] - &quartiles[0])),
        }
    }
}

/// Returns the quantile of at least one value at a decimal from 0 to 1, by linear interpolation between order statistics: the
/// default of numpy, type 7 of Hyndman and Fan.
pub fn quantile(values: &[f64], p: &str) -> f64 {
    nearest(&quantile_of_sorted(&sorted(values), &decimal(p))).expect("a quantile lies between the values")
}

fn quantile_of_sorted(sorted: &[f64], p: &BigRational) -> BigRational {
    let position = p * BigInt::from(sorted.len() - 1);
    let index = usize::try_from(position.to_integer()).expect("an index");
    let lower = exact(sorted[index]);
    match sorted.get(index + 1) {
        Some(upper) => (exact(*upper) - &lower) * position.fract() + lower,
        None => lower,
    }
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// Returns the exact value of a finite double.
pub fn exact(value: f64) -> BigRational {
    assert!(value.is_finite(), "{value} is no fraction");
    let magnitude = magnitude(value.abs().to_bits());
    if value.is_sign_negative() { -magnitude } else { magnitude }
}

/// Returns the exact value of a decimal in the notation of JSON.
pub fn decimal(text: &str) -> BigRational {
    let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits: BigInt = format!("{whole}{part}").parse().expect("digits");
    let exponent = exponent.parse::<i64>().expect("an exponent") - i64::try_from(part.len()).expect("a length");
    let power = BigInt::from(10).pow(u32::try_from(exponent.unsigned_abs()).expect("a small exponent"));
    if exponent < 0 { BigRational::new(digits, power) } else { BigRational::from_integer(digits * power) }
}

/// Returns the nearest double, ties to even; `None` if it is beyond the largest one.
pub fn nearest(fraction: &BigRational) -> Option<f64> {
    let is_negative = *fraction < BigRational::from_integer(BigInt::ZERO);
    let size = if is_negative { -fraction } else { fraction.clone() };
    let below = last_where(|double| *double <= size);
    let order = (&size - magnitude(below)).cmp(&(magnitude(below + 1) - &size));
    let nearest = nearer(below, order)?;
    Some(if is_negative && nearest != 0.0 { -nearest } else { nearest })
}

/// Returns the double nearest to the root of a fraction, ties to even; `None` if it is beyond the largest one.
pub fn nearest_root(fraction: &BigRational) -> Option<f64> {
    let below = last_where(|double| double * double <= *fraction);
    let middle = (magnitude(below) + magnitude(below + 1)) / BigInt::from(2);
    nearer(below, fraction.cmp(&(&middle * &middle)))
}

/// Returns the double with these bits if a number is below the middle between it and the next one, the next one if it is above, and
/// the even one of the two if it is in the middle.
fn nearer(bits: u64, order: Ordering) -> Option<f64> {
    let bits = match order {
        Ordering::Less => bits,
        Ordering::Greater => bits + 1,
        Ordering::Equal => bits + bits % 2,
    };
    (bits < BEYOND).then(|| f64::from_bits(bits))
}

/// Returns the bits of the last double, from zero up, for which a condition holds that holds for zero and ceases to hold somewhere.
fn last_where(holds: impl Fn(&BigRational) -> bool) -> u64 {
    let (mut low, mut high) = (0, BEYOND);
    while high - low > 1 {
        let middle = low.midpoint(high);
        if holds(&magnitude(middle)) { low = middle } else { high = middle }
    }
    low
}

/// Returns the exact value of the double with these bits, without its sign.
fn magnitude(bits: u64) -> BigRational {
    let (digits, exponent) = digits_and_exponent(bits);
    times_power_of_two(BigInt::from(digits), exponent)
}

/// Returns the integers `d` and `e` such that the double with these bits is `d * 2^e`, by IEEE 754 (binary64).
fn digits_and_exponent(bits: u64) -> (u64, i32) {
    let (field, digits) = (i32::try_from(bits >> 52).expect("no sign"), bits & ((1 << 52) - 1));
    if field == 0 { (digits, -1074) } else { (digits | 1 << 52, field - 1075) }
}

/// Returns the values as integers in units of one power of two, and its exponent.
fn in_common_units(values: &[f64]) -> (Vec<BigInt>, i32) {
    let parts = || values.iter().map(|value| digits_and_exponent(value.abs().to_bits()));
    let unit = parts().filter(|(digits, _)| *digits != 0).map(|(_, exponent)| exponent).min().unwrap_or(0);
    let integer = |(value, (digits, exponent)): (&f64, (u64, i32))| {
        let size = BigInt::from(digits) << (exponent - unit).max(0);
        if *value < 0.0 { -size } else { size }
    };
    (values.iter().zip(parts()).map(integer).collect(), unit)
}

fn times_power_of_two(integer: BigInt, exponent: i32) -> BigRational {
    let power = BigInt::from(1) << exponent.unsigned_abs();
    if exponent < 0 { BigRational::new(integer, power) } else { BigRational::from_integer(integer * power) }
}
