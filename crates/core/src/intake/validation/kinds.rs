//! The kinds of the rejected records of one upload, in bounded memory.

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::sync::Arc;

use super::kind::KnownRejection;

/// The maximum number of kinds that are kept.
const MAX_KINDS: usize = 2_048;
/// The maximum size of the kinds that are kept, in bytes.
const MAX_BYTES: usize = 8 << 20;

/// The number of keys in one set of [`Kinds::seen`].
const WAYS: usize = 8;
/// The number of these sets.
const SETS: usize = 512;

/// Kinds by the signatures of their records, or by other keys. A kind is added when its key comes a second time: each of
/// many hostile records may have another key. If there are too many kinds, those that were not used lately are replaced:
/// [CLOCK](https://en.wikipedia.org/wiki/Page_replacement_algorithm#Clock).
#[derive(Debug, Default)]
pub(super) struct Kinds {
    slots: Vec<Option<Slot>>,
    indexes: HashMap<Arc<[u8]>, usize>,
    /// The slots without a kind.
    free: Vec<usize>,
    /// The slot that is looked at next for a kind to forget.
    hand: usize,
    size_bytes: usize,
    /// The hashes of keys that came lately, in sets by their hash.
    seen: Vec<[u64; WAYS]>,
}

#[derive(Debug)]
struct Slot {
    key: Arc<[u8]>,
    kind: Arc<KnownRejection>,
    size_bytes: usize,
    /// Whether a record had this kind since the hand passed.
    is_used: bool,
}

impl Kinds {
    /// Returns the kind with a key.
    pub(super) fn get(&mut self, key: &[u8]) -> Option<&Arc<KnownRejection>> {
        let slot = self.slots.get_mut(*self.indexes.get(key)?)?.as_mut()?;
        slot.is_used = true;
        Some(&slot.kind)
    }

    /// Returns whether a key without a kind came before, not long ago.
    pub(super) fn comes_again(&mut self, key: &[u8]) -> bool {
        let hash = self.indexes.hasher().hash_one(key);
        self.seen.resize(SETS, [0; WAYS]);
        let Some(set) = self.seen.get_mut(hash as usize % SETS) else { return false };
        let is_seen = set.contains(&hash);
        if !is_seen {
            set.rotate_right(1);
            set[0] = hash;
        }
        is_seen
    }

    /// Adds or replaces a kind.
    pub(super) fn insert(&mut self, key: &[u8], kind: Arc<KnownRejection>) {
        if let Some(index) = self.indexes.get(key) {
            self.forget(*index);
        }
        let key: Arc<[u8]> = key.into();
        let size_bytes = 256 + key.len() + kind.size_bytes();
        while self.indexes.len() >= MAX_KINDS || self.size_bytes + size_bytes > MAX_BYTES && !self.indexes.is_empty() {
            self.forget_unused();
        }
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.size_bytes += size_bytes;
        self.indexes.insert(Arc::clone(&key), index);
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = Some(Slot { key, kind, size_bytes, is_used: false });
        }
    }

    /// Forgets the next kind that no record had since the hand passed it.
    fn forget_unused(&mut self) {
        loop {
            self.hand = (self.hand + 1) % self.slots.len().max(1);
            match self.slots.get_mut(self.hand).and_then(Option::as_mut) {
                Some(slot) if slot.is_used => slot.is_used = false,
                Some(_) => return self.forget(self.hand),
                None if self.indexes.is_empty() => return,
                None => {}
            }
        }
    }

    fn forget(&mut self, index: usize) {
        if let Some(slot) = self.slots.get_mut(index).and_then(Option::take) {
            self.indexes.remove(&slot.key);
            self.size_bytes -= slot.size_bytes;
            self.free.push(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::kind::KnownRejection;
    use super::*;
    use crate::intake::failure::{Failure, FailureCode};

    fn keys(numbers: std::ops::Range<u64>) -> impl Iterator<Item = [u8; 8]> {
        numbers.map(u64::to_le_bytes)
    }

    fn kind(number: u64, message: &str) -> Arc<KnownRejection> {
        let failure = Failure::new(FailureCode::NotJson, "", message);
        Arc::new(KnownRejection::described(number, &[failure], 0, None).unwrap())
    }

    #[test]
    fn kinds_that_records_have_are_kept_among_many_others() {
        let mut kinds = Kinds::default();
        (0..).zip(keys(0..300)).for_each(|(number, key)| kinds.insert(&key, kind(number, "")));
        for number in 300..20_000_u64 {
            if number % 100 == 0 {
                assert!(keys(0..300).all(|key| kinds.get(&key).is_some()), "at {number}");
            }
            kinds.insert(&number.to_le_bytes(), kind(number, ""));
            assert!(kinds.indexes.len() <= MAX_KINDS);
        }
        assert_eq!((kinds.indexes.len(), kinds.slots.len()), (MAX_KINDS, MAX_KINDS));
        assert!(kinds.get(&300_u64.to_le_bytes()).is_none(), "no record had it again");
    }

    #[test]
    fn large_kinds_are_bounded_in_bytes() {
        let mut kinds = Kinds::default();
        let message = "x".repeat(10_000);
        for (number, key) in (0..).zip(keys(0..1_000)) {
            kinds.insert(&key, kind(number, &message));
            assert!(kinds.get(&key).is_some());
            assert!(kinds.size_bytes <= MAX_BYTES);
        }
        let kept: usize = kinds.slots.iter().flatten().map(|slot| slot.size_bytes).sum();
        assert_eq!((kept, kinds.slots.iter().flatten().count()), (kinds.size_bytes, kinds.indexes.len()));
        assert!((100..1_000).contains(&kinds.indexes.len()));
        let last = 999_u64.to_le_bytes();
        kinds.insert(&last, kind(1_000, ""));
        assert_eq!(kinds.get(&last).unwrap().number, 1_000, "replaced");
    }

    #[test]
    fn keys_that_came_lately_are_seen() {
        let mut kinds = Kinds::default();
        assert!(keys(0..300).all(|key| !kinds.comes_again(&key)));
        assert!(keys(0..300).all(|key| kinds.comes_again(&key)));
        assert!(keys(1_000..100_000).all(|key| !kinds.comes_again(&key)));
        let again = keys(0..300).filter(|key| kinds.comes_again(key)).count();
        assert_eq!(again, 0, "thousands came between");
    }
}
