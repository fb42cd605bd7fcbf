//! The synthetic check: an upload that is known to be invalid, under a reserved owner.
//!
//! It takes the path of every upload, up to the published notice, which no e-mail address receives. An alarm watches the log
//! line of [`notify`](crate::workflows::notify) that reports its completion.

use std::time::Duration;

use eventpulse_core::id::{OwnerId, UploadId};
use eventpulse_core::time::Timestamp;

use crate::Services;
use crate::error::Error;
use crate::workflows::issue::{Request, issue};

/// A record with a schema that no deployment has.
const INVALID_RECORD: &str = r#"{"schema": "eventpulse_synthetic_check/0.0"}"#;
const FILE_NAME: &str = "synthetic-check.json";
const MEDIA_TYPE: &str = "application/json";
/// The presigned URL is not used.
const EXPIRES_IN: Duration = Duration::from_secs(60);

/// Uploads the invalid record. Returns the id of the upload.
///
/// # Errors
/// See [`crate::error`].
pub async fn start(services: &Services, now: Timestamp, random: [u8; 10]) -> Result<UploadId, Error> {
    let request = Request {
        owner: &OwnerId::synthetic_check(),
        file_name: FILE_NAME,
        content_type: MEDIA_TYPE,
        content_encoding: None,
        size: INVALID_RECORD.len() as u64,
        sha256_base64: None,
        schema: None,
        max_rejected: None,
        expires_in: EXPIRES_IN,
    };
    let issued = issue(services, &request, now, random).await?;
    let target = (services.config.process_bucket.as_str(), issued.key.as_str());
    services.objects.put_new(target, MEDIA_TYPE, INVALID_RECORD.into()).await?;
    Ok(issued.upload_id)
}
