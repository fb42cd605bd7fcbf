//! EventPulse on AWS: [`adapters`] speak to one table, bucket or topic each; [`workflows`] load, let the pure core
//! decide, perform and append.
//!
//! Read [`workflows::process_upload`] first: it is the path of one upload.

pub mod adapters;
pub mod config;
pub mod error;
pub mod logs;
pub mod services;
pub mod workflows;

pub use config::Config;
pub use error::{Error, Kind};
pub use services::{Services, StartError, clock, http_client, sdk_config};
