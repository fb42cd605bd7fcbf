//! The files of `schemas/`, parsed.

use std::fmt;

use serde_json::{Map, Value};

/// The dialect of every schema.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// A problem of a schema file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaProblem {
    /// The path of the file within `schemas/`.
    pub path: String,
    /// The JSON Pointer within the file; empty for the file as a whole.
    pub pointer: String,
    /// The message for the author of the schema.
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

/// A parsed file.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(super) path: String,
    pub(crate) name: String,
    pub(crate) major: u32,
    pub(crate) minor: u32,
    /// The `$id` of the schema.
    pub(crate) id: String,
    pub(crate) schema: Value,
    /// The file.
    pub(crate) text: String,
}

/// Parses a file, and adds `$schema` and `$id` where they are absent.
pub(super) fn read(path: &str, text: &str) -> Result<Source, SchemaProblem> {
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
    Ok(Source { path: path.to_owned(), name: name.to_owned(), major, minor, id, schema, text: text.to_owned() })
}

/// Checks that a member has its only allowed value; adds it where it is absent.
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

/// Splits `<name>/<major>.<minor>`. A name has 1 to 64 characters of a-z, 0-9, `-` and `_` and begins with a letter; numbers are
/// decimal without leading zeros.
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

/// Appends a reference token to a JSON Pointer.
pub(super) fn child(pointer: &str, token: &str) -> String {
    format!("{pointer}/{}", token.replace('~', "~0").replace('/', "~1"))
}
