//! Exact arithmetic on doubles: sums without rounding, and the rounding of a result, once.
//!
//! A finite double is an integer times 2^-1074, so a sum of doubles is an integer in these units, and a sum of their squares is
//! one in units of 2^-2148. [`Sums`] accumulates both on the hot path; [`Integer`] stores them in the digits in use and merges
//! by addition; [`round`] divides and takes roots of big integers (num-bigint), and rounds to the nearest double.

mod integer;
pub(crate) mod round;
mod sums;

pub(crate) use integer::Integer;
pub(crate) use sums::Sums;

/// The exponent of the unit of a sum of doubles: 2^-1074, the smallest double.
pub(crate) const UNIT: i64 = -1074;

/// Returns the integer and the bit position with `value = integer * 2^(UNIT + position)`, for a finite double.
pub(crate) fn decompose(value: f64) -> (i64, u32) {
    const FRACTION_BITS: u32 = 52;
    let bits = value.to_bits();
    let exponent = (bits >> FRACTION_BITS) as u32 & 0x7ff;
    let fraction = (bits & ((1 << FRACTION_BITS) - 1)) as i64;
    // A subnormal has no hidden bit, and the unit of the smallest normal numbers.
    let magnitude = if exponent == 0 { fraction } else { fraction | 1 << FRACTION_BITS };
    (if value.is_sign_negative() { -magnitude } else { magnitude }, exponent.saturating_sub(1))
}
