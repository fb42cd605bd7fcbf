//! Measures the CPU times of several ways to do the same. Their samples alternate, so that a slower machine affects all of
//! them. The time of a thread leaves out the time in which other programs run.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// One way.
pub(crate) type Way<'a> = &'a dyn Fn();

/// The extent of a measurement.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    /// The number of samples of each way.
    pub(crate) samples: usize,
    /// The minimum duration of a sample in milliseconds. A sample has as many runs as this takes.
    pub(crate) sample_ms: u64,
}

/// Returns the nanoseconds of one run, for each way and sample.
pub(crate) fn alternate<const N: usize>(ways: [Way<'_>; N], effort: Effort) -> [Vec<f64>; N] {
    let runs = ways.map(|way| runs_in(way, Duration::from_millis(effort.sample_ms)));
    let mut samples = [const { Vec::new() }; N];
    for _ in 0..effort.samples {
        for ((way, runs), samples) in ways.iter().zip(runs).zip(&mut samples) {
            samples.push(time(way, runs));
        }
    }
    samples
}

/// Returns the number of runs that fill a sample. Warms up first.
fn runs_in(way: Way<'_>, sample: Duration) -> u32 {
    let mut runs = 1;
    while !sample.is_zero() && time(way, runs) * f64::from(runs) < sample.as_nanos() as f64 {
        runs *= 2;
    }
    runs
}

fn time(way: Way<'_>, runs: u32) -> f64 {
    let start = thread_time();
    for _ in 0..runs {
        way();
    }
    (thread_time() - start).as_nanos() as f64 / f64::from(runs)
}

/// Returns the CPU time of this thread.
fn thread_time() -> Duration {
    // The clock never shows a negative time.
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// Returns the median of the samples.
pub(crate) fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Returns the median ratio of samples with the same index.
pub(crate) fn ratio(of: &[f64], to: &[f64]) -> f64 {
    let ratios: Vec<f64> = of.iter().zip(to).map(|(of, to)| of / to).collect();
    median(&ratios)
}
