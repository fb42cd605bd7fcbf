//! The compilation of a schema to a program.

mod annotated;
mod value;

use std::sync::{Arc, Mutex};

use serde_json::Value;

use self::annotated::Annotated;
pub(crate) use self::value::Bundle;
use self::value::Compiler;
use super::rules::Program;
use crate::intake::schema::bundle::Annotation;

/// Compiles a schema of a bundle to a program. `members` are the pointers of the members whose types are recorded.
///
/// Returns `None` for a schema that a program cannot check: it has one with `type`, `enum`, `const`, `$ref`, `properties` (at
/// most 64), `required`, `additionalProperties` (`true` or `false`), `items`, `minItems`, `maxItems`, `minLength`, `maxLength`,
/// `pattern`, `format` (`date-time`), `minimum`, `maximum`, `exclusiveMinimum` and `exclusiveMaximum`, without cycles. Points
/// are in the record, in the elements of one array, or both.
pub(crate) fn compile(
    schema: &Value,
    annotation: &Annotation,
    members: &[Arc<str>],
    bundle: Bundle<'_>,
) -> Option<Program> {
    let annotated = Annotated::new(annotation)?;
    let mut compiler = Compiler::new(bundle, &annotated, members);
    let root = compiler.value(schema, schema)?.object?;
    let scopes = annotated.scopes();
    let Compiler { objects, arrays, links, roles, .. } = compiler;
    annotated.is_complete(roles).then_some(Program { root, objects, arrays, links, scopes, kept: Mutex::default() })
}

#[cfg(test)]
mod tests;
