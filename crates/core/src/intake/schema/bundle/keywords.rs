//! The check of keywords: no unknown ones, and no references out of the bundle.

use serde_json::Value;

use super::nearest::did_you_mean;
use super::source::{SchemaProblem, Source, child};

/// The kind of value that a keyword has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// Data.
    Data,
    /// A schema.
    Schema,
    /// An array of schemas.
    Schemas,
    /// Schemas by name.
    Named,
    /// A reference to a schema.
    Reference,
    /// A value that only the root of a file may have.
    Root,
}

const KEYWORDS: &[(&str, Holds)] = &[
    ("$anchor", Holds::Data),
    ("$comment", Holds::Data),
    ("$defs", Holds::Named),
    ("$dynamicAnchor", Holds::Data),
    ("$dynamicRef", Holds::Reference),
    ("$id", Holds::Root),
    ("$ref", Holds::Reference),
    ("$schema", Holds::Root),
    ("additionalProperties", Holds::Schema),
    ("allOf", Holds::Schemas),
    ("anyOf", Holds::Schemas),
    ("const", Holds::Data),
    ("contains", Holds::Schema),
    ("contentEncoding", Holds::Data),
    ("contentMediaType", Holds::Data),
    ("contentSchema", Holds::Schema),
    ("default", Holds::Data),
    ("dependentRequired", Holds::Data),
    ("dependentSchemas", Holds::Named),
    ("deprecated", Holds::Data),
    ("description", Holds::Data),
    ("else", Holds::Schema),
    ("enum", Holds::Data),
    ("examples", Holds::Data),
    ("exclusiveMaximum", Holds::Data),
    ("exclusiveMinimum", Holds::Data),
    ("format", Holds::Data),
    ("if", Holds::Schema),
    ("items", Holds::Schema),
    ("maxContains", Holds::Data),
    ("maxItems", Holds::Data),
    ("maxLength", Holds::Data),
    ("maxProperties", Holds::Data),
    ("maximum", Holds::Data),
    ("minContains", Holds::Data),
    ("minItems", Holds::Data),
    ("minLength", Holds::Data),
    ("minProperties", Holds::Data),
    ("minimum", Holds::Data),
    ("multipleOf", Holds::Data),
    ("not", Holds::Schema),
    ("oneOf", Holds::Schemas),
    ("pattern", Holds::Data),
    ("patternProperties", Holds::Named),
    ("prefixItems", Holds::Schemas),
    ("properties", Holds::Named),
    ("propertyNames", Holds::Schema),
    ("readOnly", Holds::Data),
    ("required", Holds::Data),
    ("then", Holds::Schema),
    ("title", Holds::Data),
    ("type", Holds::Data),
    ("unevaluatedItems", Holds::Schema),
    ("unevaluatedProperties", Holds::Schema),
    ("uniqueItems", Holds::Data),
    ("writeOnly", Holds::Data),
    ("x-eventpulse", Holds::Root),
];

/// Checks every keyword of the schema in `source`. The metaschema checks the types of values.
pub(super) fn check(source: &Source, sources: &[Source], problems: &mut Vec<SchemaProblem>) {
    Walk { source, sources, problems }.schema(&source.schema, "");
}

struct Walk<'a> {
    source: &'a Source,
    sources: &'a [Source],
    problems: &'a mut Vec<SchemaProblem>,
}

impl Walk<'_> {
    fn schema(&mut self, schema: &Value, pointer: &str) {
        let Value::Object(members) = schema else {
            return;
        };
        for (name, value) in members {
            let at = child(pointer, name);
            let known = KEYWORDS.iter().find(|(keyword, _)| keyword == name).map(|&(_, holds)| holds);
            match (known, value) {
                (Some(Holds::Schema), _) => self.schema(value, &at),
                (Some(Holds::Schemas), Value::Array(schemas)) => {
                    for (index, schema) in schemas.iter().enumerate() {
                        self.schema(schema, &child(&at, &index.to_string()));
                    }
                }
                (Some(Holds::Named), Value::Object(schemas)) => {
                    for (name, schema) in schemas {
                        self.schema(schema, &child(&at, name));
                    }
                }
                (Some(Holds::Reference), Value::String(target)) => {
                    if let Err(message) = resolve(self.source, self.sources, target) {
                        self.problem(at, message);
                    }
                }
                (Some(Holds::Root), _) if !pointer.is_empty() => {
                    self.problem(at, format!("`{name}` belongs at the root of the file"));
                }
                (None, _) if !name.starts_with("x-") => {
                    let hint = did_you_mean(name, KEYWORDS.iter().map(|&(keyword, _)| keyword));
                    let message = format!(
                        "`{name}` is no keyword of JSON Schema 2020-12{hint}; a keyword of your own begins with x-"
                    );
                    self.problem(at, message);
                }
                _ => {}
            }
        }
    }

    fn problem(&mut self, pointer: String, message: String) {
        self.problems.push(SchemaProblem::new(&self.source.path, pointer, message));
    }
}

/// Resolves a reference in `source` to a schema and its file. Returns none for the name of an anchor.
pub(super) fn resolve<'a>(
    source: &'a Source,
    sources: &'a [Source],
    reference: &str,
) -> Result<Option<(&'a Source, &'a Value)>, String> {
    let (file, fragment) = reference.split_once('#').unwrap_or((reference, ""));
    let target = match file {
        "" => source,
        _ if !file.starts_with("eventpulse:/") => {
            return Err("a reference stays within the bundle: `#/…`, or `eventpulse:/<name>/<major>.<minor>` for another of its files".into());
        }
        _ => sources.iter().find(|source| source.id == file).ok_or_else(|| {
            let hint = did_you_mean(file, sources.iter().map(|source| source.id.as_str()));
            format!("there is no schema `{file}` in the bundle{hint}")
        })?,
    };
    if !fragment.is_empty() && !fragment.starts_with('/') {
        return Ok(None);
    }
    match target.schema.pointer(fragment) {
        Some(schema) => Ok(Some((target, schema))),
        None => Err(format!("nothing is at `{fragment}` of schemas/{}", target.path)),
    }
}
