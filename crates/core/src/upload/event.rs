//! The events of an upload's history: versioned, in the past tense, and never changed once written. A new meaning is a
//! new event or a new version.

use serde::{Deserialize, Serialize};

use super::decision::Decision;
use crate::id::{OwnerId, UploadId};
use crate::intake::fingerprint::ProblemId;
use crate::intake::inspection::{InputForm, MaxRejected};
use crate::time::Timestamp;

/// The version of the events that this code writes.
const VERSION: u32 = 1;

/// An event with its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedEvent {
    /// The version of the event's form.
    pub v: u32,
    /// The time of the event.
    pub at: Timestamp,
    /// The event.
    #[serde(flatten)]
    pub event: UploadEvent,
}

impl RecordedEvent {
    /// Creates an event of the present version.
    #[must_use]
    pub fn new(at: Timestamp, event: UploadEvent) -> Self {
        Self { v: VERSION, at, event }
    }
}

/// An event in the life of an upload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum UploadEvent {
    /// A presigned URL was issued.
    Issued {
        /// The request, as granted.
        origin: Origin,
    },
    /// An object was found in the process bucket for which no URL was issued.
    ObjectFound {
        /// The origin, as far as the key tells.
        origin: Origin,
    },
    /// A message was posted to `POST /data`.
    MessagePosted {
        /// The owner, and the key of the body if it becomes an object.
        origin: Origin,
        /// The metadata of the message.
        message: MessageMetadata,
    },
    /// The object version arrived that this attempt processes.
    Received {
        /// The object version.
        object: ObjectVersion,
        /// The id of its delivery.
        correlation_id: String,
        /// The form of the retry that it is; absent for the first object. A retry begins a new attempt.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_form: Option<RetryForm>,
    },
    /// The object is acceptable, and has more chunks than one transaction takes: the claim is made, and the chunks are
    /// being written.
    AcceptanceBegan {
        /// The name of the claim: see [`Upload::claim_name`](super::Upload::claim_name).
        claim: String,
    },
    /// Another upload holds the claim on the same bytes and is not decided: this one waits for its outcome.
    WaitingBegan {
        /// The name of the claim.
        claim: String,
        /// The upload that holds it.
        holder: UploadId,
    },
    /// The attempt was decided, usually after an inspection. Accepted points are stored.
    Decided {
        /// The decision.
        decision: Decision,
        /// The name of the claim on accepted bytes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        claim: Option<String>,
    },
    /// The chunks and the claim of an unfinished acceptance were removed.
    RolledBack,
    /// The chunks and claims of the whole upload were removed, as its owner requested.
    Withdrawn,
    /// The rejected data was moved into quarantine, with its report.
    Quarantined {
        /// Its location.
        location: QuarantineLocation,
    },
    /// The rejection, or the acceptance of a retry, was recorded for the owner's notices, in the same transaction as this
    /// event.
    OccurrenceRecorded {
        /// The problems that it belongs to.
        problems: Vec<ProblemId>,
    },
    /// A delivery failed for good: the function died, timed out or failed too often, or was never reached.
    DeliveryFailed {
        /// The reason, for the operator.
        reason: String,
        /// The id of the delivery.
        correlation_id: String,
    },
    /// The owner requested a retry of the rejected data. The retry begins when an object arrives under `key`.
    RetryRequested {
        /// The owner.
        by: OwnerId,
        /// The key in the process bucket.
        key: String,
        /// The form of the object.
        form: RetryForm,
        /// The time at which the request lapses if no object has arrived.
        expires_at: Timestamp,
    },
    /// The owner discarded the rejected data.
    Discarded {
        /// The owner.
        by: OwnerId,
    },
    /// The owner requested to withdraw the accepted records. [`UploadEvent::Withdrawn`] follows when they are removed.
    WithdrawalRequested {
        /// The owner.
        by: OwnerId,
    },
}

/// The origin of an upload: its owner, and the request of its client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// The owner.
    pub owner: OwnerId,
    /// The key in the process bucket.
    pub key: String,
    /// The file name given by the client, cleaned, but untrusted text.
    pub file_name: String,
    /// The schema requested for records that name none: `<name>/<major>.<minor>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// The limit on rejected records beyond which the whole upload is rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rejected: Option<MaxRejected>,
    /// The time at which the presigned URL expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// The metadata of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageMetadata {
    /// The id of the API key that sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// Its `Idempotency-Key` header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

/// An object version. It identifies a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectVersion {
    /// The bucket.
    pub bucket: String,
    /// The key, decoded.
    pub key: String,
    /// The version id.
    pub version_id: String,
    /// The stored size in bytes; for a message in the raw log, the size of its body.
    pub size: u64,
    /// For a message in the raw log: its line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
}

impl ObjectVersion {
    /// Returns whether both name the same version. Sizes are not compared: the size of a delivery may be unknown.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        (&self.bucket, &self.key, &self.version_id) == (&other.bucket, &other.key, &other.version_id)
    }
}

/// The location of rejected data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineLocation {
    /// The quarantine bucket.
    pub bucket: String,
    /// The key of the rejected object, or of the rejected records; `None` if there were no bytes to keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Whether the object holds rejected records, as NDJSON lines of
    /// [`RejectedRecord`](crate::intake::rejection::RejectedRecord).
    pub records: bool,
    /// The key of the report.
    pub report_key: String,
}

/// The form of a retry's object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryForm {
    /// The quarantined object, unchanged.
    Unchanged,
    /// The quarantined records of a partially accepted upload, unchanged: NDJSON of
    /// [`RejectedRecord`](crate::intake::rejection::RejectedRecord) lines.
    UnchangedRecords,
    /// Data corrected by the owner.
    Corrected,
}

impl RetryForm {
    /// Returns the name in answers and in the metadata of objects.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::UnchangedRecords => "unchanged_records",
            Self::Corrected => "corrected",
        }
    }

    /// Returns the form with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Unchanged, Self::UnchangedRecords, Self::Corrected].into_iter().find(|form| form.as_str() == name)
    }

    /// Returns the form of the object that the retry inspects.
    #[must_use]
    pub fn input_form(self) -> InputForm {
        match self {
            Self::Unchanged | Self::Corrected => InputForm::Records,
            Self::UnchangedRecords => InputForm::RejectedRecordLines,
        }
    }
}
