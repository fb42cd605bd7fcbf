//! A schema that records were checked against.

use eventpulse_core::intake::rules::AppliedRules;
use serde::Serialize;
use utoipa::ToSchema;

/// A schema that records were checked against, or that such a schema refers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AppliedSchema {
    /// The schema, `<name>/<major>.<minor>`.
    #[schema(example = "reading/1.0")]
    pub schema: String,
    /// The SHA-256 of its file `schemas/<name>/<major>.<minor>.json`, in lower-case hexadecimal.
    pub sha256: String,
}

/// Returns the schemas of recorded rules.
pub(super) fn applied_schemas(rules: &AppliedRules) -> Vec<AppliedSchema> {
    let schema =
        |(schema, sha256): (&_, &String)| AppliedSchema { schema: ToString::to_string(schema), sha256: sha256.clone() };
    rules.schemas.iter().map(schema).collect()
}
