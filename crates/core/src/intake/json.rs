//! JSON as a tape: one 12-byte entry a value, whatever the document looks like.
//!
//! `serde_json::Value` takes up to 87 bytes for a byte of hostile JSON. Here a value or a member's name is one entry in one
//! reusable vector, and strings without escapes stay in the record. `serde_json` reads the text (see `parse`), `jsonschema`
//! validates the tape in place (see `node`), and a place in the text is looked up only when something is wrong (see `locate`).

mod budget;
mod locate;
mod node;
mod number;
mod parse;
mod pointer;
mod unique;

pub(crate) use budget::Budget;
pub(crate) use locate::{locate, position};
pub(crate) use node::{TapeJson, TapeNode};
pub(crate) use number::TapeNumber;
pub use parse::MAX_DEPTH;
pub use pointer::escaped;

/// A value, or the name of a member.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    kind: Kind,
    a: u32,
    b: u32,
}

/// What an [`Entry`] is; `a` and `b` are its two words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Null,
    False,
    True,
    /// A `u64`, low and high word.
    Unsigned,
    /// A negative `i64`, low and high word.
    Signed,
    /// A finite `f64`, low and high word.
    Float,
    /// Where in the record the string begins, and its bytes.
    Text,
    /// Where in the arena the string begins, and its bytes: it was written with escapes.
    OwnText,
    /// The number of elements, and the entry behind the last.
    Array,
    /// The number of members, and the entry behind the last. A member is its name, then its value.
    Object,
}

impl Entry {
    fn number(kind: Kind, bits: u64) -> Self {
        Entry { kind, a: bits as u32, b: (bits >> 32) as u32 }
    }

    fn bits(self) -> u64 {
        u64::from(self.a) | u64::from(self.b) << 32
    }
}

/// The buffers of a document, kept from one record to the next.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    entries: Vec<Entry>,
    /// Strings that the text writes with escapes.
    arena: String,
    /// Scratch for the search for duplicate names.
    names: Vec<u32>,
}

/// Buffers larger than this go back to the allocator after each record.
const KEPT_BYTES: usize = 4 << 20;

impl Tape {
    /// Lets go of what an unusually large record needed.
    pub(crate) fn trim(&mut self) {
        if self.entries.capacity() * size_of::<Entry>() + self.arena.capacity() + self.names.capacity() * 4 > KEPT_BYTES
        {
            *self = Tape::default();
        }
    }
}

/// A record that was read: its text and its tape.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    text: &'a str,
    arena: &'a str,
    entries: &'a [Entry],
    /// Set while errors are collected; see [`Budget`].
    budget: Option<Budget>,
}

impl<'a> Document<'a> {
    /// The document's own value.
    pub(crate) fn root(&'a self) -> TapeNode<'a> {
        TapeNode::At(self, 0)
    }

    /// From here on, a visit of the document may produce only so many errors and names.
    pub(crate) fn limit(&mut self, budget: Budget) {
        self.budget = Some(budget);
    }

    /// The record as it was written.
    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    #[inline]
    fn entry(&self, index: u32) -> Entry {
        self.entries.get(index as usize).copied().unwrap_or(Entry { kind: Kind::Null, a: 0, b: 0 })
    }

    /// The entry behind the value at `index` and everything in it.
    #[inline]
    fn behind(&self, index: u32) -> u32 {
        let entry = self.entry(index);
        match entry.kind {
            Kind::Array | Kind::Object => entry.b,
            _ => index + 1,
        }
    }

    /// The text of a string or of a name.
    #[inline]
    fn string(&self, entry: Entry) -> Option<&'a str> {
        let from = match entry.kind {
            Kind::Text => self.text,
            Kind::OwnText => self.arena,
            _ => return None,
        };
        let start = entry.a as usize;
        from.get(start..start + entry.b as usize)
    }

    /// Whether the name at `entry` is `name`.
    #[inline]
    fn is_named(&self, entry: Entry, name: &str) -> bool {
        entry.b as usize == name.len() && {
            let from = if entry.kind == Kind::Text { self.text } else { self.arena };
            let start = entry.a as usize;
            from.as_bytes().get(start..start + name.len()) == Some(name.as_bytes())
        }
    }
}

#[cfg(test)]
mod tests;
