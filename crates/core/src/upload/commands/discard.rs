//! Discarding rejected data.

use super::refusal::Refusal;
use crate::time::Timestamp;
use crate::upload::aggregate::Upload;
use crate::upload::event::UploadEvent;
use crate::upload::state::QuarantineStatus;

/// Discards the rejected data. Accepted records stay accepted.
///
/// Returns no events if the data is discarded already: the caller then repeats the removal of the objects, which an
/// earlier call may have left unfinished.
///
/// # Errors
/// The [`Refusal`] if nothing is in quarantine, or a retry is being processed.
pub fn discard(upload: &Upload, now: Timestamp) -> Result<Vec<UploadEvent>, Refusal> {
    if upload.is_history_full() {
        return Err(Refusal::HistoryFull);
    }
    let discarded = UploadEvent::Discarded { by: upload.origin().owner.clone() };
    match upload.quarantine_status(now) {
        Some(QuarantineStatus::Open) => Ok(vec![discarded]),
        // The retry is requested, and its data has not arrived.
        Some(QuarantineStatus::Retrying) if !upload.is_at_work() => Ok(vec![discarded]),
        Some(QuarantineStatus::Discarded) => Ok(Vec::new()),
        status => Err(Refusal::of_quarantine_status(status)),
    }
}
