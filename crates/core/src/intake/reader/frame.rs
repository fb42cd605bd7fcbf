//! The frame: one record in the bytes of an upload.

use super::recognizer::Taken;
use crate::intake::position::TextPosition;

/// One record in the bytes of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The index of the record in the upload, from 0.
    pub index: u64,
    /// The position of its first byte in the upload, after decompression.
    pub position: TextPosition,
    /// Its length in bytes.
    pub byte_length: u64,
    /// Its bytes; none if they exceed [`Limits::record_bytes`](super::Limits::record_bytes).
    pub bytes: Option<&'a [u8]>,
    /// Whether the upload as a whole is not JSON if this record is not: it is an element of a top-level array, or the end of
    /// the record is unknown and others came before.
    pub decides_upload: bool,
    /// Whether the recognizer saw it whole, and did not take it.
    pub was_refused: bool,
}

/// The next part of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// A record.
    Record(Frame<'a>),
    /// Records that the recognizer took.
    Taken(Taken),
}
