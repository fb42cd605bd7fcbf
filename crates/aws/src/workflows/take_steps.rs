//! The steps of an upload, in the order that its state requires. Every step may be repeated.

use eventpulse_core::intake::inspection::Inspection;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{Step, UploadEvent};

use crate::adapters::upload_store::Append;
use crate::error::Error;
use crate::workflows::full_history::fail_if_full;
use crate::workflows::process_object::{Processed, process_object};
use crate::workflows::quarantine::quarantine;
use crate::workflows::record_occurrence::record_occurrence;
use crate::workflows::roll_back::{remove_late_chunks, roll_back};
use crate::workflows::upload_work::{StepOutcome, UploadWork};

/// Takes the steps that are left, and stores their events. Returns [`StepOutcome::Conflict`] if another worker was faster.
///
/// # Errors
/// Returns an [AWS failure](crate::error). The next delivery resumes at the step that failed.
pub(crate) async fn take_steps<C: Fn() -> Timestamp>(work: &mut UploadWork<'_, C>) -> Result<StepOutcome, Error> {
    match take_all_steps(work).await {
        Err(error) => {
            fail_if_full(work.services, work.upload.id(), error).await?;
            work.upload = work.upload.clone().with_full_history();
            Ok(StepOutcome::Done)
        }
        outcome => outcome,
    }
}

async fn take_all_steps<C: Fn() -> Timestamp>(work: &mut UploadWork<'_, C>) -> Result<StepOutcome, Error> {
    if work.upload.next_step().is_some() {
        remove_late_chunks(work).await?;
    }
    // The quarantine step uses the inspection, unless another delivery made it.
    let mut inspection = None;
    while let Some(step) = work.upload.next_step() {
        let outcome = match step {
            Step::Process => match process_object(work).await? {
                Processed::Decided(found) => {
                    inspection = found.map(|found| *found);
                    StepOutcome::Done
                }
                Processed::Undecided(outcome) => outcome,
            },
            Step::RollBack => roll_back(work).await?.into(),
            Step::Quarantine => move_to_quarantine(work, inspection.take()).await?.into(),
            Step::RecordOccurrence => record_occurrence(work).await?.into(),
        };
        if outcome != StepOutcome::Done {
            return Ok(outcome);
        }
    }
    work.store().await.map(StepOutcome::from)
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
