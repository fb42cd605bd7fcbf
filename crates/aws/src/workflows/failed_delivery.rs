//! Failed deliveries: the upload becomes `failed`, which a later delivery can still change; or, if its object kills every
//! function that reads it, the upload is rejected and quarantined.

use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::Step;
use eventpulse_core::upload::commands::{self, FailedDeliveryAction, FailedDeliveryReport};

use crate::Services;
use crate::adapters::upload_store::Append;
use crate::error::Error;
use crate::workflows::begin_delivery::{Begun, begin_delivery};
use crate::workflows::conflict_retry::{ConflictRetry, Try};
use crate::workflows::delivery::{Delivery, DeliveryOutcome};
use crate::workflows::full_history::fail_if_full;
use crate::workflows::roll_back::roll_back;
use crate::workflows::take_steps::take_steps;
use crate::workflows::upload_work::{StepOutcome, UploadWork};

/// A delivery that failed for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedDelivery {
    /// The delivery.
    pub delivery: Delivery,
    /// The reason, for the operator.
    pub reason: String,
    /// The number of invocations that died while processing it: timed out, ran out of memory, or exited. 0 if they
    /// returned errors, or were never made.
    pub deaths: u32,
}

/// Records a failed delivery, or rejects its object. Returns the outcome of the delivery.
///
/// # Errors
/// Returns an [AWS failure](crate::error). The message stays in the queue.
pub async fn record_failed_delivery(
    services: &Services,
    failed: &FailedDelivery,
    clock: impl Fn() -> Timestamp,
) -> Result<DeliveryOutcome, Error> {
    if failed.delivery.is_folder_marker() {
        return Ok(DeliveryOutcome::Ignored);
    }
    let mut tries = ConflictRetry::DELIVERY.tries();
    while tries.next().await {
        if let Try::Done(outcome) = record_once(services, failed, &clock).await? {
            return Ok(outcome);
        }
    }
    Err(tries.exhausted("record the failed delivery of", &failed.delivery.target()))
}

async fn record_once(
    services: &Services,
    failed: &FailedDelivery,
    clock: impl Fn() -> Timestamp,
) -> Result<Try<DeliveryOutcome>, Error> {
    let mut work = match begin_delivery(services, &failed.delivery, clock).await? {
        Begun::Work(work) => work,
        Begun::Finished(outcome) => return Ok(Try::Done(outcome)),
    };
    let report = FailedDeliveryReport {
        reason: &failed.reason,
        correlation_id: &failed.delivery.correlation_id,
        deaths: failed.deaths,
    };
    let outcome = match commands::on_failed_delivery(&work.upload, &report, &work.requested_schema()) {
        FailedDeliveryAction::Nothing => StepOutcome::Done,
        FailedDeliveryAction::Record(events) => {
            work.record(events);
            match store_failure(&mut work).await {
                Ok(append) => append.into(),
                Err(error) => {
                    fail_if_full(services, work.upload.id(), error).await?;
                    StepOutcome::Done
                }
            }
        }
        FailedDeliveryAction::Finish(events) => {
            work.record(events);
            take_steps(&mut work).await?
        }
    };
    Ok(match outcome {
        StepOutcome::Done => Try::Done(DeliveryOutcome::Settled(Box::new(work.upload))),
        StepOutcome::Waiting => Try::Done(DeliveryOutcome::Waiting(Box::new(work.upload))),
        StepOutcome::Conflict => Try::Conflict,
    })
}

/// Stores the failure. If chunks were being written, removes them and the claim, which other uploads may wait for.
async fn store_failure<C: Fn() -> Timestamp>(work: &mut UploadWork<'_, C>) -> Result<Append, Error> {
    if work.upload.next_step() == Some(Step::RollBack) { roll_back(work).await } else { work.store().await }
}
