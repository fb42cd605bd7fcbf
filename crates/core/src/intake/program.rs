//! Programs: schemas compiled to readers of bytes.
//!
//! A [`Program`] reads one record in one pass: it finds the end of the record, checks the record and finds its points,
//! without a document in between. It answers "accepted, with these points" or "not sure", and never "rejected". The parser,
//! `jsonschema` and the extraction plan decide about a record that the program is not sure of, and describe its failures.
//! So a program may be simple: it need not know escapes, members that the schema does not declare, or rare keywords. It must
//! never accept a record that the others reject, and never find another point. `tests/one_pass` compares the two ways.
//!
//! ```text
//! schema ─▶ compile ─▶ Program ┐
//!                      bytes ──┴▶ Reading ─▶ the end of the record, and in Found: points, types of members, name of the schema
//!                                 │    ▲
//!                                 └────┴── Layouts: how the text between the values was written so far
//! ```
//! [`compile()`] lists the keywords. A schema with any other keyword has no program.

mod compile;
mod date_time;
mod found;
mod layouts;
mod number;
mod reading;
mod rules;
mod text;

pub(crate) use compile::{Bundle, compile};
pub(crate) use found::Found;
pub(crate) use layouts::Layouts;
pub(crate) use rules::Program;
pub(crate) use text::WhiteSpace;
