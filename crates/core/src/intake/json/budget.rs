//! An end to the errors of a hostile record.

use std::cell::Cell;

use serde_json::Value;

use super::{Document, Entry, Kind};

/// What collecting errors may cost.
///
/// jsonschema gathers every error of an instance before it hands out the first, and copies names of members into them: a hostile
/// record would take gigabytes. So its own questions are used to stop it. For each error it asks for the value that it reports
/// (`Node::to_value`): the answer is the number of the tape's entry, which also masks the value, and it is counted. Once the
/// budget is spent, arrays and objects seem to end, so that the walk ends soon, and errors are answered with null: they may be wrong
/// and are dropped.
#[derive(Debug)]
pub(crate) struct Budget {
    errors: Cell<u32>,
    names: Cell<u32>,
    last: Cell<u32>,
}

impl Budget {
    /// Errors, with those inside of `anyOf` and its like, in one record.
    const ERRORS: u32 = 1_000;
    /// Members of one object that are looked at.
    pub(super) const NAMES_EACH: u32 = 100_000;
    /// Members of all objects that have errors.
    const NAMES: u32 = 250_000;
    /// The bytes of a member's name that an error can show.
    const NAME_BYTES: usize = 1_024;

    /// The whole of it.
    pub(crate) fn new() -> Self {
        Budget { errors: Cell::new(Self::ERRORS), names: Cell::new(Self::NAMES), last: Cell::new(u32::MAX) }
    }

    #[inline]
    fn is_spent(&self) -> bool {
        self.errors.get() == 0 || self.names.get() == 0
    }

    pub(super) fn error_at(&self, index: u32, entry: Entry) -> Value {
        if self.is_spent() {
            return Value::Null;
        }
        self.errors.set(self.errors.get() - 1);
        if self.last.replace(index) != index && entry.kind == Kind::Object {
            self.names.set(self.names.get().saturating_sub(entry.a.min(Self::NAMES_EACH)));
        }
        Value::from(index)
    }

    pub(super) fn cut(name: &str) -> &str {
        match name.len() {
            0..=Self::NAME_BYTES => name,
            _ => name.get(..name.floor_char_boundary(Self::NAME_BYTES)).unwrap_or_default(),
        }
    }
}

impl Document<'_> {
    /// Whether errors were left out because there were too many.
    #[inline]
    pub(crate) fn is_spent(&self) -> bool {
        self.budget.as_ref().is_some_and(Budget::is_spent)
    }
}
