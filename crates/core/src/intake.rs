//! Intake: the bytes of an upload become verdicts and points.
//!
//! [`inspection`] is the entry point: it pulls frames from the [`reader`], gets a verdict on each from the validator in
//! [`validation`], and collects points and [`rejection`]s. The validator uses [`json`] and [`schema`]; a `program`, compiled from
//! a schema, decides about common records in one pass over their bytes.

pub mod date_time;
pub mod digest;
pub mod failure;
pub mod fingerprint;
pub mod inspection;
pub mod json;
pub mod position;
mod program;
pub mod reader;
pub mod rejection;
pub mod rules;
pub mod schema;
pub mod shape;
mod utf16;
pub mod validation;
