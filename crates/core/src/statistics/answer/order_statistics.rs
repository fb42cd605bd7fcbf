//! Exact order statistics in bounded memory, from values that are added once or, if they are too many to keep, several times.
//!
//! Up to a limit, the values are kept and the wanted ranks are selected from them. Beyond it, a pass counts the values by the
//! leading 16 bits of their keys, so that each wanted rank lies in a known window of 2^48 keys. In the next pass, a window keeps
//! its values or, if they are too many, counts them by their next 16 bits. Keys have 64 bits, so four passes are enough.
//!
//! One pass keeps at most `limit` values of 8 bytes in all windows together, and 512 KiB of counts for each other window. There
//! are at most as many windows as wanted ranks.
//!
//! The selection is that of statrs: `OrderStatistics::order_statistic` returns an element of the data, by the `select_nth_unstable_by`
//! of the standard library, which is linear in the worst case. The `quantile` of statrs is not used: it interpolates in doubles,
//! and by another definition.

use std::collections::BTreeMap;

use statrs::statistics::{Data, OrderStatistics as _};

use crate::statistics::exact::Place;

/// The maximum number of values that are kept to select from, 32 MiB. More values need further passes.
pub const MAX_KEPT_VALUES: usize = 4 << 20;

/// The number of bits that one pass counts.
const BITS: u32 = 16;

/// A pass had other values than the first one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Changed;

/// The search for the values of some ranks, pass by pass.
pub(super) struct Search {
    limit: usize,
    /// Disjoint, in the order of their keys.
    windows: Vec<Window>,
    found: BTreeMap<u64, f64>,
    count: u64,
}

/// The result of a pass.
#[derive(Debug, PartialEq)]
pub(super) enum SearchPass {
    /// The values of the wanted ranks.
    Complete(OrderStatistics),
    /// Some ranks need another pass.
    Again,
}

/// The number of values, and the values of some ranks. Zeros have no sign.
#[derive(Debug, PartialEq)]
pub(super) struct OrderStatistics {
    /// The number of values.
    pub(super) count: u64,
    by_rank: BTreeMap<u64, f64>,
}

impl OrderStatistics {
    /// Returns the value of a wanted rank. The smallest value has the rank 0.
    pub(super) fn at(&self, rank: u64) -> Option<f64> {
        self.by_rank.get(&rank).copied()
    }
}

impl Search {
    /// Returns a search that keeps at most `limit` values of 8 bytes each.
    pub(super) fn new(limit: usize) -> Search {
        let everything = Window::new(0, u64::BITS, 0, Vec::new(), None, limit);
        Search { limit, windows: vec![everything], found: BTreeMap::new(), count: 0 }
    }

    /// Returns whether values between `min` and `max` can matter in this pass.
    pub(super) fn wants(&self, min: f64, max: f64) -> bool {
        let (min, max) = (Place::of(unsigned(min)).0, Place::of(unsigned(max)).0);
        self.windows.iter().any(|window| window.lo <= max && min <= window.hi)
    }

    /// Adds a finite value.
    pub(super) fn add(&mut self, value: f64) {
        let value = unsigned(value);
        let key = Place::of(value).0;
        let index = self.windows.partition_point(|window| window.hi < key);
        if let Some(window) = self.windows.get_mut(index).filter(|window| window.lo <= key) {
            window.add(key, value);
        }
    }

    /// Ends a pass. `wanted` returns the ranks of interest among a number of values, in increasing order; it is called once, after
    /// the first pass.
    pub(super) fn end_pass(&mut self, wanted: impl Fn(u64) -> Vec<u64>) -> Result<SearchPass, Changed> {
        let mut next = Vec::new();
        for mut window in std::mem::take(&mut self.windows) {
            match window.expected {
                Some(expected) if expected != window.seen => return Err(Changed),
                Some(_) => {}
                None => {
                    self.count = window.seen;
                    window.ranks = wanted(window.seen);
                }
            }
            window.close(&mut self.found, &mut next)?;
        }
        if next.is_empty() {
            let by_rank = std::mem::take(&mut self.found);
            return Ok(SearchPass::Complete(OrderStatistics { count: self.count, by_rank }));
        }
        share(self.limit, &mut next);
        self.windows = next;
        Ok(SearchPass::Again)
    }
}

/// Lets the windows with the fewest values keep them, as long as all of them keep at most `limit` values.
fn share(limit: usize, windows: &mut [Window]) {
    let mut by_size: Vec<&mut Window> = windows.iter_mut().collect();
    by_size.sort_by_key(|window| window.expected);
    let mut left = limit;
    for window in by_size {
        let size = window.expected.and_then(|expected| usize::try_from(expected).ok());
        let Some((size, rest)) = size.and_then(|size| Some((size, left.checked_sub(size)?))) else { return };
        (window.capacity, left) = (size, rest);
        // Without the exact capacity, a vector that grows by doubling might take twice the memory.
        window.state = State::Values(Vec::with_capacity(size));
    }
}

/// A range of keys with at least one wanted rank, or the range of all keys in the first pass.
struct Window {
    lo: u64,
    hi: u64,
    /// The number of low bits in which the keys of the window differ.
    bits: u32,
    /// The number of smaller keys outside the window.
    before: u64,
    /// The wanted ranks among all keys, in increasing order. Empty during the first pass.
    ranks: Vec<u64>,
    /// The number of keys in the window, from the previous pass.
    expected: Option<u64>,
    /// The number of keys in this pass.
    seen: u64,
    /// The number of values that the window may keep.
    capacity: usize,
    state: State,
}

enum State {
    Values(Vec<f64>),
    Counts(Vec<u64>),
}

impl Window {
    fn new(lo: u64, bits: u32, before: u64, ranks: Vec<u64>, expected: Option<u64>, capacity: usize) -> Window {
        let hi = lo | u64::MAX.checked_shr(u64::BITS - bits).unwrap_or(0);
        Window { lo, hi, bits, before, ranks, expected, seen: 0, capacity, state: State::Values(Vec::new()) }
    }

    fn add(&mut self, key: u64, value: f64) {
        self.seen += 1;
        match &mut self.state {
            State::Values(values) if values.len() < self.capacity => values.push(value),
            State::Values(values) => {
                let mut counts = vec![0; 1 << BITS];
                for value in std::mem::take(values) {
                    count(&mut counts, Place::of(value).0, self.bits);
                }
                count(&mut counts, key, self.bits);
                self.state = State::Counts(counts);
            }
            State::Counts(counts) => count(counts, key, self.bits),
        }
    }

    /// Adds the values of the ranks to `found`, or windows of the next pass to `next`.
    fn close(self, found: &mut BTreeMap<u64, f64>, next: &mut Vec<Window>) -> Result<(), Changed> {
        if self.ranks.last().is_some_and(|last| *last >= self.before + self.seen) {
            return Err(Changed);
        }
        let counts = match self.state {
            State::Values(mut values) => {
                select(&mut values, self.before, &self.ranks, found);
                return Ok(());
            }
            State::Counts(counts) => counts,
        };
        let bits = self.bits - BITS;
        let mut before = self.before;
        let mut ranks = self.ranks.into_iter().peekable();
        for (bin, count) in (0u64..).zip(counts) {
            let mut inside = Vec::new();
            while let Some(rank) = ranks.next_if(|rank| *rank < before + count) {
                inside.push(rank);
            }
            let lo = self.lo | bin << bits;
            if bits == 0 {
                found.extend(inside.into_iter().map(|rank| (rank, Place(lo).value())));
            } else if !inside.is_empty() {
                next.push(Window::new(lo, bits, before, inside, Some(count), 0));
            }
            before += count;
            if ranks.peek().is_none() {
                break;
            }
        }
        Ok(())
    }
}

/// Adds the values of the ranks to `found`. The ranks increase; the smallest of the values has the rank `first`.
fn select(values: &mut [f64], first: u64, ranks: &[u64], found: &mut BTreeMap<u64, f64>) {
    let Some(rank) = ranks.get(ranks.len() / 2) else { return };
    let value = Data::new(&mut *values).order_statistic((rank - first) as usize + 1);
    if ranks.len() == 1 {
        found.insert(*rank, value);
        return;
    }
    // statrs need not reorder the values: a maximum, for example, stays where it is.
    let (smaller, rest) = partition(values, |other| other < value);
    let (equal, larger) = partition(rest, |other| other <= value);
    let start = first + smaller.len() as u64;
    let end = start + equal.len() as u64;
    let (ranks_before, ranks) = ranks.split_at(ranks.partition_point(|rank| *rank < start));
    let (ranks_here, ranks_after) = ranks.split_at(ranks.partition_point(|rank| *rank < end));
    found.extend(ranks_here.iter().map(|rank| (*rank, value)));
    select(smaller, first, ranks_before, found);
    select(larger, end, ranks_after, found);
}

/// Moves the values that satisfy the condition to the front, and returns them and the others.
fn partition(values: &mut [f64], is_first: impl Fn(f64) -> bool) -> (&mut [f64], &mut [f64]) {
    let mut end = 0;
    for index in 0..values.len() {
        if is_first(values[index]) {
            values.swap(index, end);
            end += 1;
        }
    }
    values.split_at_mut(end)
}

/// Removes the sign of a zero.
fn unsigned(value: f64) -> f64 {
    value + 0.0
}

fn count(counts: &mut [u64], key: u64, bits: u32) {
    if let Some(count) = counts.get_mut((key >> (bits - BITS)) as usize & ((1 << BITS) - 1)) {
        *count += 1;
    }
}

#[cfg(test)]
#[path = "order_statistics/tests.rs"]
mod tests;
