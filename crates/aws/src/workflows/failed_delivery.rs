//! The failure queue: deliveries that were given up. Nothing vanishes here: an upload becomes `failed`, which a later
//! delivery can still mend, or, when it is the upload that kills the function, goes into quarantine.

use eventpulse_core::intake::failure::{Code, Failure};
use eventpulse_core::intake::rejection::Rejection;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{Arrival, Fact, State};

use crate::Services;
use crate::adapters::upload_store::Append;
use crate::error::{Error, Kind};
use crate::workflows::delivery::Delivery;
use crate::workflows::process_upload::{ATTEMPTS, Outcome, PAUSE, Work};

/// So many invocations in a row that died make an object a poison: as many as Lambda makes of one event.
const DEATHS_OF_A_POISON: u32 = 3;

/// A delivery that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUp {
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
pub async fn give_up(services: &Services, given_up: &GivenUp, clock: impl Fn() -> Timestamp) -> Result<Outcome, Error> {
    if given_up.delivery.is_folder_marker() {
        return Ok(Outcome::Ignored);
    }
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        let mut work = Work::begin(services, &given_up.delivery, &clock).await?;
        match work.upload.arrival(&work.object) {
            Arrival::Late => return work.remove_late_version().await,
            Arrival::Done => return Ok(work.settled()),
            Arrival::Mine => {}
        }
        if work.upload.next().is_none() {
            return Ok(work.settled()); // nothing is owed: it went well in the end
        }
        // Rejected here before, or at this moment by another one of the same event: what is still owed of it is for here, too.
        let rejection = work.upload.rejection().and_then(Rejection::chief);
        let is_rejected_here = rejection.is_some_and(|failure| failure.code == Code::ProcessingFailed);
        let is_undecided = work.upload.decision.is_none();
        if given_up.deaths >= DEATHS_OF_A_POISON && (is_undecided || is_rejected_here) {
            if is_undecided {
                let message = format!(
                    "reading it failed {} times, the last time so: {}; send it in smaller files",
                    given_up.deaths, given_up.reason
                );
                work.reject(Failure::new(Code::ProcessingFailed, "", message));
            }
            if work.run().await? == Append::Done {
                return Ok(work.settled());
            }
        } else {
            let (reason, correlation_id) = (given_up.reason.clone(), given_up.delivery.correlation_id.clone());
            let told_already = work.upload.state() == State::Failed
                && work.upload.failure_reason.as_ref() == Some(&reason)
                && work.upload.correlation_id.as_ref() == Some(&correlation_id);
            if told_already {
                return Ok(work.settled());
            }
            work.happened(Fact::Failed { reason, correlation_id });
            if work.store().await? == Append::Done {
                return Ok(work.settled());
            }
        }
    }
    Err(Error::new("giving up", &given_up.delivery.key, Kind::Contended))
}
