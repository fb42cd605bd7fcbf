//! Validation of data without an upload.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use eventpulse_core::id::{UploadId, clean_file_name};
use eventpulse_core::intake::failure::FailureCode;
use eventpulse_core::intake::inspection::{InputForm, Inspection, InspectionSpec, Inspector, Retention};
use eventpulse_core::intake::reader::Limits;
use eventpulse_core::upload::verdict::Verdict;
use http::HeaderMap;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::api_error::ApiError;
use crate::auth::Owner;
use crate::extract::{Query, Raw, media};
use crate::routes::uploads::{MAX_FILE_NAME_CHARS, known_schema};
use crate::state::App;

/// The most records of a request: as many invalid records take two seconds.
const MAX_RECORDS: u64 = 100_000;
/// The most bytes after decompression.
const MAX_CONTENT_BYTES: u64 = 64 << 20;
/// The number of bytes between two checks of the number of records.
const PIECE_BYTES: usize = 64 << 10;

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
/// Returns the verdict that an upload of the same data would receive, and stores nothing. The limits are 4 MiB, 64 MiB
/// after decompression, and 100,000 records. The command `eventpulse validate` has no such limits.
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
        limits: Limits { decompressed_bytes: MAX_CONTENT_BYTES, ..Limits::default() },
    };
    let inspection = inspect(&app, spec, &body)?;
    Ok(axum::Json(Verdict::new(&inspection)))
}

/// Inspects a body within the limits of this operation.
fn inspect(app: &App, spec: InspectionSpec, body: &Bytes) -> Result<Inspection, ApiError> {
    let mut inspector = Inspector::new(&app.services.catalog, spec, Retention::Bounded);
    for mut piece in body.chunks(PIECE_BYTES) {
        if !inspector.push(&mut piece) {
            break;
        }
        if inspector.records() > MAX_RECORDS {
            return Err(too_large(&format!("{MAX_RECORDS} records")));
        }
    }
    inspector.finish();
    let inspection = inspector.inspection();
    match inspection.rejections.upload_failure() {
        Some(failure) if failure.code == FailureCode::DecompressedTooLarge => {
            Err(too_large(&format!("{MAX_CONTENT_BYTES} bytes after decompression")))
        }
        _ => Ok(inspection),
    }
}

fn too_large(limit: &str) -> ApiError {
    ApiError::too_large(format!(
        "The data has more than {limit}. Validate it offline with `eventpulse validate FILE`, or upload it with POST \
         /uploads."
    ))
}
