//! Summaries and answers of any values, judged by exact fractions.

use proptest::prelude::*;

use crate::oracle::Numbers;
use crate::product::{assert_exact, merged, points, summary};
use crate::values::{hard_sets, sets};

#[test]
fn hard_values_have_exact_statistics() {
    for (name, values) in hard_sets() {
        let expected = Numbers::of(&values);
        assert_exact(name, &summary(&values), &expected);
        for size in 1..values.len() {
            assert_exact(&format!("{name}, in parts of {size}"), &merged(points(&values).chunks(size)), &expected);
        }
    }
}

/// The numbers that are beyond the largest double are null, and no others.
#[test]
fn only_results_beyond_the_largest_double_are_missing() {
    let largest = f64::MAX;
    let rows: [(&str, &[f64], [bool; 3]); 6] = [
        ("ordinary values", &[1.0, 2.0], [true, true, true]),
        ("one value", &[largest], [true, false, false]),
        ("variance too large", &[1e200, -1e200, 0.0], [true, false, true]),
        ("sum and variance too large", &[largest, largest, 0.0], [false, false, true]),
        ("variance and deviation too large", &[largest, -largest], [true, false, false]),
        ("only the sum too large", &[largest, largest, largest], [false, true, true]),
    ];
    for (name, values, present) in rows {
        let all = summary(values);
        let found = [all.sum().is_some(), all.variance().is_some(), all.standard_deviation().is_some()];
        assert_eq!(found, present, "{name}: sum, variance, standard deviation");
        assert!(all.mean().is_finite(), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn statistics_equal_those_of_exact_fractions(values in sets(40), size in 1_usize..40) {
        let expected = Numbers::of(&values);
        assert_exact("at once", &summary(&values), &expected);
        assert_exact("in parts", &merged(points(&values).chunks(size)), &expected);
    }

    /// Two values decide ties more often than many.
    #[test]
    fn statistics_of_few_values_equal_those_of_exact_fractions(values in sets(3)) {
        assert_exact("few", &summary(&values), &Numbers::of(&values));
    }
}
