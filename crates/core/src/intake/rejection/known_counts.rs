//! The counters of rejected records of known kinds.

use super::fingerprints::CountedFingerprint;

/// The number of kinds that are remembered. A kind whose number differs from that of another by a multiple replaces it.
const KINDS: usize = 256;

/// The counters that a rejected record of one kind advances.
#[derive(Debug)]
pub(super) struct Counted {
    /// The index of the group of each failure; none if it has no group.
    pub(super) groups: Vec<Option<usize>>,
    pub(super) fingerprint: CountedFingerprint,
}

/// The counters of each kind.
#[derive(Debug, Default)]
pub(super) struct KnownCounts {
    kinds: Vec<Option<(u64, Counted)>>,
}

impl KnownCounts {
    /// Returns the counters of a kind, if they are remembered.
    pub(super) fn of(&self, kind: u64) -> Option<&Counted> {
        let (number, counted) = self.kinds.get(index(kind))?.as_ref()?;
        (*number == kind).then_some(counted)
    }

    /// Remembers the counters of a kind.
    pub(super) fn remember(&mut self, kind: u64, counted: Counted) {
        let index = index(kind);
        if self.kinds.len() <= index {
            self.kinds.resize_with(index + 1, || None);
        }
        if let Some(slot) = self.kinds.get_mut(index) {
            *slot = Some((kind, counted));
        }
    }
}

fn index(kind: u64) -> usize {
    (kind % KINDS as u64) as usize
}
