//! The counters of rejected records of known kinds.

use std::collections::BTreeMap;

use super::fingerprints::CountedFingerprint;

/// The maximum number of kinds that are remembered. If there are more, all are forgotten.
const MAX_KINDS: usize = 4_096;

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
    kinds: BTreeMap<u64, Counted>,
}

impl KnownCounts {
    /// Returns the counters of a kind, if they are remembered.
    pub(super) fn of(&self, kind: u64) -> Option<&Counted> {
        self.kinds.get(&kind)
    }

    /// Remembers the counters of a kind.
    pub(super) fn remember(&mut self, kind: u64, counted: Counted) {
        if self.kinds.len() >= MAX_KINDS {
            self.kinds.clear();
        }
        self.kinds.insert(kind, counted);
    }
}
