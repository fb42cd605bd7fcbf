//! The issue of an upload: an id, a first event, and a presigned URL that accepts exactly the requested object.
//!
//! Under an idempotency key, repeated and parallel calls issue one upload: the key is stored in the transaction of the
//! first event. The upload's URL is not stored. A repeated call signs another one for the same object, which expires with
//! the first.

use std::time::Duration;

use eventpulse_core::encoding::sha256;
use eventpulse_core::id::{OwnerId, UploadId, clean_file_name, upload_key};
use eventpulse_core::intake::inspection::MaxRejected;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::object_metadata::ObjectMetadata;
use eventpulse_core::upload::{Origin, RecordedEvent, Upload, UploadEvent, UploadState};

use crate::Services;
use crate::adapters::object_store::presign::{Presigned, PutOptions};
use crate::adapters::upload_store::Append;
use crate::adapters::upload_store::issue_key::{EarlierIssue, IssueAppend, IssueKey};
use crate::adapters::upload_store::open_counters::StoredState;
use crate::error::{Error, Kind};
use crate::workflows::conflict_retry::ConflictRetry;

/// For calls with one idempotency key: only a parallel call conflicts, and it ends soon.
const SAME_KEY: ConflictRetry = ConflictRetry { tries: 8, pause: Duration::from_millis(50) };
/// The least time for which a URL is signed again.
const LEAST_VALIDITY: Duration = Duration::from_secs(1);

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

/// The outcome of issuing an upload under an idempotency key.
#[derive(Debug)]
pub enum IssueOutcome {
    /// The upload is issued now.
    Issued(Issued),
    /// The upload was issued by an earlier call, and waits for its object. The URL is signed again.
    Repeated(Issued),
    /// The upload was issued by an earlier call. Its object arrived, or its URL expired.
    Advanced(Box<Upload>),
    /// The key belongs to the upload of another request.
    KeyReused(UploadId),
}

impl Request<'_> {
    /// Returns the idempotency key `key` of this request as it is stored.
    #[must_use]
    pub fn issue_key(&self, key: &str) -> IssueKey {
        let headers = (self.content_type, self.content_encoding, self.size, self.sha256_base64);
        let request = (self.file_name, headers, self.schema, self.max_rejected, self.expires_in.as_secs());
        let request_sha256 = sha256(&serde_json::to_vec(&request).unwrap_or_default());
        IssueKey { digest: sha256(key.as_bytes()), request_sha256 }
    }

    /// Returns a new upload with its only event.
    fn upload(&self, upload_id: &UploadId, now: Timestamp) -> Result<(Upload, [RecordedEvent; 1]), Error> {
        let origin = Origin {
            owner: self.owner.clone(),
            key: upload_key(upload_id, self.file_name),
            file_name: clean_file_name(self.file_name),
            schema: self.schema.map(str::to_owned),
            max_rejected: self.max_rejected,
            expires_at: Some(now + self.expires_in),
        };
        let events = [RecordedEvent::new(now, UploadEvent::Issued { origin })];
        let corrupt = |error| Error::new("issue", upload_id.as_str(), Kind::Corrupt).with_source(error);
        Ok((Upload::fold(upload_id.clone(), &events).map_err(corrupt)?, events))
    }
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
    let (upload, events) = request.upload(&upload_id, now)?;
    if services.uploads.append(&upload, &StoredState::NOTHING, &events).await? == Append::Conflict {
        return Err(Error::new("issue", upload_id.as_str(), Kind::Contended)); // 80 random bits were equal
    }
    sign(services, request, &upload, now).await
}

/// Issues an upload under an idempotency key that no earlier call used, as far as is known. Another call may be faster.
///
/// # Errors
/// Returns an [AWS failure](crate::error).
pub async fn issue_once(
    services: &Services,
    request: &Request<'_>,
    key: &IssueKey,
    now: Timestamp,
    random: [u8; 10],
) -> Result<IssueOutcome, Error> {
    let upload_id = UploadId::new(now, random);
    let (upload, events) = request.upload(&upload_id, now)?;
    let mut tries = SAME_KEY.tries();
    while tries.next().await {
        match services.uploads.append_issued(&upload, &events, key, now).await? {
            IssueAppend::Done => return Ok(IssueOutcome::Issued(sign(services, request, &upload, now).await?)),
            IssueAppend::Earlier(earlier) => return repeat(services, request, earlier, now).await,
            IssueAppend::Contended => {}
        }
    }
    Err(tries.exhausted("issue", upload_id.as_str()))
}

/// Returns the outcome of an earlier call with the same key; `None` if there was none.
///
/// # Errors
/// Returns an [AWS failure](crate::error).
pub async fn earlier_issue(
    services: &Services,
    request: &Request<'_>,
    key: &IssueKey,
    now: Timestamp,
) -> Result<Option<IssueOutcome>, Error> {
    match services.uploads.issued_under(request.owner, key, now).await? {
        Some(earlier) => repeat(services, request, earlier, now).await.map(Some),
        None => Ok(None),
    }
}

async fn repeat(
    services: &Services,
    request: &Request<'_>,
    EarlierIssue { upload_id, same_request }: EarlierIssue,
    now: Timestamp,
) -> Result<IssueOutcome, Error> {
    if !same_request {
        return Ok(IssueOutcome::KeyReused(upload_id));
    }
    let missing = || Error::new("issue", upload_id.as_str(), Kind::Missing);
    let upload = services.uploads.load(&upload_id).await?.ok_or_else(missing)?;
    let can_be_sent = upload.origin().expires_at.is_some_and(|end| now + LEAST_VALIDITY <= end);
    if can_be_sent && upload.state_at(now) == UploadState::Issued {
        return Ok(IssueOutcome::Repeated(sign(services, request, &upload, now).await?));
    }
    Ok(IssueOutcome::Advanced(Box::new(upload)))
}

/// Signs the URL of an issued upload, from now until it expires.
async fn sign(services: &Services, request: &Request<'_>, upload: &Upload, now: Timestamp) -> Result<Issued, Error> {
    let (upload_id, key) = (upload.id().clone(), upload.origin().key.clone());
    let expires_at = upload.origin().expires_at.unwrap_or(now);
    let options = PutOptions {
        content_type: request.content_type,
        content_encoding: request.content_encoding,
        size: request.size,
        sha256_base64: request.sha256_base64,
        now,
        expires_in: expires_at.duration_since(now),
    };
    let metadata = ObjectMetadata::of_upload(upload).to_map();
    let put = services.objects.presign_put((&services.config.process_bucket, &key), &options, metadata).await?;
    Ok(Issued { upload_id, key, put, expires_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issue_key_covers_every_member_of_the_request() {
        let owner: OwnerId = "u1".parse().unwrap();
        let request = Request {
            owner: &owner,
            file_name: "a.json",
            content_type: "application/json",
            content_encoding: None,
            size: 2,
            sha256_base64: None,
            schema: None,
            max_rejected: None,
            expires_in: Duration::from_secs(300),
        };
        let key = request.issue_key("k");
        assert_eq!(request.clone().issue_key("k"), key);
        assert_eq!(request.issue_key("l").request_sha256, key.request_sha256);
        assert_ne!(request.issue_key("l").digest, key.digest);
        for (name, other) in [
            ("file name", Request { file_name: "b.json", ..request.clone() }),
            ("type", Request { content_type: "application/x-ndjson", ..request.clone() }),
            ("encoding", Request { content_encoding: Some("gzip"), ..request.clone() }),
            ("size", Request { size: 3, ..request.clone() }),
            ("digest", Request { sha256_base64: Some("x"), ..request.clone() }),
            ("schema", Request { schema: Some("reading/1.0"), ..request.clone() }),
            ("limit", Request { max_rejected: Some(MaxRejected::Count(1)), ..request.clone() }),
            ("lifetime", Request { expires_in: Duration::from_secs(301), ..request.clone() }),
        ] {
            assert_ne!(other.issue_key("k").request_sha256, key.request_sha256, "{name}");
            assert_eq!(other.issue_key("k").digest, key.digest, "{name}");
        }
    }
}
