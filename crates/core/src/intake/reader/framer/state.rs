//! The state of the framer.

use std::ops::Range;

use super::super::recognizer::Taken;
use crate::intake::position::TextPosition;

/// The record that is being framed.
pub(super) struct Current {
    /// The index in `content` of its first byte that is still held.
    pub(super) start: usize,
    /// The position of its first byte.
    pub(super) position: TextPosition,
    /// The number of its bytes that were dropped because it is too large.
    pub(super) dropped: u64,
    /// Whether the recognizer saw it whole, and did not take it.
    pub(super) was_refused: bool,
}

/// What the framer finds.
pub(in crate::intake::reader) enum Found {
    /// A complete record.
    Record(Record),
    /// Records that the recognizer took.
    Taken(Taken),
}

/// A complete record.
pub(in crate::intake::reader) struct Record {
    pub(super) index: u64,
    pub(super) position: TextPosition,
    pub(super) length: u64,
    /// Its bytes in `content`; none if it is too large.
    pub(super) range: Option<Range<usize>>,
    pub(super) decides_upload: bool,
    pub(super) was_refused: bool,
}

#[derive(Clone, Copy)]
pub(super) enum State {
    /// Before the first byte. The first bytes are checked as a whole.
    Head,
    /// Before the first byte that is not white space.
    Start,
    /// In a line of NDJSON.
    Line,
    /// In an array, before an element or, if it is the first, the end.
    Element { first: bool },
    /// In a value.
    Value { in_array: bool },
    /// In the first document, after a byte that breaks it. The rest of the upload is part of it.
    Rest { broken: TextPosition },
    /// After an element of an array.
    Separator,
    /// After a document.
    End { is_object: bool },
    /// After a byte that breaks the structure of the upload.
    Failed { broken: TextPosition },
}
