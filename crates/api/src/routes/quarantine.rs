//! The quarantine: inspected, corrected, tried again, discarded.

pub mod list;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use eventpulse_aws::adapters::object_store::PutOptions;
use eventpulse_aws::workflows::upload_commands::{self, Correction};
use eventpulse_core::intake::reader::Media;
use eventpulse_core::upload::{QuarantineLocation, QuarantineStatus, RetryForm, Upload};
use http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::auth::Owner;
use crate::extract::{Json, NoParams, Path, Query, Raw, header_text, upload_id};
use crate::model::{self, ContentEncoding, Happening, Status, Time, form_word};
use crate::problem::ApiError;
use crate::routes::notifications::Notified;
use crate::routes::uploads::{Receipt, lifetime, load, sha256, size};
use crate::state::App;

/// How long a link to download works.
const DOWNLOAD_SECONDS: u64 = 300;
/// The largest report that is shown in the answer; Lambda answers at most 6 MiB.
const MAX_REPORT_BYTES: u64 = 4 << 20;

/// Where to go on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ItemListedLinks {
    /// This.
    #[serde(rename = "self")]
    #[schema(format = "uri")]
    pub(super) this: String,
    /// The upload's receipt.
    #[schema(format = "uri")]
    pub(super) upload: String,
}

/// What was rejected of an upload.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Item {
    /// The upload it is of.
    upload_id: String,
    /// Where that stands.
    state: model::State,
    /// What has become of it.
    status: Status,
    /// What its sender calls the file.
    file_name: String,
    /// How many records of the upload count.
    accepted: u64,
    /// How many do not.
    rejected: u64,
    /// When it came into quarantine, for the last time.
    quarantined_at: Time,
    /// Until when it is kept.
    kept_until: Time,
    /// The report, of the form of `contracts/report/1.0.json`; null when it is gone, or too large to show here.
    #[schema(required, value_type = Option<Object>)]
    report: Option<Value>,
    /// Links to download it.
    download: Downloads,
    /// What happened to the upload, the oldest first.
    history: Vec<Happening>,
    /// Where to go on.
    links: ItemLinks,
}

/// Links to download what was rejected.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Downloads {
    /// The file as it was sent or, of an upload that counts in part, the rejected records as NDJSON; null when it is gone.
    #[schema(required)]
    object: Option<Download>,
    /// The report; null when it is gone.
    #[schema(required)]
    report: Option<Download>,
}

/// A link to download something.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Download {
    /// Where. A secret.
    #[schema(format = "uri")]
    url: String,
    /// What it is saved as.
    file_name: String,
    /// Until when the link works.
    expires_at: Time,
}

/// Where to go on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ItemLinks {
    /// This.
    #[serde(rename = "self")]
    #[schema(format = "uri")]
    this: String,
    /// The upload's receipt.
    #[schema(format = "uri")]
    upload: String,
    /// To try it again.
    #[schema(format = "uri")]
    retry: String,
    /// To send a large correction.
    #[schema(format = "uri")]
    correction: String,
}

/// What was rejected of an upload, why, and where to download it.
#[utoipa::path(get, path = "/quarantine/{upload_id}", operation_id = "show_quarantined", tag = "quarantine",
    params(("upload_id" = String, Path, description = "The upload.", pattern = "^up_([0-7][0-9A-HJKMNP-TV-Z]{25}|m-[A-Za-z0-9_=-]{8,64})$")),
    responses(
        (status = 200, description = "It.", body = Item),
        (status = 404, description = "You have no such upload, or nothing of it was ever rejected."),
    ))]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    owner: Owner,
    Path(id): Path<String>,
    _: Query<NoParams>,
) -> Result<axum::Json<Item>, ApiError> {
    let now = (app.clock)();
    let (upload, history) = load(&app, &owner, &id).await?;
    let (Some(status), Some(at)) = (upload.quarantine_status(now), upload.quarantined_at()) else {
        return Err(ApiError::not_found(
            "Nothing of this upload was ever rejected. GET /uploads/{upload_id} tells where it stands.",
        ));
    };
    let lies =
        upload.quarantine_location().filter(|_| matches!(status, QuarantineStatus::Open | QuarantineStatus::Retrying));
    let (download, report) = match lies {
        Some(quarantined) => (downloads(&app, quarantined).await?, report(&app, quarantined).await?),
        None => (Downloads { object: None, report: None }, None),
    };
    let base = &app.config.api_url;
    let this = format!("{base}/quarantine/{}", upload.id());
    Ok(axum::Json(Item {
        upload_id: upload.id().to_string(),
        state: upload.state_at(now).into(),
        status: status.into(),
        file_name: upload.origin().file_name.clone(),
        accepted: upload.accepted(),
        rejected: upload.rejected(),
        quarantined_at: Time(at),
        kept_until: Time(at.plus_seconds(app.config.quarantine_retention_days * 86_400)),
        report,
        download,
        history,
        links: ItemLinks {
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
        let seconds = i64::try_from(DOWNLOAD_SECONDS).unwrap_or(0);
        Ok(Some(Download { url, file_name, expires_at: Time((app.clock)().plus_seconds(seconds)) }))
    };
    let object = match &quarantined.key {
        Some(key) => link(key).await?,
        None => None,
    };
    Ok(Downloads { object, report: link(&quarantined.report_key).await? })
}

async fn report(app: &App, quarantined: &QuarantineLocation) -> Result<Option<Value>, ApiError> {
    let object = app.services.objects.get(&quarantined.bucket, &quarantined.report_key, None).await?;
    let Some(object) = object.filter(|object| object.size <= MAX_REPORT_BYTES) else { return Ok(None) };
    let bytes = object.body.collect().await.map_err(|error| {
        let broken =
            eventpulse_aws::Error::new("GetObject", &quarantined.report_key, eventpulse_aws::Kind::Unreachable);
        ApiError::from(broken.with_source(error))
    });
    Ok(serde_json::from_slice(&bytes?.into_bytes()).ok())
}

/// That a retry is on its way.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Retrying {
    /// The upload.
    upload_id: String,
    /// `retrying`.
    status: Status,
    /// The number of the retry.
    #[schema(minimum = 1)]
    attempt: u32,
    /// `as_it_is`, `records_as_they_are` or `corrected`.
    form: &'static str,
    /// Where its outcome will be.
    links: ItemListedLinks,
}

/// Tries what was rejected again: without a body as it is (after a change of the schema, say), with one corrected.
///
/// Of an upload that counts in part only the rejected records are tried again, and a correction holds those and no others.
/// A body of over 4 MiB goes by `POST /quarantine/{upload_id}/correction`.
#[utoipa::path(post, path = "/quarantine/{upload_id}/retry", operation_id = "retry", tag = "quarantine",
    params(("upload_id" = String, Path, description = "The upload.", pattern = "^up_([0-7][0-9A-HJKMNP-TV-Z]{25}|m-[A-Za-z0-9_=-]{8,64})$")),
    request_body(content(
        (Option<serde_json::Value> = "application/json"),
        (Option<String> = "application/x-ndjson"),
    ), description = "The corrected data: JSON, or NDJSON; plain, gzip or zstd by `Content-Encoding`. None at all: as it is."),
    responses(
        (status = 202, description = "It is being tried: the receipt will tell the outcome.", body = Retrying),
        (status = 404, description = "You have no such upload."),
        (status = 409, description = "Nothing of it waits in quarantine; `detail` says why."),
        (status = 413, description = "The correction is too large to come with the call."),
        (status = 415, description = "The correction is not of a type that is read here."),
    ))]
pub(crate) async fn retry(
    State(app): State<Arc<App>>,
    owner: Owner,
    Path(id): Path<String>,
    _: Query<NoParams>,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<Response, ApiError> {
    let (id, now) = (upload_id(&id)?, (app.clock)());
    let outcome = if body.is_empty() {
        upload_commands::retry_unchanged(&app.services, &owner.0, &id, now).await?
    } else {
        let (content_type, content_encoding) = data_headers(&headers)?;
        let correction = Correction { content_type, content_encoding, body: body.to_vec() };
        upload_commands::retry_corrected(&app.services, &owner.0, &id, correction, now).await?
    };
    let upload = ApiError::of_command(outcome)?;
    let links = ItemListedLinks {
        this: format!("{}/quarantine/{id}", app.config.api_url),
        upload: format!("{}/uploads/{id}", app.config.api_url),
    };
    let form = upload.pending_retry().map_or(RetryForm::Corrected, |retry| retry.form);
    let attempt = upload.retries_requested();
    let retrying =
        Retrying { upload_id: id.to_string(), status: Status::Retrying, attempt, form: form_word(form), links };
    Ok((StatusCode::ACCEPTED, axum::Json(retrying)).into_response())
}

/// Content type and encoding of data that come with a call.
pub(crate) fn data_headers(headers: &HeaderMap) -> Result<(&str, Option<&str>), ApiError> {
    let Some(content_type) = header_text(headers, header::CONTENT_TYPE.as_str()) else {
        return Err(ApiError::content_type(
            "Say by Content-Type whether this is application/json or application/x-ndjson.",
        ));
    };
    let encoding = header_text(headers, header::CONTENT_ENCODING.as_str());
    Media::parse(Some(content_type), encoding, "")
        .map_err(|failure| ApiError::content_type(format!("This is not read here: {}.", failure.message)))?;
    Ok((content_type, encoding.filter(|encoding| !encoding.eq_ignore_ascii_case("identity"))))
}

/// What a correction's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
pub(crate) enum CorrectionType {
    /// One JSON document, or an array of records.
    #[serde(rename = "application/json")]
    Json,
    /// One record a line.
    #[serde(rename = "application/x-ndjson")]
    Ndjson,
}

/// A correction that is to be sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCorrection {
    /// The `Content-Type` that you will send.
    content_type: CorrectionType,
    /// The `Content-Encoding` that you will send.
    content_encoding: Option<ContentEncoding>,
    /// How many bytes you will send.
    #[schema(maximum = 5_368_709_120_u64)]
    size: u64,
    /// Their SHA-256 in hexadecimal: then nothing else can arrive.
    #[schema(pattern = "^[0-9a-fA-F]{64}$")]
    sha256: Option<String>,
    /// How long the URL is to work, in seconds: 300 when it is left out.
    #[schema(minimum = 60, maximum = 3600)]
    expires_in: Option<u64>,
}

/// Signs a PUT for a correction that is too large to come with a call. Unless it is used in time, nothing changes.
#[utoipa::path(post, path = "/quarantine/{upload_id}/correction", operation_id = "create_correction", tag = "quarantine",
    params(("upload_id" = String, Path, description = "The upload.", pattern = "^up_([0-7][0-9A-HJKMNP-TV-Z]{25}|m-[A-Za-z0-9_=-]{8,64})$")),
    request_body = NewCorrection,
    responses(
        (status = 201, description = "Send the bytes to `url` by `PUT`, with these headers.", body = Receipt,
            headers(("Location" = String, description = "The receipt."))),
        (status = 404, description = "You have no such upload."),
        (status = 409, description = "Nothing of it waits in quarantine; `detail` says why."),
        (status = 413, description = "The request itself is too large."),
        (status = 415, description = "The request is not JSON."),
    ))]
pub(crate) async fn correction(
    State(app): State<Arc<App>>,
    owner: Owner,
    Path(id): Path<String>,
    _: Query<NoParams>,
    Json(new): Json<NewCorrection>,
) -> Result<Response, ApiError> {
    let (id, sha256) = (upload_id(&id)?, sha256(new.sha256.as_deref())?);
    let content_type = match new.content_type {
        CorrectionType::Json => "application/json",
        CorrectionType::Ndjson => "application/x-ndjson",
    };
    let now = (app.clock)();
    let terms = PutOptions {
        content_type,
        content_encoding: new.content_encoding.map(ContentEncoding::as_str),
        size: size(new.size)?,
        sha256_base64: sha256.as_deref(),
        now,
        expires_in: lifetime(new.expires_in)?,
    };
    let outcome = upload_commands::presign_correction(&app.services, &owner.0, &id, &terms).await?;
    let issued = ApiError::of_command(outcome)?;
    let upload: Upload = app.services.uploads.load(&id).await?.ok_or_else(ApiError::internal)?;
    let notifications = Notified::of(&app, &owner, now).await;
    Ok(Receipt::new(&app, issued, upload.state_at(now).into(), notifications).created())
}

/// Discards what was rejected. What counts of the upload goes on counting.
#[utoipa::path(delete, path = "/quarantine/{upload_id}", operation_id = "discard", tag = "quarantine",
    params(("upload_id" = String, Path, description = "The upload.", pattern = "^up_([0-7][0-9A-HJKMNP-TV-Z]{25}|m-[A-Za-z0-9_=-]{8,64})$")),
    responses(
        (status = 204, description = "It is discarded."),
        (status = 404, description = "You have no such upload."),
        (status = 409, description = "There is nothing to discard; `detail` says why."),
    ))]
pub(crate) async fn discard(
    State(app): State<Arc<App>>,
    owner: Owner,
    Path(id): Path<String>,
    _: Query<NoParams>,
) -> Result<StatusCode, ApiError> {
    let outcome = upload_commands::discard(&app.services, &owner.0, &upload_id(&id)?, (app.clock)()).await?;
    ApiError::of_command(outcome)?;
    Ok(StatusCode::NO_CONTENT)
}
