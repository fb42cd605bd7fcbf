//! References to the schemas of [`eventpulse_core::upload::verdict`]. The core does not know OpenAPI, so the schemas
//! themselves are in `openapi/verdict_schemas.json`.

use utoipa::openapi::schema::{Array, ArrayBuilder, OneOfBuilder, Schema, Type};
use utoipa::openapi::{ObjectBuilder, Ref};

/// Returns the schema of a list of [`AcceptedSeries`](eventpulse_core::upload::verdict::AcceptedSeries).
pub(crate) fn accepted_series() -> Array {
    list_of("AcceptedSeries")
}

/// Returns the schema of a list of [`FailureSummary`](eventpulse_core::upload::verdict::FailureSummary).
pub(crate) fn failure_summaries() -> Array {
    list_of("FailureSummary")
}

/// Returns the schema of a [`ReadUntil`](eventpulse_core::intake::position::ReadUntil), or null.
pub(crate) fn read_until() -> Schema {
    let null = ObjectBuilder::new().schema_type(Type::Null);
    OneOfBuilder::new().item(null).item(Ref::from_schema_name("ReadUntil")).build().into()
}

fn list_of(component: &str) -> Array {
    ArrayBuilder::new().items(Ref::from_schema_name(component)).build()
}
