//! Properties of `template.yaml` that neither CloudFormation nor its linters check, tested on the expanded template.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod alarms;
mod apis;
mod concurrency;
mod deployments;
mod device_api;
mod expanded;
mod names;
mod permissions;
mod processing;
mod protection;
mod security;
mod uploads;
mod users;
