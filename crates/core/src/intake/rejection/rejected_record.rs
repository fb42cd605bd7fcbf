//! A rejected record, and its line in the quarantined NDJSON.

use memchr::memchr2;
use serde::{Deserialize, Serialize};

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
        let head = LineHead {
            index: self.index,
            line: self.line,
            byte_offset: self.byte_offset,
            byte_length: self.byte_length,
            schema_requested: self.schema_requested.as_deref(),
            schema_applied: self.schema_applied.as_deref(),
            failures: &self.failures,
            failures_omitted: self.failures_omitted,
        };
        let start = line.len();
        if serde_json::to_writer(&mut *line, &head).is_err() {
            line.truncate(start);
            return;
        }
        line.pop(); // the closing brace
        if let Some(bytes) = bytes {
            let is_portable = self.failures.iter().all(|failure| is_portable(failure.code));
            write_record(bytes, is_portable, line);
        }
        line.extend_from_slice(b"}\n");
    }
}

/// Appends the bytes of a record to its line, as `record` or as `text`.
pub(crate) fn write_record(bytes: &[u8], is_portable: bool, line: &mut Vec<u8>) {
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

/// The first members of a line of the quarantined NDJSON.
#[derive(Serialize)]
struct LineHead<'a> {
    index: u64,
    line: u64,
    byte_offset: u64,
    byte_length: u64,
    schema_requested: Option<&'a str>,
    schema_applied: Option<&'a str>,
    failures: &'a [Failure],
    failures_omitted: u64,
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
