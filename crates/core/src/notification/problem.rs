//! Problems: sets of like failures of one owner.
//!
//! All uploads of an owner with the same fingerprint belong to one problem. A problem is `open` from the first rejected
//! upload until an upload of the same kind passes. Then it is `resolved`, until it comes back.

use serde::{Deserialize, Serialize};

use crate::id::UploadId;
use crate::intake::fingerprint::{FailureAt, Fingerprint, KindOfUpload, ProblemId};
use crate::time::Timestamp;

/// The status of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemStatus {
    /// Uploads are rejected for this problem.
    Open,
    /// An upload of this kind has passed since.
    Resolved,
}

impl ProblemStatus {
    /// Returns the stored and serialized name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Resolved => "resolved",
        }
    }
}

/// A problem of one owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The id.
    pub id: ProblemId,
    /// The kind of upload.
    pub kind_of_upload: KindOfUpload,
    /// The schema that was applied last.
    pub schema: String,
    /// The failures, at most 10.
    pub failures: Vec<FailureAt>,
    /// The number of failures that are not listed.
    pub failures_omitted: u64,
    /// The status.
    pub status: ProblemStatus,
    /// The number of uploads rejected for this problem.
    pub uploads: u64,
    /// The number of rejected records in them.
    pub records: u64,
    /// The time at which the first upload was rejected.
    pub first_seen: Timestamp,
    /// The time at which the last upload was rejected.
    pub last_seen: Timestamp,
    /// The number of uploads rejected since the problem was new or last came back.
    pub uploads_since_opened: u64,
    /// The time of the last resolution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    /// The number of times that the problem came back after it was resolved.
    pub regressions: u64,
    /// The number of successive times that it came back shortly after it was resolved.
    #[serde(default)]
    pub consecutive_regressions: u64,
    /// The time at which the last immediate notice of kind `regressed` became pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regressed_notice_at: Option<Timestamp>,
    /// The time at which the last immediate notice of kind `resolved` became pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_notice_at: Option<Timestamp>,
}

impl Problem {
    /// Returns the new, open problem that starts with one rejected upload.
    #[must_use]
    pub fn begin(fingerprint: &Fingerprint, at: Timestamp) -> Self {
        let Fingerprint { id, kind_of_upload, schema, failures, failures_omitted, records } = fingerprint.clone();
        Self {
            id,
            kind_of_upload,
            schema,
            failures,
            failures_omitted,
            status: ProblemStatus::Open,
            uploads: 1,
            records,
            first_seen: at,
            last_seen: at,
            uploads_since_opened: 1,
            resolved_at: None,
            regressions: 0,
            consecutive_regressions: 0,
            regressed_notice_at: None,
            resolved_notice_at: None,
        }
    }
}

/// The counts of one problem for one digest: the occurrences without an immediate notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemCounts {
    /// The kind of upload of the problem.
    pub kind_of_upload: KindOfUpload,
    /// The number of rejected uploads.
    pub uploads: u64,
    /// The number of rejected records in them.
    pub records: u64,
    /// The time at which the first of the uploads was rejected. Without uploads, the time of the resolution.
    pub first_seen: Timestamp,
    /// The time at which the last of the uploads was rejected. Without uploads, the time of the resolution.
    pub last_seen: Timestamp,
    /// The last of the uploads; if there is none, the upload that passed.
    pub last_upload_id: UploadId,
    /// The number of times that the problem came back.
    pub regressions: u64,
    /// The number of times that the problem was resolved.
    pub resolutions: u64,
}
