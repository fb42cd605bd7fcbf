use proptest::prelude::*;

use super::*;
use crate::statistics::summary::tests::any_finite;

/// Returns the values of the ranks, and the number of passes.
fn search(limit: usize, values: &[f64], ranks: &[u64]) -> (Vec<u64>, u32) {
    let mut search = Search::new(limit);
    for pass in 1..=4 {
        values.iter().for_each(|value| search.add(*value));
        if let SearchPass::Complete(found) = search.end_pass(|_| ranks.to_vec()).unwrap() {
            assert_eq!(found.count, values.len() as u64);
            return (ranks.iter().map(|rank| found.at(*rank).unwrap().to_bits()).collect(), pass);
        }
    }
    panic!("four passes are not enough");
}

/// Returns the values of the ranks by sorting.
fn sorted(values: &[f64], ranks: &[u64]) -> Vec<u64> {
    let mut values: Vec<f64> = values.iter().map(|value| value + 0.0).collect();
    values.sort_by(f64::total_cmp);
    ranks.iter().map(|rank| values[*rank as usize].to_bits()).collect()
}

#[test]
fn every_rank_of_hostile_values_is_found_with_every_limit() {
    let subnormal = |bits: u64| f64::from_bits(bits);
    let rows: [(&str, Vec<f64>); 11] = [
        ("one value", vec![7.0]),
        ("two values", vec![7.0, -7.0]),
        ("all equal", vec![20.5; 40]),
        ("ascending", (0..40).map(f64::from).collect()),
        ("descending", (0..40).rev().map(f64::from).collect()),
        ("zeros of both signs", vec![0.0, -0.0, 1.0, -0.0, 0.0, -1.0, -0.0]),
        ("subnormals", (0..20).map(|bits| subnormal(bits * 7919 % 20)).chain([-5e-324, -1e-310]).collect()),
        ("a huge range", vec![f64::MAX, -f64::MAX, 5e-324, -5e-324, 1.0, 1e300, -1e300, 0.0]),
        ("close values", (0..40).map(|i| subnormal(1.0f64.to_bits() + i * 31 % 37)).collect()),
        (
            "neighbours across a count",
            vec![subnormal(0x3fef_ffff_ffff_ffff), 1.0, subnormal(0x3fef_ffff_ffff_ffff), 1.0],
        ),
        ("many equal, few others", [vec![1.0; 30], vec![2.0, -2.0, 1.5, 1.0000000000000002]].concat()),
    ];
    for (name, values) in rows {
        let all: Vec<u64> = (0..values.len() as u64).collect();
        let ends = if all.len() > 1 { vec![0, all.len() as u64 - 1] } else { vec![0] };
        for limit in [0, 1, 5, 1_000] {
            for ranks in [&all, &ends] {
                assert_eq!(search(limit, &values, ranks).0, sorted(&values, ranks), "{name}, limit {limit}");
            }
        }
    }
}

#[test]
fn no_values_and_no_ranks_are_complete_after_one_pass() {
    assert_eq!(search(0, &[], &[]), (vec![], 1));
    assert_eq!(search(0, &[1.0, 2.0], &[]), (vec![], 1));
}

#[test]
fn windows_share_the_limit() {
    // Three windows of 30, 10 and 20 values: the two smaller ones fit into the limit, the largest one is counted.
    let values: Vec<f64> = (0..60)
        .map(|i| {
            if i < 30 {
                -1.0
            } else if i < 40 {
                1.0
            } else {
                1e9
            }
        })
        .collect();
    let mut search = Search::new(35);
    values.iter().for_each(|value| search.add(*value));
    assert_eq!(search.end_pass(|_| vec![3, 33, 55]), Ok(SearchPass::Again));
    let capacities: Vec<usize> = search.windows.iter().map(|window| window.capacity).collect();
    assert_eq!(capacities, [0, 10, 20]);
    values.iter().for_each(|value| search.add(*value));
    let allocated = search.windows.iter().map(|window| match &window.state {
        State::Values(values) => values.capacity(),
        State::Counts(_) => 0,
    });
    assert_eq!(allocated.collect::<Vec<_>>(), [0, 10, 20]);
    assert!(search.wants(-1.0, -1.0) && search.wants(0.5, 2.0) && !search.wants(-0.5, 0.5) && !search.wants(2e9, 3e9));
}

#[test]
fn another_number_of_values_in_a_window_is_a_change() {
    for (name, second) in [("fewer", vec![1.0]), ("more", vec![1.0, 1.0, 1.0]), ("elsewhere", vec![1.0, -1.0])] {
        for limit in [1, 2] {
            let mut search = Search::new(limit);
            [1.0, 1.0, -1.0].iter().for_each(|value| search.add(*value));
            assert_eq!(search.end_pass(|_| vec![2]), Ok(SearchPass::Again));
            second.iter().for_each(|value| search.add(*value));
            assert_eq!(search.end_pass(|_| vec![2]), Err(Changed), "{name}, limit {limit}");
        }
    }
}

proptest! {
    #[test]
    fn ranks_equal_those_of_a_sort(
        values in prop::collection::vec(any_finite(), 1..120),
        limit in prop::sample::select(vec![0usize, 3, 10, 40, 200]),
        wanted in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut ranks: Vec<u64> = wanted.iter().map(|index| index.index(values.len()) as u64).collect();
        ranks.sort_unstable();
        ranks.dedup();
        let (found, passes) = search(limit, &values, &ranks);
        prop_assert_eq!(found, sorted(&values, &ranks));
        prop_assert!(limit < values.len() || passes == 1);
    }

    #[test]
    fn ranks_of_values_that_differ_in_few_bits_equal_those_of_a_sort(
        steps in prop::collection::vec(0u64..300, 1..60), shift in 0u32..45, limit in 0usize..20,
    ) {
        let values: Vec<f64> = steps.iter().map(|step| f64::from_bits(1.0f64.to_bits() + (step << shift))).collect();
        let ranks: Vec<u64> = (0..values.len() as u64).step_by(9).collect();
        prop_assert_eq!(search(limit, &values, &ranks).0, sorted(&values, &ranks));
    }
}
