//! Answers over any range and in buckets, from any chunks and in any number of passes, judged by exact fractions.

use eventpulse_core::statistics::series::Point;
use proptest::prelude::*;

use crate::oracle::{Numbers, quantile};
use crate::product::{Seconds, answer, assert_answered, buckets, chunks, points};
use crate::values::{hard_sets, quantiles, sets};

/// Numbers of values that an answer keeps; those below the number of points force several passes.
const KEPT: [usize; 4] = [1, 2, 7, 4_096];

/// The ends, the quartiles, and decimals that no double equals.
const QUANTILES: &str = "0,1,0.25,0.75,0.50,0.1,0.05,0.95,0.333333333333333,0.999999999999999,0.000000000000001";

fn values_of(points: &[Point]) -> Vec<f64> {
    points.iter().map(|point| point.value).collect()
}

fn shuffled(points: &[Point], seed: u64) -> Vec<Point> {
    let mut shuffled = points.to_vec();
    fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
    shuffled
}

#[test]
fn answers_of_hard_values_are_exact() {
    for (name, values) in hard_sets() {
        for kept in KEPT {
            let statistics = answer(&chunks(points(&values).chunks(3)), kept, &(0..1_000), QUANTILES).unwrap();
            assert_answered(&format!("{name}, {kept} kept"), &statistics, &values, QUANTILES);
        }
    }
}

#[test]
fn numbers_of_answers_read_back_from_their_json() {
    for (name, values) in hard_sets() {
        let statistics = answer(&chunks([&points(&values)[..]]), 4_096, &(0..1_000), "0.1").unwrap();
        let text = serde_json::to_string(&statistics).unwrap();
        let expected = Numbers::of(&values);
        for (member, expected) in [
            ("sum", expected.sum),
            ("mean", Some(expected.mean)),
            ("median", Some(expected.median)),
            ("variance", expected.variance),
            ("standard_deviation", expected.standard_deviation),
            ("interquartile_range", expected.interquartile_range),
            ("0.1", Some(quantile(&values, "0.1"))),
            ("min", Some(expected.min)),
            ("max", Some(expected.max)),
        ] {
            let (_, from) = text.split_once(&format!("\"{member}\":")).unwrap();
            let (number, _) = from.split_once([',', '}']).unwrap();
            let found = (number != "null").then(|| number.parse::<f64>().unwrap().to_bits());
            assert_eq!(found, expected.map(f64::to_bits), "{name}: the {member} in {text}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// The range cuts chunks: they overlap, because the points are shuffled before they are split.
    #[test]
    fn answers_over_any_range_are_exact(
        values in sets(60), size in 1_usize..20, order in any::<u64>(), quantiles in quantiles(),
        kept in prop::sample::select(KEPT.to_vec()), from in 0_usize..30, length in 1_usize..60,
    ) {
        let range: Seconds = from as i64..(from + length) as i64;
        let inside: Vec<f64> = values.iter().copied().skip(from).take(length).collect();
        let shuffled = shuffled(&points(&values), order);
        match answer(&chunks(shuffled.chunks(size)), kept, &range, &quantiles) {
            Some(statistics) => assert_answered("answer", &statistics, &inside, &quantiles),
            None => prop_assert!(inside.is_empty()),
        }
    }

    #[test]
    fn answers_in_buckets_are_exact(
        values in sets(60), size in 1_usize..20, order in any::<u64>(), quantiles in quantiles(), width in 1_u32..40,
    ) {
        let in_order = points(&values);
        let found = buckets(&chunks(shuffled(&in_order, order).chunks(size)), width, &(0..1_000), &quantiles);
        let expected: Vec<&[Point]> = in_order.chunks(width as usize).collect();
        prop_assert_eq!(found.len(), expected.len());
        for (bucket, points) in found.iter().zip(expected) {
            prop_assert_eq!(bucket.start, points[0].time);
            assert_answered("bucket", &bucket.statistics, &values_of(points), &quantiles);
        }
    }
}
