//! An owner's profile of one kind of upload: which members had which types in the uploads that passed. It holds no
//! values, and only names that the schema declares.

use std::collections::BTreeMap;

use crate::intake::shape::JsonType;
use crate::time::Timestamp;

/// What was seen in uploads that passed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Profile {
    /// In how many uploads a record of this kind counted.
    pub uploads: u64,
    /// When the last of them was decided.
    pub last_passed_at: Option<Timestamp>,
    /// In how many of them the member at a pointer (array indexes as `*`) had a type.
    pub members: BTreeMap<String, BTreeMap<JsonType, u64>>,
}

impl Profile {
    /// In how many uploads the member at a pointer (array indexes as `*`) had which type; none if no upload had it.
    #[must_use]
    pub fn types(&self, pointer: &str) -> Option<&BTreeMap<JsonType, u64>> {
        self.members.get(pointer).filter(|types| types.values().any(|count| *count > 0))
    }
}
