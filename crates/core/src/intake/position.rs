//! Positions in the text of an upload or of a record.

use memchr::memchr_iter;
use serde::{Deserialize, Serialize};

/// The position of a byte in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextPosition {
    /// The line, from 1.
    pub line: u64,
    /// The offset of the byte from the beginning of the text, from 0.
    pub byte_offset: u64,
}

impl TextPosition {
    /// The position of the first byte.
    pub const START: TextPosition = TextPosition { line: 1, byte_offset: 0 };

    /// Returns a position in a text that begins at `start` as a position in the text around it.
    pub(crate) fn within(self, start: TextPosition) -> TextPosition {
        TextPosition { line: start.line + self.line - 1, byte_offset: start.byte_offset + self.byte_offset }
    }

    /// Moves after `text`, which begins at this position.
    pub(crate) fn advance(&mut self, text: &[u8]) {
        self.byte_offset += text.len() as u64;
        self.line += memchr_iter(b'\n', text).count() as u64;
    }
}

/// The last record of an upload that was read, if the records after it were not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadUntil {
    /// The number of records that were read.
    pub records: u64,
    /// The line on which the last one begins, from 1.
    pub line: u64,
    /// The offset of its first byte, from 0, after decompression.
    pub byte_offset: u64,
}
