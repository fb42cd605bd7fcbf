//! Workflows: one module for each use case. A workflow loads state, lets [`eventpulse_core`] decide, performs the effects
//! and appends the events.
//!
//! Read [`process_upload`] first: it is the path of one upload.

mod begin_delivery;
mod decide_and_append;
pub mod delivery;
pub mod failed_delivery;
mod inspect_object;
pub mod issue;
pub mod keys;
pub mod messages;
pub mod notify;
mod process_object;
pub mod process_upload;
mod quarantine;
pub(crate) mod record_occurrence;
pub(crate) mod retry;
pub mod subscribe;
pub mod synthetic_check;
mod take_steps;
pub mod upload_commands;
mod upload_work;
