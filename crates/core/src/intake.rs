//! Intake: the bytes of an upload become verdicts and points.
//!
//! [`reader`] decompresses and frames records, [`json`] parses one, [`schema`] and [`validation`] check it and extract its
//! points, [`rejection`] groups what failed, and [`inspection`] ties these together for one upload.

pub mod failure;
pub mod fingerprint;
pub mod inspection;
pub mod json;
pub mod position;
pub mod reader;
pub mod rejection;
pub mod schema;
pub mod shape;
pub mod validation;
