use proptest::prelude::*;

use super::*;
use crate::statistics::chunk::ChunkBuilder;
use crate::statistics::quantile::Quantiles;
use crate::statistics::series::{Point, Series, SeriesPoint};
use crate::statistics::summary::tests::any_finite;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn chunk(segment: u32, points: &[(i64, f64)]) -> Chunk {
    let series = Series { owner: "u1".parse().unwrap(), entity: "12345".into(), measure: "value".into() };
    let points = points.iter().map(|(micros, value)| Point { time: at(*micros), value: *value }).collect();
    Chunk::new(series, "up_1", segment, points).unwrap()
}

/// Returns the answer and the number of passes.
fn ask(mut answer: Answer, chunks: &[Chunk]) -> Result<(Option<Statistics>, u32), AnswerError> {
    for pass in 1.. {
        for chunk in chunks {
            answer.add(chunk)?;
        }
        if let Pass::Complete(statistics) = answer.end_pass()? {
            return Ok((statistics, pass));
        }
        assert!(pass <= 4);
    }
    unreachable!()
}

fn statistics(chunks: &[Chunk], from: Option<i64>, to: Option<i64>) -> Option<Statistics> {
    let (statistics, passes) = ask(Answer::new(from.map(at), to.map(at)), chunks).unwrap();
    assert_eq!(passes, 1);
    statistics
}

/// Returns the median by sorting.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() - 1) / 2].midpoint(values[values.len() / 2])
}

#[test]
fn ranges_include_their_start_only() {
    let chunks = [chunk(0, &[(10, 35.0), (20, 40.0)]), chunk(1, &[(30, 123.0)])];
    let all = statistics(&chunks, None, None).unwrap();
    assert_eq!((all.count, all.mean, all.median, all.min, all.max), (3, 66.0, 40.0, 35.0, 123.0));
    assert_eq!(format!("{:.4}", all.standard_deviation.unwrap()), "49.4267");
    assert_eq!((all.first, all.last), (at(10), at(30)));
    let rows = [
        (Some(10), Some(31), 3),
        (Some(10), Some(30), 2),
        (Some(11), Some(30), 1),
        (Some(20), Some(21), 1),
        (None, Some(10), 0),
        (Some(31), None, 0),
        (Some(30), None, 1),
        (Some(21), Some(30), 0),
        (Some(20), Some(20), 0),
        (Some(30), Some(10), 0),
    ];
    for (from, to, count) in rows {
        let found = statistics(&chunks, from, to);
        assert_eq!(found.as_ref().map_or(0, |found| found.count), count, "{from:?} {to:?}");
        assert!(found.is_none_or(|found| found.standard_deviation.is_none() == (count == 1)));
    }
    assert_eq!(statistics(&[], None, None), None);
}

#[test]
fn medians_neither_overflow_nor_are_negative_zero() {
    let rows = [
        (vec![f64::MAX, f64::MAX], f64::MAX),
        (vec![f64::MAX, -f64::MAX], 0.0),
        (vec![1e308, 1.5e308], 1.25e308),
        (vec![5e-324, 5e-324], 5e-324),
        (vec![-0.0], 0.0),
        (vec![3.0, 1.0, 2.0, 10.0], 2.5),
    ];
    for (values, expected) in rows {
        let points: Vec<_> = values.iter().map(|value| (0, *value)).collect();
        for keep in [0, 1, 100] {
            let (found, _) = ask(Answer::keeping(keep, None, None), &[chunk(0, &points)]).unwrap();
            assert_eq!(found.unwrap().median.to_bits(), expected.to_bits(), "{values:?}");
        }
    }
}

#[test]
fn memory_is_bounded_and_so_are_the_passes() {
    // A sine of 400,000 points, equal values, and values that differ in their last bits only.
    let sine = |i: i64| (i as f64 / 1000.0).sin();
    let equal = |_: i64| 20.5;
    let close = |i: i64| f64::from_bits(1.0f64.to_bits() + (i as u64 * 7919) % 50_000);
    type Row = (&'static str, fn(i64) -> f64, u32);
    let rows: [Row; 3] = [("sine", sine, 3), ("equal", equal, 4), ("close", close, 4)];
    for (name, value, at_most) in rows {
        let mut chunks = Vec::new();
        let mut builder = ChunkBuilder::new(&"u1".parse().unwrap(), "up_1", 0);
        for i in 0..400_000 {
            builder.add(SeriesPoint { entity: "e", measure: "m", time: at(i), value: value(i) }, |chunk| {
                chunks.push(chunk)
            });
        }
        builder.flush(|chunk| chunks.push(chunk));
        let expected = median((0..400_000).map(value).collect());
        let (found, passes) = ask(Answer::keeping(10_000, None, None), &chunks).unwrap();
        assert_eq!(found.as_ref().unwrap().median, expected, "{name}");
        assert!(passes <= at_most, "{name}: {passes} passes");
        assert_eq!(ask(Answer::new(None, None), &chunks).unwrap().0, found, "{name}");
    }
}

#[test]
fn changed_chunks_between_passes_are_an_error() {
    let (a, b) = (chunk(0, &[(1, 1.0), (2, 1.0)]), chunk(1, &[(3, 1.0), (4, 5.0)]));
    // The same number of values in each window of the search.
    let others = chunk(1, &[(3, 1.0), (4, 5.000_000_1)]);
    for second in [vec![a.clone()], vec![a.clone(), b.clone(), b.clone()], vec![], vec![a.clone(), others]] {
        let mut answer = Answer::keeping(1, None, None);
        answer.add(&a).unwrap();
        answer.add(&b).unwrap();
        assert_eq!(answer.end_pass(), Ok(Pass::Again));
        second.iter().for_each(|chunk| assert!(answer.add(chunk).is_ok()));
        assert_eq!(answer.end_pass(), Err(AnswerError::Changed));
    }
}

#[test]
fn a_corrupt_chunk_is_an_error() {
    let good = chunk(0, &[(1, 1.0)]);
    let bad = Chunk::from_parts(
        good.series().clone(),
        vec!["up_1".into()],
        Vec::new(),
        0,
        &good.summary().to_bytes(),
        vec![9],
    )
    .unwrap();
    assert_eq!(ask(Answer::new(None, None), &[bad]), Err(AnswerError::Corrupt(CorruptChunk::Points)));
}

proptest! {
    #[test]
    fn ranges_that_cut_chunks_equal_brute_force(
        points in prop::collection::vec((0i64..1000, -500i32..500), 1..600),
        sizes in prop::collection::vec(1usize..60, 600),
        from in prop::option::of(0i64..1000), to in prop::option::of(0i64..1000),
        keep in prop::sample::select(vec![0usize, 1, 7, 100, 10_000]),
        offset in prop::sample::select(vec![0.0, 1e9]),
    ) {
        let points: Vec<(i64, f64)> = points.iter().map(|(time, value)| (*time, offset + f64::from(*value) / 8.0)).collect();
        let mut rest = points.as_slice();
        let mut chunks = Vec::new();
        for size in sizes {
            let (part, after) = rest.split_at(size.min(rest.len()));
            if !part.is_empty() {
                chunks.push(chunk(chunks.len() as u32, part));
            }
            rest = after;
        }
        let is_inside = |time: i64| from.is_none_or(|from| from <= time) && to.is_none_or(|to| time < to);
        let inside: Vec<Point> = points.iter().filter(|(time, _)| is_inside(*time))
            .map(|(time, value)| Point { time: at(*time), value: *value }).collect();
        let (found, passes) = ask(Answer::keeping(keep, from.map(at), to.map(at)), &chunks).unwrap();
        prop_assert!(passes <= 4 && (keep < inside.len() || passes == 1));
        let Some(expected) = Summary::of(&inside) else {
            prop_assert_eq!(found, None);
            return Ok(());
        };
        let found = found.unwrap();
        prop_assert_eq!(found.median, median(inside.iter().map(|point| point.value).collect()));
        prop_assert_eq!((found.count, found.min, found.max), (expected.count(), expected.min(), expected.max()));
        prop_assert_eq!((found.first, found.last), (expected.first(), expected.last()));
        prop_assert_eq!((found.sum, found.mean), (expected.sum(), expected.mean()));
        prop_assert_eq!((found.variance, found.standard_deviation), (expected.variance(), expected.standard_deviation()));
    }

    #[test]
    fn medians_of_any_values_are_exact(values in prop::collection::vec(any_finite(), 1..60), keep in 0usize..80) {
        let points: Vec<_> = values.iter().enumerate().map(|(i, value)| (i as i64, *value)).collect();
        let chunks: Vec<_> = points.chunks(13).enumerate().map(|(i, part)| chunk(i as u32, part)).collect();
        let (found, _) = ask(Answer::keeping(keep, None, None), &chunks).unwrap();
        prop_assert_eq!(found.unwrap().median, median(values) + 0.0);
    }
}

#[test]
fn answers_have_the_quantiles_that_were_asked_for_in_any_number_of_passes() {
    let points: Vec<(i64, f64)> = (0..1_000).map(|i| (i, (i * 7919 % 1_000) as f64 / 10.0)).collect();
    let chunks: Vec<_> = points.chunks(90).enumerate().map(|(i, part)| chunk(i as u32, part)).collect();
    for keep in [0, 100, 10_000] {
        let asked = Quantiles::parse("0.95,0.05,0.3333,1").unwrap();
        let (found, passes) = ask(Answer::keeping(keep, None, None).with_quantiles(asked), &chunks).unwrap();
        let found = found.unwrap();
        assert_eq!(passes > 1, keep < 1_000, "keep {keep}");
        let quantiles: Vec<(&str, f64)> =
            found.quantiles.iter().map(|(quantile, value)| (quantile.as_str(), value)).collect();
        let expected = [("0.95", 94.905), ("0.05", 4.995), ("0.3333", 33.29667), ("1", 99.9)];
        assert_eq!(quantiles, expected, "keep {keep}");
        assert_eq!((found.median, found.interquartile_range), (49.95, Some(49.95)), "keep {keep}");
    }
}
