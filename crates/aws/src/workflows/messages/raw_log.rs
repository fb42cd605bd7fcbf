//! Writes the bodies of a batch to the raw log: one object, one line per message.

use eventpulse_core::device::batch::BatchCandidate;
use eventpulse_core::id::MESSAGES_PREFIX;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::ObjectVersion;
use serde::Serialize;
use serde::ser::Error as _;

use super::stages::{FailedMessage, LoggedMessage, ParsedMessage, PreparedMessage};
use crate::Services;
use crate::error::{Error, Kind};

/// A line of the raw log.
#[derive(Serialize)]
struct Line<'a> {
    upload_id: &'a str,
    owner: &'a str,
    posted_at: Timestamp,
    correlation_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<&'a str>,
    /// The body, unchanged.
    body: &'a str,
}

/// Writes bodies before any of their points counts towards statistics.
///
/// # Errors
/// Returns all messages as failed if S3 fails.
pub(super) async fn write_raw_log(
    services: &Services,
    messages: Vec<PreparedMessage>,
    log_name: &str,
    now: Timestamp,
) -> Result<Vec<BatchCandidate<LoggedMessage>>, Vec<FailedMessage>> {
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    let day: String = now.to_string().chars().take(10).collect();
    let key = format!("{MESSAGES_PREFIX}log/{day}/{log_name}.ndjson");
    match put_log(services, &messages, &key).await {
        Ok(log) => {
            let lines = (1..).map(|line| ObjectVersion { line: Some(line), ..log.clone() });
            let logged = messages.into_iter().zip(lines).map(|(prepared, line)| {
                let size = prepared.message.body.len() as u64;
                prepared.logged_as(ObjectVersion { size, ..line })
            });
            Ok(logged.collect())
        }
        Err(error) => {
            tracing::error!(error = error.chain(), messages = messages.len(), "writing the raw log failed");
            Err(messages.into_iter().map(|prepared| prepared.message.fail()).collect())
        }
    }
}

async fn put_log(services: &Services, messages: &[PreparedMessage], key: &str) -> Result<ObjectVersion, Error> {
    let bucket = &services.config.process_bucket;
    let mut lines = Vec::new();
    for prepared in messages {
        append_line(&mut lines, &prepared.message).map_err(|error| {
            Error::new("PutObject", format!("s3://{bucket}/{key}"), Kind::Corrupt).with_source(error)
        })?;
    }
    let size = lines.len() as u64;
    let version_id = services.objects.put((bucket, key), "application/x-ndjson", None, lines).await?;
    Ok(ObjectVersion { bucket: bucket.clone(), key: key.to_owned(), version_id, size, line: None })
}

fn append_line(lines: &mut Vec<u8>, message: &ParsedMessage) -> Result<(), serde_json::Error> {
    let line = Line {
        upload_id: message.upload_id.as_str(),
        owner: &message.owner,
        posted_at: message.posted_at,
        correlation_id: &message.correlation_id,
        key_id: message.key_id.as_deref(),
        idempotency_key: message.idempotency_key.as_deref(),
        body: std::str::from_utf8(&message.body).map_err(serde_json::Error::custom)?,
    };
    serde_json::to_writer(&mut *lines, &line)?;
    lines.push(b'\n');
    Ok(())
}
