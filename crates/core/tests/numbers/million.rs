//! Millions of points.

use crate::oracle::Numbers;
use crate::product::{assert_exact, merged, points};

const MILLION: usize = 1_000_000;

/// Values of a sensor with noise, outliers and an offset that is no short binary fraction.
fn noisy() -> Vec<f64> {
    let mut random = fastrand::Rng::with_seed(2_025);
    let value = |_| match random.u32(0..1_000) {
        0 => -1e6 * random.f64(),
        1 => 1e-3 * random.f64(),
        _ => 1_000.1 + (random.f64() - 0.5) / 64.0,
    };
    (0..MILLION).map(value).collect()
}

#[test]
fn million_noisy_points_have_exact_statistics_in_every_order_and_split() {
    let values = noisy();
    let mut points = points(&values);
    let at_once = merged([points.as_slice()]);
    assert_exact("noise", &at_once, &Numbers::of(&values));
    fastrand::Rng::with_seed(7).shuffle(&mut points);
    assert_eq!(merged(points.chunks(4_096)).to_bytes(), at_once.to_bytes(), "shuffled and split");
}

/// The statistics of these values are known without computing.
#[test]
fn million_extreme_points_have_exact_statistics() {
    let (largest, smallest) = (f64::MAX, f64::from_bits(1));
    let equal = |value: f64, sum: Option<f64>| Numbers {
        count: MILLION as u64,
        sum,
        mean: value,
        variance: Some(0.0),
        standard_deviation: Some(0.0),
        min: value,
        max: value,
        median: value,
        interquartile_range: Some(0.0),
    };
    let both = Numbers {
        sum: Some(0.0),
        mean: 0.0,
        variance: None,
        standard_deviation: None,
        min: -largest,
        median: 0.0,
        interquartile_range: None,
        ..equal(largest, None)
    };
    let rows = [
        ("the largest double", vec![largest; MILLION], equal(largest, None)),
        ("the smallest double", vec![smallest; MILLION], equal(smallest, Some(f64::from_bits(MILLION as u64)))),
        ("the largest double and its negative", [largest, -largest].repeat(MILLION / 2), both),
    ];
    for (name, values, expected) in rows {
        assert_exact(name, &merged(points(&values).chunks(70_001)), &expected);
    }
}

/// The squares of 2^22 significands fill 128 bits, in case they are added there.
#[test]
fn more_points_than_128_bits_hold_equal_the_merge_of_their_parts() {
    let points = points(&vec![-f64::MAX; (1 << 22) + 2]);
    let at_once = merged([points.as_slice()]);
    assert_eq!((at_once.mean(), at_once.variance()), (-f64::MAX, Some(0.0)));
    assert_eq!(at_once.to_bytes(), merged(points.chunks(1 << 20)).to_bytes());
}
