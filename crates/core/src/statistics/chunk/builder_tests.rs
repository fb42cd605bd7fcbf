use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::time::Timestamp;

fn at(second: i64) -> Timestamp {
    Timestamp::from_secs(second)
}

fn build(limits: Limits, points: impl IntoIterator<Item = (String, &'static str, i64, f64)>) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut builder = ChunkBuilder::with_limits(&"u1".parse().unwrap(), "up_1", 0, limits);
    for (entity, measure, second, value) in points {
        builder.add(SeriesPoint { entity: &entity, measure, time: at(second), value }, |chunk| chunks.push(chunk));
        assert!(builder.points < limits.points.max(MAX_POINTS));
        assert!(builder.points <= limits.points && builder.open.len() <= limits.series);
        assert!(builder.open.len() == 1 || builder.name_bytes <= limits.name_bytes);
        assert_eq!(builder.points, builder.open.iter().map(|open| open.points.len()).sum::<usize>());
    }
    builder.flush(|chunk| chunks.push(chunk));
    assert!(chunks.iter().enumerate().all(|(index, chunk)| chunk.segment() as usize == index));
    chunks
}

/// Returns all points of each series, in any order.
fn contents(chunks: &[Chunk]) -> BTreeMap<(String, String), Vec<(i64, u64)>> {
    let mut contents: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for chunk in chunks {
        let series = chunk.series();
        let points = chunk.points().unwrap();
        assert_eq!(chunk.summary(), &crate::statistics::summary::Summary::of(&points).unwrap());
        let points = points.iter().map(|point| (point.time.as_secs(), point.value.to_bits()));
        contents.entry((series.entity.clone(), series.measure.clone())).or_default().extend(points);
    }
    contents.values_mut().for_each(|points| points.sort_unstable());
    contents
}

#[test]
fn small_uploads_have_one_chunk_per_series() {
    let points = [("b", "t", 3, 1.0), ("a", "t", 2, 2.0), ("b", "t", 1, 3.0), ("b", "h", 1, 4.0), ("b", "t", 1, 5.0)];
    let chunks =
        build(LIMITS, points.map(|(entity, measure, second, value)| (entity.to_owned(), measure, second, value)));
    let keys: Vec<_> = chunks.iter().map(|chunk| format!("{} {}", chunk.partition_key(), chunk.sort_key())).collect();
    let expected = [
        "series#u1#b#t day#1970-01-01T00:00:01.000000Z#up_1#0000000000",
        "series#u1#a#t day#1970-01-01T00:00:02.000000Z#up_1#0000000001",
        "series#u1#b#h day#1970-01-01T00:00:01.000000Z#up_1#0000000002",
    ];
    assert_eq!(keys, expected);
    let values: Vec<f64> = chunks[0].points().unwrap().iter().map(|point| point.value).collect();
    assert_eq!(values, [3.0, 5.0, 1.0], "by time, then in the order of records");
    assert_eq!(chunks[0].uploads(), ["up_1"]);
}

#[test]
fn full_chunks_are_emitted_at_once() {
    let chunks = build(LIMITS, (0..10_000).map(|i| ("a".to_owned(), "t", i, i as f64)));
    assert_eq!(chunks.iter().map(|chunk| chunk.summary().count()).collect::<Vec<_>>(), [4096, 4096, 1808]);
}

#[test]
fn values_that_are_not_finite_are_ignored() {
    let values = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    assert_eq!(build(LIMITS, values.map(|value| ("a".to_owned(), "t", 0, value))), []);
}

#[test]
fn many_series_stay_within_the_limits() {
    let limits = Limits { points: 1000, series: 50, name_bytes: 10_000 };
    let one_each = build(limits, (0..5000).map(|i| (format!("device {i}"), "t", i, 1.0)));
    assert_eq!(one_each.len(), 5000);
    // The builder flushes the long series and keeps the short ones.
    let skewed =
        build(limits, (0..5000).map(|i| (if i % 50 == 0 { format!("d{}", i % 20) } else { "d".into() }, "t", i, 1.0)));
    assert!(skewed.len() < 20, "{}", skewed.len());
    let hostile = build(limits, (0..20).map(|i| (i.to_string().repeat(20_000), "t", i, 1.0)));
    assert_eq!(hostile.len(), 20);
}

proptest! {
    #[test]
    fn chunks_hold_all_points_and_are_deterministic(
        points in prop::collection::vec((0usize..30, 0usize..3, 0i64..200_000_000, -50i32..50), 0..1500),
        max_points in 1usize..400, series in 1usize..40, name_bytes in 0usize..200,
    ) {
        let limits = Limits { points: max_points, series, name_bytes };
        let input = || points.iter().map(|(entity, measure, second, value)| {
            ("#".repeat(*entity), ["t", "h", ""][*measure], *second, f64::from(*value) / 10.0)
        });
        let chunks = build(limits, input());
        prop_assert_eq!(&chunks, &build(limits, input()));
        let mut expected: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (entity, measure, second, value) in input() {
            expected.entry((entity, measure.to_owned())).or_default().push((second, value.to_bits()));
        }
        expected.values_mut().for_each(|points| points.sort_unstable());
        prop_assert_eq!(contents(&chunks), expected);
        let mut keys: Vec<_> = chunks.iter().map(|chunk| (chunk.partition_key(), chunk.sort_key())).collect();
        keys.sort();
        keys.dedup();
        prop_assert_eq!(keys.len(), chunks.len());
    }
}

#[test]
fn attempts_write_chunks_with_different_keys() {
    let of_attempt = |attempt| {
        let mut chunks = Vec::new();
        let mut builder = ChunkBuilder::new(&"u1".parse().unwrap(), "up_1", attempt);
        builder.add(SeriesPoint { entity: "a", measure: "value", time: at(0), value: 1.0 }, |chunk| chunks.push(chunk));
        builder.flush(|chunk| chunks.push(chunk));
        chunks[0].sort_key()
    };
    for attempt in [0, 1, 2, super::super::segment::MAX_ATTEMPTS - 1] {
        assert_eq!(super::super::segment::attempt_of_sort_key(&of_attempt(attempt)), Some(attempt));
    }
    assert_ne!(of_attempt(0), of_attempt(1));
}

/// Devices take turns, and change their order; the points also arrive in runs.
#[test]
fn points_in_runs_make_the_chunks_of_points_one_by_one() {
    let point = |index: i64| {
        let turn = if index < 9_000 { index % 7 } else { index * index % 11 };
        (format!("device-{turn}"), if index % 3 == 0 { "t" } else { "h" }, index / 50, index as f64)
    };
    for limits in [LIMITS, Limits { points: 1_000, ..LIMITS }, Limits { series: 5, ..LIMITS }] {
        let mut one_by_one = Vec::new();
        let mut runs = Vec::new();
        let mut builders = [(); 2].map(|()| ChunkBuilder::with_limits(&"u1".parse().unwrap(), "up_1", 0, limits));
        for index in 0..12_000 {
            let (entity, measure, second, value) = point(index / 50 * 50);
            let run: Vec<Point> =
                (0..index % 9).map(|more| Point { time: at(second + more), value: value + index as f64 }).collect();
            for Point { time, value } in run.iter().copied() {
                let point = SeriesPoint { entity: &entity, measure, time, value };
                builders[0].add(point, |chunk| one_by_one.push(chunk));
            }
            builders[1].add_run(entity.as_bytes(), measure, &run, |chunk| runs.push(chunk));
        }
        let [mut first, mut second] = builders;
        first.flush(|chunk| one_by_one.push(chunk));
        second.flush(|chunk| runs.push(chunk));
        assert!(runs.len() > 10 && one_by_one == runs, "{limits:?}");
    }
}

#[test]
fn similar_names_are_different_series() {
    let alphabet =
        ["", "a", "b", "ab", "ba", "\u{0}a", "abcdefg", "abcdefgh", "abcdefgi", "abcdefghabcdefgh", "abcdefghabcdefgi"];
    let long = ["", "c", "d"].map(|end| format!("abcdefghabcdefgh{end}"));
    let names: Vec<String> = alphabet.iter().map(ToString::to_string).chain(long).collect();
    let points = (0..3).flat_map(|second| names.iter().map(move |name| (name.clone(), "t", second, second as f64)));
    let chunks = build(LIMITS, points);
    let mut entities: Vec<&str> = chunks.iter().map(|chunk| chunk.series().entity.as_str()).collect();
    entities.sort_unstable();
    let mut expected: Vec<&str> = names.iter().map(String::as_str).collect();
    expected.sort_unstable();
    expected.dedup();
    assert_eq!(entities, expected);
    assert!(chunks.iter().all(|chunk| chunk.summary().count().is_multiple_of(3)));
}
