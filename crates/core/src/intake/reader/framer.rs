//! The framer: finds the beginning and the end of each record in decompressed content.

mod recognized;
mod state;

use memchr::memchr;

use super::frame::Frame;
use super::head;
use super::limits::Limits;
use super::media::Format;
use super::recognizer::{Between, Recognizer};
use super::scan::{End, Scan};
use super::text::is_white_space;
use crate::intake::failure::{Failure, FailureCode};
use crate::intake::json::{Mistake, stray_character};
use crate::intake::position::TextPosition;
use state::{Current, State};
pub(super) use state::{Found, Record};

/// The content buffer keeps at most this capacity after a large record.
const KEPT_CAPACITY: usize = 1 << 20;

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
    /// The search for the end of the current value.
    scan: Scan,
    /// Whether no more content follows.
    ended: bool,
    /// Whether the first line of NDJSON is an array.
    begins_with_array: bool,
}

impl Framer {
    pub(super) fn new(format: Format, limits: Limits) -> Self {
        let position = TextPosition::START;
        let current = Current { start: 0, position, dropped: 0, was_refused: false };
        Self {
            format,
            limits,
            content: Vec::new(),
            next: 0,
            position,
            records: 0,
            current,
            state: State::Head,
            scan: Scan::new(0),
            ended: false,
            begins_with_array: false,
        }
    }

    /// Ends the content: no more is appended.
    pub(super) fn end_content(&mut self) {
        self.ended = true;
    }

    /// Returns the buffer, to append content to it. Invalidates the records that were found.
    pub(super) fn content_mut(&mut self) -> &mut Vec<u8> {
        let framed = match self.state {
            State::Line | State::Value { .. } | State::Rest { .. } => self.current.start,
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
        let Record { index, position, length, range, decides_upload, was_refused } = record;
        let bytes = range.map(|range| self.content.get(range).unwrap_or_default());
        Frame { index, position, byte_length: length, bytes, decides_upload, was_refused }
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

    /// Finds the next record that ends in the content at hand, or has the recognizer take records.
    #[inline]
    pub(super) fn next_record(&mut self, recognizer: &mut impl Recognizer) -> Result<Option<Found>, Failure> {
        if self.is_held(recognizer) {
            return self.held(recognizer);
        }
        while !self.rest().is_empty() {
            let found = match self.state {
                State::Failed { broken } => Err(not_json(broken)),
                State::Head => match head::format_of(self.format, &self.content, self.ended)? {
                    None => return Ok(None),
                    Some(format) => {
                        (self.format, self.state) = (format, State::Start);
                        Ok(None)
                    }
                },
                State::Start => self.start(recognizer),
                State::Line => self.line(recognizer),
                State::Value { in_array } => self.value(in_array).map(|record| record.map(Found::Record)),
                State::Rest { broken } => self.rest_of_document(broken).map(|()| None),
                State::Element { .. } | State::Separator | State::End { .. } => self.between(recognizer),
            };
            if let Some(found) = found? {
                return Ok(Some(found));
            }
            if self.is_held(recognizer) {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// Finds the record that ends with the content.
    pub(super) fn last_record(&mut self) -> Result<Option<Record>, Failure> {
        match self.state {
            State::Line => {
                self.state = State::End { is_object: false };
                self.end_record(self.next, false).map_or_else(|| self.last_record(), |record| Ok(Some(record)))
            }
            State::End { .. } if self.format == Format::Ndjson && self.records == 1 && self.begins_with_array => {
                let message = "the only line is an array, but NDJSON has one record a line: send the file as \
                               application/json";
                Err(Failure::new(FailureCode::ContentTypeMismatch, "", message))
            }
            State::Head | State::Start | State::End { .. } => Ok(None),
            State::Value { in_array: false } | State::Rest { .. } => self.end_value(self.next, false),
            State::Value { in_array: true } | State::Element { .. } | State::Separator => Err(self.failure(
                FailureCode::Truncated,
                "the upload ends within the array: a ] is missing, or the data was cut off",
            )),
            State::Failed { broken } => Err(not_json(broken)),
        }
    }

    /// Before the first record: skips white space.
    fn start(&mut self, recognizer: &mut impl Recognizer) -> Result<Option<Found>, Failure> {
        let Some(first) = self.skip_white_space() else { return Ok(None) };
        match (self.format, first) {
            (Format::Ndjson, first) => {
                self.begins_with_array = first == b'[';
                self.begin_record();
                self.state = State::Line;
            }
            (Format::Json | Format::Undeclared, b'[') => {
                self.skip(1);
                self.state = State::Element { first: true };
            }
            (Format::Json | Format::Undeclared, first) => return self.begin_value(first, false, recognizer),
        }
        Ok(None)
    }

    /// In a line of NDJSON: has the recognizer take lines, or looks for the end of this one.
    #[inline]
    fn line(&mut self, recognizer: &mut impl Recognizer) -> Result<Option<Found>, Failure> {
        // The rest of a line whose beginning was held is not tried.
        if self.next == self.current.start
            && let Some(taken) = self.take(Between::LineFeed, recognizer)
        {
            return Ok(Some(Found::Taken(taken)));
        }
        let Some(length) = memchr(b'\n', self.rest()) else {
            self.hold();
            return Ok(None);
        };
        let record = self.end_record(self.next + length, false);
        self.end_line();
        Ok(record.map(Found::Record))
    }

    /// Moves behind a line feed, to the beginning of the next line.
    fn end_line(&mut self) {
        self.next += 1;
        self.position = TextPosition { line: self.position.line + 1, byte_offset: self.position.byte_offset + 1 };
        self.begin_record();
    }

    /// In a value: looks for its end.
    fn value(&mut self, in_array: bool) -> Result<Option<Record>, Failure> {
        let rest = self.content.get(self.next..).unwrap_or_default();
        match self.scan.end(rest) {
            Some(End::Complete(length)) => self.end_value(self.next + length, in_array),
            Some(End::Broken(length)) => self.break_value(self.next + length, in_array),
            None => {
                self.hold();
                self.check_first_document(in_array)?;
                Ok(None)
            }
        }
    }

    fn end_value(&mut self, end: usize, in_array: bool) -> Result<Option<Record>, Failure> {
        self.advance_in_record(end);
        self.check_first_document(in_array)?;
        self.state = if in_array { State::Separator } else { State::End { is_object: self.scan.is_object() } };
        Ok(self.end_record(end, in_array))
    }

    /// Ends a value at a byte that breaks its structure, so that its real end is unknown.
    fn break_value(&mut self, end: usize, in_array: bool) -> Result<Option<Record>, Failure> {
        self.advance_in_record(end - 1);
        let broken = self.position;
        self.advance_in_record(end);
        self.check_first_document(in_array)?;
        if !in_array && self.records == 0 {
            self.state = State::Rest { broken };
            return Ok(None);
        }
        self.state = State::Failed { broken };
        match self.end_record(end, true) {
            Some(Record { range: None, .. }) => Err(not_json(broken)),
            record => Ok(record),
        }
    }

    /// In the first document, which is broken: takes the rest of the upload into it, so that one broken document is one
    /// rejected record.
    fn rest_of_document(&mut self, broken: TextPosition) -> Result<(), Failure> {
        self.hold();
        if self.current.dropped > 0 { Err(not_json(broken)) } else { Ok(()) }
    }

    /// Checks the size of the first document, which may be the whole upload. A large document among
    /// others costs only itself.
    fn check_first_document(&self, in_array: bool) -> Result<(), Failure> {
        let most = self.limits.record_bytes;
        let length = self.current.dropped + (self.next - self.current.start) as u64;
        if in_array || self.records > 0 || length <= most as u64 {
            return Ok(());
        }
        let message = format!("one record has at most {most} bytes: send an array, or NDJSON, of smaller ones");
        let TextPosition { line, byte_offset } = self.current.position;
        Err(Failure::at(FailureCode::RecordTooLarge, message, line, byte_offset))
    }

    /// Between values: looks for a comma, the end of the array or the next value.
    fn between(&mut self, recognizer: &mut impl Recognizer) -> Result<Option<Found>, Failure> {
        let Some(next) = self.skip_white_space() else { return Ok(None) };
        let not_json =
            |message: &str| Err(self.failure(FailureCode::NotJson, stray_character(self.rest()).unwrap_or(message)));
        match (self.state, next) {
            (State::Element { first: true } | State::Separator, b']') => self.state = State::End { is_object: false },
            (State::Separator, b',') => self.state = State::Element { first: false },
            (State::Element { first: false }, b']') => {
                return not_json(Mistake::TrailingComma.text());
            }
            (State::Element { .. }, b',') => return not_json(Mistake::MissingElement.text()),
            (State::Element { .. }, first) => return self.begin_value(first, true, recognizer),
            (State::End { is_object: true }, b'{') => return self.begin_value(next, false, recognizer),
            (State::End { is_object: true }, _) => {
                return not_json("text follows the end of the object: send one object after another, or one array");
            }
            (State::End { .. }, _) => {
                return not_json("text follows the end of the document: send one array, or one document");
            }
            _ => return not_json(Mistake::MissingComma.text()),
        }
        self.skip(1);
        Ok(None)
    }

    #[inline]
    fn begin_record(&mut self) {
        self.current = Current { start: self.next, position: self.position, dropped: 0, was_refused: false };
    }

    fn begin_value(
        &mut self,
        first: u8,
        in_array: bool,
        recognizer: &mut impl Recognizer,
    ) -> Result<Option<Found>, Failure> {
        self.begin_record();
        self.scan = Scan::new(first);
        self.state = State::Value { in_array };
        let between = if in_array { Between::Comma } else { Between::Nothing };
        // The first document may be the whole upload, so it is held until the content ends.
        let is_first = !in_array && self.records == 0 && !self.ended;
        Ok(if is_first { None } else { self.take(between, recognizer).map(Found::Taken) })
    }

    /// Moves to the end of the content, within the current record. Drops the record if it is too large.
    fn hold(&mut self) {
        self.advance_in_record(self.content.len());
        if !self.ended {
            // It was not seen whole.
            self.current.was_refused = false;
        }
        let held = self.content.len() - self.current.start;
        if self.current.dropped + held as u64 > self.limits.record_bytes as u64 {
            self.current.dropped += held as u64;
            self.current.start = 0;
            self.next = 0;
            self.content = Vec::new();
        }
    }

    /// Ends the current record before the index `end` of the content. Returns `None` for an empty line of NDJSON.
    #[inline]
    fn end_record(&mut self, end: usize, decides_upload: bool) -> Option<Record> {
        self.advance_in_record(end);
        let Current { start, position, dropped, was_refused } = self.current;
        let length = dropped + (end - start) as u64;
        let range = (length <= self.limits.record_bytes as u64).then_some(start..end);
        let bytes = range.clone().and_then(|range| self.content.get(range));
        if self.format == Format::Ndjson && bytes.is_some_and(|bytes| bytes.iter().copied().all(is_white_space)) {
            return None;
        }
        let record = Record { index: self.records, position, length, range, decides_upload, was_refused };
        self.records += 1;
        Some(record)
    }

    /// Moves to the index `end` of the content. A line has no line feeds to count.
    #[inline]
    fn advance_in_record(&mut self, end: usize) {
        let passed = self.content.get(self.next..end).unwrap_or_default();
        match self.format {
            Format::Ndjson => self.position.byte_offset += passed.len() as u64,
            Format::Json | Format::Undeclared => self.position.advance(passed),
        }
        self.next = end;
    }

    /// Skips white space; returns the next byte, if there is one.
    fn skip_white_space(&mut self) -> Option<u8> {
        let count = self.rest().iter().take_while(|byte| is_white_space(**byte)).count();
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

/// Returns the failure of an upload whose structure breaks at this position, in a record that is rejected for another reason.
fn not_json(TextPosition { line, byte_offset }: TextPosition) -> Failure {
    let message = "the JSON is broken here, and the rest cannot be read: correct it and send the whole file";
    Failure::at(FailureCode::NotJson, message, line, byte_offset)
}
