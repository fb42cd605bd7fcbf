//! The stages of a message; each is a type that carries its data.

use eventpulse_core::device::batch::BatchCandidate;
use eventpulse_core::device::precedence::Rank;
use eventpulse_core::encoding::sha256;
use eventpulse_core::id::{MESSAGE_FILE_NAME, OwnerId, UploadId, message_key};
use eventpulse_core::intake::shape::Shape;
use eventpulse_core::statistics::chunk::Chunk;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::object_metadata::{ObjectMetadata, PostedMessage};
use eventpulse_core::upload::{Decision, MessageMetadata, ObjectVersion, Origin, RecordedEvent, UploadEvent};
use tracing::Span;

use crate::adapters::upload_store::batch::{IdempotencyKey, item_keys};

/// The media type of every body; API Gateway refuses others.
pub(super) const MEDIA_TYPE: &str = "application/json";
/// The maximum number of characters of a header `Idempotency-Key` that a history keeps.
const MAX_KEY_CHARS: usize = 255;
/// The approximate size of an upload's item beside its events, in bytes.
const ITEM_BYTES: usize = 2_048;

/// A message as the queue delivered it.
#[derive(Debug, Clone)]
pub struct ParsedMessage {
    /// The queue's id of this delivery.
    pub message_id: String,
    /// The upload of the message.
    pub upload_id: UploadId,
    /// The owner, set by the authorizer.
    pub owner: OwnerId,
    /// The id in every log line, the report and the notice.
    pub correlation_id: String,
    /// The id of the API key that sent the message.
    pub key_id: Option<String>,
    /// The header `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// The time of the acknowledgement.
    pub posted_at: Timestamp,
    /// The body.
    pub body: Vec<u8>,
}

#[cfg(test)]
impl ParsedMessage {
    /// Returns a message with this body, for tests.
    pub(super) fn example(body: &[u8]) -> Self {
        Self {
            message_id: "m".to_owned(),
            upload_id: UploadId::of_message("correlation").unwrap(),
            owner: "u1".parse().unwrap(),
            correlation_id: "correlation".to_owned(),
            key_id: None,
            idempotency_key: None,
            posted_at: Timestamp::from_micros(0),
            body: body.to_vec(),
        }
    }
}

impl ParsedMessage {
    /// Returns the first event of the upload's history. Every delivery of the message has the same.
    pub(super) fn posted_event(&self) -> RecordedEvent {
        let origin = Origin {
            owner: self.owner.clone(),
            key: message_key(&self.owner, &self.upload_id),
            file_name: MESSAGE_FILE_NAME.to_owned(),
            schema: None,
            max_rejected: None,
            expires_at: None,
        };
        let idempotency_key = self.idempotency_key.as_ref().map(|key| key.chars().take(MAX_KEY_CHARS).collect());
        let message = MessageMetadata { key_id: self.key_id.clone(), idempotency_key };
        RecordedEvent::new(self.posted_at, UploadEvent::MessagePosted { origin, message })
    }

    /// Returns the metadata of the object that holds the body.
    pub(super) fn metadata(&self) -> ObjectMetadata {
        let message = PostedMessage {
            posted_at: self.posted_at,
            key_id: self.key_id.clone(),
            idempotency_key_sha256: self.idempotency_key.as_ref().map(|key| sha256(key.as_bytes())),
        };
        let upload_id = Some(self.upload_id.clone());
        ObjectMetadata { upload_id, message: Some(message), ..ObjectMetadata::of_owner(&self.owner) }
    }

    /// Returns the header `Idempotency-Key` as it is stored. `body_sha256` is the digest of the body.
    pub(super) fn stored_idempotency_key(&self, body_sha256: &str) -> Option<IdempotencyKey> {
        let key = self.idempotency_key.as_ref()?;
        Some(IdempotencyKey { digest: sha256(key.as_bytes()), body_sha256: body_sha256.to_owned() })
    }

    /// Returns the place of the message among the others.
    #[must_use]
    pub fn rank(&self) -> Rank {
        Rank { acknowledged_at: self.posted_at, upload_id: self.upload_id.clone() }
    }

    /// Returns the owner and the header `Idempotency-Key`.
    pub(super) fn owned_key(&self) -> Option<(OwnerId, String)> {
        Some((self.owner.clone(), self.idempotency_key.clone()?))
    }

    /// Returns the span around the processing of a single message.
    pub(super) fn span(&self) -> Span {
        let (correlation_id, upload_id) = (&self.correlation_id, self.upload_id.as_str());
        tracing::info_span!("message", correlation_id, upload_id, size_bytes = self.body.len())
    }

    pub(super) fn fail(self) -> FailedMessage {
        FailedMessage { message_id: self.message_id }
    }
}

/// The result of inspecting a message whose records are all accepted.
pub(super) struct Acceptance {
    pub(super) decision: Decision,
    /// The digest of the body.
    pub(super) sha256: String,
    /// The shapes of the records, for the owner's profile.
    pub(super) shapes: Vec<Shape>,
}

/// A message that is accepted as it is, unless a repetition of it is stored already.
pub(super) struct PreparedMessage {
    pub(super) message: ParsedMessage,
    pub(super) acceptance: Acceptance,
    pub(super) chunks: Vec<Chunk>,
}

/// A prepared message whose body is in the raw log.
pub(super) struct LoggedMessage {
    pub(super) message: ParsedMessage,
    pub(super) acceptance: Acceptance,
    /// The line of the raw log that holds the body.
    pub(super) object: ObjectVersion,
}

impl PreparedMessage {
    /// Advances the message, with the sizes of its writes.
    pub(super) fn logged_as(self, object: ObjectVersion) -> BatchCandidate<LoggedMessage> {
        let Self { message, acceptance, chunks } = self;
        let key = message.stored_idempotency_key(&acceptance.sha256);
        let events = serde_json::to_vec(&(message.posted_event(), &acceptance.decision));
        BatchCandidate {
            upload_id: message.upload_id.clone(),
            acknowledged_at: message.posted_at,
            items: item_keys(&message.upload_id, &message.owner, &acceptance.sha256, key.as_ref()),
            bytes: events.map_or(0, |json| json.len()) + 2 * message.correlation_id.len() + ITEM_BYTES,
            chunks,
            message: LoggedMessage { message, acceptance, object },
        }
    }
}

/// A message that the queue must deliver again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedMessage {
    /// The queue's id of the delivery.
    pub message_id: String,
}
