//! The commands of an owner: retry, correct and discard rejected data; withdraw an upload.
//!
//! Each command appends its request (or `discarded`) before its effects, so two concurrent calls cannot both go ahead,
//! and a call that was interrupted can be repeated. A withdrawal appends `withdrawn` after its effects. The core decides:
//! see [`eventpulse_core::upload::commands`].

mod discard;
mod retry;
mod withdraw;

pub use crate::workflows::decide_and_append::CommandOutcome;
pub use discard::discard;
pub use retry::{Correction, presign_correction, retry_corrected, retry_unchanged};
pub use withdraw::{Withdrawal, withdraw};
