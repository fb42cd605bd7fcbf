//! The deployment's test of itself: an upload that is known to be wrong, by an owner that nobody is.
//!
//! It goes the way that every upload goes, to the notice; that one is published and mailed to nobody. An alarm listens to
//! the log line of [`notify`](crate::workflows::notify) that says so.

use std::time::Duration;

use eventpulse_core::id::{OwnerId, UploadId};
use eventpulse_core::time::Timestamp;

use crate::Services;
use crate::error::Error;
use crate::workflows::issue::{Request, issue};

/// No schema is called so, whatever a deployment adds.
const KNOWN_BAD: &str = r#"{"schema": "eventpulse_self_test/0.0"}"#;
const FILE_NAME: &str = "self-test.json";
const MEDIA_TYPE: &str = "application/json";
/// Nobody is handed the URL.
const EXPIRES_IN: Duration = Duration::from_secs(60);

/// Uploads what is known to be wrong. Returns its id.
///
/// # Errors
/// Returns an [AWS failure](crate::error).
pub async fn begin(services: &Services, now: Timestamp, random: [u8; 10]) -> Result<UploadId, Error> {
    let request = Request {
        owner: &OwnerId::synthetic_check(),
        file_name: FILE_NAME,
        content_type: MEDIA_TYPE,
        content_encoding: None,
        size: KNOWN_BAD.len() as u64,
        sha256_base64: None,
        schema: None,
        max_rejected: None,
        expires_in: EXPIRES_IN,
    };
    let issued = issue(services, &request, now, random).await?;
    let to = (services.config.process_bucket.as_str(), issued.key.as_str());
    services.objects.put_new(to, MEDIA_TYPE, KNOWN_BAD.into()).await?;
    Ok(issued.upload_id)
}
