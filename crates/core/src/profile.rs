//! An owner's profile of one kind of upload: which members had which types in the uploads that passed. It holds no
//! values, and only names that the schema declares.

mod shape;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;
pub(crate) use shape::{Members, Types};

/// A type of JSON, as JSON Schema names it. An `integer` is a `number` here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum JsonType {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl JsonType {
    /// Every type.
    pub const ALL: [Self; 6] = [Self::Null, Self::Boolean, Self::Number, Self::String, Self::Array, Self::Object];

    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Number => "number",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }

    /// The type that a word names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == word)
    }
}

/// What the records of one kind that count look like, of one upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// The kind: `orders/1`.
    pub kind: String,
    /// Each type that the member at a pointer (array indexes as `*`) had.
    pub members: Vec<(String, JsonType)>,
}

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
