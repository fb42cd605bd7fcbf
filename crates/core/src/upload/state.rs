//! The state of an upload and the status of its rejected data, as owners see them.

use serde::{Deserialize, Serialize};

/// The state of an upload. `issued`, `received`, `waiting` and `failed` can still change by processing;
/// the others are outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UploadState {
    /// A presigned URL was issued; no object has arrived.
    Issued,
    /// An object arrived and is being processed.
    Received,
    /// An upload with the same bytes is being processed; this one waits for its outcome.
    Waiting,
    /// Every record is accepted.
    Accepted,
    /// Some records are accepted, the others are rejected.
    PartiallyAccepted,
    /// No record is accepted; the object is in quarantine.
    Quarantined,
    /// The same bytes of the same owner are accepted already.
    Duplicate,
    /// Delivery or processing failed. The sender cannot correct this; an operator is alerted, and a later delivery can
    /// still succeed.
    Failed,
    /// The presigned URL expired before an object arrived.
    Expired,
    /// Its owner withdrew it after records were accepted.
    Withdrawn,
    /// It was quarantined as a whole, and its owner discarded it.
    Discarded,
}

impl UploadState {
    /// All states.
    pub const ALL: [Self; 11] = [
        Self::Issued,
        Self::Received,
        Self::Waiting,
        Self::Accepted,
        Self::PartiallyAccepted,
        Self::Quarantined,
        Self::Duplicate,
        Self::Failed,
        Self::Expired,
        Self::Withdrawn,
        Self::Discarded,
    ];

    /// Returns the name in receipts and notices.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Received => "received",
            Self::Waiting => "waiting",
            Self::Accepted => "accepted",
            Self::PartiallyAccepted => "partially_accepted",
            Self::Quarantined => "quarantined",
            Self::Duplicate => "duplicate",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
            Self::Discarded => "discarded",
        }
    }

    /// Returns the state with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// The status of an upload's rejected data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuarantineStatus {
    /// It is in quarantine and waits for its owner.
    Open,
    /// It is being retried.
    Retrying,
    /// A retry succeeded: no record is rejected any more.
    Resolved,
    /// Its owner discarded it.
    Discarded,
    /// Its owner withdrew the whole upload.
    Withdrawn,
}

impl QuarantineStatus {
    /// Returns the name in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Retrying => "retrying",
            Self::Resolved => "resolved",
            Self::Discarded => "discarded",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Returns the status with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let all = [Self::Open, Self::Retrying, Self::Resolved, Self::Discarded, Self::Withdrawn];
        all.into_iter().find(|status| status.as_str() == name)
    }
}
