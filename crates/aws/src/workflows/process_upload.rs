//! The path of one upload: find it, take the steps that are left, append their events.
//!
//! A delivery may come twice, late, or at the same time as another one. Every append is conditional on the history that
//! was read. After a conflict, the delivery begins again and finds fewer steps left, or none.

use eventpulse_core::time::Timestamp;

use crate::Services;
use crate::error::Error;
use crate::workflows::begin_delivery::{Begun, begin_delivery};
use crate::workflows::conflict_retry::{ConflictRetry, Try};
use crate::workflows::delivery::{Delivery, DeliveryOutcome};
use crate::workflows::take_steps::take_steps;
use crate::workflows::upload_work::StepOutcome;

/// Processes a delivery until the upload is settled, or waits for another upload with the same bytes. The caller of a
/// waiting upload delivers again, after a pause.
///
/// # Errors
/// Returns an [AWS failure](crate::error). The caller delivers again; the next delivery resumes.
pub async fn process_upload(
    services: &Services,
    delivery: &Delivery,
    clock: impl Fn() -> Timestamp,
) -> Result<DeliveryOutcome, Error> {
    if delivery.is_folder_marker() {
        return Ok(DeliveryOutcome::Ignored);
    }
    let mut tries = ConflictRetry::DELIVERY.tries();
    while tries.next().await {
        if let Try::Done(outcome) = process_once(services, delivery, &clock).await? {
            return Ok(outcome);
        }
    }
    Err(tries.exhausted("process", &delivery.target()))
}

async fn process_once(
    services: &Services,
    delivery: &Delivery,
    clock: impl Fn() -> Timestamp,
) -> Result<Try<DeliveryOutcome>, Error> {
    let mut work = match begin_delivery(services, delivery, clock).await? {
        Begun::Work(work) => work,
        Begun::Finished(outcome) => return Ok(Try::Done(outcome)),
    };
    if work.is_held_by_another_worker() {
        return Ok(Try::Conflict);
    }
    Ok(match take_steps(&mut work).await? {
        StepOutcome::Done => Try::Done(DeliveryOutcome::Settled(Box::new(work.upload))),
        StepOutcome::Conflict => Try::Conflict,
        StepOutcome::Waiting => Try::Done(DeliveryOutcome::Waiting(Box::new(work.upload))),
    })
}
