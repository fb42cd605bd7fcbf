//! Schemas: their names, and the catalog of those that are compiled into this crate.
//!
//! `schemas/<name>/<major>.<minor>.json` holds a JSON Schema (draft 2020-12) with an `x-eventpulse` annotation. The build script
//! embeds the whole directory and fails the build when a file is wrong, so that adding a file is all that a new kind of record takes.

pub(crate) mod bundle;
pub(crate) mod plan;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jsonschema::Validator;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

pub use bundle::SchemaProblem;
use plan::Plan;

use crate::intake::json::TapeJson;
use crate::intake::shape::Members;
use crate::time::Timestamp;

// `BUNDLED`: the files of `schemas/`, as (path, text).
include!(concat!(env!("OUT_DIR"), "/bundled_schemas.rs"));

/// The name of a schema: `reading/1.0`. Cheap to clone. Serializes as that string.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SchemaId {
    /// The name; a-z, 0-9, `-` and `_`.
    pub name: Arc<str>,
    /// Counts changes that reject what was valid, or change its meaning.
    pub major: u32,
    /// Counts changes that do not.
    pub minor: u32,
}

/// The text is not of the form `<name>/<major>.<minor>`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a schema is named <name>/<major>.<minor>, such as reading/1.0")]
pub struct NotASchemaId;

impl SchemaId {
    /// Reads `<name>/<major>.<minor>`.
    ///
    /// # Errors
    ///
    /// When the text is anything else.
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
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        SchemaId::parse(&text).map_err(D::Error::custom)
    }
}

/// A wish for a schema, by a record, an upload or a deployment: the highest minor version of its major version applies, whichever
/// minor version it names. Serializes as `reading/1.0`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SchemaRef(SchemaId);

impl SchemaRef {
    /// Reads `<name>/<major>.<minor>`.
    ///
    /// # Errors
    ///
    /// When the text is anything else.
    pub fn parse(text: &str) -> Result<Self, NotASchemaId> {
        SchemaId::parse(text).map(SchemaRef)
    }

    /// The schema that is asked for, which need not exist.
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

/// The schemas of a deployment, each compiled once. Shared by threads; see [`Catalog::check`].
#[derive(Debug)]
pub struct Catalog {
    /// By name, major and minor version.
    schemas: Vec<Schema>,
}

/// One schema, ready for use.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) id: SchemaId,
    pub(crate) plan: Plan,
    pub(crate) members: Members,
    pub(crate) validator: Validator<TapeJson>,
    /// The schema itself, for messages.
    pub(crate) source: Value,
}

/// The schemas of a catalog are wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct InvalidSchemas(pub Vec<SchemaProblem>);

impl Catalog {
    /// The schemas that were in `schemas/` when this crate was built.
    ///
    /// Compiling takes about a millisecond a schema: do it once.
    ///
    /// # Errors
    ///
    /// Never, if the build script ran the same checks; the type says so no more than that.
    pub fn bundled() -> Result<Catalog, InvalidSchemas> {
        Catalog::compile(BUNDLED).map_err(InvalidSchemas)
    }

    /// Checks and compiles schemas, given as (path within `schemas/`, text).
    ///
    /// # Errors
    ///
    /// Everything that is wrong with any of them.
    pub fn compile(files: &[(&str, &str)]) -> Result<Catalog, Vec<SchemaProblem>> {
        let compiled = bundle::compile::<TapeJson>(files, |text| Timestamp::parse(text).is_some())?;
        let schema = |compiled: bundle::Compiled<TapeJson>| Schema {
            id: SchemaId { name: compiled.name.into(), major: compiled.major, minor: compiled.minor },
            plan: Plan::new(&compiled.annotation),
            members: Members::declared(&compiled.schema),
            validator: compiled.validator,
            source: compiled.schema,
        };
        Ok(Catalog { schemas: compiled.into_iter().map(schema).collect() })
    }

    /// The names of the schemas, in their order.
    pub fn ids(&self) -> impl Iterator<Item = &SchemaId> {
        self.schemas.iter().map(|schema| &schema.id)
    }

    /// The schema that applies to what asks for `wanted`: the highest minor version of that major version.
    pub fn applied(&self, wanted: &SchemaRef) -> Option<&SchemaId> {
        self.find(&wanted.0.name, wanted.0.major).map(|schema| &schema.id)
    }

    /// The schema of records that name none: the one that the upload `wanted`, else the `default`. The applied one, if there
    /// is any.
    pub fn asked(&self, wanted: Option<&SchemaRef>, default: &SchemaRef) -> String {
        let asked = wanted.unwrap_or(default);
        self.applied(asked).unwrap_or_else(|| asked.requested()).to_string()
    }

    /// The names of the measures of a schema.
    pub fn measures(&self, id: &SchemaId) -> impl Iterator<Item = &str> {
        let schema = self.schemas.iter().find(|schema| schema.id == *id);
        schema.into_iter().flat_map(|schema| schema.plan.measures.iter().map(|name| &**name))
    }

    /// A schema as JSON.
    pub fn schema(&self, id: &SchemaId) -> Option<&Value> {
        self.schemas.iter().find(|schema| schema.id == *id).map(|schema| &schema.source)
    }

    pub(crate) fn find(&self, name: &str, major: u32) -> Option<&Schema> {
        self.schemas.iter().rfind(|schema| schema.id.major == major && *schema.id.name == *name)
    }
}

#[cfg(test)]
mod tests;
