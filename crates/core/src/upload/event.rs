//! The events of an upload's history. Past tense, versioned, and never changed once written: a new meaning is a new
//! event or a new version.

use serde::{Deserialize, Serialize};

use super::{Decision, Upload};
use crate::id::{OwnerId, UPLOADS_PREFIX, UploadId, clean_file_name};
use crate::intake::fingerprint::ProblemId;
use crate::intake::inspection::{InputForm, MaxRejected};
use crate::time::Timestamp;

/// The version of the events that this code writes.
const VERSION: u32 = 1;

/// One thing that happened to an upload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedEvent {
    /// The version of the event's form.
    pub v: u32,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub fact: UploadEvent,
}

impl RecordedEvent {
    /// An event of the present form.
    #[must_use]
    pub fn new(at: Timestamp, fact: UploadEvent) -> Self {
        Self { v: VERSION, at, fact }
    }
}

/// What can happen to an upload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum UploadEvent {
    /// A presigned URL was handed out.
    Issued {
        /// What was asked for and granted.
        origin: Origin,
    },
    /// An object lay in the bucket that nobody was issued a URL for.
    ObjectFound {
        /// What its key tells.
        origin: Origin,
    },
    /// A message came by `POST /data`.
    MessagePosted {
        /// Whose it is, and where its body goes if it becomes an object.
        origin: Origin,
        /// What came with it.
        message: MessageMetadata,
    },
    /// An object version arrived and is the one that is processed under this id.
    Received {
        /// Which one.
        object: ObjectVersion,
        /// The id of the delivery that brought it.
        correlation_id: String,
    },
    /// The verdict is to accept, and there are more chunks than one transaction takes: the digest is claimed, the chunks
    /// are being written.
    AcceptanceBegan {
        /// The digest.
        sha256: String,
    },
    /// The object was examined and its fate decided; what counts is stored.
    Decided {
        /// What was decided.
        decision: Decision,
    },
    /// The chunks and the claim of an unfinished acceptance were removed.
    RolledBack,
    /// The chunks and claims of the whole upload were removed, as its owner requested.
    Withdrawn,
    /// What was rejected lies in quarantine, with its report.
    Quarantined {
        /// Where.
        quarantined: QuarantineLocation,
    },
    /// What was rejected was noted for the owner's notices, in the same transaction as this.
    OccurrenceRecorded {
        /// The problems it belongs to.
        problems: Vec<ProblemId>,
    },
    /// A delivery was given up: the function died, timed out or erred too often, or was never reached.
    DeliveryFailed {
        /// For the operator.
        reason: String,
        /// The id of the delivery.
        correlation_id: String,
    },
    /// The owner asked for another try of what was rejected. It happens once an object arrives under `key`.
    RetryRequested {
        /// Who.
        by: OwnerId,
        /// The key in the process bucket.
        key: String,
        /// What it brings.
        form: RetryForm,
        /// When the request lapses unless the object has arrived.
        expires_at: Timestamp,
    },
    /// The owner discarded what was rejected.
    Discarded {
        /// Who.
        by: OwnerId,
    },
    /// The owner wants what counts taken back. [`UploadEvent::Withdrawn`] says that it is.
    WithdrawalRequested {
        /// Who.
        by: OwnerId,
    },
    /// A further version came under an id that has its object already. It was removed, unread.
    LateVersionRemoved {
        /// Which one.
        version_id: String,
    },
}

/// How an upload came to be, and what its client asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// The tenant.
    pub owner: OwnerId,
    /// The key in the process bucket.
    pub key: String,
    /// What the client calls the file, cleaned; hostile text all the same.
    pub file_name: String,
    /// The schema that applies to records that name none, as the client asked: `<name>/<major>.<minor>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// How many records may be rejected before the whole upload is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rejected: Option<MaxRejected>,
    /// Until when the presigned URL works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// What came with a message, beside its body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageMetadata {
    /// The API key that it came with, by its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// Its header `Idempotency-Key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

/// An object version: the identity of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectVersion {
    /// The bucket.
    pub bucket: String,
    /// The key, decoded.
    pub key: String,
    /// The version id.
    pub version_id: String,
    /// The size in bytes, as it lies in the bucket; of a message in a log, that of its body.
    pub size: u64,
    /// Of a log of messages: the line that holds this one, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
}

impl ObjectVersion {
    /// Whether both name the same version: the size may not be known.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        (&self.bucket, &self.key, &self.version_id) == (&other.bucket, &other.key, &other.version_id)
    }
}

/// Where what was rejected lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineLocation {
    /// The quarantine bucket.
    pub bucket: String,
    /// The rejected object, or the rejected records as NDJSON; none when there were no bytes to keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Whether that is records, as NDJSON lines of [`RejectedRecord`](crate::intake::rejection::RejectedRecord).
    pub records: bool,
    /// The report.
    pub report_key: String,
}

/// What a retry brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryForm {
    /// The quarantined object, as it is.
    Unchanged,
    /// The quarantined records of an upload that counts in part, as they are: NDJSON of
    /// [`RejectedRecord`](crate::intake::rejection::RejectedRecord) lines.
    UnchangedRecords,
    /// What the owner made of it.
    Corrected,
}

impl RetryForm {
    /// Returns the form of the object that the retry inspects.
    #[must_use]
    pub fn input_form(self) -> InputForm {
        match self {
            Self::Unchanged | Self::Corrected => InputForm::Records,
            Self::UnchangedRecords => InputForm::RejectedRecordLines,
        }
    }
}

/// The key of what was rejected of an upload, in the quarantine bucket. `partial`: only records, as NDJSON.
#[must_use]
pub fn quarantine_key(upload: &Upload, partial: bool) -> String {
    format!("{}{}", stem(upload), if partial { ".rejected.ndjson" } else { "" })
}

/// The key of the report beside it.
#[must_use]
pub fn report_key(upload: &Upload) -> String {
    format!("{}.report.json", stem(upload))
}

/// Each retry has a folder of its own, so that nothing writes over what was quarantined before.
fn stem(upload: &Upload) -> String {
    let Upload { id, origin: Origin { owner, file_name, .. }, attempt, .. } = upload;
    match attempt {
        0 => format!("{owner}/{id}/{file_name}"),
        attempt => format!("{owner}/{id}/retry-{attempt}/{file_name}"),
    }
}

/// The key in the process bucket that the `number`th retry of an upload comes under.
#[must_use]
pub fn retry_key(id: &UploadId, number: u32, file_name: &str) -> String {
    format!("{UPLOADS_PREFIX}{id}/retry-{number}/{}", clean_file_name(file_name))
}
