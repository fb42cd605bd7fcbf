//! EventPulse without AWS: records, schemas, validation, statistics and the history of uploads.
//!
//! Nothing here reads a clock, the environment or the network, or waits for anything. The way of an upload:
//! [`reader`] finds its records, [`validation`] checks each, [`chunk`] gathers what counts and [`rejection`] what does
//! not; [`examine`] ties these together; [`upload`] decides, from the history, which effect is owed next.

pub mod answer;
pub mod batch;
pub mod chunk;
pub mod digits;
pub mod examine;
pub mod failure;
pub mod group;
pub mod id;
pub mod json;
pub mod key;
pub mod notice;
pub mod profile;
pub mod reader;
pub mod rejection;
pub mod report;
pub mod schema;
pub mod series;
pub mod statistics;
pub mod subscription;
pub mod time;
pub mod upload;
pub mod validation;
