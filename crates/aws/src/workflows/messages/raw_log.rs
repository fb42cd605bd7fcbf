//! Writes the bodies of a batch to the raw log: one object per owner, one line per message.

use std::collections::BTreeMap;

use eventpulse_core::device::batch::BatchCandidate;
use eventpulse_core::id::{OwnerId, raw_log_key};
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::ObjectVersion;
use eventpulse_core::upload::object_metadata::ObjectMetadata;
use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use serde::ser::Error as _;

use super::stages::{FailedMessage, LoggedMessage, ParsedMessage, PreparedMessage};
use crate::Services;
use crate::adapters::object_store::Properties;
use crate::error::{Error, Kind};

/// The number of objects that are written at a time.
const CONCURRENCY: usize = 8;

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

/// The messages of a batch after their bodies were written.
#[derive(Default)]
pub(super) struct RawLog {
    /// The messages whose bodies are in the raw log.
    pub(super) logged: Vec<BatchCandidate<LoggedMessage>>,
    /// The messages whose object S3 failed to write.
    pub(super) failed: Vec<FailedMessage>,
}

/// Writes bodies before any of their points counts towards statistics. The failure of one owner's object does not affect
/// the messages of others.
pub(super) async fn write_raw_log(
    services: &Services,
    messages: Vec<PreparedMessage>,
    log_name: &str,
    now: Timestamp,
) -> RawLog {
    let writing = by_owner(messages).into_iter().map(|(owner, messages)| async move {
        let put = put_log(services, &owner, &messages, &raw_log_key(&owner, now, log_name)).await;
        (put, messages)
    });
    let written: Vec<_> = stream::iter(writing).buffer_unordered(CONCURRENCY).collect().await;
    let mut raw_log = RawLog::default();
    for (put, messages) in written {
        match put {
            Ok(log) => raw_log.logged.extend(logged(&log, messages)),
            Err(error) => {
                tracing::error!(error = error.chain(), messages = messages.len(), "writing the raw log failed");
                raw_log.failed.extend(messages.into_iter().map(|prepared| prepared.message.fail()));
            }
        }
    }
    raw_log
}

/// Groups messages by their owner, each group in the order of the messages.
fn by_owner(messages: Vec<PreparedMessage>) -> BTreeMap<OwnerId, Vec<PreparedMessage>> {
    let mut of_owners: BTreeMap<OwnerId, Vec<PreparedMessage>> = BTreeMap::new();
    for prepared in messages {
        of_owners.entry(prepared.message.owner.clone()).or_default().push(prepared);
    }
    of_owners
}

/// Advances the messages of an object, in the order of its lines.
fn logged(log: &ObjectVersion, messages: Vec<PreparedMessage>) -> impl Iterator<Item = BatchCandidate<LoggedMessage>> {
    messages.into_iter().zip(1..).map(|(prepared, line)| {
        let size = prepared.message.body.len() as u64;
        prepared.logged_as(ObjectVersion { line: Some(line), size, ..log.clone() })
    })
}

async fn put_log(
    services: &Services,
    owner: &OwnerId,
    messages: &[PreparedMessage],
    key: &str,
) -> Result<ObjectVersion, Error> {
    let bucket = &services.config.process_bucket;
    let lines = lines(messages)
        .map_err(|error| Error::new("PutObject", format!("s3://{bucket}/{key}"), Kind::Corrupt).with_source(error))?;
    let (size, metadata) = (lines.len() as u64, ObjectMetadata::of_owner(owner).to_map());
    let properties = Properties::plain("application/x-ndjson", &metadata);
    let version_id = services.objects.put((bucket, key), properties, lines).await?;
    Ok(ObjectVersion { bucket: bucket.clone(), key: key.to_owned(), version_id, size, line: None })
}

fn lines(messages: &[PreparedMessage]) -> Result<Vec<u8>, serde_json::Error> {
    let mut lines = Vec::new();
    for prepared in messages {
        append_line(&mut lines, &prepared.message)?;
    }
    Ok(lines)
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
