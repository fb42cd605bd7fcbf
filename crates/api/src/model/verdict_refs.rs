//! References to the schemas of [`eventpulse_core::upload::verdict`]. The core does not know OpenAPI, so the schemas
//! themselves are in `openapi/verdict_schemas.json`.

use utoipa::openapi::Ref;
use utoipa::openapi::schema::{Array, ArrayBuilder};

/// Returns the schema of a list of [`AcceptedSeries`](eventpulse_core::upload::verdict::AcceptedSeries).
pub(crate) fn accepted_series() -> Array {
    list_of("AcceptedSeries")
}

/// Returns the schema of a list of [`FailureSummary`](eventpulse_core::upload::verdict::FailureSummary).
pub(crate) fn failure_summaries() -> Array {
    list_of("FailureSummary")
}

fn list_of(component: &str) -> Array {
    ArrayBuilder::new().items(Ref::from_schema_name(component)).build()
}
