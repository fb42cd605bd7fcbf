//! The step that reads an object, decides, and stores the accepted points.

use eventpulse_core::intake::failure::{Failure, FailureCode};
use eventpulse_core::intake::inspection::{Inspection, InspectionSpec, Inspector, Retention};
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{Decision, commands};

use crate::adapters::upload_store::{Append, ClaimOutcome, UploadStore};
use crate::error::Error;
use crate::workflows::await_claim::{await_claim, look_at_awaited_claim};
use crate::workflows::inspect_object::{feed, inspect};
use crate::workflows::record_occurrence::record_pass_or_mark_open;
use crate::workflows::total_series::total_series;
use crate::workflows::upload_work::{StepOutcome, UploadWork};

/// The outcome of the step.
pub(crate) enum Processed {
    /// The object is decided. The inspection, if the object was read.
    Decided(Option<Box<Inspection>>),
    /// The object is not decided: another worker was faster, or the upload waits.
    Undecided(StepOutcome),
}

/// Inspects the object and decides. If records are accepted, the decision and their points are stored when this returns.
///
/// # Errors
/// Returns an [AWS failure](crate::error).
pub(crate) async fn process_object<C: Fn() -> Timestamp>(work: &mut UploadWork<'_, C>) -> Result<Processed, Error> {
    match look_at_awaited_claim(work).await? {
        None => {}
        Some(StepOutcome::Done) => return Ok(Processed::Decided(None)),
        Some(undecided) => return Ok(Processed::Undecided(undecided)),
    }
    let Some(object) = work.open_object().await? else {
        let message = "the object was deleted before it was read: upload it again";
        work.reject(Failure::new(FailureCode::ObjectMissing, "", message));
        return Ok(Processed::Decided(None));
    };
    let spec = match work.inspection_spec(&object) {
        Ok(spec) => spec,
        Err(failure) => {
            work.reject(failure);
            return Ok(Processed::Decided(None));
        }
    };
    let mut inspection = inspect(work.services, spec.clone(), object).await?;
    let outcome = match Decision::of(&inspection) {
        Decision::Accepted { .. } => accept(work, &mut inspection, spec).await?,
        decision => {
            work.record(commands::record_decision(&work.upload, decision));
            StepOutcome::Done
        }
    };
    if outcome != StepOutcome::Done {
        return Ok(Processed::Undecided(outcome));
    }
    record_pass_or_mark_open(work, &inspection.shapes).await;
    Ok(Processed::Decided(Some(Box::new(inspection))))
}

/// Stores the accepted points once: the claim on the bytes prevents a second time.
async fn accept<C: Fn() -> Timestamp>(
    work: &mut UploadWork<'_, C>,
    inspection: &mut Inspection,
    spec: InspectionSpec,
) -> Result<StepOutcome, Error> {
    let claim = work.upload.claim_name(&inspection.sha256);
    if work.upload.open_claim() == Some(&claim) {
        // An earlier delivery made the claim.
        return write_chunks_and_decide(work, inspection, spec).await.map(StepOutcome::from);
    }
    let is_stored = inspection.chunks.as_deref().is_some_and(UploadStore::fits_one_transaction);
    if is_stored {
        total_series(work, inspection).await?;
    }
    let (events, chunks) = match &inspection.chunks {
        Some(chunks) if is_stored => {
            (commands::record_decision(&work.upload, Decision::of(inspection)), chunks.as_slice())
        }
        _ => (commands::begin_acceptance(&work.upload, &inspection.sha256), [].as_slice()),
    };
    match work.store_with_claim(&claim, chunks, events).await? {
        ClaimOutcome::Acquired if is_stored => Ok(StepOutcome::Done),
        ClaimOutcome::Acquired => write_chunks_and_decide(work, inspection, spec).await.map(StepOutcome::from),
        ClaimOutcome::Conflict => Ok(StepOutcome::Conflict),
        ClaimOutcome::TakenBy(holder) => await_claim(work, &claim, &holder).await,
    }
}

/// Writes the chunks of an upload that holds its claim, then the decision.
async fn write_chunks_and_decide<C: Fn() -> Timestamp>(
    work: &mut UploadWork<'_, C>,
    inspection: &mut Inspection,
    spec: InspectionSpec,
) -> Result<Append, Error> {
    match &inspection.chunks {
        Some(chunks) => work.services.chunks.write(chunks).await?,
        None => {
            let second = write_chunks_of_second_reading(work, spec).await?;
            inspection.chunk_count = second.chunk_count;
            (inspection.series, inspection.summaries) = (second.series, second.summaries);
        }
    }
    total_series(work, inspection).await?;
    inspection.chunks = None;
    work.record(commands::record_decision(&work.upload, Decision::of(inspection)));
    let append = work.store().await?;
    if append == Append::Conflict {
        remove_chunks_if_rolled_back(work).await?;
    }
    Ok(append)
}

/// Reads an upload again whose chunks do not fit in memory, and writes them as they come.
async fn write_chunks_of_second_reading<C: Fn() -> Timestamp>(
    work: &UploadWork<'_, C>,
    spec: InspectionSpec,
) -> Result<Inspection, Error> {
    let mut inspector = Inspector::new(&work.services.catalog, spec, Retention::Chunks);
    let body = work.reopen_object().await?.body;
    let write = async |inspector: &mut Inspector<'_>| work.services.chunks.write(&inspector.drain_chunks()).await;
    feed(work.upload.id(), body, &mut inspector, write).await?;
    Ok(inspector.inspection())
}

/// Removes the chunks just written if a failed delivery ended this acceptance meanwhile and rolled it back before.
async fn remove_chunks_if_rolled_back<C: Fn() -> Timestamp>(work: &UploadWork<'_, C>) -> Result<(), Error> {
    let (id, number) = (work.upload.id(), work.upload.write_number());
    let stored = work.services.uploads.load(id).await?;
    if stored.is_some_and(|stored| !stored.keeps_chunks_of(number)) {
        work.services.chunks.delete_of_upload(id, Some(number)).await?;
    }
    Ok(())
}
