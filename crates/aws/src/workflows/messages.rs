//! The way of a batch of messages: what came by `POST /data`.
//!
//! A message is an upload like any other, and most of them count as they are. Those are stored `together`: their bodies in one
//! object of the raw log, their histories, claims and chunks in as few transactions as can be. Every other message, one that
//! is wrong, or a repetition, or large, goes its own way (`alone`): its body becomes an object, and that is taken to its end
//! by the same steps as an uploaded one.

mod batch;
mod single;

use eventpulse_core::encoding::sha256;
use eventpulse_core::id::{MESSAGE_FILE_NAME, OwnerId, UploadId, message_key};
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{self, Origin, RecordedEvent, UploadEvent};
use futures_util::{StreamExt as _, stream};
use tracing::Instrument as _;

use crate::Services;
use crate::adapters::upload_store::batch::IdempotencyKey;
use crate::logs;
use batch::{Together, together};
use single::alone;

/// The media type of a body, which API Gateway sees to.
const MEDIA_TYPE: &str = "application/json";
/// How many messages go their own way at the same time.
const ALONE_AT_A_TIME: usize = 8;
/// The most characters of a header `Idempotency-Key` that a history keeps.
const MAX_KEY_CHARS: usize = 255;

/// A message from the queue.
#[derive(Debug, Clone)]
pub struct Message {
    /// The upload that it is.
    pub upload_id: UploadId,
    /// The tenant, as the authorizer told it.
    pub owner: OwnerId,
    /// Goes through every log line, the report and the notice.
    pub correlation_id: String,
    /// The API key that it came with, by its id.
    pub key_id: Option<String>,
    /// Its header `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// When it was acknowledged.
    pub posted_at: Timestamp,
    /// Its body.
    pub body: Vec<u8>,
}

/// Takes messages to their outcomes. `log_name` names their object in the raw log, and is used once only. Returns the places
/// of those that AWS did not let come to their end: they are to be delivered again.
pub async fn process_messages(
    services: &Services,
    messages: &[Message],
    log_name: &str,
    clock: impl Fn() -> Timestamp + Copy,
) -> Vec<usize> {
    let Together { stored, mut failed } = together(services, messages, log_name, clock).await;
    let is_open = |place: &usize| !stored.contains(place) && !failed.contains(place);
    let others = messages.iter().enumerate().filter(|(place, _)| is_open(place));
    let ways = others.map(|(place, message)| async move {
        let way = alone(services, message, clock).instrument(logs::message_span(message));
        way.await.err().map(|_| place)
    });
    let alone: Vec<Option<usize>> = stream::iter(ways).buffer_unordered(ALONE_AT_A_TIME).collect().await;
    failed.extend(alone.into_iter().flatten());
    failed
}

impl Message {
    /// What its history begins with: the same for each delivery.
    fn posted(&self) -> RecordedEvent {
        let origin = Origin {
            owner: self.owner.clone(),
            key: message_key(&self.upload_id),
            file_name: MESSAGE_FILE_NAME.to_owned(),
            schema: None,
            max_rejected: None,
            expires_at: None,
        };
        let idempotency_key = self.idempotency_key.as_ref().map(|key| key.chars().take(MAX_KEY_CHARS).collect());
        let message = upload::MessageMetadata { key_id: self.key_id.clone(), idempotency_key };
        RecordedEvent::new(self.posted_at, UploadEvent::MessagePosted { origin, message })
    }

    /// Its header `Idempotency-Key`, as it is stored; `body` is the digest of its body.
    fn key(&self, body: &str) -> Option<IdempotencyKey> {
        let key = self.idempotency_key.as_ref()?;
        Some(IdempotencyKey { digest: sha256(key.as_bytes()), sha256: body.to_owned() })
    }
}
