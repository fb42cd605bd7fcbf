//! The check of the schema files. Compiled twice: into this crate, and into its build script, so that a schema that is wrong fails
//! the build with the words that a test sees. Depends on `serde_json` and `jsonschema` only.

mod annotation;
mod keywords;
mod lookup;
pub(crate) mod nearest;

use std::fmt;

use jsonschema::json::Json;
use jsonschema::{Draft, PatternOptions, Registry, Validator};
use serde_json::{Map, Value};

pub(crate) use annotation::Annotation;
#[allow(unused_imports, reason = "the build script does not use them")]
pub(crate) use annotation::{Path, Step};

/// The dialect of every schema.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// What is wrong with a schema file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaProblem {
    /// The file, within `schemas/`.
    pub path: String,
    /// JSON Pointer within the file; empty for the file as a whole.
    pub pointer: String,
    /// For the author of the schema.
    pub message: String,
}

impl SchemaProblem {
    pub(crate) fn new(path: &str, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        SchemaProblem { path: path.to_owned(), pointer: pointer.into(), message: message.into() }
    }
}

impl fmt::Display for SchemaProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SchemaProblem { path, pointer, message } = self;
        match pointer.as_str() {
            "" => write!(f, "schemas/{path}: {message}"),
            _ => write!(f, "schemas/{path} at {pointer}: {message}"),
        }
    }
}

/// A schema of the bundle, compiled for instances in the representation `F`.
pub(crate) struct Compiled<F: Json> {
    pub(crate) name: String,
    pub(crate) major: u32,
    pub(crate) minor: u32,
    pub(crate) annotation: Annotation,
    pub(crate) validator: Validator<F>,
    pub(crate) schema: Value,
}

/// A file that was read.
struct Source {
    path: String,
    name: String,
    major: u32,
    minor: u32,
    id: String,
    schema: Value,
}

/// Checks and compiles the files of `schemas/`, given as (path within it, text). `is_date_time` decides the format `date-time`.
///
/// # Errors
///
/// Everything that is wrong with any of them.
pub(crate) fn compile<F: Json>(
    files: &[(&str, &str)],
    is_date_time: fn(&str) -> bool,
) -> Result<Vec<Compiled<F>>, Vec<SchemaProblem>> {
    let mut problems = Vec::new();
    let mut sources = Vec::new();
    for &(path, text) in files {
        match read(path, text) {
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
            .with_pattern_options(PatternOptions::regex())
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

fn read(path: &str, text: &str) -> Result<Source, SchemaProblem> {
    let problem = |pointer: &str, message: String| SchemaProblem::new(path, pointer, message);
    let name_of_file = path.strip_suffix(".json").and_then(parse_id);
    let Some((name, major, minor)) = name_of_file else {
        let rule = "a schema lies at schemas/<name>/<major>.<minor>.json, such as schemas/reading/1.0.json; the name is of a-z, 0-9, - and _";
        return Err(problem("", rule.to_owned()));
    };
    let mut schema: Value = serde_json::from_str(text).map_err(|error| problem("", format!("is not JSON: {error}")))?;
    let id = format!("eventpulse:/{name}/{major}.{minor}");
    let Value::Object(members) = &mut schema else {
        return Err(problem("", "must be an object".to_owned()));
    };
    require(members, "$schema", DIALECT).map_err(|message| problem("/$schema", message))?;
    require(members, "$id", &id).map_err(|message| problem("/$id", message))?;
    Ok(Source { path: path.to_owned(), name: name.to_owned(), major, minor, id, schema })
}

/// Whether the member has the only value it may have; it is put there when it is absent.
fn require(members: &mut Map<String, Value>, name: &str, expected: &str) -> Result<(), String> {
    match members.get(name) {
        None => {
            members.insert(name.to_owned(), expected.into());
            Ok(())
        }
        Some(Value::String(found)) if found == expected => Ok(()),
        Some(_) => Err(format!("must be \"{expected}\", or be left out")),
    }
}

fn metaschema_problem(source: &Source) -> Option<SchemaProblem> {
    let error = jsonschema::draft202012::meta::validate(&source.schema).err()?;
    Some(SchemaProblem::new(&source.path, error.instance_path().as_str(), error.to_string()))
}

/// Takes `<name>/<major>.<minor>` apart. A name is of a-z, 0-9, `-` and `_`, begins with a letter and has at most 64 characters;
/// numbers are decimal, without leading zeros.
pub(crate) fn parse_id(text: &str) -> Option<(&str, u32, u32)> {
    let (name, version) = text.split_once('/')?;
    let (major, minor) = version.split_once('.')?;
    let good = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    if name.len() > 64 || !name.starts_with(|first: char| first.is_ascii_lowercase()) || !name.bytes().all(good) {
        return None;
    }
    Some((name, parse_number(major)?, parse_number(minor)?))
}

fn parse_number(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

/// Adds a reference token to a JSON Pointer.
fn child(pointer: &str, token: &str) -> String {
    format!("{pointer}/{}", token.replace('~', "~0").replace('/', "~1"))
}
