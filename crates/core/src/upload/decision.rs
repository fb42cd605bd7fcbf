//! What is decided of an upload, and what is owed for it.

use serde::{Deserialize, Serialize};

use super::SeriesStatistics;
use crate::id::UploadId;
use crate::intake::inspection::Inspection;
use crate::intake::rejection::Rejection;

/// The effect that is owed next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Read the object, decide, store what counts.
    Process,
    /// Take back the chunks that were written before the upload turned out to be rejected.
    RollBack,
    /// Put what was rejected, and its report, into quarantine.
    Quarantine,
    /// Note it for the owner's notices.
    RecordOccurrence,
}

/// What to do with an object version that was delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It is this upload's object: take the next step, if any.
    Current,
    /// It was the object of an earlier round: everything is done with it, and it may count.
    AlreadyProcessed,
    /// The upload has another version already: remove this one and note it, never process it.
    Late,
}

/// A chunk that several uploads share, by its place in the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedChunk {
    /// The entity of its series.
    pub entity: String,
    /// The measure of its series.
    pub measure: String,
    /// Its sort key.
    pub sort_key: String,
}

/// What the examination of an upload's object came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision {
    /// At least one record counts.
    Accepted {
        /// Lower-case hex SHA-256 of the object's bytes, as they lie in the bucket.
        sha256: String,
        /// How many records count.
        accepted: u64,
        /// How many chunks of its own hold them.
        chunks: u64,
        /// The chunks that it shares with other uploads.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        shared: Vec<SharedChunk>,
        /// What each series received, largest first, at most 100 series.
        series: Vec<SeriesStatistics>,
        /// How many series there are beyond those.
        series_omitted: u64,
        /// Why some records do not count.
        rejection: Option<Rejection>,
    },
    /// Nothing counts.
    Rejected {
        /// Why.
        rejection: Rejection,
    },
    /// The same bytes of the same owner count already.
    Duplicate {
        /// The upload under which they count.
        of: UploadId,
    },
}

impl Decision {
    /// Returns the decision that an inspection leads to. It knows no shared chunks and no duplicates.
    #[must_use]
    pub fn of(inspection: &Inspection) -> Self {
        let rejection = inspection.rejections.summary();
        if inspection.rejections.upload_failure().is_some() || inspection.accepted == 0 {
            return Self::Rejected { rejection };
        }
        Self::Accepted {
            sha256: inspection.sha256.clone(),
            accepted: inspection.accepted,
            chunks: inspection.chunk_count,
            shared: Vec::new(),
            series: inspection.series.clone(),
            series_omitted: inspection.series_omitted,
            rejection: (rejection.rejected > 0).then_some(rejection),
        }
    }
}
