//! JSON as a tape: one 12-byte entry per value, whatever the document looks like.
//!
//! `serde_json::Value` takes up to 87 bytes for one byte of hostile JSON. Here a value or a member's name is one entry in one
//! reusable vector, and strings without escapes stay in the record. `serde_json` parses the text (see `parse`), `jsonschema`
//! validates the tape in place (see `view`), and text positions are looked up only for failures (see `locate`).

mod budget;
mod locate;
mod node;
mod number;
mod parse;
mod pointer;
mod syntax;
mod tape;
mod unique;
mod view;

pub(crate) use budget::Budget;
pub(crate) use locate::{locate, locate_in};
pub(crate) use node::{TapeNode, TapeObject};
pub(crate) use number::TapeNumber;
pub use parse::MAX_DEPTH;
pub use pointer::escaped;
pub(crate) use syntax::{Mistake, is_white_space, stray_character};
pub(crate) use tape::{Document, Tape};
pub(crate) use view::TapeJson;

use crate::intake::failure::Failure;

/// Checks that `bytes` are one JSON value that every parser reads alike: in UTF-8, without repeated names, at most
/// [`MAX_DEPTH`] deep, with numbers within double precision.
///
/// # Errors
/// Returns the first failure, with its position in `bytes`.
pub fn check(bytes: &[u8]) -> Result<(), Box<Failure>> {
    Tape::default().read(bytes).map(drop)
}

#[cfg(test)]
mod tests;
