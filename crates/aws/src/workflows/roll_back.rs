//! The step that undoes an acceptance that did not finish: its chunks and its claim are removed.

use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::UploadEvent;

use crate::adapters::upload_store::Append;
use crate::error::Error;
use crate::workflows::upload_work::UploadWork;

/// Removes the chunks, then the claim. The claim is released in the transaction that appends `rolled_back`: a slow worker
/// cannot release a claim that a later acceptance of the same upload made.
///
/// # Errors
/// Returns an [AWS failure](crate::error).
pub(crate) async fn roll_back<C: Fn() -> Timestamp>(work: &mut UploadWork<'_, C>) -> Result<Append, Error> {
    if work.store().await? == Append::Conflict {
        return Ok(Append::Conflict); // the failure or the decision is stored before its effects begin
    }
    let (id, number) = (work.upload.id().clone(), work.upload.write_number());
    work.services.chunks.delete_of_upload(&id, Some(number)).await?;
    let claim = work.upload.open_claim().map(str::to_owned);
    work.record([UploadEvent::RolledBack]);
    match claim {
        Some(claim) => work.store_releasing(&claim).await,
        None => work.store().await,
    }
}

/// Removes the chunks that a dead worker wrote after its acceptance was rolled back.
///
/// # Errors
/// Returns an [AWS failure](crate::error).
pub(crate) async fn remove_late_chunks<C: Fn() -> Timestamp>(work: &UploadWork<'_, C>) -> Result<(), Error> {
    for number in work.upload.rolled_back_numbers() {
        work.services.chunks.delete_of_upload(work.upload.id(), Some(number)).await?;
    }
    Ok(())
}
