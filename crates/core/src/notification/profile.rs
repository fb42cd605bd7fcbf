//! Profiles: the types of members in an owner's accepted uploads of one kind. A profile holds no values, and only names
//! that a schema declares.

use std::collections::BTreeMap;

use crate::intake::shape::JsonType;
use crate::time::Timestamp;

/// The profile of one owner and one kind of upload. Only uploads without rejected records count.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Profile {
    /// The number of accepted uploads with records of this kind.
    pub uploads: u64,
    /// The time at which the last of them was accepted.
    pub last_passed_at: Option<Timestamp>,
    /// For each pointer (array indexes as `*`), the number of uploads for each type of the member.
    pub members: BTreeMap<String, BTreeMap<JsonType, u64>>,
}

impl Profile {
    /// Returns the number of uploads for each type of the member at `pointer` (array indexes as `*`); `None` if no upload
    /// had the member.
    #[must_use]
    pub fn types(&self, pointer: &str) -> Option<&BTreeMap<JsonType, u64>> {
        self.members.get(pointer).filter(|types| types.values().any(|count| *count > 0))
    }
}
