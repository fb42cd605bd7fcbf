//! Deliveries that fail, arrive late, or meet another worker.

use std::time::Duration;

use super::process::reject;
use crate::intake::failure::{Failure, FailureCode};
use crate::intake::rejection::Rejection;
use crate::time::Timestamp;
use crate::upload::aggregate::Upload;
use crate::upload::event::UploadEvent;
use crate::upload::limits::{MAX_CORRELATION_ID_BYTES, MAX_FAILED_DELIVERIES, MAX_REASON_BYTES, shortened_to};
use crate::upload::state::UploadState;

/// The time after the latest event at which another worker may take over unfinished work. Without it, two concurrent
/// deliveries would both perform each step.
pub const TAKE_OVER_AFTER: Duration = Duration::from_secs(5);

/// The number of invocations that must die before the object is rejected: Lambda makes three for one event.
pub const POISON_DEATHS: u32 = 3;

/// Returns whether another worker advanced this upload a moment ago and has steps left to take.
#[must_use]
pub fn is_held_by_another_worker(upload: &Upload, now: Timestamp) -> bool {
    upload.next_step().is_some() && now.duration_since(upload.changed_at()) < TAKE_OVER_AFTER
}

/// A report on a failed delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailedDeliveryReport<'a> {
    /// The reason, for the operator.
    pub reason: &'a str,
    /// The id of the delivery.
    pub correlation_id: &'a str,
    /// The number of invocations that died while processing it: timed out, ran out of memory, or exited.
    pub deaths: u32,
}

/// The action that a failed delivery calls for.
#[derive(Debug, Clone, PartialEq)]
pub enum FailedDeliveryAction {
    /// None: the upload is finished, or this failure is recorded.
    Nothing,
    /// Append the events. The upload stays `failed` until a later delivery succeeds.
    Record(Vec<UploadEvent>),
    /// Apply the events, if any, and take the steps left: the object is rejected because processing it kills the worker.
    Finish(Vec<UploadEvent>),
}

/// Decides what a failed delivery of the upload's current object calls for. `requested_schema`: see [`reject`].
#[must_use]
pub fn on_failed_delivery(
    upload: &Upload,
    report: &FailedDeliveryReport<'_>,
    requested_schema: &str,
) -> FailedDeliveryAction {
    if upload.next_step().is_none() {
        return FailedDeliveryAction::Nothing;
    }
    if upload.decision().is_none() {
        // Each failure while chunks are written leads to a roll back. Their number is limited, so the last one is final.
        let is_last = upload.open_claim().is_some() && upload.failed_deliveries() >= MAX_FAILED_DELIVERIES;
        let times = if is_last { upload.failed_deliveries() + 1 } else { report.deaths };
        if is_last || report.deaths >= POISON_DEATHS {
            let message = format!(
                "processing it failed {times} times, the last time with: {}; send it in smaller files",
                report.reason
            );
            let failure = Failure::new(FailureCode::ProcessingFailed, "", message);
            return FailedDeliveryAction::Finish(reject(upload, failure, requested_schema));
        }
    }
    if report.deaths >= POISON_DEATHS {
        // Rejected by an earlier or concurrent report on the same object, which left steps to take.
        let primary_failure = upload.rejection().and_then(Rejection::primary_failure);
        if primary_failure.is_some_and(|failure| failure.code == FailureCode::ProcessingFailed) {
            return FailedDeliveryAction::Finish(Vec::new());
        }
    }
    let reason = shortened_to(report.reason, MAX_REASON_BYTES);
    let correlation_id = shortened_to(report.correlation_id, MAX_CORRELATION_ID_BYTES);
    let is_recorded =
        upload.failure_reason() == Some(&reason) && upload.correlation_id() == Some(correlation_id.as_str());
    // The upload is `failed` already: the history needs no further reason for that.
    let is_full = upload.state() == UploadState::Failed && upload.failed_deliveries() >= MAX_FAILED_DELIVERIES;
    if upload.state() == UploadState::Failed && is_recorded || is_full {
        return FailedDeliveryAction::Nothing;
    }
    FailedDeliveryAction::Record(vec![UploadEvent::DeliveryFailed { reason, correlation_id }])
}
