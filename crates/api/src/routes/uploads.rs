//! Uploads: issue, follow, withdraw.

pub mod list;
mod receipt;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use eventpulse_aws::adapters::upload_store::StoredUpload;
use eventpulse_aws::adapters::upload_store::issue_key::IssueKey;
use eventpulse_aws::workflows::issue::{IssueOutcome, Issued, Request, earlier_issue, issue, issue_once};
use eventpulse_aws::workflows::upload_commands::{self, Withdrawal};
use eventpulse_core::intake::digest::Sha256Digest;
use eventpulse_core::intake::inspection::MaxRejected;
use eventpulse_core::intake::schema::SchemaRef;
use eventpulse_core::time::Timestamp;
use eventpulse_core::usage::{Charge, DayUsage};
use http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::notifications::SubscriptionSummary;
use super::{random, usage};
use crate::announced::Announced;
use crate::api_error::ApiError;
use crate::auth::Owner;
use crate::extract::{Json, NoParams, Path, Query, UploadPath, idempotency_key, upload_id};
use crate::model::{self, QuotaState, RejectionLimit, SelfLink, Time, quotas_of};
use crate::state::App;
use receipt::UploadReceipt;

/// [A single PUT](https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html) is limited to 5 GiB.
const MAX_BYTES: u64 = 5 << 30;
/// The maximum number of characters of a file name.
pub(crate) const MAX_FILE_NAME_CHARS: usize = 1024;

/// A request for an upload.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUpload {
    /// The file name, for your reference. Slashes and control characters are replaced,
    /// and invisible characters, such as direction marks, are removed.
    #[schema(min_length = 1, max_length = 1024, example = "readings.ndjson")]
    file_name: String,
    /// The `Content-Type` of the file: `application/json` (one JSON document, or an array of records), or
    /// `application/x-ndjson` (one record per line), or its other names `application/ndjson`, `application/jsonl` and
    /// `application/x-jsonlines`. With `application/gzip`, `application/zstd` and `application/octet-stream`, the
    /// extension of the file name decides. Case does not matter; parameters are allowed, and `charset` must be UTF-8.
    #[schema(min_length = 1, max_length = 255, pattern = "^[ -~]+$", example = "application/x-ndjson")]
    content_type: String,
    /// The `Content-Encoding` of the file, `gzip` or `zstd`; none by default. Case does not matter.
    #[schema(max_length = 255, pattern = "^[ -~]*$", example = "gzip")]
    content_encoding: Option<String>,
    /// The size of the file in bytes.
    #[schema(maximum = 5_368_709_120_u64, example = 97)]
    size: u64,
    /// The SHA-256 of the file in hexadecimal. S3 then refuses any other contents.
    #[schema(pattern = "^[0-9a-fA-F]{64}$")]
    sha256: Option<String>,
    /// The schema for records that name none.
    schema: Option<String>,
    /// The number or share of rejected records above which the whole upload is rejected; no limit by default.
    max_rejected: Option<RejectionLimit>,
    /// The lifetime of the URL in seconds; 300 by default.
    #[schema(minimum = 60, maximum = 3600)]
    expires_in: Option<u64>,
}

/// A presigned request that uploads a file.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PresignedUpload {
    /// The id of the upload.
    #[schema(example = "up_01JMZ3S2V8Q9W4X5Y6Z7A8B9C0")]
    upload_id: String,
    /// The state of the upload: `issued`, or for a correction the unchanged state of its upload.
    state: model::UploadState,
    /// The time at which the URL expires.
    expires_at: Time,
    /// The HTTP method: always `PUT`.
    #[schema(example = "PUT")]
    method: &'static str,
    /// The presigned URL, for one request. Keep it secret.
    #[schema(format = "uri")]
    url: String,
    /// The headers of the request: exactly the signed ones. `host` is that of the URL; a browser sets `content-length`
    /// itself.
    headers: BTreeMap<String, String>,
    /// Your e-mail subscription to notices; null if it could not be loaded.
    #[schema(required)]
    notifications: Option<SubscriptionSummary>,
    /// The use of your quotas for uploads, with this one; null if it could not be loaded.
    #[schema(required)]
    quotas: Option<Vec<QuotaState>>,
    /// Links to related resources.
    links: SelfLink,
}

impl PresignedUpload {
    /// Describes an issued URL. Loads the state of the owner's subscription. `usage`: the counters of the owner.
    pub(crate) async fn new(
        app: &App,
        owner: &Owner,
        issued: Issued,
        state: model::UploadState,
        usage: Option<DayUsage>,
        now: Timestamp,
    ) -> Self {
        Self {
            state,
            expires_at: Time(issued.expires_at),
            method: "PUT",
            url: issued.put.url,
            headers: issued.put.headers.into_iter().collect(),
            notifications: SubscriptionSummary::of(app, owner, now).await,
            quotas: usage.map(|usage| quotas_of(&usage, app.quotas.limits(), now)),
            links: SelfLink { this: format!("{}/uploads/{}", app.config.api_url, issued.upload_id) },
            upload_id: issued.upload_id.to_string(),
        }
    }

    /// Creates a 201 with the URL of the receipt.
    pub(crate) fn created(self) -> Response {
        let location = self.links.this.clone();
        (StatusCode::CREATED, [(header::LOCATION, location)], axum::Json(self)).into_response()
    }
}

/// Create an upload
///
/// Returns a presigned URL that accepts one object with exactly this type, size and, if given, SHA-256. Send the file
/// to the URL with `PUT` and the returned headers, then follow the receipt in `links.self`. With an `Idempotency-Key`, the
/// request can be repeated safely.
#[utoipa::path(post, path = "/uploads", operation_id = "create_upload", tag = "uploads", request_body = NewUpload,
    params(("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]([ -~]*[!-~])?$",
        example = "0190a5b2-7c1e-7d3a-9f44-2b6c8d0e1f35",
        description = "A text of your choice, such as a UUID. The same request with the same key within 24 hours creates \
                       one upload and returns it again.")),
    responses(
        (status = 200, description = "The receipt of the upload that an earlier request with this `Idempotency-Key` \
                                      created. Its file has arrived, or its URL has expired.",
            body = UploadReceipt),
        (status = 201, description = "The presigned URL. Send the file to `url` with `PUT` and `headers`. A repeated \
                                      request returns the same upload with another URL, until the file arrives.",
            body = PresignedUpload,
            headers(("Location" = String, description = "The URL of the receipt."))),
        (status = 403, description = "The operator of the service ended your access."),
        (status = 413, description = "The body of the request is too large, or the file is larger than your quota of bytes."),
        (status = 415, description = "The body of the request is not JSON."),
        (status = 422, description = "The `Idempotency-Key` was sent before with another request."),
    ))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    owner: Owner,
    _: Query<NoParams>,
    headers: HeaderMap,
    Json(new): Json<NewUpload>,
) -> Result<Response, ApiError> {
    let key = idempotency_key(&headers)?;
    let size = size(new.size)?;
    let sha256 = sha256(new.sha256.as_deref())?;
    let expires_in = lifetime(new.expires_in)?;
    if !(1..=MAX_FILE_NAME_CHARS).contains(&new.file_name.chars().count()) {
        return Err(ApiError::member("/file_name", format!("expected 1 to {MAX_FILE_NAME_CHARS} characters")));
    }
    let max_rejected = new.max_rejected.map(max_rejected).transpose()?;
    known_schema(&app, new.schema.as_deref(), |detail| ApiError::member("/schema", detail))?;
    let announced = Announced::parse(&new.content_type, new.content_encoding.as_deref(), &new.file_name)?;
    let request = Request {
        owner: &owner.0,
        file_name: &new.file_name,
        content_type: announced.content_type,
        content_encoding: announced.content_encoding,
        size,
        sha256_base64: sha256.as_deref(),
        schema: new.schema.as_deref(),
        max_rejected,
        expires_in,
    };
    owner.require_active(&app).await?;
    respond(&app, &owner, &request, key.map(|key| request.issue_key(key)), (app.clock)()).await
}

/// Issues an upload, or returns the one that an earlier call with the same key created.
async fn respond(
    app: &App,
    owner: &Owner,
    request: &Request<'_>,
    key: Option<IssueKey>,
    now: Timestamp,
) -> Result<Response, ApiError> {
    let (outcome, usage) = match &key {
        None => charge_and_issue(app, owner, request, None, now).await?,
        Some(key) => match earlier_issue(&app.services, request, key, now).await? {
            Some(earlier) => (earlier, app.quotas.day(&owner.0, now).await),
            None => charge_and_issue(app, owner, request, Some(key), now).await?,
        },
    };
    match outcome {
        IssueOutcome::Issued(issued) | IssueOutcome::Repeated(issued) => {
            let state = model::UploadState::Issued;
            Ok(PresignedUpload::new(app, owner, issued, state, usage, now).await.created())
        }
        IssueOutcome::Advanced(upload) => {
            let stored = load(app, owner, upload.id().as_str()).await?;
            Ok(axum::Json(UploadReceipt::new(app, owner, stored, now).await).into_response())
        }
        IssueOutcome::KeyReused(upload_id) => Err(ApiError::idempotency_key_reused(upload_id.as_str())),
    }
}

/// Charges the upload to its owner and issues it. Takes the charge back unless an upload is issued.
async fn charge_and_issue(
    app: &App,
    owner: &Owner,
    request: &Request<'_>,
    key: Option<&IssueKey>,
    now: Timestamp,
) -> Result<(IssueOutcome, Option<DayUsage>), ApiError> {
    let url_expires_at = Some(now + request.expires_in);
    let charge = Charge { bytes: request.size, url_expires_at, ..Charge::default() };
    let random = random()?;
    let usage = usage::charge(app, owner, &charge, now).await?;
    let outcome = match key {
        None => issue(&app.services, request, now, random).await.map(IssueOutcome::Issued),
        Some(key) => issue_once(&app.services, request, key, now, random).await,
    };
    if !matches!(outcome, Ok(IssueOutcome::Issued(_))) {
        app.quotas.take_back(&owner.0, &charge, now).await;
    }
    Ok((outcome?, usage))
}

/// Checks the size of a file.
pub(crate) fn size(size: u64) -> Result<u64, ApiError> {
    if size > MAX_BYTES {
        return Err(ApiError::member(
            "/size",
            format!("expected at most {MAX_BYTES} bytes (5 GiB); split or compress the file"),
        ));
    }
    Ok(size)
}

/// Checks the lifetime of a presigned URL.
pub(crate) fn lifetime(seconds: Option<u64>) -> Result<Duration, ApiError> {
    match seconds.unwrap_or(300) {
        seconds @ 60..=3600 => Ok(Duration::from_secs(seconds)),
        _ => Err(ApiError::member("/expires_in", "expected 60 to 3600 seconds")),
    }
}

/// Converts a digest from hexadecimal to base 64, as S3 expects it.
pub(crate) fn sha256(hexadecimal: Option<&str>) -> Result<Option<String>, ApiError> {
    let Some(text) = hexadecimal else { return Ok(None) };
    let digest = Sha256Digest::from_hex(text);
    digest
        .map(Sha256Digest::to_base64)
        .map(Some)
        .ok_or_else(|| ApiError::member("/sha256", "expected 64 hexadecimal digits"))
}

fn max_rejected(limit: RejectionLimit) -> Result<MaxRejected, ApiError> {
    match limit {
        RejectionLimit::Count(count) => Ok(MaxRejected::Count(count)),
        RejectionLimit::Ratio(ratio) if (0.0..=1.0).contains(&ratio) => Ok(MaxRejected::Ratio(ratio)),
        RejectionLimit::Ratio(_) => Err(ApiError::member("/max_rejected/ratio", "expected 0 to 1")),
    }
}

/// Parses the name of a schema, which must be deployed. `error` creates the error response from the detail.
pub(crate) fn known_schema(
    app: &App,
    name: Option<&str>,
    error: impl Fn(String) -> ApiError,
) -> Result<Option<SchemaRef>, ApiError> {
    let Some(name) = name else { return Ok(None) };
    let catalog = &app.services.catalog;
    match SchemaRef::parse(name) {
        Ok(schema) if catalog.applied(&schema).is_some() => Ok(Some(schema)),
        _ => {
            let known: Vec<String> = catalog.ids().map(ToString::to_string).collect();
            let detail = format!("expected one of the deployed schemas, which are {}, not {name:?}", known.join(", "));
            Err(error(detail).with_unknown_schema_type())
        }
    }
}

/// Loads an upload of this owner with its history.
pub(crate) async fn load(app: &App, owner: &Owner, id: &str) -> Result<StoredUpload, ApiError> {
    let stored = app.services.uploads.read(&upload_id(id)?).await?;
    stored.filter(|stored| stored.upload.origin().owner == owner.0).ok_or_else(ApiError::no_such_upload)
}

/// Get the receipt of an upload
///
/// Returns the state of an upload, the statistics of its accepted values, its failures and its history.
#[utoipa::path(get, path = "/uploads/{upload_id}", operation_id = "get_upload", tag = "uploads",
    params(UploadPath),
    responses(
        (status = 200, description = "The receipt.", body = UploadReceipt),
        (status = 404, description = "You have no upload with this id."),
    ))]
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    owner: Owner,
    Path(UploadPath { upload_id: id }): Path<UploadPath>,
    _: Query<NoParams>,
) -> Result<axum::Json<UploadReceipt>, ApiError> {
    let stored = load(&app, &owner, &id).await?;
    Ok(axum::Json(UploadReceipt::new(&app, &owner, stored, (app.clock)()).await))
}

/// Withdraw an upload
///
/// Removes the accepted values of an upload from all statistics. The same bytes can be uploaded again afterwards.
/// Repeat the request while the status is 202.
#[utoipa::path(delete, path = "/uploads/{upload_id}", operation_id = "withdraw_upload", tag = "uploads",
    params(UploadPath),
    responses(
        (status = 200, description = "All values of the upload are removed.", body = UploadReceipt),
        (status = 202, description = "Some values are not removed yet. Repeat the request until the status is 200.",
            body = UploadReceipt,
            headers(("Retry-After" = String, description = "The number of seconds to wait."))),
        (status = 404, description = "You have no upload with this id."),
        (status = 409, description = "The upload has no accepted values. `detail` says why."),
    ))]
pub(crate) async fn withdraw(
    State(app): State<Arc<App>>,
    owner: Owner,
    Path(UploadPath { upload_id: id }): Path<UploadPath>,
    _: Query<NoParams>,
) -> Result<Response, ApiError> {
    let now = (app.clock)();
    let outcome = upload_commands::withdraw(&app.services, &owner.0, &upload_id(&id)?, now).await?;
    let withdrawal = ApiError::of_command(outcome)?;
    let stored = load(&app, &owner, &id).await?;
    let receipt = axum::Json(UploadReceipt::new(&app, &owner, stored, now).await);
    Ok(match withdrawal {
        Withdrawal::Done(_) => receipt.into_response(),
        Withdrawal::Unfinished(_) => (StatusCode::ACCEPTED, [(header::RETRY_AFTER, "1")], receipt).into_response(),
    })
}
