//! Deliveries of object versions: repeated, in parallel, late, after a crash, and failed for good.

pub mod cost_and_logs;
pub mod crash_recovery;
pub mod repeated;
pub mod waiting;

use aws_sdk_dynamodb::types::AttributeValue;
use eventpulse_aws::workflows::delivery::Delivery;
use eventpulse_cli::BoxError;
use eventpulse_core::id::UploadId;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{ObjectVersion, RecordedEvent, UploadState};

use crate::world::{World, reading};

/// Puts an object into the process bucket. Only a key under `uploads/` triggers ingest-object.
pub async fn put(world: &World, key: &str, body: &str) -> Result<ObjectVersion, BoxError> {
    let bucket = world.process_bucket().to_owned();
    let put = world.client.s3.put_object().bucket(&bucket).key(key).content_type("application/x-ndjson");
    let version_id = put.body(body.as_bytes().to_vec().into()).send().await?.version_id.ok_or("no version")?;
    Ok(ObjectVersion { bucket, key: key.to_owned(), version_id, size: body.len() as u64, line: None })
}

pub fn id_of(object: &ObjectVersion) -> UploadId {
    UploadId::of_object(&object.bucket, &object.key, &object.version_id)
}

/// Returns a good, a mixed and a bad body of a device: name, body, expected state and expected count.
pub fn bodies(device: &str) -> [(&'static str, String, UploadState, u64); 3] {
    let good = format!("{}\n{}\n", reading(device, 1, 1.0), reading(device, 2, 2.0));
    [
        ("accepted", good.clone(), UploadState::Accepted, 2),
        ("mixed", format!("{good}{{\"device_id\":\"{device}\"}}\n"), UploadState::PartiallyAccepted, 2),
        ("bad", format!("{{\"device_id\":\"{device}\"}}\n"), UploadState::Quarantined, 0),
    ]
}

/// Cuts a stored history back to its first `keep` events, as if the function had crashed after them an hour ago.
pub async fn rewind(world: &World, id: &UploadId, history: &[RecordedEvent], keep: usize) -> Result<(), BoxError> {
    let an_hour_ago = |event: &RecordedEvent| Timestamp::from_micros(event.at.as_micros() - 3_600_000_000);
    let events: Vec<RecordedEvent> =
        history[..keep].iter().map(|event| RecordedEvent { at: an_hour_ago(event), ..event.clone() }).collect();
    store_history(world, id, &events).await
}

/// Replaces a stored history.
pub async fn store_history(world: &World, id: &UploadId, events: &[RecordedEvent]) -> Result<(), BoxError> {
    let texts = events.iter().map(|event| Ok(AttributeValue::S(serde_json::to_string(event)?)));
    let texts = texts.collect::<Result<Vec<_>, BoxError>>()?;
    let put = world.dynamodb.put_item().table_name(&world.client.services.config.uploads_table);
    let put = put.item("pk", AttributeValue::S(format!("upload#{id}"))).item("history", AttributeValue::L(texts));
    put.item("revision", AttributeValue::N(events.len().to_string())).send().await?;
    Ok(())
}

/// Returns the delivery of an object version.
pub fn delivery(object: &ObjectVersion, correlation_id: &str) -> Delivery {
    Delivery {
        bucket: object.bucket.clone(),
        key: object.key.clone(),
        version_id: Some(object.version_id.clone()),
        size: object.size,
        correlation_id: correlation_id.to_owned(),
    }
}
