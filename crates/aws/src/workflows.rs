//! Workflows: one module for each use case. A workflow loads state, lets [`eventpulse_core`] decide, appends the events
//! and performs the effects, in the order that [`eventpulse_core::upload`] states.
//!
//! Read [`process_upload`] first: it is the path of one upload.
//!
//! - Entry points: [`process_upload`], [`failed_delivery`], [`messages`], [`issue`], [`upload_commands`], [`notify`],
//!   [`subscribe`], [`keys`], [`synthetic_check`]. [`delivery`] has the input and the outcome of the first two.
//! - Quotas of owners: [`quotas`], for the REST API.
//! - Steps of an upload: `process_object` (with `await_claim`), `roll_back`, `quarantine`, `record_occurrence`;
//!   `take_steps` takes them in order.
//! - Shared parts: `begin_delivery`, `upload_work`, `inspect_object`, `decide_and_append`, `conflict_retry`, `full_history`,
//!   `remove_chunks`.

mod await_claim;
mod begin_delivery;
pub(crate) mod conflict_retry;
mod decide_and_append;
pub mod delivery;
pub mod failed_delivery;
mod full_history;
mod inspect_object;
pub mod issue;
pub mod keys;
pub mod messages;
pub mod notify;
mod process_object;
pub mod process_upload;
mod quarantine;
pub mod quotas;
pub(crate) mod record_occurrence;
mod remove_chunks;
mod roll_back;
pub mod subscribe;
pub mod synthetic_check;
mod take_steps;
mod total_series;
pub mod upload_commands;
mod upload_work;
pub mod wait;
