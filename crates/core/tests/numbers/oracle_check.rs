//! The oracle itself, against the operations that IEEE 754 rounds correctly.

use proptest::prelude::*;

use crate::oracle::{decimal, exact, nearest, nearest_root};
use crate::values::any_finite;

fn finite(value: f64) -> Option<u64> {
    // The oracle has no signed zero.
    value.is_finite().then(|| (value + 0.0).to_bits())
}

proptest! {
    #[test]
    fn oracle_rounds_like_the_hardware(a in any_finite(), b in any_finite()) {
        let (x, y) = (exact(a), exact(b));
        prop_assert_eq!(nearest(&(&x + &y)).map(f64::to_bits), finite(a + b));
        prop_assert_eq!(nearest(&(&x * &y)).map(f64::to_bits), finite(a * b));
        if b != 0.0 {
            prop_assert_eq!(nearest(&(&x / &y)).map(f64::to_bits), finite(a / b));
        }
        prop_assert_eq!(nearest_root(&exact(a.abs())).map(f64::to_bits), finite(a.abs().sqrt()));
    }

    #[test]
    fn oracle_reads_decimals_like_the_standard_library(digits in "-?[1-9][0-9]{0,30}(\\.[0-9]{1,30})?", exponent in -345_i32..320) {
        let text = format!("{digits}e{exponent}");
        prop_assert_eq!(nearest(&decimal(&text)).map(f64::to_bits), finite(text.parse().unwrap()), "{}", text);
    }
}
