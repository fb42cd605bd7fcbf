use std::time::Duration;

use num_bigint::{BigInt, BigUint};
use proptest::prelude::*;

use super::*;
use crate::statistics::exact::{decompose, round};
use crate::statistics::quantile::Quantiles;
use crate::varint::push_signed;

fn points(values: &[f64]) -> Vec<Point> {
    let time = |second: usize| Timestamp::from_secs(second as i64);
    values.iter().enumerate().map(|(second, value)| Point { time: time(second), value: *value }).collect()
}

fn summary(values: &[f64]) -> Summary {
    Summary::of(&points(values)).unwrap()
}

/// Merges the summaries of parts of `size` points, the last part first.
fn merged(points: &[Point], size: usize) -> Summary {
    let mut total = None;
    for part in points.chunks(size).rev() {
        Summary::of(part).unwrap().merge_into(&mut total);
    }
    total.unwrap()
}

/// The numbers of a summary, by the textbook: sums of big integers, rounded once.
struct Textbook {
    sum: Option<f64>,
    mean: Option<f64>,
    variance: Option<f64>,
    standard_deviation: Option<f64>,
}

impl Textbook {
    fn of(values: &[f64]) -> Textbook {
        let integers = values.iter().map(|value| {
            let (significand, position) = decompose(*value);
            BigInt::from(significand) << position
        });
        let n = values.len() as u64;
        let sum: BigInt = integers.clone().sum();
        // The squared distances from the mean, times n².
        let distances = integers.map(|integer| (integer * n - &sum).pow(2)).sum::<BigInt>().to_biguint().unwrap();
        let denominator = BigUint::from(n).pow(2) * n.saturating_sub(1).max(1);
        let deviates = n > 1;
        Textbook {
            sum: round::nearest(&sum, &1u8.into(), UNIT),
            mean: round::nearest(&sum, &n.into(), UNIT),
            variance: round::nearest(&distances.clone().into(), &denominator, 2 * UNIT).filter(|_| deviates),
            standard_deviation: round::nearest_root(&distances, &denominator, 2 * UNIT).filter(|_| deviates),
        }
    }
}

/// Returns the statistics of the values, in order or not.
fn statistics(values: &[f64]) -> Statistics {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let order = Quantiles::default().values(values.len() as u64, |rank| sorted.get(rank as usize).copied());
    summary(values).statistics(order.unwrap())
}

#[track_caller]
fn assert_textbook(summary: &Summary, values: &[f64]) {
    let expected = Textbook::of(values);
    assert_eq!(summary.sum(), expected.sum, "sum of {values:?}");
    assert_eq!(Some(summary.mean()), expected.mean, "mean of {values:?}");
    assert_eq!(summary.variance(), expected.variance, "variance of {values:?}");
    assert_eq!(summary.standard_deviation(), expected.standard_deviation, "deviation of {values:?}");
}

#[test]
fn documented_example_has_its_statistics() {
    let statistics = statistics(&[35.0, 40.0, 123.0]);
    assert_eq!((statistics.count, statistics.mean, statistics.median), (3, 66.0, 40.0));
    assert_eq!((statistics.min, statistics.max), (35.0, 123.0));
    assert_eq!((statistics.sum, statistics.variance), (Some(198.0), Some(2443.0)));
    assert_eq!(statistics.standard_deviation, Some(2443f64.sqrt()));
    assert_eq!(statistics.interquartile_range, Some(44.0));
}

#[test]
fn one_two_three_has_the_deviation_one_and_one_two_four_the_same_mean_in_any_parts() {
    assert_eq!(summary(&[1.0, 2.0, 3.0]).standard_deviation(), Some(1.0));
    for size in 1..=3 {
        assert_eq!(merged(&points(&[1.0, 2.0, 4.0]), size).mean(), 7.0 / 3.0);
    }
}

#[test]
fn summaries_agree_with_statrs_to_its_precision() {
    use statrs::statistics::Statistics as _;
    let values: Vec<f64> = (0..1000).map(|i| f64::from(i * i % 1009) / 7.0).collect();
    let rows = [
        (summary(&values).mean(), values.iter().mean(), 1e-14),
        (summary(&values).variance().unwrap(), values.iter().variance(), 1e-13),
    ];
    for (ours, theirs, relative) in rows {
        assert!((ours - theirs).abs() <= relative * ours.abs(), "{ours} {theirs}");
    }
}

#[test]
fn one_value_has_no_deviation_and_says_why() {
    let one = summary(&[22.5]);
    assert_eq!((one.count(), one.mean(), one.variance(), one.standard_deviation()), (1, 22.5, None, None));
    let statistics = statistics(&[22.5]);
    let reasons = [("standard_deviation", Unavailable::OneValue), ("variance", Unavailable::OneValue)];
    assert_eq!(statistics.unavailable(), BTreeMap::from(reasons));
    let json = serde_json::to_value(&statistics).unwrap();
    assert_eq!((&json["variance"], &json["interquartile_range"]), (&serde_json::Value::Null, &0.0.into()));
    assert_eq!(Summary::of(&[]), None);
}

#[test]
fn equal_values_equal_their_mean_and_have_deviation_zero() {
    for value in [0.1, -7.3, 1e9 + 0.3, 1e308, f64::MAX, f64::MIN, 5e-324, 0.0] {
        for count in [2, 3, 7, 1000] {
            let values = vec![value; count];
            for all in [summary(&values), merged(&points(&values), 1), merged(&points(&values), 3)] {
                assert_eq!((all.mean(), all.standard_deviation()), (value, Some(0.0)), "{value} {count}");
            }
        }
    }
}

#[test]
fn extreme_values_neither_overflow_nor_vanish() {
    let max = f64::MAX;
    let rows: [(&str, Vec<f64>); 13] = [
        ("large, near", vec![1e308, 1.1e308]),
        ("large, apart", vec![1e308, -1e308, 0.0]),
        ("many large", [1e308, -1e308].repeat(2048)),
        ("largest", vec![max, max, max]),
        ("beyond the largest", vec![max, -max]),
        ("large and tiny", vec![1e300, 1e-300]),
        ("large ones cancel", vec![1e300, 1.0, -1e300]),
        ("squares overflow", vec![1e200, 3e200]),
        ("squares vanish", vec![1e-200, 3e-200]),
        ("subnormal", vec![1e-310, 3e-310]),
        ("smallest", vec![5e-324, 0.0, 0.0]),
        ("offset", (0..100).map(|i| 1e15 + f64::from(i) / 8.0).collect()),
        ("below 2^1024", vec![max / 2.0, max / 2.0, f64::MIN_POSITIVE]),
    ];
    for (name, values) in rows {
        println!("{name}");
        for size in [1, 2, values.len()] {
            assert_textbook(&merged(&points(&values), size), &values);
        }
    }
}

#[test]
fn numbers_beyond_the_largest_double_are_missing_and_say_why() {
    let all = summary(&[f64::MAX, -f64::MAX]);
    assert_eq!((all.sum(), all.mean(), all.variance(), all.standard_deviation()), (Some(0.0), 0.0, None, None));
    let statistics = statistics(&[f64::MAX, f64::MAX]);
    assert_eq!((statistics.sum, statistics.mean, statistics.variance), (None, f64::MAX, Some(0.0)));
    assert_eq!(statistics.unavailable(), BTreeMap::from([("sum", Unavailable::TooLarge)]));
    let both = super::tests::statistics(&[f64::MIN, f64::MIN, f64::MAX, f64::MAX]);
    let reasons = ["interquartile_range", "standard_deviation", "variance"].map(|name| (name, Unavailable::TooLarge));
    assert_eq!(both.unavailable(), BTreeMap::from(reasons));
}

#[test]
fn few_values_of_any_exponents_have_exact_sums() {
    for values in
        [vec![5e-324, f64::MAX], vec![1e-300, -1e300, 1e-300], (0..40).map(|i| 2f64.powi(51 * i - 1000)).collect()]
    {
        assert_textbook(&summary(&values), &values);
        assert_eq!(merged(&points(&values), 1), summary(&values));
    }
}

#[test]
fn summaries_of_zeros_of_other_signs_are_not_equal() {
    assert_ne!(summary(&[0.0]), summary(&[-0.0]));
    assert_ne!(summary(&[0.0]).to_bytes(), summary(&[-0.0]).to_bytes());
}

#[test]
fn zeros_lose_their_sign_in_answers_only() {
    let zeros = summary(&[0.0, -0.0]);
    assert_eq!((zeros.min().to_bits(), zeros.max().to_bits()), ((-0.0f64).to_bits(), 0));
    for values in [&[-0.0][..], &[-0.0, -0.0], &[-5e-324, 0.0]] {
        let json = serde_json::to_string(&statistics(values)).unwrap();
        assert!(!json.contains("-0.0"), "{json}");
    }
}

/// Ordinary series of 4,096 points: name, interval in microseconds, values.
fn ordinary_series() -> [(&'static str, i64, Vec<f64>); 7] {
    let wave = |i: i32| (f64::from(i) / 40.0).sin();
    let of = |value: &dyn Fn(i32) -> f64| (0..4096).map(value).collect();
    [
        ("temperatures with two decimals", 60_000_000, of(&|i| (wave(i) * 1500.0 + 800.0).round() / 100.0)),
        ("powers with one decimal", 1_000_000, of(&|i| (wave(i) * 20_000.0 + 20_000.0).round() / 10.0)),
        ("temperatures with all digits", 60_000_000, of(&|i| wave(i) * 15.0 + 8.0)),
        ("pressures in pascal", 3_600_000_000, of(&|i| 101_325.0 + wave(i) * 1_000.0)),
        ("temperatures with two decimals at odd microseconds", 60_000_123, of(&|i| (wave(i) * 1500.0).round() / 100.0)),
        ("counts", 1_000_000, of(&|i| f64::from(i * 7919 % 1000))),
        ("shares", 100_000, of(&|i| f64::from(i * 7919 % 4093) / 4093.0)),
    ]
}

#[test]
fn ordinary_summaries_take_at_most_64_bytes() {
    let start = Timestamp::parse("2026-11-28T12:00:00Z").unwrap().as_micros();
    for (name, interval, values) in ordinary_series() {
        let time = |index: usize| Timestamp::from_micros(start + index as i64 * interval);
        let points: Vec<Point> =
            values.iter().enumerate().map(|(index, value)| Point { time: time(index), value: *value }).collect();
        let bytes = Summary::of(&points).unwrap().to_bytes();
        println!("{name}: {} bytes", bytes.len());
        assert!(bytes.len() <= 64, "{name}: {} bytes", bytes.len());
    }
    let one = Point { time: Timestamp::from_micros(1_234_567_890_123_456), value: 0.1 };
    assert!(Summary::of(&[one]).unwrap().to_bytes().len() <= 18);
    let worst = [f64::MAX, 5e-324, -f64::MAX / 3.0].repeat(1000);
    let bytes = summary(&worst).to_bytes();
    assert!(bytes.len() <= Summary::MAX_BYTES, "{} bytes", bytes.len());
}

#[test]
fn invalid_bytes_are_rejected() {
    // The origin of stored times, so that the first one takes one byte.
    let time = |second: i64| Timestamp::parse("2025-01-01T00:00:00Z").unwrap() + Duration::from_secs(second as u64);
    let points = [(0, 1.0), (1, 2.0), (2, 4.0)].map(|(second, value)| Point { time: time(second), value });
    let good = Summary::of(&points).unwrap();
    let bytes = good.to_bytes();
    assert_eq!(Summary::from_bytes(&bytes), Ok(good));
    let with = |at: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        bytes
    };
    let with_double = |at: usize, value: f64| {
        let mut bytes = bytes.clone();
        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        bytes
    };
    let rows: [(&str, Vec<u8>); 11] = [
        ("no points", with(0, 0)),
        ("no such unit", with(1, 6)),
        ("minimum is NaN", with_double(4, f64::NAN)),
        ("infinite maximum", with_double(12, f64::INFINITY)),
        ("minimum above the maximum", with_double(4, 5.0)),
        ("a sum longer than the bytes", with(21, 200)),
        ("a sum with a zero bit at its end", with(22, 14)),
        ("a byte too many", [&bytes[..], &[0]].concat()),
        ("a position beyond any sum", [&bytes[..20], &[0xff, 0xff, 0x7f], &bytes[21..]].concat()),
        ("short", bytes[..20].to_vec()),
        ("empty", Vec::new()),
    ];
    for (name, bytes) in rows {
        assert_eq!(Summary::from_bytes(&bytes), Err(InvalidSummary), "{name}");
    }
    let far = (Timestamp::MAX.as_micros() - time(0).as_micros()) / 86_400_000_000 + 1;
    let mut beyond = vec![1, 5];
    push_signed(&mut beyond, far);
    beyond.extend(1f64.to_le_bytes());
    assert_eq!(Summary::from_bytes(&beyond), Err(InvalidSummary), "a time after the year 9999");
}

/// Any finite value. Special values are more frequent than in uniformly random bits.
pub(crate) fn any_finite() -> impl Strategy<Value = f64> {
    let special =
        prop::sample::select(vec![0.0, -0.0, 5e-324, -5e-324, f64::MIN_POSITIVE, f64::MAX, f64::MIN, 1.0, 0.1]);
    prop_oneof![8 => any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |value| value.is_finite()), 1 => special]
}

/// A value of a usual measurement.
fn any_measurement() -> impl Strategy<Value = f64> {
    (-1_000_000i32..1_000_000, 0i32..6).prop_map(|(digits, decimals)| f64::from(digits) / 10f64.powi(decimals))
}

fn any_values() -> impl Strategy<Value = Vec<f64>> {
    prop_oneof![prop::collection::vec(any_finite(), 1..40), prop::collection::vec(any_measurement(), 1..400)]
}

proptest! {
    #[test]
    fn numbers_are_those_of_the_textbook_in_any_order_and_parts(
        (values, shuffled) in any_values().prop_flat_map(|values| (Just(values.clone()), Just(points(&values)).prop_shuffle())),
        size in 1usize..50,
    ) {
        let direct = summary(&values);
        assert_textbook(&direct, &values);
        let parts = merged(&shuffled, size);
        prop_assert_eq!(parts.to_bytes(), direct.to_bytes());
        prop_assert_eq!(parts, direct);
    }

    #[test]
    fn stored_forms_are_read_back(values in any_values(), micros in 0i64..4_000_000_000_000_000) {
        let time = |index: usize| Timestamp::from_micros(micros + 37 * index as i64);
        let points: Vec<Point> =
            values.iter().enumerate().map(|(index, value)| Point { time: time(index), value: *value }).collect();
        let all = Summary::of(&points).unwrap();
        prop_assert_eq!(Summary::from_bytes(&all.to_bytes()), Ok(all.clone()));
        let json = serde_json::to_string(&all).unwrap();
        prop_assert_eq!(serde_json::from_str::<Summary>(&json).unwrap(), all);
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..80),
        (values, at, flipped) in (any_values(), any::<prop::sample::Index>(), any::<u8>()),
    ) {
        let mut damaged = summary(&values).to_bytes();
        let at = at.index(damaged.len());
        damaged[at] ^= flipped;
        for bytes in [bytes, damaged] {
            if let Ok(mut all) = Summary::from_bytes(&bytes) {
                all.merge(&all.clone());
                let _ = (all.sum(), all.mean(), all.variance(), all.standard_deviation());
            }
        }
    }
}
