//! Equal multisets of points have equal bytes, however they are split, ordered and merged; and bytes that are no summary.

use std::collections::HashMap;

use eventpulse_core::statistics::summary::Summary;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::product::{merged, points, summary};
use crate::values::{hard_sets, sets};

/// A permutation and the places of its cuts describe each partition of six points, in each order of its parts and of their points.
#[test]
fn every_split_of_six_points_in_every_order_has_equal_bytes() {
    let sets = [
        ("all scales", [f64::MAX, 5e-324, -0.1, -f64::MAX, 3e-310, 1e300]),
        ("equal values and zeros", [0.1, 0.1, 0.0, -0.0, 0.0, 0.1]),
    ];
    let orders = permutations(&[0, 1, 2, 3, 4, 5]);
    for (name, values) in sets {
        let points = points(&values);
        let expected = summary(&values).to_bytes();
        // Each part occurs in many splits.
        let mut summaries: HashMap<&[usize], Summary> = HashMap::new();
        let mut seen = 0;
        for (order, cuts) in orders.iter().flat_map(|order| (0_u32..1 << 5).map(move |cuts| (order, cuts))) {
            let mut all: Option<Summary> = None;
            for part in split_at(order, cuts) {
                let of_part = || Summary::of(&part.iter().map(|index| points[*index]).collect::<Vec<_>>()).unwrap();
                let summary = summaries.entry(part).or_insert_with(of_part);
                match &mut all {
                    Some(all) => all.merge(summary),
                    None => all = Some(summary.clone()),
                }
            }
            assert_eq!(all.unwrap().to_bytes(), expected, "{name}: {:?}", split_at(order, cuts));
            seen += 1;
        }
        assert_eq!(seen, 720 * 32, "{name}");
    }
}

fn permutations(indexes: &[usize]) -> Vec<Vec<usize>> {
    let Some((first, rest)) = indexes.split_first() else { return vec![Vec::new()] };
    let insert = |order: Vec<usize>| {
        (0..=order.len()).map(move |at| {
            let mut order = order.clone();
            order.insert(at, *first);
            order
        })
    };
    permutations(rest).into_iter().flat_map(insert).collect()
}

/// Cuts behind each position whose bit is set.
fn split_at(indexes: &[usize], cuts: u32) -> Vec<&[usize]> {
    let mut begin = 0;
    let mut parts = Vec::new();
    for end in 1..=indexes.len() {
        if end == indexes.len() || cuts >> (end - 1) & 1 == 1 {
            parts.push(&indexes[begin..end]);
            begin = end;
        }
    }
    parts
}

/// The size of a summary for ordinary data, and its bound for any data: the digits of the sum, 2^-1074 to 2^1087, and of the sum of
/// squares, 2^-2148 to 2^2111, with 64 bits of count.
#[test]
fn summaries_are_small() {
    let temperatures: Vec<f64> = (0..4_096).map(|at| f64::from(at * 37 % 801 - 250) / 10.0).collect();
    let pressures: Vec<f64> = (0..4_096).map(|at| f64::from(95_000 + at * 7_919 % 9_000) / 100.0).collect();
    let counters: Vec<f64> = (0..4_096).map(|at| f64::from(1_000_000 + at)).collect();
    for (name, values) in [("temperatures", temperatures), ("pressures", pressures), ("counters", counters)] {
        let bytes = summary(&values).to_bytes().len();
        assert!(bytes <= 64, "{name}: {bytes} bytes");
    }
    for (name, values) in hard_sets() {
        let bytes = summary(&values).to_bytes().len();
        assert!(bytes <= 900, "{name}: {bytes} bytes");
    }
}

#[test]
fn bytes_of_hard_values_read_back() {
    for (name, values) in hard_sets() {
        let all = summary(&values);
        assert_eq!(Summary::from_bytes(&all.to_bytes()).as_ref(), Ok(&all), "{name}");
    }
}

/// Panics in any number of the summary would end the test.
fn compute(summary: &Summary) {
    let mut twice = summary.clone();
    twice.merge(summary);
    for summary in [summary, &twice] {
        assert!(summary.mean().is_finite());
        for number in [summary.sum(), summary.variance(), summary.standard_deviation()].into_iter().flatten() {
            assert!(number.is_finite(), "{summary:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn merging_is_associative_and_commutative_on_bytes(a in sets(9), b in sets(9), c in sets(9)) {
        let whole = points(&[a.as_slice(), &b, &c].concat());
        let expected = merged([whole.as_slice()]).to_bytes();
        let (a, rest) = whole.split_at(a.len());
        let (b, c) = rest.split_at(b.len());
        let [a, b, c] = [a, b, c].map(|part| Summary::of(part).unwrap());
        let merge = |one: &Summary, other: &Summary| {
            let mut all = one.clone();
            all.merge(other);
            all
        };
        for (name, all) in [
            ("(a b) c", merge(&merge(&a, &b), &c)),
            ("a (b c)", merge(&a, &merge(&b, &c))),
            ("c (b a)", merge(&c, &merge(&b, &a))),
            ("(a c) b", merge(&merge(&a, &c), &b)),
        ] {
            prop_assert_eq!(all.to_bytes(), &*expected, "{}", name);
        }
    }

    #[test]
    fn bytes_read_back_as_the_same_summary(values in sets(20), order in any::<u64>()) {
        let mut shuffled = points(&values);
        fastrand::Rng::with_seed(order).shuffle(&mut shuffled);
        let all = Summary::of(&shuffled).unwrap();
        let read = Summary::from_bytes(&all.to_bytes());
        prop_assert_eq!(read.as_ref(), Ok(&all));
        prop_assert_eq!(read.unwrap().to_bytes(), summary(&values).to_bytes());
    }

    /// A summary has one form: what reads as a summary is written as the same bytes.
    #[test]
    fn changed_bytes_are_refused_or_are_another_summary(
        values in sets(9),
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4),
        length in any::<Index>(),
        is_cut in any::<bool>(),
        more in prop::collection::vec(any::<u8>(), 0..3),
    ) {
        let mut bytes = summary(&values).to_bytes().to_vec();
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        if is_cut {
            bytes.truncate(length.index(bytes.len()));
        }
        bytes.extend(more);
        if let Ok(read) = Summary::from_bytes(&bytes) {
            compute(&read);
            prop_assert_eq!(&read.to_bytes()[..], &bytes[..], "{:?}", read);
        }
    }

    #[test]
    fn any_bytes_are_refused_or_are_a_summary(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(read) = Summary::from_bytes(&bytes) {
            compute(&read);
            prop_assert_eq!(&read.to_bytes()[..], &bytes[..], "{:?}", read);
        }
    }
}
