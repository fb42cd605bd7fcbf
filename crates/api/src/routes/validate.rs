//! The validator, without an upload.

use std::sync::Arc;

use axum::extract::State;
use eventpulse_core::id::{UploadId, clean_file_name};
use eventpulse_core::intake::failure::{self, FailureCode};
use eventpulse_core::intake::inspection::{InputForm, Inspection, InspectionSpec, Inspector, Retention};
use eventpulse_core::intake::reader::{Limits, Media};
use eventpulse_core::intake::rejection::{MAX_GROUPS_IN_HISTORY, RejectedRecord};
use eventpulse_core::upload;
use http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::auth::Owner;
use crate::extract::{Query, Raw, header_text};
use crate::model::{Failure, Features};
use crate::problem::ApiError;
use crate::routes::uploads::{MAX_FILE_NAME_CHARS, known_schema};
use crate::state::App;

/// How many records are examined: as many wrong ones take two seconds.
const MAX_RECORDS: u64 = 100_000;
/// How much there may be after decompression.
const MAX_CONTENT_BYTES: u64 = 64 << 20;
/// How many rejected records are told one by one.
const MAX_RECORDS_TOLD: usize = 100;
/// How many bytes are examined between two looks at the number of records.
const PIECE_BYTES: usize = 64 << 10;

/// As what to validate.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ValidateParams {
    /// The schema of records that name none.
    schema: Option<String>,
    /// What the file is called: its ending tells the form where the content type does not.
    #[param(max_length = 1024)]
    file_name: Option<String>,
}

/// What an upload of this would come to.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// Every record is good.
    Accepted,
    /// Some are.
    PartiallyAccepted,
    /// None is, or it is wrong as a whole.
    Quarantined,
}

/// What an upload of this would come to, and why. Nothing is stored.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Verdict {
    /// The outcome.
    outcome: Outcome,
    /// How many records are good.
    accepted: u64,
    /// How many are not.
    rejected: u64,
    /// What each series would receive, the largest first, at most 100.
    features: Vec<Features>,
    /// How many series there are beyond those.
    features_omitted: u64,
    /// What is wrong, the largest groups first, at most 10.
    failures: Vec<Failure>,
    /// How many groups there are beyond those.
    failures_omitted: u64,
    /// The rejected records in their order, at most 100.
    records: Vec<Record>,
    /// How many there are beyond those.
    records_omitted: u64,
}

/// A rejected record.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Record {
    /// Its place among the records, from 0.
    index: u64,
    /// The line it begins on, from 1.
    line: u64,
    /// The byte it begins at, from 0, after decompression.
    byte_offset: u64,
    /// The schema that it, or the call, asks for.
    #[schema(required)]
    schema_requested: Option<String>,
    /// The schema that was applied.
    #[schema(required)]
    schema_applied: Option<String>,
    /// What is wrong with it, at most 100.
    failures: Vec<RecordFailure>,
    /// How many failures there are beyond those.
    failures_omitted: u64,
}

/// One thing that is wrong with a record.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RecordFailure {
    /// What is wrong.
    code: String,
    /// The schema's keyword that says so.
    #[schema(required)]
    keyword: Option<String>,
    /// JSON Pointer to the value within the record.
    pointer: String,
    /// JSON Pointer to the keyword within the schema.
    #[schema(required)]
    schema_pointer: Option<String>,
    /// For the person who must mend it, without values.
    message: String,
    /// The line of the value, from 1.
    #[schema(required)]
    line: Option<u64>,
    /// Its byte offset, from 0.
    #[schema(required)]
    byte_offset: Option<u64>,
}

impl From<&failure::Failure> for RecordFailure {
    fn from(failure: &failure::Failure) -> Self {
        let failure::Failure { code, keyword, pointer, schema_pointer, message, line, byte_offset, .. } =
            failure.clone();
        Self { code: code.as_str().to_owned(), keyword, pointer, schema_pointer, message, line, byte_offset }
    }
}

impl From<&RejectedRecord> for Record {
    fn from(record: &RejectedRecord) -> Self {
        Self {
            index: record.index,
            line: record.line,
            byte_offset: record.byte_offset,
            schema_requested: record.schema_requested.clone(),
            schema_applied: record.schema_applied.clone(),
            failures: record.failures.iter().map(RecordFailure::from).collect(),
            failures_omitted: record.failures_omitted,
        }
    }
}

/// Says what an upload of these data would come to, by the same validator. Stores nothing.
///
/// Takes 4 MiB of data, 64 MiB of them once decompressed, and 100,000 records. `eventpulse validate` has no such limits.
#[utoipa::path(post, path = "/validate", operation_id = "validate", tag = "uploads", params(ValidateParams),
    request_body(content(
        (serde_json::Value = "application/json"),
        (String = "application/x-ndjson"),
    ), description = "The data, as they would be uploaded: JSON, or NDJSON; plain, gzip or zstd by `Content-Encoding`."),
    responses(
        (status = 200, description = "The verdict.", body = Verdict),
        (status = 413, description = "It is too much for one call."),
        (status = 415, description = "It is not of a type that is read here."),
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
        return Err(ApiError::parameter("file_name", format!("it has more than {MAX_FILE_NAME_CHARS} characters")));
    }
    let content_type = header_text(&headers, header::CONTENT_TYPE.as_str());
    let encoding = header_text(&headers, header::CONTENT_ENCODING.as_str());
    let file_name = clean_file_name(params.file_name.as_deref().unwrap_or_default());
    let media = Media::parse(content_type, encoding, &file_name)
        .map_err(|failure| ApiError::content_type(format!("This is not read here: {}.", failure.message)))?;
    let terms = InspectionSpec {
        owner: owner.0,
        upload_id: UploadId::of_object("", "", ""),
        attempt: 0,
        input: InputForm::Records,
        media,
        schema,
        default_schema: app.services.config.default_schema.clone(),
        max_rejected: None,
        limits: Limits { decompressed_bytes: MAX_CONTENT_BYTES, ..Limits::default() },
    };
    let mut inspector = Inspector::new(&app.services.catalog, terms, Retention::Bounded);
    for mut piece in body.chunks(PIECE_BYTES) {
        if !inspector.push(&mut piece) {
            break;
        }
        if inspector.records() > MAX_RECORDS {
            return Err(too_much(&format!("has more than {MAX_RECORDS} records")));
        }
    }
    inspector.finish();
    let inspection = inspector.inspection();
    let failure = inspection.rejections.upload_failure().map(|failure| failure.code);
    if failure == Some(FailureCode::DecompressedTooLarge) {
        return Err(too_much(&format!("has more than {MAX_CONTENT_BYTES} bytes once it is decompressed")));
    }
    Ok(axum::Json(verdict(&inspection)))
}

fn too_much(what: &str) -> ApiError {
    ApiError::too_large(format!(
        "This {what}, too many for one call. Validate it offline by `eventpulse validate FILE`, or upload it by POST /uploads."
    ))
}

fn verdict(inspection: &Inspection) -> Verdict {
    let rejections = &inspection.rejections;
    let (groups, failures_omitted) = rejections.largest_groups(MAX_GROUPS_IN_HISTORY);
    let (outcome, accepted) = match upload::Decision::of(inspection) {
        upload::Decision::Accepted { rejection: None, accepted, .. } => (Outcome::Accepted, accepted),
        upload::Decision::Accepted { accepted, .. } => (Outcome::PartiallyAccepted, accepted),
        _ => (Outcome::Quarantined, 0),
    };
    let (features, features_omitted) = match outcome {
        Outcome::Quarantined => (Vec::new(), 0),
        _ => (inspection.series.clone(), inspection.series_omitted),
    };
    let records: Vec<Record> = rejections.records().iter().take(MAX_RECORDS_TOLD).map(Record::from).collect();
    Verdict {
        outcome,
        accepted,
        rejected: rejections.rejected(),
        features: features.into_iter().map(Features::from).collect(),
        features_omitted,
        failures: groups.iter().map(Failure::from).collect(),
        failures_omitted,
        records_omitted: rejections.rejected() - records.len() as u64,
        records,
    }
}
