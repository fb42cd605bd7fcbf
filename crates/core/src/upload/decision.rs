//! The decision on an upload's object, and the steps that it makes necessary.

use serde::{Deserialize, Serialize};

use crate::id::UploadId;
use crate::intake::digest::Sha256Source;
use crate::intake::inspection::Inspection;
use crate::intake::rejection::Rejection;
use crate::intake::rules::AppliedRules;
use crate::statistics::series_statistics::SeriesReport;

/// A step of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Read the object, decide, and store the accepted points.
    Process,
    /// Remove the chunks and the claim of an acceptance that did not finish: a delivery failed, or the upload was rejected.
    RollBack,
    /// Move the rejected data into quarantine, with its report.
    Quarantine,
    /// Record the occurrence for the owner's notices: the rejection, or the acceptance of a retry.
    RecordOccurrence,
}

/// How to treat a delivered object version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It is the object of the current attempt: take the next step.
    Current,
    /// It was the object of an earlier attempt, which is finished. Its records may be accepted, so the object stays.
    AlreadyProcessed,
    /// The upload has another version already: remove this one unread, and record the removal.
    Late,
}

/// The key of a chunk that several uploads share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedChunk {
    /// The entity of its series.
    pub entity: String,
    /// The measure of its series.
    pub measure: String,
    /// Its sort key.
    pub sort_key: String,
}

/// The decision on an upload's object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision {
    /// At least one record is accepted: it counts towards statistics.
    Accepted {
        /// SHA-256 of the stored bytes of the object, in lower-case hex.
        sha256: String,
        /// The source of `sha256`.
        sha256_source: Sha256Source,
        /// The number of accepted records.
        accepted: u64,
        /// The number of chunks that belong to this upload alone.
        chunks: u64,
        /// The chunks that it shares with other uploads.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        shared_chunks: Vec<SharedChunk>,
        /// The statistics of the largest series, over all accepted attempts until this one.
        series: Box<SeriesReport>,
        /// The rejection of the other records, if any.
        rejection: Option<Rejection>,
        /// The rules that were applied to the records.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rules: Option<Box<AppliedRules>>,
    },
    /// No record is accepted.
    Rejected {
        /// The reason.
        rejection: Rejection,
        /// The rules that were applied to the records; `None` if the object was not read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rules: Option<Box<AppliedRules>>,
    },
    /// The same bytes of the same owner are accepted already.
    Duplicate {
        /// The upload under which they are accepted.
        of: UploadId,
    },
}

impl Decision {
    /// Returns the SHA-256 of the accepted bytes in lower-case hexadecimal, and its source; `None` if nothing is accepted.
    #[must_use]
    pub fn accepted_sha256(&self) -> Option<(&str, Sha256Source)> {
        match self {
            Self::Accepted { sha256, sha256_source, .. } => Some((sha256, *sha256_source)),
            Self::Rejected { .. } | Self::Duplicate { .. } => None,
        }
    }

    /// Returns the rules that were applied to the records; `None` for a duplicate, and if the object was not read.
    #[must_use]
    pub fn rules(&self) -> Option<&AppliedRules> {
        match self {
            Self::Accepted { rules, .. } | Self::Rejected { rules, .. } => rules.as_deref(),
            Self::Duplicate { .. } => None,
        }
    }

    /// Returns the decision that an inspection leads to. It knows no shared chunks and no duplicates.
    #[must_use]
    pub fn of(inspection: &Inspection) -> Self {
        let (rejection, rules) = (inspection.rejections.summary(), inspection.rules.clone().map(Box::new));
        if inspection.rejections.upload_failure().is_some() || inspection.accepted == 0 {
            return Self::Rejected { rejection, rules };
        }
        Self::Accepted {
            sha256: inspection.sha256.clone(),
            sha256_source: inspection.sha256_source,
            accepted: inspection.accepted,
            chunks: inspection.chunk_count,
            shared_chunks: Vec::new(),
            series: Box::new(inspection.series.clone()),
            rejection: (rejection.rejected > 0).then_some(rejection),
            rules,
        }
    }
}
