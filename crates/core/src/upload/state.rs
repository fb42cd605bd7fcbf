//! The words for where an upload stands.

use serde::{Deserialize, Serialize};

/// Where an upload stands. The first two are on the way, the others are outcomes but for [`UploadState::Failed`], which a
/// later delivery can still end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UploadState {
    /// A presigned URL was handed out; nothing arrived yet.
    Issued,
    /// An object arrived and is being worked on.
    Received,
    /// Every record counts.
    Accepted,
    /// Some records count, the others do not.
    PartiallyAccepted,
    /// Nothing counts; the object lies in quarantine.
    Quarantined,
    /// The same bytes of the same owner count already.
    Duplicate,
    /// Nothing that the sender could mend: delivery or processing failed, an operator is told.
    Failed,
    /// Nothing arrived while the presigned URL worked.
    Expired,
    /// It counted, and its owner took it back.
    Withdrawn,
    /// It was quarantined whole, and its owner discarded it.
    Discarded,
}

impl UploadState {
    /// Every state.
    pub const ALL: [Self; 10] = [
        Self::Issued,
        Self::Received,
        Self::Accepted,
        Self::PartiallyAccepted,
        Self::Quarantined,
        Self::Duplicate,
        Self::Failed,
        Self::Expired,
        Self::Withdrawn,
        Self::Discarded,
    ];

    /// The word that receipts and notices use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Received => "received",
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

    /// The state that a word names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// What has become of what was rejected of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuarantineStatus {
    /// It lies in quarantine and waits for its owner.
    Open,
    /// It is being tried again.
    Retrying,
    /// A retry succeeded: nothing is rejected any more.
    Resolved,
    /// Its owner discarded it.
    Discarded,
    /// Its owner took the whole upload back.
    Withdrawn,
}

impl QuarantineStatus {
    /// The word that answers use.
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

    /// The status that a word names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let all = [Self::Open, Self::Retrying, Self::Resolved, Self::Discarded, Self::Withdrawn];
        all.into_iter().find(|status| status.as_str() == word)
    }
}
