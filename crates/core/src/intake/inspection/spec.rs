//! The specification of an inspection.

use serde::{Deserialize, Serialize};

use super::bounds::Bounds;
use crate::id::{OwnerId, UploadId};
use crate::intake::digest::Sha256Digest;
use crate::intake::reader::{Limits, Media};
use crate::intake::schema::SchemaRef;

/// The rules that an upload is inspected by.
#[derive(Debug, Clone)]
pub struct InspectionSpec {
    /// The owner.
    pub owner: OwnerId,
    /// The upload.
    pub upload_id: UploadId,
    /// The number under which chunks are written: 0, and one more for each retry and each roll back.
    pub attempt: u32,
    /// The form of the input.
    pub input: InputForm,
    /// The format and the declared compression of the input.
    pub media: Media,
    /// The schema that the upload requests for records that name none.
    pub schema: Option<SchemaRef>,
    /// The schema of records for which neither names one.
    pub default_schema: SchemaRef,
    /// The number of rejected records that the upload tolerates; none for any number.
    pub max_rejected: Option<MaxRejected>,
    /// The SHA-256 of the bytes, if S3 has verified it: the inspector then does not compute it.
    pub known_sha256: Option<Sha256Digest>,
    /// The size limits.
    pub limits: Limits,
    /// The bounds of the work.
    pub bounds: Bounds,
}

/// The form of the input of an inspection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputForm {
    /// The records themselves.
    Records,
    /// NDJSON lines that [`RejectedRecord::write_line`](crate::intake::rejection::RejectedRecord::write_line) wrote.
    RejectedRecordLines,
}

/// The number of rejected records that an upload may have and still be accepted in part.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxRejected {
    /// At most this many.
    Count(u64),
    /// At most this share of all records, from 0 to 1.
    Ratio(f64),
}

impl MaxRejected {
    /// Returns whether `rejected` of `total` records are too many.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // counts beyond 2^53 do not fit an upload
    pub fn exceeded(self, rejected: u64, total: u64) -> bool {
        match self {
            Self::Count(most) => rejected > most,
            Self::Ratio(most) => total > 0 && rejected as f64 / total as f64 > most,
        }
    }
}

/// The findings that an inspector retains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// Chunks and rejected records up to a limit; beyond it only the result.
    Bounded,
    /// All chunks. The caller drains them while it pushes.
    Chunks,
    /// All rejected records. The caller drains them while it pushes.
    Rejected,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn max_rejected_is_inclusive() {
        let rows = [
            (MaxRejected::Count(0), 0, 10, false),
            (MaxRejected::Count(0), 1, 10, true),
            (MaxRejected::Ratio(0.1), 1, 10, false),
            (MaxRejected::Ratio(0.1), 2, 10, true),
            (MaxRejected::Ratio(0.29), 29, 100, false),
            (MaxRejected::Ratio(0.0), 0, 0, false),
        ];
        for (most, rejected, total, exceeded) in rows {
            assert_eq!(most.exceeded(rejected, total), exceeded, "{most:?} {rejected} of {total}");
        }
    }
}
