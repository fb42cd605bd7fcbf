//! The contract of each adapter, against the emulator.

pub mod chunk_store;
pub mod key_store;
pub mod notice_store;
pub mod notice_topic;
pub mod object_store;
pub mod subscription_store;
pub mod upload_store;

use std::sync::OnceLock;
use std::time::Duration;

use eventpulse_cli::BoxError;
use eventpulse_core::id::{OwnerId, UploadId};
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{ObjectVersion, Origin, RecordedEvent, Upload, UploadEvent};

/// Returns the time `seconds` after the first call. Times near the present keep items within their time to live.
pub fn at(seconds: i64) -> Timestamp {
    static START: OnceLock<Timestamp> = OnceLock::new();
    let start = *START.get_or_init(eventpulse_aws::clock);
    let distance = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { start - distance } else { start + distance }
}

/// Returns an id that no other test uses.
pub fn unique_id() -> UploadId {
    let mut random = [0; 10];
    getrandom::fill(&mut random).expect("random bytes");
    UploadId::new(at(0), random)
}

/// Returns an owner that no other test uses.
pub fn unique_owner() -> OwnerId {
    format!("owner-{}", unique_id()).parse().expect("an owner id")
}

/// A received upload with its history.
pub struct Received {
    pub upload: Upload,
    pub events: Vec<RecordedEvent>,
}

/// Builds a received upload without storing it.
pub fn received(owner: &OwnerId, seconds: i64) -> Result<Received, BoxError> {
    let id = unique_id();
    let origin = Origin {
        owner: owner.clone(),
        key: format!("uploads/{id}/a b+c%2Bé.json"),
        file_name: "a b+c%2Bé.json".to_owned(),
        schema: None,
        max_rejected: None,
        expires_at: None,
    };
    let object = ObjectVersion {
        bucket: "process".to_owned(),
        key: origin.key.clone(),
        version_id: "1".to_owned(),
        size: 2,
        line: None,
    };
    let received = UploadEvent::Received { object, correlation_id: "contract".to_owned(), retry_form: None };
    let events = vec![
        RecordedEvent::new(at(seconds), UploadEvent::ObjectFound { origin }),
        RecordedEvent::new(at(seconds), received),
    ];
    Ok(Received { upload: Upload::fold(id, &events)?, events })
}
