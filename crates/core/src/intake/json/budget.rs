//! The limit on the errors of a hostile record.

use std::cell::Cell;

use serde_json::Value;

/// A limit on the number and size of the errors that are collected for one record.
///
/// `jsonschema` collects every error of an instance before it returns the first, with copies of member names, so a hostile
/// record would take gigabytes. The budget stops it from the inside: for each error, `jsonschema` requests the value that the
/// error reports (`Node::to_value`) and gets the index of the tape's entry instead, which masks the value and is counted. Once
/// the budget is spent, arrays and objects seem to end, so the walk ends soon, and values are reported as null. Such errors may
/// be wrong and are dropped.
#[derive(Debug)]
pub(crate) struct Budget {
    errors: Cell<u32>,
    names: Cell<u32>,
    last: Cell<u32>,
}

impl Budget {
    /// The number of errors in one record, including those inside of `anyOf` and similar keywords.
    const ERRORS: u32 = 1_000;
    /// The number of members of one object that are looked at.
    pub(super) const NAMES_EACH: u32 = 100_000;
    /// The number of members of all objects that have errors.
    const NAMES: u32 = 250_000;
    /// The number of bytes of a member's name in an error.
    const NAME_BYTES: usize = 1_024;

    /// Returns the full budget.
    pub(crate) fn new() -> Self {
        Budget { errors: Cell::new(Self::ERRORS), names: Cell::new(Self::NAMES), last: Cell::new(u32::MAX) }
    }

    #[inline]
    pub(super) fn is_spent(&self) -> bool {
        self.errors.get() == 0 || self.names.get() == 0
    }

    /// Returns the stand-in for the value of an error: the index of its entry. `members` is the number of its members.
    pub(super) fn error_at(&self, index: u32, members: u32) -> Value {
        if self.is_spent() {
            return Value::Null;
        }
        self.errors.set(self.errors.get() - 1);
        if self.last.replace(index) != index {
            self.names.set(self.names.get().saturating_sub(members.min(Self::NAMES_EACH)));
        }
        Value::from(index)
    }

    /// Shortens the name of a member.
    pub(super) fn cut(name: &str) -> &str {
        match name.len() {
            0..=Self::NAME_BYTES => name,
            _ => name.get(..name.floor_char_boundary(Self::NAME_BYTES)).unwrap_or_default(),
        }
    }
}
