//! Commands: functions of an upload's state that return the events to append.
//!
//! A command knows no storage and no clock. A command of the owner that does not fit the state returns a [`Refusal`]. A
//! repeated command returns no events if its effect has happened already.

mod delivery;
mod discard;
mod occurrence;
mod process;
mod quarantine;
mod refusal;
mod retry;
#[cfg(test)]
mod tests;
mod waiting;
mod withdraw;

pub use delivery::{
    FailedDeliveryAction, FailedDeliveryReport, POISON_DEATHS, TAKE_OVER_AFTER, is_held_by_another_worker,
    on_failed_delivery,
};
pub use discard::discard;
pub use occurrence::{RecordableOccurrence, record_occurrence, recordable_occurrence};
pub use process::{begin_acceptance, receive, record_decision, reject};
pub use quarantine::{QuarantineAction, QuarantinePlan, plan_quarantine};
pub use refusal::Refusal;
pub use retry::{request_correction, retry_unchanged, retryable_location};
pub use waiting::{CLAIM_LAPSE, ClaimStatus, claim_status, end_lapsed_claim, look_again_after, wait};
pub use withdraw::{complete_withdrawal, request_withdrawal};
