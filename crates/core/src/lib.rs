//! EventPulse without AWS: records, schemas, validation, statistics and the history of uploads.
//!
//! This crate is pure: it reads no clock, no environment and no network, and has no async code. It has one module per
//! domain, and each uses only the modules above it in this table:
//!
//! | module | turns | into |
//! |---|---|---|
//! | [`statistics`] | points | summaries, chunks and exact answers |
//! | [`intake`] | bytes | records, verdicts, points and rejections |
//! | [`upload`] | a history of events and a command | the state of an upload, its next step, new events |
//! | [`notification`] | occurrences | problems, notices and subscriptions |
//! | [`device`] | API keys and messages | credentials and write batches |
//! | [`usage`] | counters of an owner's use | admitted and refused requests |
//!
//! [`time`], [`id`] and [`encoding`] are shared by all of them.

pub mod device;
pub mod encoding;
pub mod id;
pub mod intake;
pub mod notification;
pub mod statistics;
pub mod time;
pub mod upload;
pub mod usage;
mod varint;
