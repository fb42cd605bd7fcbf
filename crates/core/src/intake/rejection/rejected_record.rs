//! A rejected record, and its line in the quarantined NDJSON.

use memchr::memchr2;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::intake::failure::{Failure, FailureCode};

/// The maximum size of a record that is kept as text, in bytes. Escaping may take six times as many.
const MAX_TEXT_BYTES: usize = 1 << 20;

/// One rejected record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RejectedRecord {
    /// The index of the record in the upload, from 0.
    pub index: u64,
    /// The line of its first byte, from 1.
    pub line: u64,
    /// The offset of its first byte in the upload, from 0, after decompression.
    pub byte_offset: u64,
    /// Its length in bytes.
    pub byte_length: u64,
    /// The schema that the record or the upload requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_requested: Option<String>,
    /// The applied schema, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_applied: Option<String>,
    /// The failures, with positions in the upload.
    pub failures: Vec<Failure>,
    /// The number of further failures.
    pub failures_omitted: u64,
}

impl RejectedRecord {
    /// Appends the record to the quarantined NDJSON as a line: its position, its failures and its bytes, as `record` if they are
    /// JSON that other parsers accept, else as `text`. A record that is too large, or whose text exceeds a mebibyte, has neither;
    /// the upload in the process bucket still has it.
    pub fn write_line(&self, bytes: Option<&[u8]>, line: &mut Vec<u8>) {
        let start = line.len();
        write_place(self.index, self.line, self.byte_offset, self.byte_length, line);
        let (requested, applied) = (self.schema_requested.as_deref(), self.schema_applied.as_deref());
        line.extend_from_slice(schema_members(requested, applied).as_bytes());
        for (index, failure) in self.failures.iter().enumerate() {
            if index > 0 {
                line.push(b',');
            }
            if serde_json::to_writer(&mut *line, failure).is_err() {
                line.truncate(start);
                return;
            }
        }
        let is_portable = self.failures.iter().all(|failure| is_portable(failure.code));
        write_end(self.failures_omitted, bytes, is_portable, line);
    }
}

/// Appends the first members of the line of a record.
pub(crate) fn write_place(index: u64, line: u64, byte_offset: u64, byte_length: u64, to: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    let members = [
        ("{\"index\":", index),
        (",\"line\":", line),
        (",\"byte_offset\":", byte_offset),
        (",\"byte_length\":", byte_length),
    ];
    for (member, number) in members {
        to.extend_from_slice(member.as_bytes());
        to.extend_from_slice(digits.format(number).as_bytes());
    }
}

/// Returns the members of a line behind [`write_place`], up to the first failure.
pub(crate) fn schema_members(requested: Option<&str>, applied: Option<&str>) -> String {
    let (requested, applied) = (json!(requested), json!(applied));
    format!(",\"schema_requested\":{requested},\"schema_applied\":{applied},\"failures\":[")
}

/// Appends the rest of a line behind the last failure.
pub(crate) fn write_end(failures_omitted: u64, bytes: Option<&[u8]>, is_portable: bool, to: &mut Vec<u8>) {
    to.extend_from_slice(b"],\"failures_omitted\":");
    to.extend_from_slice(itoa::Buffer::new().format(failures_omitted).as_bytes());
    if let Some(bytes) = bytes {
        write_record(bytes, is_portable, to);
    }
    to.extend_from_slice(b"}\n");
}

/// Appends the bytes of a record to its line, as `record` or as `text`.
fn write_record(bytes: &[u8], is_portable: bool, line: &mut Vec<u8>) {
    if is_portable {
        line.extend_from_slice(b",\"record\":");
        let start = line.len();
        line.extend_from_slice(bytes);
        if memchr2(b'\n', b'\r', bytes).is_some() {
            // In valid JSON a line feed occurs only between tokens, where a space is equivalent.
            let record = line.iter_mut().skip(start);
            record.filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
        }
    } else if bytes.len() <= MAX_TEXT_BYTES {
        line.extend_from_slice(b",\"text\":");
        line.extend(serde_json::to_vec(&String::from_utf8_lossy(bytes)).unwrap_or_default());
    }
}

/// Returns whether a record with this failure is JSON that any parser accepts. Parsing ends at a repeated name.
pub(crate) fn is_portable(code: FailureCode) -> bool {
    !matches!(
        code,
        FailureCode::NotJson
            | FailureCode::Truncated
            | FailureCode::NotUtf8
            | FailureCode::ByteOrderMark
            | FailureCode::TooDeep
            | FailureCode::DuplicateMember
            | FailureCode::NumberOutOfRange
            | FailureCode::LoneSurrogate
            | FailureCode::RecordTooLarge
    )
}
