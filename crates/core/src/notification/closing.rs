//! Closing: rejected records leave quarantine, and the causes of that.

use serde::{Deserialize, Serialize};

use super::open_records::Amount;
use crate::intake::fingerprint::{KindOfUpload, ProblemId};
use crate::time::Timestamp;
use crate::upload::{OpenRejection, Upload};

/// The cause for which rejected records are not open in quarantine any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClosingCause {
    /// A retry was accepted without rejected records.
    Corrected,
    /// A retry was rejected, at least in part. Its rejected records are open under the problems of their failures.
    Retried,
    /// The owner discarded them.
    Discarded,
    /// The owner withdrew the upload.
    Withdrawn,
    /// Quarantine deleted them at the end of their retention.
    Expired,
}

/// The rejected records of one attempt that are closed together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedRecords {
    /// The time at which they were rejected.
    pub opened_at: Timestamp,
    /// Their problems, with the number of records of each.
    pub problems: Vec<ClosedOfProblem>,
}

/// The records of one problem that are closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedOfProblem {
    /// The problem.
    pub id: ProblemId,
    /// The kind of upload.
    pub kind_of_upload: KindOfUpload,
    /// The number of records; 0 if the upload was rejected as a whole.
    pub records: u64,
}

impl ClosedRecords {
    /// Returns the open records of an upload; `None` if there are none.
    #[must_use]
    pub fn of(upload: &Upload) -> Option<Self> {
        let OpenRejection { rejection, decided_at } = upload.open_rejection()?;
        let problems = rejection.fingerprints.iter().map(|print| ClosedOfProblem {
            id: print.id.clone(),
            kind_of_upload: print.kind_of_upload.clone(),
            records: print.records,
        });
        Some(Self { opened_at: decided_at, problems: problems.collect() })
    }
}

/// The closed records of a problem, by cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ClosedTotals {
    /// Corrected.
    pub corrected: Amount,
    /// Retried, and rejected again at least in part.
    pub retried: Amount,
    /// Discarded.
    pub discarded: Amount,
    /// Withdrawn with their upload.
    pub withdrawn: Amount,
    /// Deleted at the end of their retention.
    pub expired: Amount,
}

impl ClosedTotals {
    /// Adds records.
    pub fn add(&mut self, cause: ClosingCause, amount: Amount) {
        let total = match cause {
            ClosingCause::Corrected => &mut self.corrected,
            ClosingCause::Retried => &mut self.retried,
            ClosingCause::Discarded => &mut self.discarded,
            ClosingCause::Withdrawn => &mut self.withdrawn,
            ClosingCause::Expired => &mut self.expired,
        };
        *total = total.plus(amount);
    }
}
