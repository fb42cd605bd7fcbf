//! Issuing an upload: an id, a first event, and a presigned URL that takes exactly what was asked for, once.

use std::time::Duration;

use eventpulse_core::id::{OwnerId, UploadId, clean_file_name, upload_key};
use eventpulse_core::intake::inspection::MaxRejected;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{Origin, RecordedEvent, Upload, UploadEvent};

use crate::Services;
use crate::adapters::object_store::{Presigned, PutOptions};
use crate::adapters::upload_store::Append;
use crate::error::{Error, Kind};

/// What a client asks for.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The tenant, as it was authenticated.
    pub owner: &'a OwnerId,
    /// What the client calls its file.
    pub file_name: &'a str,
    /// `Content-Type` that it will send.
    pub content_type: &'a str,
    /// `Content-Encoding` that it will send.
    pub content_encoding: Option<&'a str>,
    /// How many bytes it will send.
    pub size: u64,
    /// Their SHA-256 in base 64, if it knows.
    pub sha256_base64: Option<&'a str>,
    /// The schema of records that name none.
    pub schema: Option<&'a str>,
    /// How many records may be rejected before the whole upload is.
    pub max_rejected: Option<MaxRejected>,
    /// How long the URL works.
    pub expires_in: Duration,
}

/// What it gets.
#[derive(Debug)]
pub struct Issued {
    /// The upload's id.
    pub upload_id: UploadId,
    /// The key that the object will have.
    pub key: String,
    /// Where and how to send it.
    pub put: Presigned,
    /// Until when.
    pub expires_at: Timestamp,
}

/// Issues an upload. `random` makes its id.
///
/// # Errors
/// When AWS does not answer, or refuses.
pub async fn issue(
    services: &Services,
    request: &Request<'_>,
    now: Timestamp,
    random: [u8; 10],
) -> Result<Issued, Error> {
    let upload_id = UploadId::new(now, random);
    let key = upload_key(&upload_id, request.file_name);
    let lifetime = i64::try_from(request.expires_in.as_micros()).unwrap_or(i64::MAX);
    let expires_at = Timestamp::from_micros(now.as_micros().saturating_add(lifetime));
    let origin = Origin {
        owner: request.owner.clone(),
        key: key.clone(),
        file_name: clean_file_name(request.file_name),
        schema: request.schema.map(str::to_owned),
        max_rejected: request.max_rejected,
        expires_at: Some(expires_at),
    };
    let events = [RecordedEvent::new(now, UploadEvent::Issued { origin })];
    let failed = |kind| Error::new("issuing", upload_id.as_str(), kind);
    let upload = Upload::fold(upload_id.clone(), &events).map_err(|error| failed(Kind::Corrupt).with_source(error))?;
    if services.uploads.append(&upload, 0, &events).await? == Append::Conflict {
        return Err(failed(Kind::Contended)); // 80 random bits met twice
    }
    let terms = PutOptions {
        content_type: request.content_type,
        content_encoding: request.content_encoding,
        size: request.size,
        sha256_base64: request.sha256_base64,
        now,
        expires_in: request.expires_in,
    };
    let put = services.objects.presign_put(&services.config.process_bucket, &key, &terms).await?;
    Ok(Issued { upload_id, key, put, expires_at })
}
