//! The history of an upload, its state, and the commands that change it.
//!
//! An upload is an aggregate in the sense of event sourcing:
//!
//! - [`UploadEvent`] defines the events. A history only grows.
//! - [`Upload::fold`] folds a history into the state. It decides nothing.
//! - [`Upload::next_step`] and the other methods answer questions about the state.
//! - [`commands`] decide: a function of the state and a command returns the events to append, or a refusal.
//!
//! This module knows no storage. `eventpulse-aws` loads a history, calls a command and appends the events, on the
//! condition that the history still has the number of events that were read.
//!
//! A history has [limits]: the commands keep every history below them.
//!
//! One rule orders events and effects: a request or a rejection is appended before its effects. The event of a completed
//! effect (`quarantined`, `rolled_back`, `withdrawn`) is appended afterwards, or in its transaction; an acceptance, when
//! its points are stored. `discarded` is the exception: it is appended before the deletion.

mod accessors;
mod aggregate;
pub mod commands;
mod decision;
mod event;
mod inspection_spec;
mod keys;
pub mod limits;
pub mod object_metadata;
mod progress;
pub mod report;
pub mod series_totals;
mod state;
#[cfg(test)]
mod tests;
pub mod verdict;

pub use crate::statistics::series_statistics::{SeriesReport, SeriesStatistics};
pub use accessors::OpenRejection;
pub use aggregate::{InvalidHistory, PendingRetry, Upload};
pub use decision::{Arrival, Decision, SharedChunk, Step};
pub use event::{MessageMetadata, ObjectVersion, Origin, QuarantineLocation, RecordedEvent, RetryForm, UploadEvent};
pub use inspection_spec::{inspection_spec, message_limits};
pub use keys::{quarantine_key, report_key, retry_key};
pub use state::{QuarantineStatus, UploadState};
