//! The tape: the entries of one parsed record.

use super::budget::Budget;

/// An entry of the tape: a value, or the name of a member.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    pub(super) a: u32,
    pub(super) b: u32,
}

/// The kind of an [`Entry`], which says what its words `a` and `b` hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Null,
    False,
    True,
    /// A `u64`, low and high word.
    Unsigned,
    /// A negative `i64`, low and high word.
    Signed,
    /// A finite `f64`, low and high word.
    Float,
    /// The offset of the string in the record, and its length.
    Text,
    /// The offset of the string in the arena, and its length: the record has it with escapes.
    OwnText,
    /// The number of elements, and the index of the entry behind the last one.
    Array,
    /// The number of members, and the index of the entry behind the last one. A member is its name, then its value.
    Object,
}

impl Entry {
    pub(super) fn number(kind: Kind, bits: u64) -> Self {
        Entry { kind, a: bits as u32, b: (bits >> 32) as u32 }
    }

    pub(super) fn bits(self) -> u64 {
        u64::from(self.a) | u64::from(self.b) << 32
    }
}

/// The buffers of a document, reused from one record to the next.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    pub(super) entries: Vec<Entry>,
    /// The strings that the text has with escapes.
    pub(super) arena: String,
    /// A buffer for the search for duplicate names.
    pub(super) names: Vec<u32>,
}

/// Larger buffers are freed after each record.
const MAX_KEPT_BYTES: usize = 4 << 20;

impl Tape {
    /// Frees the buffers if an unusually large record made them grow.
    pub(crate) fn trim(&mut self) {
        if self.entries.capacity() * size_of::<Entry>() + self.arena.capacity() + self.names.capacity() * 4
            > MAX_KEPT_BYTES
        {
            *self = Tape::default();
        }
    }
}

/// A parsed record: its text and its tape.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    pub(super) text: &'a str,
    pub(super) arena: &'a str,
    pub(super) entries: &'a [Entry],
    /// The budget while errors are collected; see [`Budget`].
    pub(super) budget: Option<Budget>,
}

impl<'a> Document<'a> {
    /// Limits the errors and names that further visits of the document produce.
    pub(crate) fn limit(&mut self, budget: Budget) {
        self.budget = Some(budget);
    }

    /// Returns the number of entries.
    pub(crate) fn len(&self) -> u32 {
        self.entries.len() as u32
    }

    /// Returns the string or the name in an entry; empty if it is neither.
    pub(crate) fn name(&self, index: u32) -> &'a str {
        self.string(self.entry(index)).unwrap_or_default()
    }

    /// Returns the text of the record.
    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    #[inline]
    pub(super) fn entry(&self, index: u32) -> Entry {
        self.entries.get(index as usize).copied().unwrap_or(Entry { kind: Kind::Null, a: 0, b: 0 })
    }

    /// Returns the index of the entry behind the value at `index` and its contents.
    #[inline]
    pub(super) fn behind(&self, index: u32) -> u32 {
        let entry = self.entry(index);
        match entry.kind {
            Kind::Array | Kind::Object => entry.b,
            _ => index + 1,
        }
    }

    /// Returns the text of a string or of a name.
    #[inline]
    pub(super) fn string(&self, entry: Entry) -> Option<&'a str> {
        let from = match entry.kind {
            Kind::Text => self.text,
            Kind::OwnText => self.arena,
            _ => return None,
        };
        let start = entry.a as usize;
        from.get(start..start + entry.b as usize)
    }

    /// Returns whether `name` is the name in `entry`.
    #[inline]
    pub(super) fn is_named(&self, entry: Entry, name: &str) -> bool {
        entry.b as usize == name.len() && {
            let from = if entry.kind == Kind::Text { self.text } else { self.arena };
            let start = entry.a as usize;
            from.as_bytes().get(start..start + name.len()) == Some(name.as_bytes())
        }
    }

    /// Returns whether errors were left out because there were too many.
    #[inline]
    pub(crate) fn is_spent(&self) -> bool {
        self.budget.as_ref().is_some_and(Budget::is_spent)
    }
}
