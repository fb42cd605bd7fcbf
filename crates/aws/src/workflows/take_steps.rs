//! The steps of an upload, in the order that its state requires. Every step may be repeated.

use eventpulse_core::intake::inspection::Inspection;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{Step, UploadEvent};

use crate::adapters::upload_store::Append;
use crate::error::Error;
use crate::workflows::full_history::fail_if_full;
use crate::workflows::process_object::{Processed, process_object};
use crate::workflows::quarantine::quarantine;
use crate::workflows::record_occurrence::record_occurrence_of_rejection;
use crate::workflows::upload_work::UploadWork;

/// Takes the steps that are left, and stores their events. Returns [`Append::Conflict`] if another worker was faster.
///
/// # Errors
/// Returns an [AWS failure](crate::error). The next delivery resumes at the step that failed.
pub(crate) async fn take_steps<C: Fn() -> Timestamp>(work: &mut UploadWork<'_, C>) -> Result<Append, Error> {
    match take_all_steps(work).await {
        Err(error) => {
            fail_if_full(work.services, work.upload.id(), error).await?;
            work.upload = work.upload.clone().with_full_history();
            Ok(Append::Done)
        }
        append => append,
    }
}

async fn take_all_steps<C: Fn() -> Timestamp>(work: &mut UploadWork<'_, C>) -> Result<Append, Error> {
    // The quarantine step uses the inspection, unless another delivery made it.
    let mut inspection = None;
    while let Some(step) = work.upload.next_step() {
        let append = match step {
            Step::Process => match process_object(work).await? {
                Processed::Decided(found) => {
                    inspection = found.map(|found| *found);
                    Append::Done
                }
                Processed::Conflict => Append::Conflict,
            },
            Step::RollBack => roll_back(work).await?,
            Step::Quarantine => move_to_quarantine(work, inspection.take()).await?,
            Step::RecordOccurrence => record_occurrence_of_rejection(work).await?,
        };
        if append == Append::Conflict {
            return Ok(Append::Conflict);
        }
    }
    work.store().await
}

/// Removes the chunks and the claim of an acceptance that another worker began and did not finish.
async fn roll_back<C: Fn() -> Timestamp>(work: &mut UploadWork<'_, C>) -> Result<Append, Error> {
    if work.store().await? == Append::Conflict {
        return Ok(Append::Conflict); // the decision is stored before its effects begin
    }
    let (upload, services) = (&work.upload, work.services);
    services.chunks.delete_of_upload(upload.id(), Some(upload.attempt())).await?;
    if let Some(claim) = upload.open_claim() {
        services.uploads.release(&upload.origin().owner, claim, upload.id()).await?;
    }
    work.record([UploadEvent::RolledBack]);
    Ok(Append::Done)
}

async fn move_to_quarantine<C: Fn() -> Timestamp>(
    work: &mut UploadWork<'_, C>,
    inspection: Option<Inspection>,
) -> Result<Append, Error> {
    if work.store().await? == Append::Conflict {
        return Ok(Append::Conflict); // the decision is stored before its effects begin
    }
    let location = quarantine(work, inspection).await?;
    work.record([UploadEvent::Quarantined { location }]);
    Ok(Append::Done)
}
