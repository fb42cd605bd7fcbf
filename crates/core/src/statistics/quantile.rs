//! Quantiles: exactly the asked fraction of the sorted values, interpolated linearly and rounded once.
//!
//! The definition is type 7 of Hyndman and Fan, [Sample Quantiles in Statistical Packages](https://doi.org/10.2307/2684934), the
//! default of numpy and R: the quantile `p` of `n` sorted values is at the position `(n - 1) p`, counted from 0. Between two
//! values, it is interpolated linearly.

use num_bigint::{BigInt, BigUint};
use serde::{Serialize, Serializer};

use crate::statistics::exact::{UNIT, decompose, round};

/// The maximum number of quantiles of one answer.
pub const MAX_QUANTILES: usize = 20;

/// The maximum number of decimal places of a quantile.
const MAX_PLACES: usize = 15;
/// The number of units of a quantile of 1.
const ONE: u64 = 1_000_000_000_000_000;

/// A decimal from 0 to 1, exactly as its text says and not the nearest double.
///
/// ```
/// use eventpulse_core::statistics::quantile::Quantile;
///
/// assert_eq!(Quantile::parse("0.950").unwrap().as_str(), "0.950");
/// assert!(Quantile::parse("1.5").is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quantile {
    text: String,
    /// The decimal in units of 10^-15.
    units: u64,
}

impl Quantile {
    /// Parses `0`, `1`, or either with up to 15 decimal places, such as `0.95`: no sign, no exponent, no spaces.
    #[must_use]
    pub fn parse(text: &str) -> Option<Quantile> {
        let (whole, places) = match text.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (text, ""),
        };
        if !matches!(whole, "0" | "1") || places.len() > MAX_PLACES || !places.bytes().all(|byte| byte.is_ascii_digit())
        {
            return None;
        }
        let units: u64 = format!("{whole}{places:0<MAX_PLACES$}").parse().ok()?;
        (units <= ONE).then(|| Quantile { text: text.to_owned(), units })
    }

    /// Returns the text of the decimal, as it was parsed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Up to [`MAX_QUANTILES`] different quantiles, in the order asked. The default is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Quantiles(Vec<Quantile>);

/// The reason why a text is not a list of quantiles.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuantiles {
    /// An element is not a [`Quantile`].
    #[error(
        "expected decimals from 0 to 1 with at most {MAX_PLACES} decimal places, separated by commas, such as 0.05,0.5,0.95; \
         {0:?} is not such a decimal"
    )]
    NotADecimal(String),
    /// There are more than [`MAX_QUANTILES`].
    #[error("expected at most {MAX_QUANTILES} quantiles, but found {0}")]
    TooMany(usize),
    /// Two elements are the same number.
    #[error("expected different quantiles, but {0} and {1} are equal")]
    Repeated(String, String),
}

impl Quantiles {
    /// Parses quantiles that are separated by commas.
    ///
    /// # Errors
    /// Returns the reason if the text is empty, has an element that is not a quantile, or has too many or equal ones.
    pub fn parse(text: &str) -> Result<Quantiles, InvalidQuantiles> {
        let number = text.split(',').count();
        if number > MAX_QUANTILES {
            return Err(InvalidQuantiles::TooMany(number));
        }
        let mut quantiles: Vec<Quantile> = Vec::with_capacity(number);
        for element in text.split(',') {
            let not_a_decimal = || InvalidQuantiles::NotADecimal(element.chars().take(32).collect());
            let quantile = Quantile::parse(element).ok_or_else(not_a_decimal)?;
            if let Some(equal) = quantiles.iter().find(|earlier| earlier.units == quantile.units) {
                return Err(InvalidQuantiles::Repeated(equal.text.clone(), quantile.text));
            }
            quantiles.push(quantile);
        }
        Ok(Quantiles(quantiles))
    }

    /// Returns the ranks, from 0 and increasing, of the values that median, quartiles and the quantiles depend on.
    pub(crate) fn ranks(&self, count: u64) -> Vec<u64> {
        let Some(last) = count.checked_sub(1) else { return Vec::new() };
        let units = self.0.iter().map(|quantile| quantile.units).chain([QUARTILE, MEDIAN, UPPER_QUARTILE]);
        let mut ranks: Vec<u64> = units
            .flat_map(|units| {
                let (rank, above) = position(units, last);
                [rank, rank + u64::from(above > 0)]
            })
            .collect();
        ranks.sort_unstable();
        ranks.dedup();
        ranks
    }

    /// Returns the numbers of `count` values. `at` returns the value of each of the [`ranks`](Self::ranks); `None` if it lacks one.
    pub(crate) fn values(&self, count: u64, at: impl Fn(u64) -> Option<f64>) -> Option<OrderNumbers> {
        let last = count.checked_sub(1)?;
        let exact = |units| {
            let (rank, above) = position(units, last);
            Some(Exact::between(at(rank)?, at(rank + u64::from(above > 0))?, above))
        };
        let asked = self.0.iter().map(|quantile| Some((quantile.clone(), exact(quantile.units)?.rounded()?)));
        Some(OrderNumbers {
            median: exact(MEDIAN)?.rounded()?,
            interquartile_range: exact(UPPER_QUARTILE)?.minus(exact(QUARTILE)?).rounded(),
            quantiles: QuantileValues(asked.collect::<Option<_>>()?),
        })
    }
}

/// The numbers of an answer that depend on the order of the values. Zeros have no sign.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderNumbers {
    /// The median: the quantile 0.5.
    pub median: f64,
    /// The difference of the quantiles 0.75 and 0.25. `None` if it exceeds the largest `f64`.
    pub interquartile_range: Option<f64>,
    /// The quantiles that were asked for.
    pub quantiles: QuantileValues,
}

/// Quantiles and their values, in the order asked. In JSON, an object from the text of each quantile to its value.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct QuantileValues(Vec<(Quantile, f64)>);

impl QuantileValues {
    /// Returns whether no quantile was asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the quantiles and their values.
    pub fn iter(&self) -> impl Iterator<Item = (&Quantile, f64)> {
        self.0.iter().map(|(quantile, value)| (quantile, *value))
    }
}

impl Serialize for QuantileValues {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(quantile, value)| (quantile.as_str(), value)))
    }
}

const QUARTILE: u64 = ONE / 4;
const MEDIAN: u64 = ONE / 2;
const UPPER_QUARTILE: u64 = ONE / 4 * 3;

/// Returns the position of a quantile among values with the ranks 0 to `last`: the rank of the value at or below it, and the
/// distance from there to the next value, in units of 10^-15.
fn position(units: u64, last: u64) -> (u64, u64) {
    let position = u128::from(units) * u128::from(last);
    let one = u128::from(ONE);
    // A quantile is at most 1, so a rank is at most `last`.
    ((position / one) as u64, (position % one) as u64)
}

/// The exact number `numerator / ONE * 2^(UNIT + position)`.
struct Exact {
    numerator: BigInt,
    position: u32,
}

impl Exact {
    /// Returns the number between two values, `above` units of 10^-15 of the way from the lower to the upper one.
    fn between(lower: f64, upper: f64, above: u64) -> Exact {
        let weighted = |value, weight: u64| {
            let (integer, position) = decompose(value);
            Exact { numerator: BigInt::from(i128::from(integer) * i128::from(weight)), position }
        };
        weighted(lower, ONE - above).plus(weighted(upper, above))
    }

    fn plus(self, other: Exact) -> Exact {
        let position = self.position.min(other.position);
        let scaled = |number: Exact| number.numerator << (number.position - position);
        Exact { numerator: scaled(self) + scaled(other), position }
    }

    fn minus(self, other: Exact) -> Exact {
        self.plus(Exact { numerator: -other.numerator, ..other })
    }

    /// Returns the nearest double, with ties to even; `None` if it exceeds the largest one.
    fn rounded(&self) -> Option<f64> {
        round::nearest(&self.numerator, &BigUint::from(ONE), UNIT + i64::from(self.position))
    }
}

#[cfg(test)]
#[path = "quantile/tests.rs"]
mod tests;
