//! The issue of an upload: an id, a first event, and a presigned URL that accepts exactly the requested object.

use std::time::Duration;

use eventpulse_core::id::{OwnerId, UploadId, clean_file_name, upload_key};
use eventpulse_core::intake::inspection::MaxRejected;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{Origin, RecordedEvent, Upload, UploadEvent};

use crate::Services;
use crate::adapters::object_store::presign::{Presigned, PutOptions};
use crate::adapters::upload_store::Append;
use crate::error::{Error, Kind};

/// The request of a client.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The authenticated owner.
    pub owner: &'a OwnerId,
    /// The file name given by the client.
    pub file_name: &'a str,
    /// The `Content-Type` that the client will send.
    pub content_type: &'a str,
    /// The `Content-Encoding` that the client will send.
    pub content_encoding: Option<&'a str>,
    /// The size in bytes.
    pub size: u64,
    /// The SHA-256 in base64, if known.
    pub sha256_base64: Option<&'a str>,
    /// The schema for records that name none.
    pub schema: Option<&'a str>,
    /// The limit on rejected records beyond which the whole upload is rejected.
    pub max_rejected: Option<MaxRejected>,
    /// The lifetime of the URL.
    pub expires_in: Duration,
}

/// An issued upload.
#[derive(Debug)]
pub struct Issued {
    /// The id.
    pub upload_id: UploadId,
    /// The key of the object.
    pub key: String,
    /// The URL and the headers to send.
    pub put: Presigned,
    /// The time at which the URL expires.
    pub expires_at: Timestamp,
}

/// Issues an upload. `random` makes its id unique.
///
/// # Errors
/// Returns an [AWS failure](crate::error).
pub async fn issue(
    services: &Services,
    request: &Request<'_>,
    now: Timestamp,
    random: [u8; 10],
) -> Result<Issued, Error> {
    let upload_id = UploadId::new(now, random);
    let key = upload_key(&upload_id, request.file_name);
    let expires_at = now + request.expires_in;
    let origin = Origin {
        owner: request.owner.clone(),
        key: key.clone(),
        file_name: clean_file_name(request.file_name),
        schema: request.schema.map(str::to_owned),
        max_rejected: request.max_rejected,
        expires_at: Some(expires_at),
    };
    let events = [RecordedEvent::new(now, UploadEvent::Issued { origin })];
    let failed = |kind| Error::new("issue", upload_id.as_str(), kind);
    let upload = Upload::fold(upload_id.clone(), &events).map_err(|error| failed(Kind::Corrupt).with_source(error))?;
    if services.uploads.append(&upload, 0, &events).await? == Append::Conflict {
        return Err(failed(Kind::Contended)); // 80 random bits were equal
    }
    let options = PutOptions {
        content_type: request.content_type,
        content_encoding: request.content_encoding,
        size: request.size,
        sha256_base64: request.sha256_base64,
        now,
        expires_in: request.expires_in,
    };
    let put = services.objects.presign_put(&services.config.process_bucket, &key, &options).await?;
    Ok(Issued { upload_id, key, put, expires_at })
}
