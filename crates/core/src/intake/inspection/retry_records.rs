//! The rejected records of an upload that was accepted in part, retried as they are: from the lines that
//! [`RejectedRecord::write_line`] wrote.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::intake::failure::{Failure, FailureCode};
use crate::intake::position::TextPosition;
use crate::intake::reader::Frame;
use crate::intake::rejection::RejectedRecord;

/// A record that is retried.
pub(super) enum RetryRecord<'a> {
    /// The record, with its index and position in the upload.
    Readable(Frame<'a>),
    /// A record that is not JSON or too large, so that its rejection stands; with its text, if that was kept.
    Unreadable(RejectedRecord, Option<String>),
}

/// The members of a line that hold the record.
#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    record: Option<&'a RawValue>,
    text: Option<String>,
}

/// Reads a member that is there, so that a record that is null differs from none.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Parses a line that holds a rejected record.
///
/// # Errors
/// Returns the failure of the upload if the line holds anything else.
pub(super) fn parse<'a>(frame: &Frame<'a>) -> Result<RetryRecord<'a>, Failure> {
    let foreign = || {
        let message = "the line does not hold a rejected record";
        let TextPosition { line, byte_offset } = frame.position;
        Failure::at(FailureCode::NotJson, message, line, byte_offset)
    };
    let bytes = frame.bytes.ok_or_else(foreign)?;
    let rejected: RejectedRecord = serde_json::from_slice(bytes).map_err(|_| foreign())?;
    let Content { record, text } = serde_json::from_slice(bytes).map_err(|_| foreign())?;
    let Some(record) = record else { return Ok(RetryRecord::Unreadable(rejected, text)) };
    let RejectedRecord { index, line, byte_offset, byte_length, .. } = rejected;
    let position = TextPosition { line, byte_offset };
    let bytes = Some(record.get().as_bytes());
    Ok(RetryRecord::Readable(Frame { index, position, byte_length, bytes, decides_upload: false, was_refused: false }))
}
