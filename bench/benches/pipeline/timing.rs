//! Times ways to do a thing, in turns, so that a machine that slows down slows all of them down.

use std::time::{Duration, Instant};

/// One way to do it.
pub(crate) type Way<'a> = &'a dyn Fn();

/// How long to measure.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    /// How often each way has its turn.
    pub(crate) rounds: usize,
    /// A turn lasts at least so long: as many runs as that takes.
    pub(crate) sample_ms: u64,
}

/// The nanoseconds of one run of each way in each round.
pub(crate) fn in_turns<const N: usize>(ways: [Way<'_>; N], effort: Effort) -> [Vec<f64>; N] {
    let runs = ways.map(|way| runs_in(way, Duration::from_millis(effort.sample_ms)));
    let mut samples = [const { Vec::new() }; N];
    for _ in 0..effort.rounds {
        for ((way, runs), samples) in ways.iter().zip(runs).zip(&mut samples) {
            samples.push(time(way, runs));
        }
    }
    samples
}

/// How many runs fill a turn, after a first one to warm up.
fn runs_in(way: Way<'_>, turn: Duration) -> u32 {
    let mut runs = 1;
    while !turn.is_zero() && time(way, runs) * f64::from(runs) < turn.as_nanos() as f64 {
        runs *= 2;
    }
    runs
}

fn time(way: Way<'_>, runs: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..runs {
        way();
    }
    start.elapsed().as_nanos() as f64 / f64::from(runs)
}

/// The middle sample.
pub(crate) fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The middle of the ratios within each round.
pub(crate) fn ratio(of: &[f64], to: &[f64]) -> f64 {
    let ratios: Vec<f64> = of.iter().zip(to).map(|(of, to)| of / to).collect();
    median(&ratios)
}
