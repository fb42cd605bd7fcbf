//! Uploads: issued, followed, withdrawn.

pub mod list;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use eventpulse_aws::workflows::issue::{Issued, Request, issue};
use eventpulse_aws::workflows::upload_commands::{self, Withdrawal};
use eventpulse_core::intake::inspection::MaxRejected;
use eventpulse_core::intake::reader::Media;
use eventpulse_core::intake::schema::SchemaRef;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::Upload;
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::notifications::Notified;
use super::random;
use crate::auth::Owner;
use crate::extract::{Json, NoParams, Path, Query, upload_id};
use crate::model::{self, ContentEncoding, ContentType, Failure, Features, Happening, Status, Time};
use crate::problem::ApiError;
use crate::state::App;

/// [A single PUT](https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html) takes 5 GiB.
const MAX_BYTES: u64 = 5 << 30;
/// How long the name of a file may be.
pub(crate) const MAX_FILE_NAME_CHARS: usize = 1024;

/// What is to be uploaded.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUpload {
    /// What you call the file. It is kept for you to recognise, cleaned of slashes and control characters.
    #[schema(min_length = 1, max_length = 1024, example = "readings.ndjson")]
    file_name: String,
    /// The `Content-Type` that you will send.
    content_type: ContentType,
    /// The `Content-Encoding` that you will send.
    content_encoding: Option<ContentEncoding>,
    /// How many bytes you will send.
    #[schema(maximum = 5_368_709_120_u64, example = 97)]
    size: u64,
    /// Their SHA-256 in hexadecimal: then nothing else can arrive.
    #[schema(pattern = "^[0-9a-fA-F]{64}$")]
    sha256: Option<String>,
    /// The schema of records that name none.
    schema: Option<String>,
    /// How many records may be wrong before the whole upload is rejected; no limit when it is left out.
    max_rejected: Option<Limit>,
    /// How long the URL is to work, in seconds: 300 when it is left out.
    #[schema(minimum = 60, maximum = 3600)]
    expires_in: Option<u64>,
}

/// How many records may be wrong: a number, or a share of all.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Limit {
    /// At most this many.
    Count(u64),
    /// At most this share, from 0 to 1.
    Ratio(f64),
}

/// Where to send the file.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Receipt {
    /// The id of the upload.
    #[schema(example = "up_01JMZ3S2V8Q9W4X5Y6Z7A8B9C0")]
    upload_id: String,
    /// `issued`; of a correction the state of its upload does not change before it arrives.
    state: model::State,
    /// Until when the URL works.
    expires_at: Time,
    /// `PUT`.
    #[schema(example = "PUT")]
    method: &'static str,
    /// Where to send the bytes, once. A secret.
    #[schema(format = "uri")]
    url: String,
    /// The headers to send with them.
    headers: BTreeMap<String, String>,
    /// Whether you are mailed about what is rejected of it; null when that cannot be told just now.
    #[schema(required)]
    notifications: Option<Notified>,
    /// Where to go on.
    links: SelfLink,
}

/// Where this is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct SelfLink {
    /// This.
    #[serde(rename = "self")]
    #[schema(format = "uri")]
    pub(crate) this: String,
}

impl Receipt {
    pub(crate) fn new(app: &App, issued: Issued, state: model::State, notifications: Option<Notified>) -> Self {
        let headers = issued.put.headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
        Self {
            state,
            expires_at: Time(issued.expires_at),
            method: "PUT",
            url: issued.put.url,
            headers: headers.filter(|(name, _)| name != "host").collect(),
            notifications,
            links: SelfLink { this: format!("{}/uploads/{}", app.config.api_url, issued.upload_id) },
            upload_id: issued.upload_id.to_string(),
        }
    }

    /// 201, and where to follow it.
    pub(crate) fn created(self) -> Response {
        let location = self.links.this.clone();
        (StatusCode::CREATED, [(header::LOCATION, location)], axum::Json(self)).into_response()
    }
}

/// Issues an upload: a presigned URL that takes exactly what is told here, once.
#[utoipa::path(post, path = "/uploads", operation_id = "create_upload", tag = "uploads", request_body = NewUpload,
    responses(
        (status = 201, description = "Send the bytes to `url` by `PUT`, with these headers.", body = Receipt,
            headers(("Location" = String, description = "The receipt."))),
        (status = 413, description = "The request itself is too large."),
        (status = 415, description = "The request is not JSON."),
    ))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    owner: Owner,
    _: Query<NoParams>,
    Json(new): Json<NewUpload>,
) -> Result<Response, ApiError> {
    let size = size(new.size)?;
    let sha256 = sha256(new.sha256.as_deref())?;
    let expires_in = lifetime(new.expires_in)?;
    if !(1..=MAX_FILE_NAME_CHARS).contains(&new.file_name.chars().count()) {
        return Err(ApiError::member("/file_name", format!("it must have 1 to {MAX_FILE_NAME_CHARS} characters")));
    }
    let max_rejected = new.max_rejected.map(limit).transpose()?;
    known_schema(&app, new.schema.as_deref(), |detail| ApiError::member("/schema", detail))?;
    let (content_type, encoding) = (new.content_type.as_str(), new.content_encoding.map(ContentEncoding::as_str));
    Media::parse(Some(content_type), encoding, &new.file_name)
        .map_err(|failure| ApiError::member("/content_type", failure.message))?;
    let request = Request {
        owner: &owner.0,
        file_name: &new.file_name,
        content_type,
        content_encoding: encoding,
        size,
        sha256_base64: sha256.as_deref(),
        schema: new.schema.as_deref(),
        max_rejected,
        expires_in,
    };
    let now = (app.clock)();
    let issued = issue(&app.services, &request, now, random()?).await?;
    let notifications = Notified::of(&app, &owner, now).await;
    Ok(Receipt::new(&app, issued, model::State::Issued, notifications).created())
}

pub(crate) fn size(size: u64) -> Result<u64, ApiError> {
    if size > MAX_BYTES {
        return Err(ApiError::member(
            "/size",
            format!("a file may have {MAX_BYTES} bytes, 5 GiB: split it, or compress it"),
        ));
    }
    Ok(size)
}

pub(crate) fn lifetime(seconds: Option<u64>) -> Result<Duration, ApiError> {
    match seconds.unwrap_or(300) {
        seconds @ 60..=3600 => Ok(Duration::from_secs(seconds)),
        _ => Err(ApiError::member("/expires_in", "it must be 60 to 3600 seconds")),
    }
}

/// A digest in base 64, as S3 signs it.
pub(crate) fn sha256(hexadecimal: Option<&str>) -> Result<Option<String>, ApiError> {
    use base64::Engine as _;
    let Some(text) = hexadecimal else { return Ok(None) };
    let digit = |digit: &u8| char::from(*digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes: Option<Vec<u8>> =
        text.as_bytes().chunks(2).map(|pair| Some(digit(pair.first()?)? << 4 | digit(pair.get(1)?)?)).collect();
    match bytes {
        Some(bytes) if bytes.len() == 32 => Ok(Some(base64::prelude::BASE64_STANDARD.encode(bytes))),
        _ => Err(ApiError::member("/sha256", "a SHA-256 has 64 hexadecimal digits")),
    }
}

fn limit(limit: Limit) -> Result<MaxRejected, ApiError> {
    match limit {
        Limit::Count(count) => Ok(MaxRejected::Count(count)),
        Limit::Ratio(ratio) if (0.0..=1.0).contains(&ratio) => Ok(MaxRejected::Ratio(ratio)),
        Limit::Ratio(_) => Err(ApiError::member("/max_rejected/ratio", "it must be 0 to 1")),
    }
}

/// The schema that a client names, if it is deployed.
pub(crate) fn known_schema(
    app: &App,
    name: Option<&str>,
    at: impl Fn(String) -> ApiError,
) -> Result<Option<SchemaRef>, ApiError> {
    let Some(name) = name else { return Ok(None) };
    let catalog = &app.services.catalog;
    match SchemaRef::parse(name) {
        Ok(schema) if catalog.applied(&schema).is_some() => Ok(Some(schema)),
        _ => {
            let known: Vec<String> = catalog.ids().map(ToString::to_string).collect();
            let detail = format!("the schema {name:?} is none of those deployed, which are {}", known.join(", "));
            Err(at(detail).of_unknown_schema())
        }
    }
}

/// What became of an upload.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UploadReceipt {
    /// Its id.
    upload_id: String,
    /// Where it stands.
    state: model::State,
    /// What its sender calls the file.
    file_name: String,
    /// The schema that was named for records that name none.
    #[schema(required)]
    schema: Option<String>,
    /// How many records may be wrong before all of it is rejected.
    #[schema(required)]
    max_rejected: Option<Limit>,
    /// Its size in bytes, once it arrived.
    #[schema(required)]
    size: Option<u64>,
    /// When it was issued.
    created_at: Time,
    /// When something happened to it last.
    changed_at: Time,
    /// Until when its URL works, or worked.
    #[schema(required)]
    expires_at: Option<Time>,
    /// How many records count.
    accepted: u64,
    /// How many do not.
    rejected: u64,
    /// The upload under which the same bytes count, if they do.
    #[schema(required)]
    duplicate_of: Option<String>,
    /// What each series received, the largest first, at most 100.
    features: Vec<Features>,
    /// How many series there are beyond those.
    features_omitted: u64,
    /// What is wrong, the largest groups first, at most 10. The report in quarantine tells it record by record.
    failures: Vec<Failure>,
    /// How many groups there are beyond those.
    failures_omitted: u64,
    /// Why it failed, where that is nothing that you could mend.
    #[schema(required)]
    failure_reason: Option<String>,
    /// What has become of what was rejected; null when nothing ever was.
    #[schema(required)]
    quarantine: Option<InQuarantine>,
    /// Whether you are mailed about what is rejected of it; null when that cannot be told just now.
    #[schema(required)]
    notifications: Option<Notified>,
    /// What happened to it, the oldest first.
    history: Vec<Happening>,
    /// Where to go on.
    links: UploadLinks,
}

/// What has become of what was rejected.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InQuarantine {
    /// Whether it waits for you.
    status: Status,
}

/// Where to go on from an upload.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UploadLinks {
    /// This.
    #[serde(rename = "self")]
    #[schema(format = "uri")]
    this: String,
    /// What was rejected of it.
    #[schema(required, format = "uri")]
    quarantine: Option<String>,
}

impl UploadReceipt {
    async fn new(app: &App, owner: &Owner, upload: &Upload, history: Vec<Happening>, now: Timestamp) -> Self {
        let rejection = upload.rejection();
        let (features, features_omitted) = upload.series_statistics();
        let status = upload.quarantine_status(now);
        let (id, base) = (upload.id(), &app.config.api_url);
        Self {
            upload_id: id.to_string(),
            state: upload.state_at(now).into(),
            file_name: upload.origin().file_name.clone(),
            schema: upload.origin().schema.clone(),
            max_rejected: upload.origin().max_rejected.map(|most| match most {
                MaxRejected::Count(count) => Limit::Count(count),
                MaxRejected::Ratio(ratio) => Limit::Ratio(ratio),
            }),
            size: upload.object().map(|object| object.size),
            created_at: Time(upload.created_at()),
            changed_at: Time(upload.changed_at()),
            expires_at: upload.origin().expires_at.map(Time),
            accepted: upload.accepted(),
            rejected: upload.rejected(),
            duplicate_of: upload.duplicate_of().map(ToString::to_string),
            features: features.into_iter().map(Features::from).collect(),
            features_omitted,
            failures: rejection.map_or_else(Vec::new, |rejection| rejection.groups.iter().map(Failure::from).collect()),
            failures_omitted: rejection.map_or(0, |rejection| rejection.groups_omitted),
            failure_reason: upload.failure_reason().map(str::to_owned),
            quarantine: status.map(|status| InQuarantine { status: status.into() }),
            notifications: Notified::of(app, owner, now).await,
            history,
            links: UploadLinks {
                this: format!("{base}/uploads/{id}"),
                quarantine: status.map(|_| format!("{base}/quarantine/{id}")),
            },
        }
    }
}

/// An upload of this owner, with its history.
pub(crate) async fn load(app: &App, owner: &Owner, id: &str) -> Result<(Upload, Vec<Happening>), ApiError> {
    let id = upload_id(id)?;
    let history = app.services.uploads.history(&id).await?;
    if history.is_empty() {
        return Err(ApiError::no_such_upload());
    }
    let upload = Upload::fold(id, &history).map_err(|_| ApiError::internal())?;
    if upload.origin().owner != owner.0 {
        return Err(ApiError::no_such_upload());
    }
    Ok((upload, history.into_iter().map(Happening::from).collect()))
}

/// What became of an upload.
#[utoipa::path(get, path = "/uploads/{upload_id}", operation_id = "show_upload", tag = "uploads",
    params(("upload_id" = String, Path, description = "The upload.", pattern = "^up_([0-7][0-9A-HJKMNP-TV-Z]{25}|m-[A-Za-z0-9_=-]{8,64})$")),
    responses(
        (status = 200, description = "Its receipt.", body = UploadReceipt),
        (status = 404, description = "You have no such upload."),
    ))]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    owner: Owner,
    Path(id): Path<String>,
    _: Query<NoParams>,
) -> Result<axum::Json<UploadReceipt>, ApiError> {
    let (upload, history) = load(&app, &owner, &id).await?;
    Ok(axum::Json(UploadReceipt::new(&app, &owner, &upload, history, (app.clock)()).await))
}

/// Withdraws an upload that counts: what it contributed leaves every answer, and the same bytes may be sent again.
#[utoipa::path(delete, path = "/uploads/{upload_id}", operation_id = "withdraw_upload", tag = "uploads",
    params(("upload_id" = String, Path, description = "The upload.", pattern = "^up_([0-7][0-9A-HJKMNP-TV-Z]{25}|m-[A-Za-z0-9_=-]{8,64})$")),
    responses(
        (status = 200, description = "Nothing of it counts any more.", body = UploadReceipt),
        (status = 202, description = "Some of it still counts: call again until 200.", body = UploadReceipt,
            headers(("Retry-After" = String, description = "Seconds."))),
        (status = 404, description = "You have no such upload."),
        (status = 409, description = "There is nothing to withdraw; `detail` says why."),
    ))]
pub(crate) async fn withdraw(
    State(app): State<Arc<App>>,
    owner: Owner,
    Path(id): Path<String>,
    _: Query<NoParams>,
) -> Result<Response, ApiError> {
    let now = (app.clock)();
    let outcome = upload_commands::withdraw(&app.services, &owner.0, &upload_id(&id)?, now).await?;
    let withdrawal = ApiError::of_command(outcome)?;
    let (upload, history) = load(&app, &owner, &id).await?;
    let receipt = axum::Json(UploadReceipt::new(&app, &owner, &upload, history, now).await);
    Ok(match withdrawal {
        Withdrawal::Done(_) => receipt.into_response(),
        Withdrawal::Unfinished(_) => (StatusCode::ACCEPTED, [(header::RETRY_AFTER, "1")], receipt).into_response(),
    })
}
