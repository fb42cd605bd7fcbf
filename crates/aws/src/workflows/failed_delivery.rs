//! The failure queue: deliveries that were given up. Nothing vanishes here: an upload becomes `failed`, which a later
//! delivery can still mend, or, when it is the upload that kills the function, goes into quarantine.

use eventpulse_core::intake::failure::{Failure, FailureCode};
use eventpulse_core::intake::rejection::Rejection;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{Arrival, UploadEvent, UploadState};

use crate::Services;
use crate::adapters::upload_store::Append;
use crate::error::{Error, Kind};
use crate::workflows::delivery::Delivery;
use crate::workflows::process_upload::{ATTEMPTS, DeliveryOutcome, PAUSE, UploadWork};

/// So many invocations in a row that died make an object a poison: as many as Lambda makes of one event.
const DEATHS_OF_A_POISON: u32 = 3;

/// A delivery that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedDelivery {
    /// What was to be delivered.
    pub delivery: Delivery,
    /// Why it was given up, for the operator.
    pub reason: String,
    /// How many invocations died of it: timed out, ran out of memory, exited. 0 when they erred, or never began.
    pub deaths: u32,
}

/// Deals with a delivery that was given up. Returns what the delivery came to.
///
/// # Errors
/// When AWS does not answer, or refuses: the message stays in the queue.
pub async fn record_failed_delivery(
    services: &Services,
    failed_delivery: &FailedDelivery,
    clock: impl Fn() -> Timestamp,
) -> Result<DeliveryOutcome, Error> {
    if failed_delivery.delivery.is_folder_marker() {
        return Ok(DeliveryOutcome::Ignored);
    }
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        let mut work = UploadWork::begin(services, &failed_delivery.delivery, &clock).await?;
        match work.upload.arrival(&work.object) {
            Arrival::Late => return work.remove_late_version().await,
            Arrival::AlreadyProcessed => return Ok(work.settled()),
            Arrival::Current => {}
        }
        if work.upload.next().is_none() {
            return Ok(work.settled()); // nothing is owed: it went well in the end
        }
        // Rejected here before, or at this moment by another one of the same event: what is still owed of it is for here, too.
        let rejection = work.upload.rejection().and_then(Rejection::primary_failure);
        let is_rejected_here = rejection.is_some_and(|failure| failure.code == FailureCode::ProcessingFailed);
        let is_undecided = work.upload.decision().is_none();
        if failed_delivery.deaths >= DEATHS_OF_A_POISON && (is_undecided || is_rejected_here) {
            if is_undecided {
                let message = format!(
                    "reading it failed {} times, the last time so: {}; send it in smaller files",
                    failed_delivery.deaths, failed_delivery.reason
                );
                work.reject(Failure::new(FailureCode::ProcessingFailed, "", message));
            }
            if work.run().await? == Append::Done {
                return Ok(work.settled());
            }
        } else {
            let (reason, correlation_id) =
                (failed_delivery.reason.clone(), failed_delivery.delivery.correlation_id.clone());
            let told_already = work.upload.state() == UploadState::Failed
                && work.upload.failure_reason() == Some(&reason)
                && work.upload.correlation_id() == Some(&correlation_id);
            if told_already {
                return Ok(work.settled());
            }
            work.happened(UploadEvent::DeliveryFailed { reason, correlation_id });
            if work.store().await? == Append::Done {
                return Ok(work.settled());
            }
        }
    }
    Err(Error::new("giving up", &failed_delivery.delivery.key, Kind::Contended))
}
