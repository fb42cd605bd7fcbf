//! References to the schemas of [`eventpulse_core::upload::verdict`] and its parts. The core does not know OpenAPI, so the schemas
//! themselves are in `openapi/verdict_schemas.json`.

use utoipa::openapi::schema::{Array, ArrayBuilder, OneOfBuilder, Schema, Type};
use utoipa::openapi::{Object, ObjectBuilder, Ref};

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

/// Returns the schema of the reasons for numbers that are null, by the names of their members.
pub(crate) fn unavailable() -> Object {
    let reason = Ref::from_schema_name("UnavailableReason");
    ObjectBuilder::new()
        .property_names(Some(ObjectBuilder::new().schema_type(Type::String)))
        .additional_properties(Some(reason))
        .description(Some(
            "The reason for each number that is null, by the name of its member. Absent if no number is null.",
        ))
        .build()
}

fn list_of(component: &str) -> Array {
    ArrayBuilder::new().items(Ref::from_schema_name(component)).build()
}
