//! EventPulse on AWS: each of the [`adapters`] uses one table, bucket, topic or gateway; [`workflows`] load state, ask the
//! pure core for a decision, perform its effect and append the events.
//!
//! Read [`workflows::process_upload`] first: it describes the path of one upload.

pub mod adapters;
pub mod config;
pub mod environment;
pub mod error;
pub mod logs;
pub mod services;
pub mod workflows;

pub use config::Config;
pub use error::{Error, Kind};
pub use services::{Services, StartError, clock, http_client, sdk_config};
