//! Compares exact sums with rounded ones: the time per value, the time to merge summaries, and the stored sizes.
//!
//! `cargo bench` measures. With `--quick`, or run by `cargo test`, the samples are short and the numbers mean nothing.

#[path = "../shared/text.rs"]
mod text;
#[path = "../shared/timing.rs"]
mod timing;

use std::hint::black_box;

use eventpulse_core::statistics::series::Point;
use eventpulse_core::statistics::summary::Summary;
use eventpulse_core::time::Timestamp;
use statrs::statistics::Statistics as _;

use text::grouped;
use timing::{Effort, alternate, median, ratio};

/// The number of points of a chunk.
const POINTS: usize = 4_096;
/// The number of summaries that are merged.
const SUMMARIES: usize = 10_000;
/// The largest time of an exact value of a full chunk in nanoseconds.
const MAX_VALUE_NS: f64 = 10.0;
/// The largest time of merging all summaries and rounding in milliseconds.
const MAX_MERGE_MS: f64 = 3.0;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let effort = match has("--bench") && !has("--quick") {
        true => Effort { samples: 31, sample_ms: 20 },
        false => {
            println!("Short samples, to see that everything runs: the numbers mean nothing. `cargo bench` measures.\n");
            Effort { samples: 1, sample_ms: 0 }
        }
    };
    accumulation(effort);
    merging(effort);
}

/// Prints the time per value of one chunk, and the size of its summary.
fn accumulation(effort: Effort) {
    println!("One chunk of {} values: exact count, sums, extremes and times, per value", grouped(POINTS));
    println!("| values | EventPulse | statrs, mean and variance | plain sum | ÷ statrs | ÷ plain sum | bytes |");
    println!("|---|--:|--:|--:|--:|--:|--:|");
    let far_apart = ("a chunk of only two, far apart", vec![5e-324, f64::MAX]);
    for (name, values) in series().into_iter().chain([far_apart]) {
        let points = points(&values, 0);
        let exact = || consume(Summary::of(black_box(&points)));
        let rounded = || consume((black_box(&values).mean(), values.iter().variance()));
        let plain = || consume(black_box(&values).iter().sum::<f64>());
        let [exact, rounded, plain] = alternate([&exact, &rounded, &plain], effort);
        let per_value = |samples: &[f64]| median(samples) / values.len() as f64;
        let bytes = Summary::of(&points).map_or(0, |summary| summary.to_bytes().len());
        println!(
            "| {name} | {:.1} ns | {:.1} ns | {:.1} ns | {:.1} | {:.1} | {bytes} |{}",
            per_value(&exact),
            per_value(&rounded),
            per_value(&plain),
            ratio(&exact, &rounded),
            ratio(&exact, &plain),
            if values.len() == POINTS { beyond(per_value(&exact), MAX_VALUE_NS) } else { String::new() }
        );
    }
    println!();
}

/// Prints the time to merge many summaries and to round the results.
fn merging(effort: Effort) {
    println!(
        "{} summaries of {} values: merged, then mean, variance and deviation",
        grouped(SUMMARIES),
        grouped(POINTS)
    );
    println!("| values | merged and rounded | of which rounding | read from bytes too |");
    println!("|---|--:|--:|--:|");
    for (name, values) in series() {
        let summaries: Vec<Summary> = (0..SUMMARIES)
            .filter_map(|index| {
                let shifted: Vec<f64> = values.iter().map(|value| value + (index % 100) as f64 / 8.0).collect();
                Summary::of(&points(&shifted, index))
            })
            .collect();
        let stored: Vec<Vec<u8>> = summaries.iter().map(Summary::to_bytes).collect();
        let total = merged(summaries.iter().cloned());
        let all = || consume(merged(summaries.iter().cloned()).as_ref().map(rounded));
        let rounding = || consume(total.as_ref().map(rounded));
        let read = || {
            let read = stored.iter().filter_map(|bytes| Summary::from_bytes(bytes).ok());
            consume(merged(read).as_ref().map(rounded));
        };
        let samples = alternate([&all, &rounding, &read], effort);
        let [all, rounding, read] = samples.map(|samples| median(&samples) / 1e6);
        println!("| {name} | {all:.2} ms | {rounding:.4} ms | {read:.2} ms |{}", beyond(all, MAX_MERGE_MS));
    }
}

/// Keeps the compiler from leaving out the computation of a value.
fn consume<T>(value: T) {
    black_box(value);
}

fn beyond(found: f64, limit: f64) -> String {
    if found > limit { format!(" beyond the limit of {limit}") } else { String::new() }
}

fn merged(mut summaries: impl Iterator<Item = Summary>) -> Option<Summary> {
    let mut total = summaries.next()?;
    for summary in summaries {
        total.merge(&summary);
    }
    Some(total)
}

fn rounded(summary: &Summary) -> (f64, Option<f64>, Option<f64>) {
    (summary.mean(), summary.variance(), summary.standard_deviation())
}

/// Returns points at intervals of one minute, after the chunks before this one.
fn points(values: &[f64], chunk: usize) -> Vec<Point> {
    let time = |index: usize| Timestamp::from_secs(1_740_700_800 + 60 * (chunk * POINTS + index) as i64);
    values.iter().enumerate().map(|(index, value)| Point { time: time(index), value: *value }).collect()
}

/// Returns the names and values of typical series, and of the worst one.
fn series() -> [(&'static str, Vec<f64>); 4] {
    let wave = |i: u32| (f64::from(i) / 40.0).sin();
    let of = |value: &dyn Fn(u32) -> f64| (0..POINTS as u32).map(value).collect();
    [
        ("temperatures, two decimals", of(&|i| (wave(i) * 1500.0 + 800.0).round() / 100.0)),
        ("temperatures, 17 digits", of(&|i| wave(i) * 15.0 + 8.0)),
        ("counts below 1,000", of(&|i| f64::from(i * 7_919 % 1_000))),
        (
            "every exponent of a double",
            of(&|i| f64::from_bits(u64::from(i * 7_919 % 2_046 + 1) << 52 | 0xf_ffff_ffff_ffff)),
        ),
    ]
}
