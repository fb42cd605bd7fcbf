//! The identifiers of schemas.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::bundle;

/// The id of a schema, such as `reading/1.0`. Cheap to clone. Serializes as that string.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SchemaId {
    /// The name, of a-z, 0-9, `-` and `_`.
    pub name: Arc<str>,
    /// The major version. It counts changes that reject records that were valid, or change their meaning.
    pub major: u32,
    /// The minor version. It counts compatible changes.
    pub minor: u32,
}

/// The text is not of the form `<name>/<major>.<minor>`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a schema is named <name>/<major>.<minor>, such as reading/1.0")]
pub struct NotASchemaId;

impl SchemaId {
    /// Parses `<name>/<major>.<minor>`.
    ///
    /// # Errors
    /// Returns [`NotASchemaId`] for any other text.
    pub fn parse(text: &str) -> Result<Self, NotASchemaId> {
        let (name, major, minor) = bundle::parse_id(text).ok_or(NotASchemaId)?;
        Ok(SchemaId { name: name.into(), major, minor })
    }
}

impl fmt::Display for SchemaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}.{}", self.name, self.major, self.minor)
    }
}

impl FromStr for SchemaId {
    type Err = NotASchemaId;

    fn from_str(text: &str) -> Result<Self, NotASchemaId> {
        SchemaId::parse(text)
    }
}

impl Serialize for SchemaId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SchemaId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        SchemaId::parse(&text).map_err(D::Error::custom)
    }
}

/// A request for a schema, by a record, an upload or a deployment. Whichever minor version it names, the highest minor version
/// of its major version applies. Serializes as `reading/1.0`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SchemaRef(SchemaId);

impl SchemaRef {
    /// Parses `<name>/<major>.<minor>`.
    ///
    /// # Errors
    /// Returns [`NotASchemaId`] for any other text.
    pub fn parse(text: &str) -> Result<Self, NotASchemaId> {
        SchemaId::parse(text).map(SchemaRef)
    }

    /// Returns the requested schema, which need not exist.
    pub fn requested(&self) -> &SchemaId {
        &self.0
    }
}

impl fmt::Display for SchemaRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for SchemaRef {
    type Err = NotASchemaId;

    fn from_str(text: &str) -> Result<Self, NotASchemaId> {
        SchemaRef::parse(text)
    }
}

impl From<SchemaId> for SchemaRef {
    fn from(id: SchemaId) -> Self {
        SchemaRef(id)
    }
}
