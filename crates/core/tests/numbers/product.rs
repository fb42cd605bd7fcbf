//! The numbers of the core, and their comparison with those of the oracle.

use eventpulse_core::statistics::answer::{Answer, Bucket, BucketWidth, Buckets, Pass};
use eventpulse_core::statistics::chunk::Chunk;
use eventpulse_core::statistics::quantile::Quantiles;
use eventpulse_core::statistics::series::{Point, Series};
use eventpulse_core::statistics::summary::{Statistics, Summary};
use eventpulse_core::time::Timestamp;

use crate::oracle::{Numbers, quantile};

/// A range of seconds since 1970, without its end.
pub type Seconds = std::ops::Range<i64>;

/// Returns points with these values, one in each second since 1970.
pub fn points(values: &[f64]) -> Vec<Point> {
    (0..).zip(values).map(|(second, value)| Point { time: Timestamp::from_secs(second), value: *value }).collect()
}

/// Returns the summary of at least one value.
pub fn summary(values: &[f64]) -> Summary {
    Summary::of(&points(values)).expect("values")
}

/// Merges the summaries of parts of some points, from the first to the last.
pub fn merged<'p>(parts: impl IntoIterator<Item = &'p [Point]>) -> Summary {
    let mut parts = parts.into_iter().map(|part| Summary::of(part).expect("points"));
    let mut all = parts.next().expect("a part");
    parts.for_each(|part| all.merge(&part));
    all
}

/// Returns each part of the points as the chunk of an upload of its own.
pub fn chunks<'p>(parts: impl IntoIterator<Item = &'p [Point]>) -> Vec<Chunk> {
    let series = Series { owner: "demo".parse().unwrap(), entity: "d".into(), measure: "value".into() };
    let chunk = |(number, part): (usize, &[Point])| {
        Chunk::new(series.clone(), &format!("up_{number}"), 0, part.to_vec()).expect("a chunk")
    };
    parts.into_iter().enumerate().map(chunk).collect()
}

/// Returns the answer over a range with some quantiles, in as many passes as are necessary if at most `kept` values are kept.
pub fn answer(chunks: &[Chunk], kept: usize, range: &Seconds, quantiles: &str) -> Option<Statistics> {
    let (from, to) = (Timestamp::from_secs(range.start), Timestamp::from_secs(range.end));
    let quantiles = Quantiles::parse(quantiles).expect("quantiles");
    let mut answer = Answer::keeping(kept, Some(from), Some(to)).with_quantiles(quantiles);
    for _ in 0..4 {
        for chunk in chunks {
            answer.add(chunk).expect("a readable chunk");
        }
        if let Pass::Complete(statistics) = answer.end_pass().expect("the same chunks") {
            return statistics;
        }
    }
    panic!("no answer after four passes");
}

/// Returns the answer over a range with some quantiles, in buckets of some seconds.
pub fn buckets(chunks: &[Chunk], width: u32, range: &Seconds, quantiles: &str) -> Vec<Bucket> {
    let (from, to) = (Timestamp::from_secs(range.start), Timestamp::from_secs(range.end));
    let width = BucketWidth::parse(&format!("{width}s"), None).expect("a width");
    let quantiles = Quantiles::parse(quantiles).expect("quantiles");
    let mut buckets = Buckets::new(Some(from), Some(to), &width).with_quantiles(quantiles);
    for chunk in chunks {
        buckets.add(chunk).expect("a readable chunk");
    }
    buckets.finish()
}

/// Fails unless all numbers of a summary are those of the oracle to the bit.
pub fn assert_exact(name: &str, summary: &Summary, expected: &Numbers) {
    assert_eq!(summary.count(), expected.count, "{name}: count");
    assert_same(
        name,
        [
            ("sum", summary.sum(), expected.sum),
            ("mean", Some(summary.mean()), Some(expected.mean)),
            ("variance", summary.variance(), expected.variance),
            ("standard deviation", summary.standard_deviation(), expected.standard_deviation),
            // A summary keeps the sign of a zero among its extremes; answers do not.
            ("minimum", Some(summary.min() + 0.0), Some(expected.min)),
            ("maximum", Some(summary.max() + 0.0), Some(expected.max)),
        ],
    );
}

/// Fails unless all numbers of an answer are those of the oracle to the bit, with the quantiles that were asked for.
pub fn assert_answered(name: &str, statistics: &Statistics, values: &[f64], quantiles: &str) {
    let expected = Numbers::of(values);
    assert_eq!(statistics.count, expected.count, "{name}: count");
    assert_same(
        name,
        [
            ("sum", statistics.sum, expected.sum),
            ("mean", Some(statistics.mean), Some(expected.mean)),
            ("variance", statistics.variance, expected.variance),
            ("standard deviation", statistics.standard_deviation, expected.standard_deviation),
            ("minimum", Some(statistics.min), Some(expected.min)),
            ("maximum", Some(statistics.max), Some(expected.max)),
            ("median", Some(statistics.median), Some(expected.median)),
            ("interquartile range", statistics.interquartile_range, expected.interquartile_range),
        ],
    );
    let found = statistics.quantiles.iter().map(|(quantile, value)| (quantile.as_str(), value.to_bits()));
    let expected = quantiles.split(',').map(|p| (p, quantile(values, p).to_bits()));
    assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{name}: quantiles of {values:?}");
}

fn assert_same<const N: usize>(name: &str, rows: [(&str, Option<f64>, Option<f64>); N]) {
    for (number, found, expected) in rows {
        let (found_bits, expected_bits) = (found.map(f64::to_bits), expected.map(f64::to_bits));
        assert_eq!(found_bits, expected_bits, "{name}: the {number} is {found:?}, not {expected:?}");
    }
}
