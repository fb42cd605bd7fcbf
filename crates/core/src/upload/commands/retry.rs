//! Requests of retries: decides whether rejected data can be retried now, unchanged or corrected, and returns the event
//! that requests the retry.

use std::time::Duration;

use super::refusal::Refusal;
use crate::intake::reader::{Format, Media};
use crate::statistics::chunk::MAX_ATTEMPTS;
use crate::time::Timestamp;
use crate::upload::aggregate::Upload;
use crate::upload::event::{QuarantineLocation, RetryForm, UploadEvent};
use crate::upload::keys::retry_key;
use crate::upload::limits::{ATTEMPT_BYTES, MAX_FAILED_DELIVERIES, MAX_HISTORY_BYTES};
use crate::upload::state::QuarantineStatus;

/// Returns the location of the rejected data that can be retried now.
///
/// # Errors
/// The [`Refusal`] if nothing in quarantine waits for its owner, a retry is pending, or too many were made.
pub fn retryable_location(upload: &Upload, now: Timestamp) -> Result<&QuarantineLocation, Refusal> {
    if upload.is_history_full() {
        return Err(Refusal::HistoryFull);
    }
    if let Some(retry) = upload.pending_retry().filter(|retry| now < retry.expires_at) {
        return Err(Refusal::RetryPending { expires_at: retry.expires_at });
    }
    let status = upload.quarantine_status(now);
    if status != Some(QuarantineStatus::Open) {
        return Err(Refusal::of_quarantine_status(status));
    }
    // A further attempt takes one number for its chunks, and one for each roll back.
    if upload.write_number() + 1 + MAX_FAILED_DELIVERIES >= MAX_ATTEMPTS
        || upload.history_bytes() + ATTEMPT_BYTES > MAX_HISTORY_BYTES
    {
        return Err(Refusal::TooManyRetries { retries: upload.retries_requested() });
    }
    upload.quarantine_location().ok_or_else(|| Refusal::of_quarantine_status(status))
}

/// Requests a retry of the rejected data as it is, from the location `from` that the caller read.
///
/// The pending retry of the upload then holds the key to copy the data to, within `arrives_within`.
///
/// # Errors
/// The [`Refusal`] of [`retryable_location`]; [`Refusal::RetriedMeanwhile`] if the data is no longer at `from`;
/// [`Refusal::NothingToRetry`] if there were no bytes to keep.
pub fn retry_unchanged(
    upload: &Upload,
    from: &QuarantineLocation,
    arrives_within: Duration,
    now: Timestamp,
) -> Result<Vec<UploadEvent>, Refusal> {
    let location = retryable_location(upload, now)?;
    if location != from {
        return Err(Refusal::RetriedMeanwhile);
    }
    let key = location.key.as_deref().ok_or(Refusal::NothingToRetry)?;
    let form = if location.records { RetryForm::UnchangedRecords } else { RetryForm::Unchanged };
    let file_name = key.rsplit('/').next().unwrap_or_default();
    Ok(vec![retry_requested(upload, form, file_name, now + arrives_within)])
}

/// Requests a retry with corrected data of this `Content-Type`. For a partially accepted upload, the correction replaces
/// the rejected records only.
///
/// The pending retry of the upload then holds the key under which the data must arrive within `arrives_within`.
///
/// # Errors
/// The [`Refusal`] of [`retryable_location`].
pub fn request_correction(
    upload: &Upload,
    content_type: &str,
    arrives_within: Duration,
    now: Timestamp,
) -> Result<Vec<UploadEvent>, Refusal> {
    retryable_location(upload, now)?;
    let file_name = corrected_file_name(content_type);
    Ok(vec![retry_requested(upload, RetryForm::Corrected, file_name, now + arrives_within)])
}

fn retry_requested(upload: &Upload, form: RetryForm, file_name: &str, expires_at: Timestamp) -> UploadEvent {
    let key = retry_key(upload.id(), upload.retries_requested() + 1, file_name);
    UploadEvent::RetryRequested { by: upload.origin().owner.clone(), key, form, expires_at }
}

/// Returns the file name of a correction. Its ending states the format.
fn corrected_file_name(content_type: &str) -> &'static str {
    match Media::parse(Some(content_type), None, "").map(|media| media.format) {
        Ok(Format::Ndjson) => "corrected.ndjson",
        _ => "corrected.json",
    }
}
