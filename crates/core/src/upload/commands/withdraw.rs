//! Withdrawing an upload: its accepted records leave every answer.

use super::refusal::Refusal;
use crate::time::Timestamp;
use crate::upload::aggregate::Upload;
use crate::upload::event::UploadEvent;
use crate::upload::state::UploadState;

/// Requests the withdrawal of an upload. Returns no events if it is requested already.
///
/// # Errors
/// The [`Refusal`] if the upload is being processed, or has no accepted records of its own.
pub fn request_withdrawal(upload: &Upload, now: Timestamp) -> Result<Vec<UploadEvent>, Refusal> {
    if upload.is_withdrawal_requested() {
        return Ok(Vec::new());
    }
    if upload.is_history_full() {
        return Err(Refusal::HistoryFull);
    }
    if upload.is_at_work() {
        return Err(Refusal::BeingProcessed);
    }
    match upload.state_at(now) {
        UploadState::Accepted | UploadState::PartiallyAccepted => {
            Ok(vec![UploadEvent::WithdrawalRequested { by: upload.origin().owner.clone() }])
        }
        UploadState::Received | UploadState::Waiting | UploadState::Failed => Err(Refusal::BeingProcessed),
        UploadState::Issued => Err(Refusal::NotReceived),
        UploadState::Expired => Err(Refusal::Expired),
        UploadState::Duplicate => {
            Err(upload.duplicate_of().map_or(Refusal::NothingLeft, |of| Refusal::Duplicate { of: of.clone() }))
        }
        UploadState::Quarantined => Err(Refusal::NothingAccepted),
        UploadState::Withdrawn | UploadState::Discarded => Err(Refusal::NothingLeft),
    }
}

/// Completes a withdrawal whose chunks and claims are removed. Returns no events if it is complete already.
///
/// # Errors
/// [`Refusal::WithdrawalNotRequested`].
pub fn complete_withdrawal(upload: &Upload) -> Result<Vec<UploadEvent>, Refusal> {
    if !upload.is_withdrawal_requested() {
        return Err(Refusal::WithdrawalNotRequested);
    }
    Ok(if upload.is_withdrawn() { Vec::new() } else { vec![UploadEvent::Withdrawn] })
}
