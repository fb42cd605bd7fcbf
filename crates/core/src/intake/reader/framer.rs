//! The framer: finds the beginning and the end of each record in decompressed content.

use std::ops::Range;

use memchr::memchr;

use super::limits::Limits;
use super::media::Format;
use super::scan::Scan;
use crate::intake::failure::{Failure, FailureCode};
use crate::intake::position::TextPosition;

/// The content buffer keeps at most this capacity after a large record.
const KEPT_CAPACITY: usize = 1 << 20;

/// One record in the bytes of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The index of the record in the upload, from 0.
    pub index: u64,
    /// The position of its first byte in the upload, after decompression.
    pub position: TextPosition,
    /// Its length in bytes.
    pub byte_length: u64,
    /// Its bytes; none if they exceed [`Limits::record_bytes`].
    pub bytes: Option<&'a [u8]>,
    /// Whether it is an element of a top-level array. If it is not JSON, neither is the array.
    pub in_array: bool,
}

/// Splits content into records. Holds the content from the beginning of the current record on.
pub(super) struct Framer {
    format: Format,
    limits: Limits,
    content: Vec<u8>,
    /// The index in `content` of the next byte to look at.
    next: usize,
    /// The position of that byte in the upload.
    position: TextPosition,
    /// The number of records found.
    records: u64,
    current: Current,
    state: State,
}

/// The record that is being framed.
struct Current {
    /// The index in `content` of its first byte that is still held.
    start: usize,
    /// The position of its first byte.
    position: TextPosition,
    /// The number of its bytes that were dropped because it is too large.
    dropped: u64,
}

/// A complete record.
pub(super) struct Record {
    index: u64,
    position: TextPosition,
    length: u64,
    /// Its bytes in `content`; none if it is too large.
    range: Option<Range<usize>>,
    in_array: bool,
}

#[derive(Clone, Copy)]
enum State {
    /// Before the first byte that is not white space.
    Start,
    /// In a line of NDJSON.
    Line,
    /// In an array, before an element or, if it is the first, the end.
    Element { first: bool },
    /// In a value.
    Value { scan: Scan, in_array: bool },
    /// Behind an element of an array.
    Separator,
    /// Behind the whole document, which ended on `line`.
    End { object: bool, line: u64 },
}

impl Framer {
    pub(super) fn new(format: Format, limits: Limits) -> Self {
        let position = TextPosition::START;
        let current = Current { start: 0, position, dropped: 0 };
        Self { format, limits, content: Vec::new(), next: 0, position, records: 0, current, state: State::Start }
    }

    /// Returns the buffer, to append content to it. Invalidates the records that were found.
    pub(super) fn content_mut(&mut self) -> &mut Vec<u8> {
        let framed = match self.state {
            State::Line | State::Value { .. } => self.current.start,
            _ => self.next,
        };
        if framed > 0 {
            self.content.drain(..framed);
            self.content.shrink_to(KEPT_CAPACITY);
            self.next -= framed;
            self.current.start = 0;
        }
        &mut self.content
    }

    /// Returns the frame of a record that was just found.
    #[inline]
    pub(super) fn frame(&self, record: Record) -> Frame<'_> {
        let Record { index, position, length, range, in_array } = record;
        let bytes = range.map(|range| self.content.get(range).unwrap_or_default());
        Frame { index, position, byte_length: length, bytes, in_array }
    }

    /// Checks the size of the upload, after content was appended.
    pub(super) fn check_size(&self) -> Result<(), Failure> {
        let most = self.limits.decompressed_bytes;
        if self.position.byte_offset + self.rest().len() as u64 <= most {
            return Ok(());
        }
        let message = format!("more than {most} bytes of content after decompression: send it in several uploads");
        Err(Failure::new(FailureCode::DecompressedTooLarge, "", message))
    }

    /// Finds the next record that ends in the content at hand.
    #[inline]
    pub(super) fn next_record(&mut self) -> Result<Option<Record>, Failure> {
        while !self.rest().is_empty() {
            let found = match self.state {
                State::Start => self.start().map(|()| None),
                State::Line => self.line(),
                State::Value { scan, in_array } => self.value(scan, in_array),
                State::Element { .. } | State::Separator | State::End { .. } => self.between().map(|()| None),
            };
            if let Some(record) = found? {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// Finds the record that ends with the content.
    pub(super) fn last_record(&mut self) -> Result<Option<Record>, Failure> {
        match self.state {
            State::Start | State::End { .. } => Ok(None),
            State::Line => {
                self.state = State::End { object: false, line: self.position.line };
                self.end_record(self.next, false)
            }
            State::Value { scan, in_array: false } => self.end_value(self.next, scan, false),
            State::Value { in_array: true, .. } | State::Element { .. } | State::Separator => {
                Err(self.failure(FailureCode::Truncated, "the upload ends before the array is closed by ]"))
            }
        }
    }

    /// Before the first record: skips white space and rejects foreign encodings.
    fn start(&mut self) -> Result<(), Failure> {
        if self.position.byte_offset == 0 {
            self.check_encoding()?;
        }
        let Some(first) = self.skip_white_space() else { return Ok(()) };
        match (self.format, first) {
            (Format::Ndjson, b'[') => {
                let message =
                    "NDJSON has a record a line, but this begins with [: send a JSON array as application/json";
                return Err(self.failure(FailureCode::ContentTypeMismatch, message));
            }
            (Format::Ndjson, _) => {
                self.begin_record();
                self.state = State::Line;
            }
            (Format::Json, b'[') => {
                self.skip(1);
                self.state = State::Element { first: true };
            }
            (Format::Json, first) => self.begin_value(first, false),
        }
        Ok(())
    }

    fn check_encoding(&self) -> Result<(), Failure> {
        match self.rest() {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..] => {
                Err(self.failure(FailureCode::NotUtf8, "this looks like UTF-16 or UTF-32: send UTF-8"))
            }
            [0xef, 0xbb, 0xbf, ..] => {
                let message = "the upload begins with a byte order mark (EF BB BF): save it as UTF-8 without one";
                Err(self.failure(FailureCode::ByteOrderMark, message))
            }
            _ => Ok(()),
        }
    }

    /// In a line of NDJSON: looks for its end.
    #[inline]
    fn line(&mut self) -> Result<Option<Record>, Failure> {
        let Some(length) = memchr(b'\n', self.rest()) else {
            self.hold();
            return Ok(None);
        };
        let record = self.end_record(self.next + length, false)?;
        self.next += 1;
        self.position = TextPosition { line: self.position.line + 1, byte_offset: self.position.byte_offset + 1 };
        self.begin_record();
        Ok(record)
    }

    /// In a value: looks for its end.
    fn value(&mut self, mut scan: Scan, in_array: bool) -> Result<Option<Record>, Failure> {
        if let Some(length) = scan.end(self.rest()) {
            return self.end_value(self.next + length, scan, in_array);
        }
        self.state = State::Value { scan, in_array };
        self.hold();
        if !in_array && self.current.dropped > 0 {
            let most = self.limits.record_bytes;
            let message = format!("one record has at most {most} bytes: send an array, or NDJSON, of smaller ones");
            let TextPosition { line, byte_offset } = self.current.position;
            return Err(Failure::at(FailureCode::RecordTooLarge, message, line, byte_offset));
        }
        Ok(None)
    }

    fn end_value(&mut self, end: usize, scan: Scan, in_array: bool) -> Result<Option<Record>, Failure> {
        let record = self.end_record(end, in_array)?;
        self.state =
            if in_array { State::Separator } else { State::End { object: scan.is_object(), line: self.position.line } };
        Ok(record)
    }

    /// Between values: looks for a comma, the end of the array or the next value.
    fn between(&mut self) -> Result<(), Failure> {
        let Some(next) = self.skip_white_space() else { return Ok(()) };
        let not_json = |message: &str| Err(self.failure(FailureCode::NotJson, message));
        match (self.state, next) {
            (State::Element { first: true } | State::Separator, b']') => {
                self.state = State::End { object: false, line: self.position.line };
            }
            (State::Separator, b',') => self.state = State::Element { first: false },
            (State::Element { first: false }, b']') => {
                return not_json("a comma before the closing ]: JSON has no trailing commas");
            }
            (State::Element { .. }, b',') => return not_json("a comma where an element of the array should be"),
            (State::Element { .. }, first) => {
                self.begin_value(first, true);
                return Ok(());
            }
            (State::End { object: true, line }, b'{') if line < self.position.line => {
                let message = "a second object on a line of its own: send one record a line as application/x-ndjson";
                return Err(self.failure(FailureCode::ContentTypeMismatch, message));
            }
            (State::End { .. }, _) => return not_json("more text behind the end of the JSON document"),
            _ => return not_json("neither a comma nor ] behind an element of the array"),
        }
        self.skip(1);
        Ok(())
    }

    #[inline]
    fn begin_record(&mut self) {
        self.current = Current { start: self.next, position: self.position, dropped: 0 };
    }

    fn begin_value(&mut self, first: u8, in_array: bool) {
        self.begin_record();
        self.state = State::Value { scan: Scan::new(first), in_array };
    }

    /// Moves to the end of the content, within the current record. Drops the record if it is too large.
    fn hold(&mut self) {
        self.advance_in_record(self.content.len());
        let held = self.content.len() - self.current.start;
        if self.current.dropped + held as u64 > self.limits.record_bytes as u64 {
            self.current.dropped += held as u64;
            self.current.start = 0;
            self.next = 0;
            self.content = Vec::new();
        }
    }

    /// Ends the current record before the index `end` of the content. Returns none for an empty line of NDJSON.
    #[inline]
    fn end_record(&mut self, end: usize, in_array: bool) -> Result<Option<Record>, Failure> {
        self.advance_in_record(end);
        let Current { start, position, dropped } = self.current;
        let length = dropped + (end - start) as u64;
        let range = (length <= self.limits.record_bytes as u64).then_some(start..end);
        let bytes = range.clone().and_then(|range| self.content.get(range));
        if let (Format::Ndjson, Some(bytes)) = (self.format, bytes) {
            if bytes.iter().all(u8::is_ascii_whitespace) {
                return Ok(None);
            }
            if self.records == 0 && bytes.trim_ascii() == b"{" {
                let message = "the first line holds no more than {: send an indented document as application/json";
                let TextPosition { line, byte_offset } = position;
                return Err(Failure::at(FailureCode::ContentTypeMismatch, message, line, byte_offset));
            }
        }
        let record = Record { index: self.records, position, length, range, in_array };
        self.records += 1;
        Ok(Some(record))
    }

    /// Moves to the index `end` of the content. A line has no line feeds to count.
    #[inline]
    fn advance_in_record(&mut self, end: usize) {
        let passed = self.content.get(self.next..end).unwrap_or_default();
        match self.format {
            Format::Ndjson => self.position.byte_offset += passed.len() as u64,
            Format::Json => self.position.advance(passed),
        }
        self.next = end;
    }

    /// Skips white space; returns the next byte, if there is one.
    fn skip_white_space(&mut self) -> Option<u8> {
        let is_text = |byte: &u8| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        let count = self.rest().iter().position(is_text).unwrap_or(self.rest().len());
        self.skip(count);
        self.rest().first().copied()
    }

    fn skip(&mut self, count: usize) {
        let end = self.next + count;
        self.position.advance(self.content.get(self.next..end).unwrap_or_default());
        self.next = end;
    }

    /// Returns the content that was not looked at yet.
    #[inline]
    fn rest(&self) -> &[u8] {
        self.content.get(self.next..).unwrap_or_default()
    }

    fn failure(&self, code: FailureCode, message: &str) -> Failure {
        Failure::at(code, message, self.position.line, self.position.byte_offset)
    }
}
