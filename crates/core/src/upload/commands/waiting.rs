//! Waiting for an upload that holds the claim on the same bytes.
//!
//! A claim belongs to the upload that accepts its bytes. While that upload is not decided, it may still be rolled back. An
//! upload with the same bytes therefore waits: it becomes a duplicate when the holder has accepted the bytes, and is
//! processed when the claim is free.

use std::time::Duration;

use crate::id::UploadId;
use crate::time::Timestamp;
use crate::upload::aggregate::Upload;
use crate::upload::event::UploadEvent;
use crate::upload::limits::{MAX_CORRELATION_ID_BYTES, MAX_FAILED_DELIVERIES, shortened_to};

/// The time after the latest event of a holder at which its claim lapses. It is longer than three invocations of 900 s
/// with the pauses between them: after these, a working deployment has recorded a failed delivery, which ends the claim.
pub const CLAIM_LAPSE: Duration = Duration::from_secs(3_600);

/// The status of a claim, from the state of the upload that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimStatus {
    /// The holder accepted the bytes: they count.
    Accepted,
    /// The holder is writing its chunks, is being rolled back, or is being withdrawn: wait.
    Pending,
    /// The holder does not hold the claim any more: read the claim again.
    Released,
    /// The holder has recorded nothing for [`CLAIM_LAPSE`], or is gone: end its claim.
    Lapsed,
}

/// The reason in the history of an upload whose claim lapsed.
const LAPSED: &str = "processing recorded nothing for an hour, and another upload with the same bytes took over";

/// Returns the status of a claim that `holder` holds according to the claim's item. `None`: the holder is gone.
#[must_use]
pub fn claim_status(holder: Option<&Upload>, claim: &str, now: Timestamp) -> ClaimStatus {
    let Some(holder) = holder else { return ClaimStatus::Lapsed };
    if holder.has_accepted(claim) {
        return ClaimStatus::Accepted;
    }
    let is_being_withdrawn = holder.is_withdrawal_requested() && !holder.is_withdrawn();
    let is_withdrawing_claim = is_being_withdrawn && holder.claims().iter().any(|known| known == claim);
    if holder.open_claim() != Some(claim) && !is_withdrawing_claim {
        return ClaimStatus::Released;
    }
    let is_idle = now.duration_since(holder.changed_at()) >= CLAIM_LAPSE;
    if is_idle { ClaimStatus::Lapsed } else { ClaimStatus::Pending }
}

/// Returns the time until a waiting upload looks at the claim again: half as long as it has waited, at least 5 and at most
/// 60 seconds. `random` lengthens it by up to a quarter, so that many waiting uploads do not look at the same moment.
#[must_use]
pub fn look_again_after(upload: &Upload, now: Timestamp, random: u8) -> Duration {
    let pause = (now.duration_since(upload.changed_at()) / 2).clamp(Duration::from_secs(5), Duration::from_secs(60));
    pause + pause * u32::from(random) / 1_024
}

/// Begins to wait for a claim. Returns no events if the upload waits for it already, or has failed so often that it stays
/// `failed` until it is decided.
#[must_use]
pub fn wait(upload: &Upload, claim: &str, holder: &UploadId) -> Vec<UploadEvent> {
    if upload.awaited_claim() == Some(claim) || upload.failed_deliveries() >= MAX_FAILED_DELIVERIES {
        return Vec::new();
    }
    vec![UploadEvent::WaitingBegan { claim: claim.to_owned(), holder: holder.clone() }]
}

/// Ends an attempt whose claim lapsed: the upload is `failed`, and its roll back is next. Returns no events if it has failed
/// already. `correlation_id`: the id of the delivery that ends it.
///
/// It is never rejected, however often it has failed: the upload that ends the claim does not take the further steps of a
/// rejection. A later delivery of the failed upload decides it.
#[must_use]
pub fn end_lapsed_claim(holder: &Upload, correlation_id: &str) -> Vec<UploadEvent> {
    if holder.failure_reason().is_some() {
        return Vec::new();
    }
    let correlation_id = shortened_to(correlation_id, MAX_CORRELATION_ID_BYTES);
    vec![UploadEvent::DeliveryFailed { reason: LAPSED.to_owned(), correlation_id }]
}
