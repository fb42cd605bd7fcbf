//! An exact median in bounded memory, from values that are added once or, if they are too many to keep, several times.
//!
//! Up to a limit, the values are kept and the middle ones selected. Beyond it, a pass counts the values by their leading 16 bits,
//! which locates the middle ones; the next pass keeps only the values there, or counts them by their next 16 bits. Four passes count
//! all 64 bits; a fifth pass is needed only to find two values.

/// The maximum number of values that are kept to select the median from, 32 MiB. For more values, a median needs further passes.
pub const MAX_KEPT_VALUES: usize = 4 << 20;

/// The number of bits that one pass counts.
const BITS: u32 = 16;

/// A pass had other values than the previous one.
pub(super) struct Changed;

/// The search for a median, pass by pass.
pub(super) struct Median {
    limit: usize,
    /// The window of keys, from `lo` to `hi`, that contains the middle values.
    lo: u64,
    hi: u64,
    /// The number of low bits in which keys of the window differ, at most.
    bits: u32,
    /// The ranks of the middle values among the keys of the window; not known in the first pass.
    ranks: Option<(u64, u64)>,
    /// The number of keys in the window, from the previous pass.
    expected: u64,
    /// The number of keys of the window in this pass.
    seen: u64,
    state: State,
}

enum State {
    Values(Vec<u64>),
    Count(Vec<u64>),
    /// The lower middle value is the largest key up to `end`, the upper one the smallest from `start`.
    Between {
        end: u64,
        start: u64,
        lower: Option<u64>,
        upper: Option<u64>,
    },
}

/// The result of a pass.
pub(super) enum MedianPass {
    /// There are no values.
    Empty,
    /// The median.
    Complete(f64),
    /// The median needs another pass.
    Again,
}

impl Median {
    /// Returns a search that keeps at most `limit` values of 8 bytes each.
    pub(super) fn new(limit: usize) -> Median {
        Median {
            limit,
            lo: 0,
            hi: u64::MAX,
            bits: 64,
            ranks: None,
            expected: 0,
            seen: 0,
            state: State::Values(Vec::new()),
        }
    }

    /// Returns whether values between `min` and `max` can matter in this pass.
    pub(super) fn wants(&self, min: f64, max: f64) -> bool {
        key(min) <= self.hi && self.lo <= key(max)
    }

    pub(super) fn add(&mut self, value: f64) {
        let key = key(value);
        if key < self.lo || key > self.hi {
            return;
        }
        self.seen += 1;
        match &mut self.state {
            State::Values(keys) if keys.len() < self.limit => keys.push(key),
            State::Values(keys) => {
                let mut counts = vec![0; 1 << BITS];
                for key in keys.iter().chain([&key]) {
                    count(&mut counts, *key, self.bits);
                }
                self.state = State::Count(counts);
            }
            State::Count(counts) => count(counts, key, self.bits),
            State::Between { end, start, lower, upper } => {
                if key <= *end {
                    *lower = Some(lower.map_or(key, |lower| lower.max(key)));
                } else if key >= *start {
                    *upper = Some(upper.map_or(key, |upper| upper.min(key)));
                }
            }
        }
    }

    /// Ends a pass.
    pub(super) fn end_pass(&mut self) -> Result<MedianPass, Changed> {
        let seen = std::mem::take(&mut self.seen);
        let (lower, upper) = match self.ranks {
            None if seen == 0 => return Ok(MedianPass::Empty),
            None => ((seen - 1) / 2, seen / 2),
            Some(_) if seen != self.expected => return Err(Changed),
            Some(ranks) => ranks,
        };
        match std::mem::replace(&mut self.state, State::Values(Vec::new())) {
            State::Values(mut keys) => select(&mut keys, lower, upper).map(MedianPass::Complete).ok_or(Changed),
            State::Between { lower, upper, .. } => {
                let (lower, upper) = lower.zip(upper).ok_or(Changed)?;
                Ok(MedianPass::Complete(value(lower).midpoint(value(upper))))
            }
            State::Count(counts) => {
                let shift = self.bits - BITS;
                let (low_bin, before) = bin_of(&counts, lower).ok_or(Changed)?;
                let (high_bin, _) = bin_of(&counts, upper).ok_or(Changed)?;
                let [low, high] = [low_bin, high_bin].map(|bin| self.lo | (bin as u64) << shift);
                let in_bin = |bin: usize| counts.get(bin).copied().unwrap_or(0);
                if low_bin != high_bin {
                    // All bins between these two are empty.
                    self.expected = in_bin(low_bin) + in_bin(high_bin);
                    self.ranks = Some((lower - before, upper - before));
                    let end = low | mask(shift);
                    self.state = State::Between { end, start: high, lower: None, upper: None };
                } else if shift == 0 {
                    return Ok(MedianPass::Complete(value(low)));
                } else {
                    self.expected = in_bin(low_bin);
                    self.ranks = Some((lower - before, upper - before));
                }
                (self.lo, self.hi, self.bits) = (low, high | mask(shift), shift);
                Ok(MedianPass::Again)
            }
        }
    }
}

/// Returns an integer with the order of `total_cmp` on values.
fn key(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn value(key: u64) -> f64 {
    f64::from_bits(if key >> 63 == 1 { key & !(1 << 63) } else { !key })
}

/// Returns a mask of the lowest `bits` bits.
fn mask(bits: u32) -> u64 {
    u64::MAX.checked_shr(64 - bits).unwrap_or(0)
}

fn count(counts: &mut [u64], key: u64, bits: u32) {
    if let Some(count) = counts.get_mut((key >> (bits - BITS)) as usize & ((1 << BITS) - 1)) {
        *count += 1;
    }
}

/// Returns the bin of the key with this rank, and the number of keys in the bins before it.
fn bin_of(counts: &[u64], rank: u64) -> Option<(usize, u64)> {
    let mut before = 0;
    for (bin, count) in counts.iter().enumerate() {
        if rank < before + count {
            return Some((bin, before));
        }
        before += count;
    }
    None
}

fn select(keys: &mut [u64], lower: u64, upper: u64) -> Option<f64> {
    let index = usize::try_from(upper).ok().filter(|index| *index < keys.len())?;
    let (before, key, _) = keys.select_nth_unstable(index);
    let upper_value = value(*key);
    if lower == upper {
        return Some(upper_value);
    }
    let lower_value = value(*before.iter().max()?);
    Some(lower_value.midpoint(upper_value))
}
