use proptest::prelude::*;

use super::*;
use crate::statistics::summary::tests::any_finite;

fn point(micros: i64, value: f64) -> Point {
    Point { time: Timestamp::from_micros(micros), value }
}

fn bits(points: &[Point]) -> Vec<(i64, u64)> {
    points.iter().map(|point| (point.time.as_micros(), point.value.to_bits())).collect()
}

#[track_caller]
fn round_trip(points: &[Point]) -> usize {
    let stored = encode(points);
    assert_eq!(bits(&decode(&stored).unwrap()), bits(points));
    stored.len()
}

fn series(count: i64, value: impl Fn(i64) -> f64) -> Vec<Point> {
    (0..count).map(|i| point(1_740_744_000_000_000 + i * 60_000_000, value(i))).collect()
}

#[test]
fn usual_series_take_few_bytes() {
    // A rough sine with one decimal, like the values of a thermometer.
    let decimal = |i: i64| ((i as f64 / 200.0).sin() * 150.0 + (i * 7919 % 13) as f64).round() / 10.0;
    // From 15 to 25 with two decimals: the differences have eleven bits.
    let noise = |i: i64| (1_500 + i * i * i * 7919 % 997) as f64 / 100.0;
    // Pseudo-random numbers, whose mantissas do not compress.
    let random = |i: i64| f64::from_bits((i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 12 | 0x3ff0_0000_0000_0000);
    let rows = [
        ("one point", series(1, |_| 22.5), 24),
        ("twenty of noise", series(20, noise), 52),
        ("an hour of noise", series(60, noise), 116),
        ("a day of zeros and few others", series(1440, |i| if i % 70 == 0 { 8.5 } else { 0.0 }), 160),
        ("constant", series(4096, |_| 22.5), 256),
        ("on and off", series(4096, |i| if i % 2 == 0 { 0.0 } else { 100.5 }), 100),
        ("the same every day", series(4096, |i| (i % 24 * (i % 24) * 37 % 101) as f64 / 10.0), 200),
        ("counter", series(4096, |i| i as f64), 64),
        ("one decimal", series(4096, decimal), 4096),
        ("one decimal with -0.0", series(4096, |i| if i % 64 == 0 { -0.0 } else { decimal(i) }), 4096 + 70),
        ("random", series(4096, random), 8 * 4096),
    ];
    for (name, points, at_most) in rows {
        let bytes = round_trip(&points);
        assert!(bytes <= at_most, "{name}: {bytes} bytes");
    }
}

#[test]
fn extreme_times_and_values_are_restored() {
    let values = [
        f64::MAX,
        f64::MIN,
        5e-324,
        -5e-324,
        0.0,
        -0.0,
        1e15,
        9_007_199_254_740_991.0,
        -9_007_199_254_740_992.0,
        0.1,
        1e-15,
    ];
    let (start, end) = (Timestamp::MIN.as_micros(), Timestamp::MAX.as_micros());
    for a in values {
        for b in values {
            round_trip(&[point(start, a), point(end, b)]);
            round_trip(&[point(start, a), point(start, b), point(start + 1, a), point(end, b), point(end, a)]);
        }
    }
}

#[test]
fn reused_contexts_encode_the_same_bytes() {
    let (a, b) = (series(4096, |i| (i * i % 977) as f64 / 10.0), series(3000, |i| (i as f64).sqrt()));
    let mut codec = Codec::default();
    let first = codec.encode(&a);
    codec.encode(&b);
    assert_eq!(codec.encode(&a), first);
    assert_eq!(encode(&a), first);
}

#[test]
fn decoding_is_limited_to_one_chunk() {
    let rows: [(&str, Vec<u8>); 6] = [
        ("nothing", vec![]),
        ("no count", vec![PLAIN]),
        ("zero points", vec![PLAIN, 0, 0, 1, 0]),
        ("2^63 points", [vec![PLAIN], vec![0xff; 8], vec![0x7f]].concat()),
        ("unknown tag", vec![7, 1, 0, 1, 0, 0]),
        ("a bomb", with_tag(ZSTD, &zstd::bulk::compress(&vec![1; 50 << 20], 3).unwrap())),
    ];
    for (name, stored) in rows {
        assert_eq!(decode(&stored), None, "{name}");
    }
    assert_eq!(bits(&decode(&[PLAIN, 1, 0, 1, 0, 90]).unwrap()), [(0, 45f64.to_bits())]);
    assert!(decode(&[PLAIN, 1, 0, 1, 0, 90, 0]).is_none(), "an excess byte");
    assert!(decode(&[PLAIN, 1, 0, 1, 32, 90]).is_none(), "an unknown encoding of values");
    assert!(decode(&[PLAIN, 2, 0, 1, 1, 0, 90, 0]).is_none(), "time runs backwards");
}

proptest! {
    #[test]
    fn any_finite_values_and_times_are_restored(
        mut times in prop::collection::vec(Timestamp::MIN.as_micros()..=Timestamp::MAX.as_micros(), 1..300),
        values in prop::collection::vec(any_finite(), 300),
    ) {
        times.sort_unstable();
        let points: Vec<Point> = times.iter().zip(values).map(|(time, value)| point(*time, value)).collect();
        let stored = encode(&points);
        prop_assert_eq!(bits(&decode(&stored).unwrap()), bits(&points));
    }

    #[test]
    fn decimals_are_restored(
        mut seconds in prop::collection::vec(0i64..1_000_000, 1..300),
        integers in prop::collection::vec(-(1i64 << 40)..1 << 40, 300),
        digits in 0i32..9,
    ) {
        seconds.sort_unstable();
        let value = |integer: i64| integer as f64 / 10f64.powi(digits);
        let points: Vec<Point> = seconds.iter().zip(integers).map(|(s, i)| point(s * 1_000_000, value(i))).collect();
        let stored = encode(&points);
        prop_assert_eq!(bits(&decode(&stored).unwrap()), bits(&points));
    }

    #[test]
    fn corrupt_bytes_never_panic(
        count in 1i64..400, decimal in any::<bool>(), plain in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), length in any::<prop::sample::Index>(),
    ) {
        let points = series(count, |i| if decimal { i as f64 / 10.0 } else { (i as f64).sqrt() });
        let mut codec = Codec::default();
        let mut stored = codec.encode(&points);
        if plain {
            stored = with_tag(PLAIN, &codec.columns);
        }
        for (at, byte) in changes {
            let at = at.index(stored.len());
            stored[at] = byte;
        }
        let cut = &stored[..length.index(stored.len() + 1)];
        for stored in [&stored, cut] {
            if let Some(points) = decode(stored) {
                prop_assert!(points.len() <= MAX_POINTS && points.iter().all(|point| point.value.is_finite()));
                prop_assert!(points.is_sorted_by_key(|point| point.time));
            }
        }
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), tag in 0u8..3) {
        let _ = decode(&bytes);
        let _ = decode(&with_tag(tag, &bytes));
    }

    #[test]
    fn varints_are_restored(number in any::<i64>()) {
        let mut bytes = Vec::new();
        push_signed(&mut bytes, number);
        prop_assert!(bytes.len() <= 10);
        let mut reader = Reader(&bytes);
        prop_assert_eq!(reader.signed(), Some(number));
        prop_assert!(reader.0.is_empty());
    }
}
