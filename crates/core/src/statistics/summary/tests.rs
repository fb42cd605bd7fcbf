use proptest::prelude::*;

use super::*;

fn points(values: &[f64]) -> Vec<Point> {
    let time = |second: usize| Timestamp::from_secs(second as i64);
    values.iter().enumerate().map(|(second, value)| Point { time: time(second), value: *value }).collect()
}

fn summary(values: &[f64]) -> Summary {
    Summary::of(&points(values)).unwrap()
}

/// Merges parts of `size` as a balanced tree.
fn merged(values: &[f64], size: usize) -> Summary {
    let mut merger = Merger::default();
    for part in points(values).chunks(size) {
        merger.add(Summary::of(part).unwrap());
    }
    merger.total().unwrap()
}

#[track_caller]
fn assert_near(actual: f64, expected: f64, relative: f64) {
    let error = ((actual - expected) / expected).abs();
    assert!(actual == expected || error <= relative, "{actual:e} is not {expected:e}: relative error {error:e}");
}

/// Returns the mean and the sample deviation of integers, computed from exact sums.
fn exact(integers: &[i64]) -> (f64, f64) {
    let n = integers.len() as i128;
    let sum: i128 = integers.iter().map(|i| i128::from(*i)).sum();
    // Distances from the first integer, so that 128 bits suffice.
    let origin = i128::from(integers[0]);
    let small: i128 = integers.iter().map(|i| i128::from(*i) - origin).sum();
    let squares: i128 = integers.iter().map(|i| (i128::from(*i) - origin).pow(2)).sum();
    let numerator = n * squares - small * small;
    (sum as f64 / n as f64, (numerator as f64 / (n * (n - 1)) as f64).sqrt())
}

#[test]
fn documented_example_has_its_statistics() {
    let statistics = summary(&[35.0, 40.0, 123.0]).statistics(40.0);
    assert_eq!((statistics.count, statistics.mean, statistics.median), (3, 66.0, 40.0));
    assert_eq!((statistics.min, statistics.max), (35.0, 123.0));
    assert_eq!(format!("{:.4}", statistics.standard_deviation.unwrap()), "49.4267");
    assert_near(summary(&[35.0, 40.0, 123.0]).variance().unwrap(), 2443.0, 1e-15);
}

#[test]
fn summaries_agree_with_statrs() {
    use statrs::statistics::Statistics as _;
    let values: Vec<f64> = (0..1000).map(|i| f64::from(i * i % 1009) / 7.0).collect();
    assert_near(summary(&values).mean(), values.iter().mean(), 1e-14);
    assert_near(summary(&values).variance().unwrap(), values.iter().variance(), 1e-13);
}

#[test]
fn one_value_has_no_deviation() {
    let one = summary(&[22.5]);
    assert_eq!((one.count(), one.mean(), one.variance(), one.standard_deviation()), (1, 22.5, None, None));
    let json = serde_json::to_string(&one.statistics(22.5)).unwrap();
    let expected = concat!(
        r#"{"count":1,"mean":22.5,"median":22.5,"standard_deviation":null,"min":22.5,"max":22.5,"#,
        r#""first":"1970-01-01T00:00:00Z","last":"1970-01-01T00:00:00Z"}"#
    );
    assert_eq!(json, expected);
    assert_eq!(serde_json::from_str::<Statistics>(&json).unwrap(), one.statistics(22.5));
    assert_eq!(Summary::of(&[]), None);
}

#[test]
fn equal_values_equal_their_mean_and_have_deviation_zero() {
    for value in [0.1, -7.3, 1e9 + 0.3, 1e308, f64::MAX, f64::MIN, 5e-324, 0.0] {
        for count in [2, 3, 7, 1000] {
            for all in [summary(&vec![value; count]), merged(&vec![value; count], 3)] {
                assert_eq!((all.mean(), all.standard_deviation()), (value, Some(0.0)), "{count} of {value}");
            }
        }
    }
}

/// The data sets NumAcc1 to NumAcc4 of the [NIST](https://www.itl.nist.gov/div898/strd/univ/homepage.html), whose
/// deviations vanish in sums of squares. The tolerance is the rounding error of the decimals as `f64`.
#[test]
fn large_offsets_cost_no_digits() {
    let alternating = |middle: f64, low: f64, high: f64| {
        let mut values = vec![middle];
        values.extend([low, high].repeat(500));
        values
    };
    let rows = [
        ("NumAcc1", vec![10_000_001.0, 10_000_003.0, 10_000_002.0], 10_000_002.0, 1.0, 1e-15),
        ("NumAcc2", alternating(1.2, 1.1, 1.3), 1.2, 0.1, 1e-14),
        ("NumAcc3", alternating(1_000_000.2, 1_000_000.1, 1_000_000.3), 1_000_000.2, 0.1, 1e-9),
        ("NumAcc4", alternating(10_000_000.2, 10_000_000.1, 10_000_000.3), 10_000_000.2, 0.1, 1e-7),
    ];
    for (name, values, mean, deviation, tolerance) in rows {
        for all in [summary(&values), merged(&values, 1), merged(&values, 10)] {
            println!("{name} {all:?}");
            assert_near(all.mean(), mean, 1e-15);
            assert_near(all.standard_deviation().unwrap(), deviation, tolerance);
        }
    }
}

#[test]
fn trends_with_a_huge_offset_merge_exactly() {
    let integers: Vec<i64> = (0..20_000).map(|i| 1_000_000_000_000_000 + i / 100 + (i * 7919) % 11).collect();
    let values: Vec<f64> = integers.iter().map(|i| *i as f64).collect();
    let (mean, deviation) = exact(&integers);
    for all in [summary(&values), merged(&values, 1), merged(&values, 64), merged(&values, 4096)] {
        assert_near(all.mean(), mean, 1e-15);
        assert_near(all.standard_deviation().unwrap(), deviation, 1e-13);
    }
}

#[test]
fn outliers_first_or_last_cost_no_digits() {
    let mut integers = vec![3_000_000_000_000i64];
    integers.extend((0..4095).map(|i| i % 10));
    for _ in 0..2 {
        let values: Vec<f64> = integers.iter().map(|i| *i as f64).collect();
        let (mean, deviation) = exact(&integers);
        for all in [summary(&values), merged(&values, 1), merged(&values, 100)] {
            assert_near(all.mean(), mean, 1e-15);
            assert_near(all.standard_deviation().unwrap(), deviation, 1e-14);
        }
        integers.reverse();
    }
}

#[test]
fn extreme_values_neither_overflow_nor_vanish() {
    let max = f64::MAX;
    let rows: [(&str, Vec<f64>, f64, Option<f64>); 9] = [
        ("large, near", vec![1e308, 1.1e308], 1.05e308, Some(0.1e308 / 2f64.sqrt())),
        ("large, apart", vec![1e308, -1e308, 0.0], 0.0, Some(1e308)),
        ("many large", [1e308, -1e308].repeat(2048), 0.0, Some(1e308 * (4096.0 / 4095.0f64).sqrt())),
        ("largest", vec![max, max, max], max, Some(0.0)),
        ("beyond the largest", vec![max, -max], 0.0, None),
        ("large and tiny", vec![1e300, 1e-300], 5e299, Some(1e300 / 2f64.sqrt())),
        ("squares overflow", vec![1e200, 3e200], 2e200, Some(2f64.sqrt() * 1e200)),
        ("squares vanish", vec![1e-200, 3e-200], 2e-200, Some(2f64.sqrt() * 1e-200)),
        ("subnormal", vec![1e-310, 3e-310], 2e-310, Some(2f64.sqrt() * 1e-310)),
    ];
    for (name, values, mean, deviation) in rows {
        for all in [summary(&values), merged(&values, 1)] {
            println!("{name}: {all:?}");
            assert_near(all.mean(), mean, 1e-15);
            match (all.standard_deviation(), deviation) {
                (Some(actual), Some(expected)) => assert_near(actual, expected, 1e-12),
                (actual, expected) => assert_eq!(actual, expected),
            }
            let json = serde_json::to_string(&all.statistics(mean)).unwrap();
            assert_eq!(json.matches("null").count(), usize::from(deviation.is_none()), "{json}");
        }
    }
    assert_eq!(summary(&[1e200, 3e200]).variance(), None);
    assert_eq!(summary(&[f64::MAX, -f64::MAX]).variance(), None);
}

#[test]
fn zeros_lose_their_sign_in_answers_only() {
    let zeros = summary(&[0.0, -0.0]);
    assert_eq!((zeros.min().to_bits(), zeros.max().to_bits()), ((-0.0f64).to_bits(), 0));
    let json = serde_json::to_string(&summary(&[-0.0]).statistics(-0.0)).unwrap();
    assert!(!json.contains("-0.0"), "{json}");
}

#[test]
fn invalid_bytes_are_rejected() {
    let good = summary(&[1.0, 2.0, 4.0]);
    let bytes = good.to_bytes();
    assert_eq!(Summary::from_bytes(&bytes), Ok(good));
    let with = |field: usize, word: u64| {
        let mut bytes = bytes;
        bytes[8 * field..8 * field + 8].copy_from_slice(&word.to_le_bytes());
        Summary::from_bytes(&bytes)
    };
    let number = |field, number: f64| with(field, number.to_bits());
    let rows = [
        ("no points", with(0, 0)),
        ("mean above the maximum", number(1, 4.5)),
        ("mean is NaN", number(1, f64::NAN)),
        ("rest larger than the mean", number(2, 100.0)),
        ("rest is NaN", number(2, f64::NAN)),
        ("negative deviation", number(3, -1.0)),
        ("deviation larger than the range", number(3, 100.0)),
        ("infinite deviation", number(3, f64::INFINITY)),
        ("infinite minimum", number(4, f64::NEG_INFINITY)),
        ("infinite maximum", number(5, f64::INFINITY)),
        ("year 300000", with(7, i64::MAX as u64)),
        ("last before first", with(7, -1i64 as u64)),
        ("short", Summary::from_bytes(&bytes[1..])),
        ("empty", Summary::from_bytes(&[])),
    ];
    for (name, result) in rows {
        assert_eq!(result, Err(InvalidSummary), "{name}");
    }
}

/// Any finite value. Special values are more frequent than in uniformly random bits.
pub(crate) fn any_finite() -> impl Strategy<Value = f64> {
    let special =
        prop::sample::select(vec![0.0, -0.0, 5e-324, -5e-324, f64::MIN_POSITIVE, f64::MAX, f64::MIN, 1.0, 0.1]);
    prop_oneof![8 => any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |value| value.is_finite()), 1 => special]
}

proptest! {
    #[test]
    fn merging_is_independent_of_order_and_parts(
        offset in prop::sample::select(vec![0i64, 1_000_000_000, -4_000_000_000_000]),
        (noise, shuffled) in prop::collection::vec(-1000i64..1000, 2..400)
            .prop_flat_map(|noise| (Just(noise.clone()), Just(noise).prop_shuffle())),
        size in 1usize..50,
    ) {
        // In units of 2^-10: exact in `f64`.
        let value = |i: &i64| (offset * 1024 + i) as f64 / 1024.0;
        let integers: Vec<i64> = noise.iter().map(|i| offset * 1024 + i).collect();
        let (mean, deviation) = exact(&integers);
        let direct = summary(&noise.iter().map(value).collect::<Vec<_>>());
        let parts = merged(&shuffled.iter().map(value).collect::<Vec<_>>(), size);
        let serial = points(&shuffled.iter().map(value).collect::<Vec<_>>())
            .chunks(size).map(|part| Summary::of(part).unwrap()).reduce(|a, b| a.merge(&b)).unwrap();
        for all in [direct, parts, serial] {
            prop_assert_eq!(all.count(), noise.len() as u64);
            let scale = if offset == 0 { 1.0 } else { mean.abs() / 1024.0 };
            prop_assert!((all.mean() - mean / 1024.0).abs() <= 1e-15 * scale, "{:?} {}", all, mean / 1024.0);
            let actual = all.standard_deviation().unwrap() * 1024.0;
            prop_assert!((actual - deviation).abs() <= 1e-13 * deviation, "{} {}", actual, deviation);
            prop_assert_eq!((all.min(), all.max(), all.first()), (direct.min(), direct.max(), direct.first()));
        }
    }

    #[test]
    fn finite_values_have_finite_statistics(values in prop::collection::vec(any_finite(), 1..40), size in 1usize..10) {
        for all in [summary(&values), merged(&values, size)] {
            prop_assert!(all.min() <= all.mean() && all.mean() <= all.max());
            prop_assert!(all.standard_deviation().is_none_or(f64::is_finite));
            prop_assert!(all.variance().is_none_or(f64::is_finite));
            prop_assert_eq!(Summary::from_bytes(&all.to_bytes()), Ok(all));
        }
    }

    #[test]
    fn merging_commutes_to_the_bit(a in prop::collection::vec(any_finite(), 1..9), b in prop::collection::vec(any_finite(), 1..9)) {
        let (a, b) = (summary(&a), summary(&b));
        prop_assert_eq!(a.merge(&b).to_bytes(), b.merge(&a).to_bytes());
    }

    #[test]
    fn tiny_values_keep_their_bounds(units in prop::collection::vec(-20i64..20, 1..20), size in 1usize..5) {
        let values: Vec<f64> = units.iter().map(|unit| *unit as f64 * 5e-324).collect();
        for all in [summary(&values), merged(&values, size)] {
            prop_assert_eq!(Summary::from_bytes(&all.to_bytes()), Ok(all));
        }
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = Summary::from_bytes(&bytes).map(|all| all.merge(&all).standard_deviation());
    }
}
