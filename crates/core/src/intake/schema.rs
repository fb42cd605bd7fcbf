//! The catalog of schemas.
//!
//! `schemas/<name>/<major>.<minor>.json` holds a JSON Schema (draft 2020-12) with an `x-eventpulse` annotation. The build script
//! embeds the whole directory and fails the build if a file is wrong. A new kind of record needs one new file and no code.

pub(crate) mod bundle;
pub(crate) mod id;
pub(crate) mod plan;

use jsonschema::Validator;
use serde_json::Value;

pub use bundle::SchemaProblem;
pub use id::{NotASchemaId, SchemaId, SchemaRef};
use plan::Plan;

use crate::intake::json::TapeJson;
use crate::intake::program::{self, Bundle, Program};
use crate::intake::shape::DeclaredMembers;
use crate::time::Timestamp;

// `BUNDLED`: the files of `schemas/`, as (path, text).
include!(concat!(env!("OUT_DIR"), "/bundled_schemas.rs"));

/// The compiled schemas of a deployment. Threads share one catalog.
///
/// ```
/// use eventpulse_core::intake::schema::{Catalog, SchemaRef};
///
/// let catalog = Catalog::bundled().unwrap();
/// let requested = SchemaRef::parse("reading/1.9").unwrap();
/// assert_eq!(catalog.applied(&requested).unwrap().to_string(), "reading/1.0");
/// ```
#[derive(Debug)]
pub struct Catalog {
    /// Sorted by name, major and minor version.
    schemas: Vec<Schema>,
}

/// One compiled schema.
#[derive(Debug)]
pub(crate) struct Schema {
    /// Its index in the catalog.
    pub(crate) index: usize,
    pub(crate) id: SchemaId,
    pub(crate) plan: Plan,
    pub(crate) members: DeclaredMembers,
    /// The schema as a reader of bytes, if its keywords allow that.
    pub(crate) program: Option<Program>,
    pub(crate) validator: Validator<TapeJson>,
    /// The schema itself, for messages.
    pub(crate) source: Value,
}

/// The problems of the schemas of a catalog.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct InvalidSchemas(pub Vec<SchemaProblem>);

impl Catalog {
    /// Compiles the schemas that were in `schemas/` when this crate was built. Takes about a millisecond per schema, so call
    /// it once.
    ///
    /// # Errors
    /// None in practice: the build script ran the same checks.
    pub fn bundled() -> Result<Catalog, InvalidSchemas> {
        Catalog::compile(BUNDLED).map_err(InvalidSchemas)
    }

    /// Checks and compiles schemas, given as (path within `schemas/`, text).
    ///
    /// # Errors
    /// Returns every problem of every file.
    pub fn compile(files: &[(&str, &str)]) -> Result<Catalog, Vec<SchemaProblem>> {
        let compiled = bundle::compile::<TapeJson>(files, |text| Timestamp::parse(text).is_some())?;
        let members: Vec<DeclaredMembers> = compiled
            .iter()
            .map(|one| DeclaredMembers::of(&one.schema, &format!("{}/{}", one.name, one.major)))
            .collect();
        let programs = programs(&compiled, &members);
        let schema = |(index, ((compiled, members), program)): (usize, ((bundle::Compiled<TapeJson>, _), _))| Schema {
            index,
            id: SchemaId { name: compiled.name.into(), major: compiled.major, minor: compiled.minor },
            plan: Plan::new(&compiled.annotation),
            members,
            program,
            validator: compiled.validator,
            source: compiled.schema,
        };
        Ok(Catalog { schemas: compiled.into_iter().zip(members).zip(programs).enumerate().map(schema).collect() })
    }

    /// Returns the ids of the schemas, in ascending order.
    pub fn ids(&self) -> impl Iterator<Item = &SchemaId> {
        self.schemas.iter().map(|schema| &schema.id)
    }

    /// Returns the schema that a request resolves to: the highest minor version of the requested major version.
    pub fn applied(&self, requested: &SchemaRef) -> Option<&SchemaId> {
        self.find(requested).map(|schema| &schema.id)
    }

    /// Resolves the schema of records that name none: the one that the upload requests, else the default. Returns the
    /// applied schema or, if there is none, the requested one.
    pub fn resolve(&self, requested: Option<&SchemaRef>, default: &SchemaRef) -> String {
        let schema = requested.unwrap_or(default);
        self.applied(schema).unwrap_or_else(|| schema.requested()).to_string()
    }

    /// Returns the names of the measures of a schema.
    pub fn measures(&self, id: &SchemaId) -> impl Iterator<Item = &str> {
        let schema = self.schemas.iter().find(|schema| schema.id == *id);
        schema.into_iter().flat_map(|schema| schema.plan.measures.iter().map(|name| &**name))
    }

    /// Returns a schema as JSON.
    pub fn schema(&self, id: &SchemaId) -> Option<&Value> {
        self.schemas.iter().find(|schema| schema.id == *id).map(|schema| &schema.source)
    }

    pub(crate) fn schemas(&self) -> &[Schema] {
        &self.schemas
    }

    pub(crate) fn find(&self, requested: &SchemaRef) -> Option<&Schema> {
        let SchemaId { name, major, .. } = requested.requested();
        self.find_version(name, *major)
    }

    pub(crate) fn find_version(&self, name: &str, major: u32) -> Option<&Schema> {
        self.schemas.iter().rfind(|schema| schema.id.major == major && *schema.id.name == *name)
    }
}

/// Compiles schemas to programs, where their keywords allow that.
fn programs(compiled: &[bundle::Compiled<TapeJson>], members: &[DeclaredMembers]) -> Vec<Option<Program>> {
    let id = |schema: &Value| schema.get("$id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let files: Vec<(String, &Value)> = compiled.iter().map(|one| (id(&one.schema), &one.schema)).collect();
    let program = |(one, members): (&bundle::Compiled<TapeJson>, &DeclaredMembers)| {
        program::compile(&one.schema, &one.annotation, members.pointers(), Bundle(&files))
    };
    compiled.iter().zip(members).map(program).collect()
}

#[cfg(test)]
mod tests;
