//! Quarantined data: inspect, correct, retry, discard.

pub mod list;
mod report;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use eventpulse_aws::adapters::object_store::presign::PutOptions;
use eventpulse_aws::adapters::upload_store::StoredUpload;
use eventpulse_aws::workflows::upload_commands::{self, Correction};
use eventpulse_core::upload::{QuarantineLocation, QuarantineStatus, RetryForm, Upload};
use eventpulse_core::usage::Charge;
use http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::announced::Announced;
use crate::api_error::ApiError;
use crate::auth::Owner;
use crate::extract::{Json, NoParams, Path, Query, Raw, UploadPath, header_text, media, upload_id};
use crate::model::{self, HistoryEntry, Time};
use crate::routes::uploads::{PresignedUpload, lifetime, load, sha256, size};
use crate::routes::usage;
use crate::state::App;

/// The lifetime of a download link, in seconds.
const DOWNLOAD_SECONDS: u64 = 300;

/// Links to related resources.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QuarantineEntryLinks {
    /// This resource.
    #[serde(rename = "self")]
    #[schema(format = "uri")]
    pub(super) this: String,
    /// The receipt of the upload.
    #[schema(format = "uri")]
    pub(super) upload: String,
}

/// The quarantined data of an upload.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QuarantinedUpload {
    /// The id of the upload.
    upload_id: String,
    /// The state of the upload.
    state: model::UploadState,
    /// The status of the quarantined data.
    status: model::QuarantineStatus,
    /// The file name that the sender gave.
    file_name: String,
    /// The number of accepted records.
    accepted: u64,
    /// The number of rejected records.
    rejected: u64,
    /// The time at which data was last quarantined.
    quarantined_at: Time,
    /// The time at which the data is deleted.
    kept_until: Time,
    /// The report, as `contracts/report/1.0.json` describes it; null if it is deleted, or larger than 4 MiB
    /// (download it then).
    #[schema(required, value_type = Option<Object>)]
    report: Option<Value>,
    /// Download links.
    download: Downloads,
    /// The history of the upload, oldest first.
    history: Vec<HistoryEntry>,
    /// Links to related resources.
    links: QuarantinedUploadLinks,
}

/// Download links to the quarantined data.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Downloads {
    /// The uploaded file or, if some records are accepted, the rejected records as NDJSON; null if it is deleted.
    #[schema(required)]
    object: Option<Download>,
    /// The report; null if it is deleted.
    #[schema(required)]
    report: Option<Download>,
}

/// A download link.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Download {
    /// The presigned URL. Keep it secret.
    #[schema(format = "uri")]
    url: String,
    /// The file name of the download.
    file_name: String,
    /// The time at which the link expires.
    expires_at: Time,
}

/// Links to related resources.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QuarantinedUploadLinks {
    /// This resource.
    #[serde(rename = "self")]
    #[schema(format = "uri")]
    this: String,
    /// The receipt of the upload.
    #[schema(format = "uri")]
    upload: String,
    /// The operation that retries the data.
    #[schema(format = "uri")]
    retry: String,
    /// The operation that starts a large correction.
    #[schema(format = "uri")]
    correction: String,
}

/// Get the quarantined data of an upload
///
/// Returns the status of the quarantined data, the report with the failures, and links to download both.
#[utoipa::path(get, path = "/quarantine/{upload_id}", operation_id = "get_quarantined_upload", tag = "quarantine",
    params(UploadPath),
    responses(
        (status = 200, description = "The quarantined data.", body = QuarantinedUpload),
        (status = 404, description = "You have no upload with this id, or none of its records was ever rejected."),
    ))]
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    owner: Owner,
    Path(UploadPath { upload_id: id }): Path<UploadPath>,
    _: Query<NoParams>,
) -> Result<axum::Json<QuarantinedUpload>, ApiError> {
    let now = (app.clock)();
    let StoredUpload { upload, history, .. } = load(&app, &owner, &id).await?;
    let (Some(status), Some(at)) = (upload.quarantine_status(now), upload.quarantined_at()) else {
        return Err(ApiError::not_found(
            "No record of this upload was ever rejected. GET /uploads/{upload_id} returns its state.",
        ));
    };
    let location =
        upload.quarantine_location().filter(|_| matches!(status, QuarantineStatus::Open | QuarantineStatus::Retrying));
    let (download, report) = match location {
        Some(quarantined) => (downloads(&app, quarantined).await?, report::load(&app, quarantined).await?),
        None => (Downloads { object: None, report: None }, None),
    };
    let base = &app.config.api_url;
    let this = format!("{base}/quarantine/{}", upload.id());
    Ok(axum::Json(QuarantinedUpload {
        upload_id: upload.id().to_string(),
        state: upload.state_at(now).into(),
        status: status.into(),
        file_name: upload.origin().file_name.clone(),
        accepted: upload.accepted(),
        rejected: upload.rejected(),
        quarantined_at: Time(at),
        kept_until: Time(at + app.services.config.quarantine_retention()),
        report,
        download,
        history: history.into_iter().map(HistoryEntry::from).collect(),
        links: QuarantinedUploadLinks {
            upload: format!("{base}/uploads/{}", upload.id()),
            retry: format!("{this}/retry"),
            correction: format!("{this}/correction"),
            this,
        },
    }))
}

async fn downloads(app: &App, quarantined: &QuarantineLocation) -> Result<Downloads, ApiError> {
    let link = async |key: &str| -> Result<Option<Download>, ApiError> {
        let objects = &app.services.objects;
        if objects.head(&quarantined.bucket, key, None).await?.is_none() {
            return Ok(None);
        }
        let file_name = key.rsplit('/').next().unwrap_or(key).to_owned();
        let lifetime = Duration::from_secs(DOWNLOAD_SECONDS);
        let url = objects.presign_get(&quarantined.bucket, key, &file_name, lifetime).await?;
        Ok(Some(Download { url, file_name, expires_at: Time((app.clock)() + lifetime) }))
    };
    let object = match &quarantined.key {
        Some(key) => link(key).await?,
        None => None,
    };
    Ok(Downloads { object, report: link(&quarantined.report_key).await? })
}

/// A retry that was accepted for processing.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RetryAccepted {
    /// The id of the upload.
    upload_id: String,
    /// Always `retrying`.
    status: model::QuarantineStatus,
    /// The number of the retry, from 1.
    #[schema(minimum = 1)]
    attempt: u32,
    /// The contents of the retry: `unchanged`, `unchanged_records` or `corrected`.
    form: &'static str,
    /// Links to related resources.
    links: QuarantineEntryLinks,
}

/// Retry or correct quarantined data
///
/// Without a body, retries the quarantined data unchanged, for example after a change of the schema. With a body,
/// processes the corrected data instead. If some records of the upload are accepted, only the rejected records are
/// retried, and a correction contains only those. Use `POST /quarantine/{upload_id}/correction` for a body of over 4
/// MiB.
#[utoipa::path(post, path = "/quarantine/{upload_id}/retry", operation_id = "retry_quarantined_upload",
    tag = "quarantine",
    params(UploadPath),
    request_body(content(
        (Option<serde_json::Value> = "application/json"),
        (Option<String> = "application/x-ndjson"),
    ), description = "The corrected data as JSON or NDJSON, optionally compressed with the `Content-Encoding` gzip or \
                      zstd. Empty for an unchanged retry."),
    responses(
        (status = 202, description = "The retry is being processed. The receipt will show its outcome.",
            body = RetryAccepted),
        (status = 403, description = "The operator of the service ended your access."),
        (status = 404, description = "You have no upload with this id."),
        (status = 409, description = "No data of this upload waits in quarantine. `detail` says why."),
        (status = 413, description = "The correction is larger than 4 MiB, or than your quota of bytes."),
        (status = 415, description = "The content type of the correction is not supported."),
    ))]
pub(crate) async fn retry(
    State(app): State<Arc<App>>,
    owner: Owner,
    Path(UploadPath { upload_id: id }): Path<UploadPath>,
    _: Query<NoParams>,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<Response, ApiError> {
    let (id, now) = (upload_id(&id)?, (app.clock)());
    let correction = match &body {
        body if body.is_empty() => None,
        body => {
            let (content_type, content_encoding) = data_headers(&headers)?;
            Some(Correction { content_type, content_encoding, body: body.to_vec() })
        }
    };
    owner.require_active(&app).await?;
    let charge = Charge { bytes: body.len() as u64, ..Charge::default() };
    usage::charge(&app, &owner, &charge, now).await?;
    let outcome = match correction {
        None => upload_commands::retry_unchanged(&app.services, &owner.0, &id, now).await,
        Some(correction) => upload_commands::retry_corrected(&app.services, &owner.0, &id, correction, now).await,
    };
    let result = outcome.map_err(ApiError::from).and_then(ApiError::of_command);
    let upload = usage::take_back_on_error(&app, &owner, &charge, now, result).await?;
    let links = QuarantineEntryLinks {
        this: format!("{}/quarantine/{id}", app.config.api_url),
        upload: format!("{}/uploads/{id}", app.config.api_url),
    };
    let form = upload.pending_retry().map_or(RetryForm::Corrected, |retry| retry.form);
    let attempt = upload.retries_requested();
    let body = RetryAccepted {
        upload_id: id.to_string(),
        status: model::QuarantineStatus::Retrying,
        attempt,
        form: form.as_str(),
        links,
    };
    Ok((StatusCode::ACCEPTED, axum::Json(body)).into_response())
}

/// Returns the content type and the content encoding of data in the body of a request.
fn data_headers(headers: &HeaderMap) -> Result<(&str, Option<&str>), ApiError> {
    media(headers, "")?;
    let content_type = header_text(headers, header::CONTENT_TYPE).unwrap_or_default();
    let encoding = header_text(headers, header::CONTENT_ENCODING);
    Ok((content_type, encoding.filter(|encoding| !encoding.eq_ignore_ascii_case("identity"))))
}

/// A request for a presigned URL for a correction.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCorrection {
    /// The `Content-Type` of the correction: `application/json`, or `application/x-ndjson` or one of its other names. Case
    /// does not matter; parameters are allowed, and `charset` must be UTF-8.
    #[schema(min_length = 1, max_length = 255, pattern = "^[ -~]+$", example = "application/x-ndjson")]
    content_type: String,
    /// The `Content-Encoding` of the correction, `gzip` or `zstd`; none by default. Case does not matter.
    #[schema(max_length = 255, pattern = "^[ -~]*$", example = "gzip")]
    content_encoding: Option<String>,
    /// The size of the correction in bytes.
    #[schema(maximum = 5_368_709_120_u64)]
    size: u64,
    /// The SHA-256 of the correction in hexadecimal. S3 then refuses any other contents.
    #[schema(pattern = "^[0-9a-fA-F]{64}$")]
    sha256: Option<String>,
    /// The lifetime of the URL in seconds; 300 by default.
    #[schema(minimum = 60, maximum = 3600)]
    expires_in: Option<u64>,
}

/// Get a presigned URL for a large correction
///
/// Returns a presigned URL for a correction that is too large for `POST /quarantine/{upload_id}/retry`. If no object
/// arrives before the URL expires, nothing changes.
#[utoipa::path(post, path = "/quarantine/{upload_id}/correction", operation_id = "create_correction",
    tag = "quarantine",
    params(UploadPath),
    request_body = NewCorrection,
    responses(
        (status = 201, description = "The presigned URL. Send the correction to `url` with `PUT` and `headers`.",
            body = PresignedUpload,
            headers(("Location" = String, description = "The URL of the receipt."))),
        (status = 403, description = "The operator of the service ended your access."),
        (status = 404, description = "You have no upload with this id."),
        (status = 409, description = "No data of this upload waits in quarantine. `detail` says why."),
        (status = 413, description = "The body of the request is too large."),
        (status = 415, description = "The body of the request is not JSON."),
    ))]
pub(crate) async fn correction(
    State(app): State<Arc<App>>,
    owner: Owner,
    Path(UploadPath { upload_id: id }): Path<UploadPath>,
    _: Query<NoParams>,
    Json(new): Json<NewCorrection>,
) -> Result<Response, ApiError> {
    let (id, sha256) = (upload_id(&id)?, sha256(new.sha256.as_deref())?);
    let announced = Announced::parse(&new.content_type, new.content_encoding.as_deref(), "")?;
    let now = (app.clock)();
    let options = PutOptions {
        content_type: announced.content_type,
        content_encoding: announced.content_encoding,
        size: size(new.size)?,
        sha256_base64: sha256.as_deref(),
        now,
        expires_in: lifetime(new.expires_in)?,
    };
    owner.require_active(&app).await?;
    let url_expires_at = Some(now + options.expires_in);
    let charge = Charge { bytes: options.size, url_expires_at, ..Charge::default() };
    let usage = usage::charge(&app, &owner, &charge, now).await?;
    let outcome = upload_commands::presign_correction(&app.services, &owner.0, &id, &options).await;
    let result = outcome.map_err(ApiError::from).and_then(ApiError::of_command);
    let issued = usage::take_back_on_error(&app, &owner, &charge, now, result).await?;
    let upload: Upload = app.services.uploads.load(&id).await?.ok_or_else(ApiError::internal)?;
    Ok(PresignedUpload::new(&app, &owner, issued, upload.state_at(now).into(), usage, now).await.created())
}

/// Discard quarantined data
///
/// Discards the quarantined data of an upload. Its accepted records are not affected.
#[utoipa::path(delete, path = "/quarantine/{upload_id}", operation_id = "discard_quarantined_upload",
    tag = "quarantine",
    params(UploadPath),
    responses(
        (status = 204, description = "The data is discarded."),
        (status = 404, description = "You have no upload with this id."),
        (status = 409, description = "There is no data to discard. `detail` says why."),
    ))]
pub(crate) async fn discard(
    State(app): State<Arc<App>>,
    owner: Owner,
    Path(UploadPath { upload_id: id }): Path<UploadPath>,
    _: Query<NoParams>,
) -> Result<StatusCode, ApiError> {
    let outcome = upload_commands::discard(&app.services, &owner.0, &upload_id(&id)?, (app.clock)()).await?;
    ApiError::of_command(outcome)?;
    Ok(StatusCode::NO_CONTENT)
}
