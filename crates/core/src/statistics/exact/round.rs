//! The double nearest to a ratio of integers or to its square root, ties to even.

use num_bigint::{BigInt, BigUint, Sign};
use num_integer::Integer as _;

use super::double::UNIT;

/// The number of bits of a significand.
const PRECISION: i64 = 53;
/// The exponent of the smallest double.
const MIN_EXPONENT: i64 = UNIT;

/// Returns the double nearest to `numerator / denominator * 2^exponent`, with ties to even; `None` if it exceeds the largest
/// double. A zero has no sign. `denominator` is not zero.
pub(crate) fn nearest(numerator: &BigInt, denominator: &BigUint, exponent: i64) -> Option<f64> {
    // A quotient of 55 bits or more, with the remainder in its last bit, rounds as the true value does.
    let shift = 55 + bits(denominator) - bits(numerator.magnitude());
    let (quotient, remainder) = shifted(numerator.magnitude(), shift).div_rem(&shifted(denominator, -shift));
    let quotient = u64::try_from(quotient).ok()? | u64::from(remainder != BigUint::ZERO);
    let magnitude = nearest_of_odd(quotient, exponent - shift)?;
    Some(if numerator.sign() == Sign::Minus && magnitude > 0.0 { -magnitude } else { magnitude })
}

/// Returns the double nearest to the square root of `numerator / denominator * 2^exponent`, with ties to even; `None` if it
/// exceeds the largest double. `denominator` is not zero.
pub(crate) fn nearest_root(numerator: &BigUint, denominator: &BigUint, exponent: i64) -> Option<f64> {
    // A quotient of 112 to 114 bits, whose root has 56 or 57. The exponent that is left is even.
    let shift = 112 + bits(denominator) - bits(numerator);
    let shift = shift + (exponent - shift).rem_euclid(2);
    let (quotient, remainder) = shifted(numerator, shift).div_rem(&shifted(denominator, -shift));
    let quotient = u128::try_from(quotient).ok()?;
    let root = quotient.isqrt();
    let is_exact = remainder == BigUint::ZERO && root * root == quotient;
    nearest_of_odd(u64::try_from(root).ok()? | u64::from(!is_exact), (exponent - shift) / 2)
}

/// Returns the double nearest to `digits * 2^exponent`. The last of at least 55 digits stands for all further ones: it is 1 if
/// any of them is not zero.
fn nearest_of_odd(digits: u64, exponent: i64) -> Option<f64> {
    let length = i64::from(u64::BITS - digits.leading_zeros());
    let dropped = (length - PRECISION).max(MIN_EXPONENT - exponent);
    let significand = match u32::try_from(dropped) {
        // Less than half of the smallest double.
        Ok(64..) => 0,
        Ok(0) => digits,
        Ok(dropped) => {
            let kept = digits.checked_shr(dropped).unwrap_or(0);
            let (rest, half) = (digits - (kept << dropped), 1 << (dropped - 1));
            kept + u64::from(rest > half || rest == half && kept % 2 == 1)
        }
        Err(_) => digits << dropped.unsigned_abs(),
    };
    // A significand of less than 53 bits is subnormal: it has the exponent of the smallest double, and no hidden bit.
    let hidden = 1 << (PRECISION - 1);
    if significand < hidden {
        return Some(f64::from_bits(significand));
    }
    // A significand that was rounded up to 2^53 carries into the exponent.
    let biased = u64::try_from(exponent + dropped - MIN_EXPONENT + 1).ok()?;
    let bits = (biased << (PRECISION - 1)) + (significand - hidden);
    Some(f64::from_bits(bits)).filter(|value| biased < 0x7ff && value.is_finite())
}

fn bits(number: &BigUint) -> i64 {
    number.bits() as i64
}

/// Returns `number * 2^shift`, or the number itself for a negative shift.
fn shifted(number: &BigUint, shift: i64) -> BigUint {
    if shift > 0 { number << shift } else { number.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn power(exponent: u32) -> BigUint {
        BigUint::from(1u8) << exponent
    }

    #[test]
    fn ratios_round_to_the_nearest_double() {
        let (max, tiny) = (f64::MAX, 5e-324);
        let rows: [(&str, i128, u64, i64, Option<f64>); 14] = [
            ("zero", 0, 7, 0, Some(0.0)),
            ("a third", 1, 3, 0, Some(1.0 / 3.0)),
            ("negative", -2, 3, 0, Some(-2.0 / 3.0)),
            ("tie to even, down", (1 << 53) + 1, 1, 0, Some(9_007_199_254_740_992.0)),
            ("tie to even, up", (1 << 53) + 3, 1, 0, Some(9_007_199_254_740_996.0)),
            ("above a tie", (1 << 54) + 3, 2, 0, Some(9_007_199_254_740_994.0)),
            ("up to a power of two", (1 << 54) - 1, 1, 0, Some(18_014_398_509_481_984.0)),
            ("the largest double", (1 << 53) - 1, 1, 971, Some(max)),
            ("half a unit above the largest", (1 << 54) - 1, 1, 970, None),
            ("less than half a unit above the largest", (1 << 56) - 5, 1, 968, Some(max)),
            ("the smallest double", 1, 1, -1074, Some(tiny)),
            ("half of the smallest", 1, 2, -1074, Some(0.0)),
            ("more than half of the smallest", 2, 3, -1074, Some(tiny)),
            ("minus nothing", -1, 3, -1074, Some(0.0)),
        ];
        for (name, numerator, denominator, exponent, expected) in rows {
            let found = nearest(&numerator.into(), &denominator.into(), exponent);
            assert_eq!(found.map(f64::to_bits), expected.map(f64::to_bits), "{name}: {found:?}");
        }
        let half = nearest(&BigInt::from(3), &power(2), -1074);
        assert_eq!(half, Some(tiny), "three quarters of the smallest");
        assert_eq!(nearest(&BigInt::from(-1), &BigUint::from(1u8), 5_000), None);
        assert_eq!(nearest(&BigInt::from(1), &BigUint::from(1u8), -5_000), Some(0.0));
        let largest_subnormal = f64::MIN_POSITIVE - tiny;
        assert_eq!(nearest(&BigInt::from((1i64 << 52) - 1), &BigUint::from(1u8), -1074), Some(largest_subnormal));
        let rounds_to_normal = BigInt::from((1i64 << 53) - 1);
        assert_eq!(nearest(&rounds_to_normal, &BigUint::from(1u8), -1075), Some(f64::MIN_POSITIVE));
    }

    #[test]
    fn roots_round_to_the_nearest_double() {
        let rows: [(u64, u64, i64, Option<f64>); 8] = [
            (0, 1, 0, Some(0.0)),
            (2, 1, 0, Some(2f64.sqrt())),
            (1, 3, 0, Some((1.0f64 / 3.0).sqrt())),
            (1, 1, -2148, Some(5e-324)),
            (1, 4, -2148, Some(0.0)), // a tie: half of the smallest double
            (1, 3, -2148, Some(5e-324)),
            (1, 1, 2047, Some(2f64.sqrt() * 2f64.powi(1023))),
            (1, 1, 2048, None),
        ];
        for (numerator, denominator, exponent, expected) in rows {
            let found = nearest_root(&numerator.into(), &denominator.into(), exponent);
            assert_eq!(found, expected, "{numerator}/{denominator} 2^{exponent}");
        }
    }

    proptest! {
        #[test]
        fn quotients_and_roots_of_doubles_are_those_of_the_processor(a in 1u64..1 << 53, b in 1u64..1 << 53, e in -900i64..900) {
            let scale = 2f64.powi(e as i32);
            prop_assert_eq!(nearest(&a.into(), &b.into(), e), Some(a as f64 * scale / b as f64));
            prop_assert_eq!(nearest_root(&a.into(), &BigUint::from(1u8), e), Some((a as f64 * scale).sqrt()));
        }
    }
}
