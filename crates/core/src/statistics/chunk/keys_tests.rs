use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::id::OwnerId;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn series(owner: &str, entity: &str, measure: &str) -> Series {
    Series { owner: owner.parse().unwrap(), entity: entity.into(), measure: measure.into() }
}

#[test]
fn keys_can_be_read() {
    assert_eq!(partition_key(&series("u1", "12345", "value")), "series#u1#12345#value");
    let key = sort_key(SpanClass::Month, at("2025-02-28T12:00:00.5Z"), "up_1", 7);
    assert_eq!(key, "month#2025-02-28T12:00:00.500000Z#up_1#0000000007");
}

#[test]
fn hostile_names_have_distinct_keys() {
    let long = "é".repeat(1000);
    let names = [
        "",
        " ",
        "#",
        "##",
        "%",
        "%23",
        "%25",
        "%2523",
        "a",
        "a#",
        "#a",
        "a#b",
        "a%23b",
        "A",
        "é",
        "e\u{301}",
        "\0",
        "\u{10ffff}",
        "a b",
        "a+b",
        "a%2Bb",
        "\n",
        "../x",
        "{}",
        &long,
        &long[2..],
        &"x".repeat(600),
        &"x".repeat(601),
        &"%".repeat(200),
        &"%".repeat(201),
        &"#".repeat(1000),
        &format!("{}y", "x".repeat(600)),
        &format!("{}%", "x".repeat(499)),
    ]
    .map(str::to_owned);
    let mut keys = HashMap::new();
    // Owner ids are restricted; entities and measures are not.
    for owner in names.iter().filter(|name| OwnerId::parse(name).is_ok()) {
        for entity in &names {
            for measure in &names {
                let key = partition_key(&series(owner, entity, measure));
                assert!(key.len() <= 2048, "{} bytes", key.len());
                assert_eq!(key.matches('#').count(), 3);
                let other = keys.insert(key, (owner, entity, measure));
                assert_eq!(other, None);
            }
        }
    }
    // A name equal to the key of a long name has a different key.
    let key = part(&long);
    assert!(key.len() <= MAX_PART_BYTES && key.contains("%="), "{key}");
    assert_ne!(part(&key), key);
}

#[test]
fn classes_hold_their_bounds() {
    let first = at("2024-02-28T00:00:00Z");
    let rows = [
        ("2024-02-28T00:00:00Z", SpanClass::Day),
        ("2024-02-29T00:00:00Z", SpanClass::Day),
        ("2024-02-29T00:00:00.000001Z", SpanClass::Month),
        ("2024-03-30T00:00:00Z", SpanClass::Month),
        ("2024-03-30T00:00:00.000001Z", SpanClass::ThreeYears),
        ("2027-02-28T00:00:00Z", SpanClass::ThreeYears),
        ("2027-02-28T00:00:00.000001Z", SpanClass::Any),
        ("9999-12-31T23:59:59Z", SpanClass::Any),
    ];
    for (last, class) in rows {
        assert_eq!(SpanClass::of(first, at(last)), class, "{last}");
    }
    assert_eq!(SpanClass::of(Timestamp::MIN, Timestamp::MAX), SpanClass::Any);
}

#[test]
fn a_query_reads_one_range_per_class() {
    let ranges = key_ranges(Some(at("2025-02-28T12:00:00Z")), Some(at("2025-03-01T00:00:00Z")));
    let expected = [
        ("day#2025-02-27T12:00:00.000000Z", "day#2025-03-01T00:00:00.000000Z"),
        ("month#2025-01-28T12:00:00.000000Z", "month#2025-03-01T00:00:00.000000Z"),
        ("years#2022-02-28T12:00:00.000000Z", "years#2025-03-01T00:00:00.000000Z"),
        ("any#0000-01-01T00:00:00.000000Z", "any#2025-03-01T00:00:00.000000Z"),
    ];
    assert_eq!(ranges, expected.map(|(lo, hi)| KeyRange { lo: lo.into(), hi: hi.into() }));
    assert_eq!(key_ranges(None, None).len(), 4);
    assert_eq!(key_ranges(Some(Timestamp::MIN), Some(Timestamp::MIN)), []);
    assert_eq!(key_ranges(Some(Timestamp::MAX), Some(Timestamp::MIN)), []);
}

fn points(times: impl IntoIterator<Item = i64>) -> Vec<Point> {
    times.into_iter().map(|time| Point { time: Timestamp::from_micros(time), value: 0.0 }).collect()
}

#[test]
fn points_are_cut_if_the_pieces_are_large_enough() {
    let minute = 60_000_000;
    let day = 1_440 * minute;
    let every = |step: i64, count: i64| points((0..count).map(|i| i * step));
    let with_lost_clock = points((0..4096).map(|i| if i == 0 { 0 } else { 20_000 * day + i }));
    let rows = [
        ("one", every(1, 1), vec![1]),
        ("a few over three days", every(day, 3), vec![3]),
        ("a few over ten years", every(100 * day, 36), vec![36]),
        ("seconds", every(minute / 60, 4096), vec![4096]),
        ("minutes", every(minute, 4096), vec![1441, 1441, 1214]),
        ("hours", every(60 * minute, 4096), vec![745, 745, 745, 745, 745, 371]),
        ("days", every(day, 4096), vec![1097, 1097, 1097, 805]),
        ("weeks", every(7 * day, 4096), vec![4096]),
        ("a clock that was lost", with_lost_clock, vec![1, 4095]),
    ];
    for (name, points, lengths) in rows {
        assert_eq!(cut(&points).iter().map(|piece| piece.len()).collect::<Vec<_>>(), lengths, "{name}");
    }
    assert!(cut(&[]).iter().all(|piece| piece.is_empty()));
}

fn any_time() -> impl Strategy<Value = Timestamp> {
    let near: i64 = 2_000 * 86_400_000_000;
    prop_oneof![-near..near, Timestamp::MIN.as_micros()..=Timestamp::MAX.as_micros()].prop_map(Timestamp::from_micros)
}

proptest! {
    #[test]
    fn a_chunk_that_overlaps_the_query_is_in_its_key_ranges(
        (a, b) in (any_time(), any_time()), from in prop::option::of(any_time()), to in prop::option::of(any_time()),
        segment in any::<u32>(),
    ) {
        let (first, last) = (a.min(b), a.max(b));
        let key = sort_key(SpanClass::of(first, last), first, "up_01ARZ3NDEKTSV4RRFFQ69G5FAV", segment);
        let ranges = key_ranges(from, to);
        let found = ranges.iter().filter(|range| range.lo <= key && key <= range.hi).count();
        let is_empty = from.zip(to).is_some_and(|(from, to)| from >= to);
        let overlaps = !is_empty && from.is_none_or(|from| last >= from) && to.is_none_or(|to| first < to);
        prop_assert!(found <= 1);
        prop_assert!(!overlaps || found == 1, "{} in {:?}", key, ranges);
        // No range contains a chunk that begins at `to` or later.
        prop_assert!(found == 0 || to.is_none_or(|to| first < to));
        prop_assert!(ranges.iter().all(|range| range.lo <= range.hi));
    }

    #[test]
    fn sort_keys_of_a_class_sort_by_time(a in any_time(), b in any_time()) {
        let key = |time| sort_key(SpanClass::Day, time, "up_1", 0);
        prop_assert_eq!(key(a).cmp(&key(b)), a.cmp(&b));
    }

    #[test]
    fn partition_keys_are_injective(a in "[#%2-5a]{0,6}", b in "[#%2-5a]{0,6}", c in "[#%2-5a]{0,6}", d in "[#%2-5a]{0,6}") {
        let (one, other) = (series("u", &a, &b), series("u", &c, &d));
        prop_assert_eq!(partition_key(&one) == partition_key(&other), one == other);
    }

    #[test]
    fn pieces_are_the_points_in_order(mut times in prop::collection::vec(0i64..4_000, 0..3000)) {
        times.sort_unstable();
        let points = points(times.into_iter().map(|hours| hours * 3_600_000_000 * 9));
        let pieces = cut(&points);
        prop_assert_eq!(pieces.concat(), points.clone());
        prop_assert!(pieces.len() <= (points.len() / MIN_POINTS_OF_PIECE).max(1));
    }
}
