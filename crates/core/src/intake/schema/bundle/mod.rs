//! The check and compilation of the schema files.
//!
//! This module is compiled twice: into the crate, and into its build script, so that an invalid schema fails the build. It
//! depends on `serde_json` and `jsonschema` only.

mod annotation;
mod keywords;
mod lookup;
pub(crate) mod nearest;
mod source;

use jsonschema::json::Json;
use jsonschema::{Draft, PatternOptions, Registry, Validator};
use serde_json::Value;

pub(crate) use annotation::Annotation;
#[allow(unused_imports, reason = "the build script does not use them")]
pub(crate) use annotation::{Path, Step};
pub use source::SchemaProblem;
use source::Source;
#[allow(unused_imports, reason = "the build script does not use it")]
pub(crate) use source::parse_id;

/// A schema that is compiled for instances in the representation `F`.
pub(crate) struct Compiled<F: Json> {
    pub(crate) name: String,
    pub(crate) major: u32,
    pub(crate) minor: u32,
    pub(crate) annotation: Annotation,
    pub(crate) validator: Validator<F>,
    pub(crate) schema: Value,
}

/// Checks and compiles the files of `schemas/`, given as (path within it, text). `is_date_time` decides the format `date-time`.
///
/// # Errors
/// Returns every problem of every file.
pub(crate) fn compile<F: Json>(
    files: &[(&str, &str)],
    is_date_time: fn(&str) -> bool,
) -> Result<Vec<Compiled<F>>, Vec<SchemaProblem>> {
    let mut problems = Vec::new();
    let mut sources = Vec::new();
    for &(path, text) in files {
        match source::read(path, text) {
            Ok(source) => sources.push(source),
            Err(problem) => problems.push(problem),
        }
    }
    if files.is_empty() {
        problems.push(SchemaProblem::new("", "", "there is no schema: add schemas/<name>/<major>.<minor>.json"));
    }
    sources.sort_by(|one, other| (&one.name, one.major, one.minor).cmp(&(&other.name, other.major, other.minor)));
    let mut annotations = Vec::new();
    for source in &sources {
        let before = problems.len();
        keywords::check(source, &sources, &mut problems);
        if problems.len() == before {
            problems.extend(metaschema_problem(source));
        }
        annotations.push(annotation::read(source, &mut problems));
    }
    if problems.is_empty() {
        for (source, annotation) in sources.iter().zip(annotations.iter().flatten()) {
            lookup::check(source, annotation, &sources, &mut problems);
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let validators = validators::<F>(&sources, is_date_time)?;
    let compiled = sources.into_iter().zip(annotations.into_iter().flatten()).zip(validators);
    Ok(compiled
        .map(|((source, annotation), validator)| {
            let Source { name, major, minor, schema, .. } = source;
            Compiled { name, major, minor, annotation, validator, schema }
        })
        .collect())
}

fn validators<F: Json>(
    sources: &[Source],
    is_date_time: fn(&str) -> bool,
) -> Result<Vec<Validator<F>>, Vec<SchemaProblem>> {
    let whole = |message: String| vec![SchemaProblem::new("", "", message)];
    let resources = sources.iter().map(|source| (source.id.as_str(), &source.schema));
    let registry = Registry::new()
        .draft(Draft::Draft202012)
        .extend(resources)
        .and_then(|builder| builder.prepare())
        .map_err(|error| whole(format!("the schemas do not fit together: {error}")))?;
    let mut problems = Vec::new();
    let mut validators = Vec::new();
    for source in sources {
        let built = jsonschema::options_for::<F>()
            .with_draft(Draft::Draft202012)
            .with_registry(&registry)
            .offline()
            .should_validate_formats(true)
            .should_ignore_unknown_formats(false)
            .with_pattern_options(patterns())
            .with_format("date-time", is_date_time)
            .build(&source.schema);
        match built {
            Ok(validator) => validators.push(validator),
            Err(error) => {
                let pointer = match error.instance_path().as_str() {
                    "" => error.schema_path().as_str(),
                    path => path,
                };
                problems.push(SchemaProblem::new(&source.path, pointer, error.to_string()));
            }
        }
    }
    if problems.is_empty() { Ok(validators) } else { Err(problems) }
}

/// Returns the dialect of the keyword `pattern`: expressions that take linear time.
fn patterns() -> PatternOptions<jsonschema::Regex> {
    PatternOptions::regex()
}

/// Returns the validator of a schema that has no keyword but `pattern`; `None` for an invalid expression.
pub(crate) fn pattern_validator<F: Json>(schema: &Value) -> Option<Validator<F>> {
    jsonschema::options_for::<F>()
        .with_draft(Draft::Draft202012)
        .offline()
        .with_pattern_options(patterns())
        .build(schema)
        .ok()
}

fn metaschema_problem(source: &Source) -> Option<SchemaProblem> {
    let error = jsonschema::draft202012::meta::validate(&source.schema).err()?;
    Some(SchemaProblem::new(&source.path, error.instance_path().as_str(), error.to_string()))
}
