//! The decision about a claim that another upload holds on the same bytes.
//!
//! While that upload is not decided, it may still be rolled back, so the upload at hand waits. Its delivery comes again
//! after a pause: from the waiting queue or, for a message, from the message queue. Nothing has to wake it, so no
//! wake-up can be lost, and the wait ends whatever happens to the other upload.

use eventpulse_core::id::UploadId;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::commands::{self, ClaimStatus};
use eventpulse_core::upload::{Decision, Upload};

use crate::adapters::upload_store::Append;
use crate::error::{Error, Kind};
use crate::workflows::full_history::fail_if_full;
use crate::workflows::remove_chunks::remove_chunks;
use crate::workflows::roll_back::roll_back;
use crate::workflows::upload_work::{StepOutcome, UploadWork};

/// Looks at the claim that the upload waits for, without reading the object. Returns `None` if the claim is free, or the
/// upload does not wait: the object must be processed.
///
/// # Errors
/// Returns an [AWS failure](crate::error).
pub(crate) async fn look_at_awaited_claim<C: Fn() -> Timestamp>(
    work: &mut UploadWork<'_, C>,
) -> Result<Option<StepOutcome>, Error> {
    let Some(claim) = work.upload.awaited_claim().map(str::to_owned) else { return Ok(None) };
    match work.services.uploads.claim_holder(&work.upload.origin().owner, &claim).await? {
        Some(holder) if holder != *work.upload.id() => await_claim(work, &claim, &holder).await.map(Some),
        _ => Ok(None),
    }
}

/// Decides that the upload is a duplicate, waits, or ends a claim that has lapsed.
///
/// # Errors
/// Returns an [AWS failure](crate::error).
pub(crate) async fn await_claim<C: Fn() -> Timestamp>(
    work: &mut UploadWork<'_, C>,
    claim: &str,
    holder_id: &UploadId,
) -> Result<StepOutcome, Error> {
    let holder = work.services.uploads.load(holder_id).await?;
    match commands::claim_status(holder.as_ref(), claim, work.now()) {
        ClaimStatus::Accepted => {
            let decision = Decision::Duplicate { of: holder_id.clone() };
            work.record(commands::record_decision(&work.upload, decision));
            Ok(StepOutcome::Done)
        }
        ClaimStatus::Pending => {
            work.record(commands::wait(&work.upload, claim, holder_id));
            Ok(match work.store().await? {
                Append::Done => StepOutcome::Waiting,
                Append::Conflict => StepOutcome::Conflict,
            })
        }
        ClaimStatus::Released => Ok(StepOutcome::Conflict),
        ClaimStatus::Lapsed => {
            tracing::warn!(holder = holder_id.as_str(), "the claim on the same bytes has lapsed");
            end_lapsed_claim(work, claim, holder_id, holder).await?;
            Ok(StepOutcome::Conflict) // the next try claims the bytes
        }
    }
}

/// Ends the claim of a holder that recorded nothing for an hour: fails its delivery and rolls it back. Its other steps are
/// left to its next delivery: the role of this function may not read its object. A worker of the holder that is still alive
/// finds the history changed, and stores nothing.
async fn end_lapsed_claim<C: Fn() -> Timestamp>(
    work: &UploadWork<'_, C>,
    claim: &str,
    holder_id: &UploadId,
    holder: Option<Upload>,
) -> Result<(), Error> {
    let (services, now) = (work.services, work.now());
    let owner = &work.upload.origin().owner;
    let Some(holder) = holder else {
        // Chunks that the holder left must not count beside those of this upload. Only its history named those that it
        // shared with other messages.
        services.chunks.delete_of_upload(holder_id, None).await?;
        return services.uploads.release(owner, claim, holder_id).await;
    };
    if holder.open_claim() != Some(claim) {
        // The withdrawal of the holder stopped. A repeated call of its owner completes it. The index of chunks knows all of
        // them: the last write is an hour old.
        remove_chunks(services, &holder, 0).await?;
        return services.uploads.release(owner, claim, holder_id).await;
    }
    let missing = || Error::new("roll back", holder_id.as_str(), Kind::Corrupt);
    let object = holder.object().cloned().ok_or_else(missing)?;
    let mut other = UploadWork::new(services, holder, object, Vec::new(), || now);
    let correlation_id = work.upload.correlation_id().unwrap_or_default();
    other.record(commands::end_lapsed_claim(&other.upload, correlation_id));
    match roll_back(&mut other).await {
        Ok(_) => Ok(()),
        // The history at hand has room; that of the holder has none.
        Err(error) => fail_if_full(services, holder_id, error).await,
    }
}
