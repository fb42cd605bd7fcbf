//! The records of an upload that counts in part, tried again as they are: from the lines that
//! [`RejectedRecord::write_line`](crate::intake::rejection::RejectedRecord::write_line) wrote. Places stay those of the upload.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Checker;
use crate::intake::failure::{Failure, FailureCode};
use crate::intake::reader::Frame;
use crate::intake::rejection::RejectedRecord;

/// What a line holds beside what is told of the record.
#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow)]
    record: Option<&'a RawValue>,
    text: Option<String>,
}

impl Checker<'_> {
    /// A line that holds a rejected record.
    pub(super) fn rejected_line(&mut self, frame: Frame<'_>) -> Result<(), Failure> {
        let foreign = || {
            let message = "the line does not hold a rejected record";
            Failure::at(FailureCode::NotJson, message, frame.line, frame.byte_offset)
        };
        let bytes = frame.bytes.ok_or_else(foreign)?;
        let rejected: RejectedRecord = serde_json::from_slice(bytes).map_err(|_| foreign())?;
        let Content { record, text } = serde_json::from_slice(bytes).map_err(|_| foreign())?;
        match record {
            Some(record) => {
                let RejectedRecord { index, line, byte_offset, byte_length, .. } = rejected;
                let bytes = Some(record.get().as_bytes());
                self.check(Frame { index, line, byte_offset, byte_length, bytes, in_array: false, ..frame })
            }
            // It was no JSON, or too large to keep: that has not changed.
            None => {
                self.keep_rejected(rejected, text.as_deref().map(str::as_bytes));
                Ok(())
            }
        }
    }
}
