//! Validation of data without an upload.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use eventpulse_core::id::{UploadId, clean_file_name};
use eventpulse_core::intake::failure::FailureCode;
use eventpulse_core::intake::inspection::{Bounds, InputForm, Inspection, InspectionSpec, Inspector, Retention};
use eventpulse_core::intake::reader::Limits;
use eventpulse_core::intake::schema::Catalog;
use eventpulse_core::upload::verdict::Verdict;
use http::HeaderMap;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::api_error::ApiError;
use crate::auth::Owner;
use crate::extract::{Query, Raw, media};
use crate::routes::uploads::{MAX_FILE_NAME_CHARS, known_schema};
use crate::state::App;

/// The maximum number of bytes after decompression.
const MAX_CONTENT_BYTES: u64 = 16 << 20;
/// The maximum number of members of a gzip stream.
const MAX_GZIP_MEMBERS: u64 = 10_000;
/// The time for an inspection. [`Bounds::REQUEST`] and the size allow about a second; this is for a slow machine.
const MAX_TIME: Duration = Duration::from_secs(5);

/// The query parameters of `POST /validate`.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ValidateParams {
    /// The schema for records that name none.
    schema: Option<String>,
    /// The file name. Its extension decides between JSON and NDJSON if the content type does not.
    #[param(max_length = 1024)]
    file_name: Option<String>,
}

/// Validate data without an upload
///
/// Returns the verdict that an upload of the same data would receive, and stores nothing. The limits are 4 MiB, 16 MiB
/// after decompression, 100,000 records, and 10,000 rejected records with 20,000 failures. The command `eventpulse
/// validate` has no such limits.
#[utoipa::path(post, path = "/validate", operation_id = "validate", tag = "uploads", params(ValidateParams),
    request_body(content(
        (serde_json::Value = "application/json"),
        (String = "application/x-ndjson"),
    ), description = "The data as JSON or NDJSON, optionally compressed with the `Content-Encoding` gzip or zstd."),
    responses(
        (status = 200, description = "The verdict.", body = ref("#/components/schemas/Verdict")),
        (status = 413, description = "The data exceeds a limit of this operation."),
        (status = 415, description = "The content type of the data is not supported."),
    ))]
pub(crate) async fn validate(
    State(app): State<Arc<App>>,
    owner: Owner,
    Query(params): Query<ValidateParams>,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<axum::Json<Verdict>, ApiError> {
    let schema = known_schema(&app, params.schema.as_deref(), |detail| ApiError::parameter("schema", detail))?;
    if params.file_name.as_deref().is_some_and(|name| name.chars().count() > MAX_FILE_NAME_CHARS) {
        let detail = format!("expected at most {MAX_FILE_NAME_CHARS} characters");
        return Err(ApiError::parameter("file_name", detail));
    }
    let file_name = clean_file_name(params.file_name.as_deref().unwrap_or_default());
    let spec = InspectionSpec {
        owner: owner.0,
        upload_id: UploadId::of_object("", "", ""),
        attempt: 0,
        input: InputForm::Records,
        media: media(&headers, &file_name)?,
        schema,
        default_schema: app.services.config.default_schema.clone(),
        max_rejected: None,
        known_sha256: None,
        limits: limits(),
        bounds: Bounds::REQUEST,
    };
    let started_at = Instant::now();
    let inspector = inspect(&app.services.catalog, spec, &body, || started_at.elapsed() > MAX_TIME);
    Ok(axum::Json(Verdict::new(&inspection(inspector)?)))
}

fn limits() -> Limits {
    Limits { decompressed_bytes: MAX_CONTENT_BYTES, gzip_members: MAX_GZIP_MEMBERS, ..Limits::default() }
}

/// Inspects a body to its end or to a limit of this operation; at the latest, until the time `is_over`.
fn inspect<'c>(
    catalog: &'c Catalog,
    spec: InspectionSpec,
    mut body: &[u8],
    is_over: impl Fn() -> bool + Send + 'c,
) -> Inspector<'c> {
    let mut inspector = Inspector::new(catalog, spec, Retention::Bounded).interrupt_when(is_over);
    inspector.push(&mut body);
    inspector.finish();
    inspector
}

/// Returns the inspection of a body within the limits of this operation.
fn inspection(inspector: Inspector<'_>) -> Result<Inspection, ApiError> {
    if inspector.is_interrupted() {
        return Err(exceeded("checking the data takes too long"));
    }
    let inspection = inspector.inspection();
    match inspection.rejections.upload_failure() {
        Some(failure) if is_limit(failure.code) => Err(exceeded(&failure.message)),
        _ => Ok(inspection),
    }
}

/// Returns whether a failure says that the data exceeds a limit of this operation, not that it is wrong.
fn is_limit(code: FailureCode) -> bool {
    use FailureCode::{DecompressedTooLarge, TooManyRecords, TooManyRejected, TooManySeries};
    matches!(code, DecompressedTooLarge | TooManyRecords | TooManyRejected | TooManySeries)
}

fn exceeded(limit: &str) -> ApiError {
    ApiError::too_large(format!(
        "The data exceeds a limit of this operation: {limit}. Validate it offline with `eventpulse validate FILE`, or \
         upload it with POST /uploads."
    ))
}

#[cfg(test)]
mod tests;
