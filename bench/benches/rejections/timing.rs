//! Measures the processor times of several ways to do the same. Their samples alternate, so that a slower machine affects
//! all of them. Processor time leaves out the time in which other processes run.

use std::time::Instant;

/// One way.
pub(crate) type Way<'a> = &'a dyn Fn();

/// Returns the nanoseconds of each sample, for each way.
pub(crate) fn alternate<const N: usize>(ways: [Way<'_>; N], samples: usize) -> [Vec<f64>; N] {
    let mut times = [const { Vec::new() }; N];
    for _ in 0..samples {
        for (way, times) in ways.iter().zip(&mut times) {
            times.push(time(way));
        }
    }
    times
}

fn time(way: Way<'_>) -> f64 {
    let (start, processor) = (Instant::now(), processor_ns());
    way();
    match (processor, processor_ns()) {
        (Some(before), Some(after)) => after.saturating_sub(before) as f64,
        _ => start.elapsed().as_nanos() as f64,
    }
}

/// Returns the time that this thread ran so far, from
/// [the statistics of the scheduler](https://docs.kernel.org/scheduler/sched-stats.html); none on other systems than Linux.
fn processor_ns() -> Option<u64> {
    std::fs::read_to_string("/proc/thread-self/schedstat").ok()?.split_whitespace().next()?.parse().ok()
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
