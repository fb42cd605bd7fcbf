//! The catalog of schemas.
//!
//! `schemas/<name>/<major>.<minor>.json` holds a JSON Schema (draft 2020-12) with an `x-eventpulse` annotation. The build script
//! checks and embeds the whole directory, and fails the build if a file is wrong. A new kind of record needs one new file and no
//! code.

pub(crate) mod bundle;
pub(crate) mod id;
pub(crate) mod plan;

use std::sync::{Arc, OnceLock};

use jsonschema::Validator;
use serde_json::Value;

pub use bundle::SchemaProblem;
pub use id::{NotASchemaId, SchemaId, SchemaRef};
use plan::Plan;

use crate::encoding::sha256;
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
    /// Empty until the first record that the program does not accept: compiling takes longer than the rest of a start.
    validator: OnceLock<Validator<TapeJson>>,
    /// Empty until the first record that is checked against the schema.
    digests: OnceLock<Vec<FileDigest>>,
    files: Arc<bundle::Files>,
}

/// The identity of a schema file: the same digest stands for the same rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileDigest {
    pub(crate) schema: SchemaId,
    /// The SHA-256 of the file in lower-case hexadecimal.
    pub(crate) sha256: String,
}

/// The problems of the schemas of a catalog.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct InvalidSchemas(pub Vec<SchemaProblem>);

impl Catalog {
    /// Loads the schemas that were in `schemas/` when this crate was built. The build script checked them, and a validator is
    /// compiled when a record first needs it, so this takes a fraction of a millisecond.
    ///
    /// # Errors
    /// None in practice: the build script ran the same checks.
    pub fn bundled() -> Result<Catalog, InvalidSchemas> {
        bundle::Files::parsed(BUNDLED).map(Catalog::of).map_err(InvalidSchemas)
    }

    /// Checks schemas, given as (path within `schemas/`, text). Takes milliseconds.
    ///
    /// # Errors
    /// Returns every problem of every file.
    pub fn compile(files: &[(&str, &str)]) -> Result<Catalog, Vec<SchemaProblem>> {
        bundle::Files::checked::<TapeJson>(files).map(Catalog::of)
    }

    fn of(files: bundle::Files) -> Self {
        let kind = |source: &bundle::Source| format!("{}/{}", source.name, source.major);
        let members = |source: &bundle::Source| DeclaredMembers::of(&source.schema, &kind(source));
        let members: Vec<DeclaredMembers> = files.sources.iter().map(members).collect();
        let programs = programs(&files, &members);
        let files = Arc::new(files);
        let parts = files.sources.iter().zip(&files.annotations).zip(members).zip(programs).enumerate();
        let schemas = parts.map(|(index, (((source, annotation), members), program))| Schema {
            index,
            id: id_of(source),
            plan: Plan::new(annotation),
            members,
            program,
            validator: OnceLock::new(),
            digests: OnceLock::new(),
            files: Arc::clone(&files),
        });
        Catalog { schemas: schemas.collect() }
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

    /// Returns the SHA-256 of the file of a schema in lower-case hexadecimal.
    pub fn digest(&self, id: &SchemaId) -> Option<&str> {
        let schema = self.schemas.iter().find(|schema| schema.id == *id)?;
        schema.digests().first().map(|digest| digest.sha256.as_str())
    }

    /// Returns a schema as JSON.
    pub fn schema(&self, id: &SchemaId) -> Option<&Value> {
        self.schemas.iter().find(|schema| schema.id == *id).and_then(Schema::source)
    }

    /// Returns the catalog of these schemas only. A request for one of them resolves to the highest of these minor versions.
    /// Compiles their programs again.
    pub(crate) fn only(&self, wanted: impl Fn(&SchemaId) -> bool) -> Catalog {
        let files = self.schemas.first().map(|schema| schema.files.only(|source| wanted(&id_of(source))));
        files.map_or(Catalog { schemas: Vec::new() }, Self::of)
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

impl Schema {
    /// Returns the validator, which decides about records that the program is not sure of. The first call compiles it.
    #[expect(clippy::expect_used, reason = "`Catalog::compile` and the build script compile each schema once")]
    pub(crate) fn validator(&self) -> &Validator<TapeJson> {
        let compile = || self.files.validator(self.index, |text| Timestamp::parse(text).is_some());
        self.validator.get_or_init(|| compile().expect("a checked schema compiles"))
    }

    /// Returns the schema itself, for messages.
    pub(crate) fn source(&self) -> Option<&Value> {
        self.files.sources.get(self.index).map(|source| &source.schema)
    }

    /// Returns the digests of the files that decide about a record of this schema: its own, and those that it refers to. The
    /// first call computes them.
    pub(crate) fn digests(&self) -> &[FileDigest] {
        let digest =
            |source: &bundle::Source| FileDigest { schema: id_of(source), sha256: sha256(source.text.as_bytes()) };
        self.digests.get_or_init(|| self.files.with_referenced(self.index).into_iter().map(digest).collect())
    }

    /// Returns whether the validator is compiled.
    #[cfg(test)]
    pub(crate) fn has_validator(&self) -> bool {
        self.validator.get().is_some()
    }
}

fn id_of(source: &bundle::Source) -> SchemaId {
    SchemaId { name: source.name.as_str().into(), major: source.major, minor: source.minor }
}

/// Compiles schemas to programs, where their keywords allow that.
fn programs(files: &bundle::Files, members: &[DeclaredMembers]) -> Vec<Option<Program>> {
    let schemas: Vec<(&str, &Value)> = files.sources.iter().map(|one| (one.id.as_str(), &one.schema)).collect();
    let program = |((source, annotation), members): ((&bundle::Source, &bundle::Annotation), &DeclaredMembers)| {
        program::compile(&source.schema, annotation, members.pointers(), Bundle(&schemas))
    };
    files.sources.iter().zip(&files.annotations).zip(members).map(program).collect()
}

#[cfg(test)]
mod tests;
