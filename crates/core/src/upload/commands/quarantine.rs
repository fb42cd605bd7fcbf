//! The plan to move rejected data into quarantine.

use crate::intake::failure::FailureCode;
use crate::upload::aggregate::Upload;
use crate::upload::decision::Decision;
use crate::upload::event::RetryForm;

/// The way in which rejected data goes into quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuarantineAction {
    /// Write the rejected records. The object stays in the process bucket: it holds the accepted records.
    WriteRecords,
    /// Write the rejected records and remove the object: a retry of records that were all rejected again.
    ReplaceRecords,
    /// Move the object.
    MoveObject,
}

/// A plan for the step [`Step::Quarantine`](crate::upload::Step::Quarantine).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuarantinePlan {
    /// The way.
    pub action: QuarantineAction,
    /// Whether the quarantined object holds rejected records, as NDJSON.
    pub records: bool,
    /// Whether an inspection of the object finds the reason for the rejection. It does not if reading the object fails, or
    /// if the reason is not in the object.
    pub is_reason_in_object: bool,
}

/// Plans the move of rejected data into quarantine.
#[must_use]
pub fn plan_quarantine(upload: &Upload) -> QuarantinePlan {
    let is_partly_accepted = matches!(upload.decision(), Some(Decision::Accepted { .. }));
    let records = is_partly_accepted || upload.retry_form() == Some(RetryForm::UnchangedRecords);
    let upload_failure = upload.rejection().and_then(|rejection| rejection.upload_failure.as_ref());
    let is_read = upload.rejection().is_none_or(|rejection| rejection.read_until.is_none());
    let action = match upload_failure {
        None if is_partly_accepted => QuarantineAction::WriteRecords,
        // The object also holds the records that were not read.
        None if records && is_read => QuarantineAction::ReplaceRecords,
        _ => QuarantineAction::MoveObject,
    };
    let is_reason_in_object = upload_failure.is_none_or(|failure| match failure.code {
        FailureCode::ProcessingFailed | FailureCode::IdempotencyKeyReused => false,
        // The records of a message are counted before an inspection, those of a correction by it.
        FailureCode::TooManyRecords => upload.retry_form().is_some(),
        _ => true,
    });
    QuarantinePlan { action, records, is_reason_in_object }
}
