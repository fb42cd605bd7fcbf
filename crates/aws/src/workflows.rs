//! Workflows: one module for each use case. A workflow loads state, lets [`eventpulse_core`] decide, performs the effect and
//! appends what happened.
//!
//! Read [`process_upload`] first: it is the path of one upload.

pub mod delivery;
pub mod failed_delivery;
mod inspect_object;
pub mod issue;
pub mod messages;
pub mod notify;
pub mod process_upload;
mod quarantine;
pub(crate) mod record_occurrence;
pub(crate) mod retry;
pub mod synthetic_check;
pub mod upload_commands;
