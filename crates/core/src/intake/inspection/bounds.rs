//! The bounds of an inspection. They count and never measure time, so every reading of an upload stops at the same record.

use super::rejected::Rejected;
use crate::intake::failure::{Failure, FailureCode};
use crate::intake::fingerprint::FailureAt;

/// The number of records at the beginning of an upload after which reading stops, if all are rejected for the same
/// reason: those after them have the same mistake, or their sender has to correct the first ones anyway.
pub const MAX_SAME_REASON_RECORDS: u64 = 10_000;

/// The bounds of an inspection. Beyond one of them, the upload is rejected as a whole, and the rest of it is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The maximum number of records; none for any number.
    pub records: Option<MaxRecords>,
    /// The maximum number of rejected records.
    pub rejected: u64,
    /// The maximum number of failures that are described.
    pub failures: u64,
    /// The maximum size of all rejected records in bytes.
    pub rejected_bytes: u64,
    /// The maximum number of chunks.
    pub chunks: u64,
}

/// The maximum number of records of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxRecords {
    /// Of a correction: as many as were rejected.
    OfCorrection(u64),
    /// Of the body of a request.
    OfRequest(u64),
}

impl Bounds {
    /// The bounds of an upload. `docs/performance.md` computes the time that they allow.
    pub const UPLOAD: Self =
        Self { records: None, rejected: 1_000_000, failures: 5_000_000, rejected_bytes: 512 << 20, chunks: 100_000 };

    /// The bounds of a request that waits for the verdict: within a second.
    pub const REQUEST: Self = Self {
        records: Some(MaxRecords::OfRequest(100_000)),
        rejected: 10_000,
        failures: 20_000,
        rejected_bytes: 16 << 20,
        chunks: 100_000,
    };
}

impl MaxRecords {
    /// Returns the number.
    #[must_use]
    pub fn most(self) -> u64 {
        match self {
            Self::OfCorrection(most) | Self::OfRequest(most) => most,
        }
    }

    /// Returns the failure of an upload with more records.
    pub(super) fn exceeded(self) -> Failure {
        let message = match self {
            Self::OfCorrection(most) => {
                format!("more records than the {most} that are still rejected: send only the corrected records")
            }
            Self::OfRequest(most) => format!("more than {most} records: send them in several requests"),
        };
        Failure::new(FailureCode::TooManyRecords, "", message)
    }
}

/// Counts the rejected records of an upload.
#[derive(Debug, Default)]
pub(super) struct RejectionMeter {
    rejected: u64,
    failures: u64,
    bytes: u64,
    reason: Reason,
    /// A known kind of records that are rejected for this one reason.
    kind: Option<u64>,
}

/// The reason of all rejections so far: the applied schema and the failures.
#[derive(Debug, Default, PartialEq)]
enum Reason {
    #[default]
    None,
    One(Option<String>, Vec<FailureAt>),
    Several,
}

impl RejectionMeter {
    /// Adds a rejected record.
    pub(super) fn add(&mut self, record: &Rejected<'_>) {
        self.rejected += 1;
        self.failures += record.failure_count() as u64;
        self.bytes += record.byte_length();
        let is_known = self.kind.is_some() && record.kind() == self.kind;
        if is_known || self.reason == Reason::Several || self.rejected > MAX_SAME_REASON_RECORDS {
            return;
        }
        self.kind = record.kind();
        let record = record.describe();
        let mut failures: Vec<FailureAt> = record.failures.iter().flat_map(FailureAt::of).collect();
        failures.sort_unstable();
        failures.dedup();
        let reason = Reason::One(record.schema_applied.clone(), failures);
        self.reason = match self.reason {
            Reason::None => reason,
            Reason::One(..) if self.reason == reason => reason,
            _ => Reason::Several,
        };
    }

    /// Returns whether at least [`MAX_SAME_REASON_RECORDS`] are rejected, the first of them all for the same reason. The
    /// rest is not worth reading if no record is accepted.
    pub(super) fn is_one_reason(&self) -> bool {
        self.rejected >= MAX_SAME_REASON_RECORDS && matches!(self.reason, Reason::One(..))
    }

    /// Returns the failure of the upload if a bound is exceeded.
    pub(super) fn exceeded(&self, bounds: &Bounds) -> Option<Failure> {
        let advice = "correct the data, or send it in smaller uploads";
        let message = if self.rejected > bounds.rejected {
            format!("more than {} records are rejected: {advice}", bounds.rejected)
        } else if self.failures > bounds.failures {
            format!("the rejected records have more than {} failures: {advice}", bounds.failures)
        } else if self.bytes > bounds.rejected_bytes {
            format!("the rejected records have more than {} bytes: {advice}", bounds.rejected_bytes)
        } else {
            return None;
        };
        Some(Failure::new(FailureCode::TooManyRejected, "", message))
    }
}

/// Returns the failure of an upload with too many chunks.
pub(super) fn too_many_chunks(most: u64) -> Failure {
    let message = format!(
        "the values of its devices and measures make more than {most} chunks, at least one for each device and measure: \
         send it in several uploads"
    );
    Failure::new(FailureCode::TooManySeries, "", message)
}
