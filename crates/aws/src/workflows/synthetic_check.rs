//! The synthetic check: an upload that is known to be invalid, and a valid message, under a reserved owner.
//!
//! The upload takes the path of every upload, up to the published notice, which no e-mail address receives. An alarm watches
//! the log line of [`notify`](crate::workflows::notify) that reports its completion. A schedule puts the message on the
//! message queue; the check asks for its statistics, and another alarm watches the log line of the answer.

use std::time::Duration;

use eventpulse_core::id::{OwnerId, UploadId};
use eventpulse_core::statistics::series::Series;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::object_metadata::ObjectMetadata;
use serde_json::json;

use crate::Services;
use crate::adapters::object_store::Properties;
use crate::error::Error;
use crate::workflows::issue::{Request, issue};
use crate::workflows::messages::ParsedMessage;

/// A record with a schema that no deployment has.
const INVALID_RECORD: &str = r#"{"schema": "eventpulse_synthetic_check/0.0"}"#;
const FILE_NAME: &str = "synthetic-check.json";
const MEDIA_TYPE: &str = "application/json";
/// The presigned URL is not used.
const EXPIRES_IN: Duration = Duration::from_secs(60);
/// The device and the measure of the messages.
const DEVICE: &str = "synthetic-check";
const MEASURE: &str = "value";
/// The age at which a message must be part of the statistics: three periods of its schedule.
const QUERIED: Duration = Duration::from_secs(15 * 60);

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
    let upload_id = Some(issued.upload_id.clone());
    let metadata = ObjectMetadata { upload_id, ..ObjectMetadata::of_owner(request.owner) }.to_map();
    services.objects.put_new(target, Properties::plain(MEDIA_TYPE, &metadata), INVALID_RECORD.into()).await?;
    Ok(issued.upload_id)
}

/// Builds the message of an event of the schedule, a reading at the time of the event. Returns `None` if the id of the event
/// cannot identify a message.
#[must_use]
pub fn message(message_id: &str, event_id: &str, time: Timestamp) -> Option<ParsedMessage> {
    let reading = json!({ "schema": "reading/1.0", "device_id": DEVICE, "timestamp": time.to_string(), "value": 1 });
    Some(ParsedMessage {
        message_id: message_id.to_owned(),
        upload_id: UploadId::of_message(event_id).ok()?,
        owner: OwnerId::synthetic_check(),
        correlation_id: event_id.to_owned(),
        key_id: None,
        idempotency_key: None,
        posted_at: time,
        body: reading.to_string().into_bytes(),
    })
}

/// Returns whether the statistics hold a message of the last 15 minutes.
///
/// # Errors
/// See [`crate::error`].
pub async fn has_recent_message(services: &Services, now: Timestamp) -> Result<bool, Error> {
    let owner = OwnerId::synthetic_check();
    let series = Series { owner, entity: DEVICE.to_owned(), measure: MEASURE.to_owned() };
    Ok(services.chunks.answer(&series, Some(now - QUERIED), Some(now)).await?.is_some())
}
