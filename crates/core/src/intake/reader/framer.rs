//! Finds where each record begins and ends, holding one at the most.

use memchr::{memchr, memchr_iter, memchr2};

use super::{Format, Limits};
use crate::intake::failure::{Failure, FailureCode};

/// One record as it lies in the upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its place among the records, from 0.
    pub index: u64,
    /// The line it begins on, from 1.
    pub line: u64,
    /// The byte it begins at, from 0, after decompression.
    pub byte_offset: u64,
    /// How many bytes it has.
    pub byte_length: u64,
    /// The bytes; none when there are more of them than a record may have.
    pub bytes: Option<&'a [u8]>,
    /// How records lie in this upload.
    pub format: Format,
    /// Whether it is an element of a top-level array: then the array is no JSON when its element is none.
    pub in_array: bool,
}

/// Takes records.
pub trait Sink {
    /// Takes the next record.
    ///
    /// # Errors
    /// What is wrong with the upload as a whole: reading ends.
    fn record(&mut self, frame: Frame<'_>) -> Result<(), Failure>;

    /// Whether it wants to be emptied before it takes more.
    fn is_full(&self) -> bool {
        false
    }
}

/// The framing of one upload.
pub(super) struct Framer<S> {
    format: Format,
    limits: Limits,
    sink: S,
    place: Place,
    records: u64,
    /// The record in hand, as far as it came in earlier pieces.
    held: Vec<u8>,
    /// Where the record in hand began.
    start: Place,
    /// Its length so far, what is over the limit included.
    length: u64,
    state: State,
}

/// A place in the content.
#[derive(Clone, Copy)]
struct Place {
    byte_offset: u64,
    line: u64,
}

impl Place {
    fn advance(&mut self, bytes: &[u8]) {
        self.byte_offset += bytes.len() as u64;
        self.line += memchr_iter(b'\n', bytes).count() as u64;
    }
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    /// Before the first byte that is no white space.
    Start,
    /// In a line of NDJSON.
    Line,
    /// In an array, where a value or, at first, the end may come.
    Element { first: bool },
    /// In a value.
    Value { scan: Scan, in_array: bool },
    /// Behind an element.
    Separator,
    /// Behind the whole document. `object`: it was one.
    End { object: bool, line: u64 },
}

/// How far the end of a value was looked for.
#[derive(Clone, Copy, PartialEq)]
struct Scan {
    /// Whether no byte of the value was looked at yet.
    fresh: bool,
    depth: u32,
    string: bool,
    escaped: bool,
    object: bool,
}

impl<S: Sink> Framer<S> {
    pub(super) fn new(format: Format, limits: Limits, sink: S) -> Self {
        let place = Place { byte_offset: 0, line: 1 };
        Self { format, limits, sink, place, records: 0, held: Vec::new(), start: place, length: 0, state: State::Start }
    }

    pub(super) fn sink(&mut self) -> &mut S {
        &mut self.sink
    }

    pub(super) fn position(&self) -> u64 {
        self.place.byte_offset
    }

    /// Takes bytes until there are no more, or the sink is full. Returns how many it took.
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<usize, Failure> {
        let all = bytes.len();
        if self.place.byte_offset + bytes.len() as u64 > self.limits.decompressed_bytes {
            let most = self.limits.decompressed_bytes;
            let message = format!("more than {most} bytes of content after decompression: send it in several uploads");
            return Err(Failure::new(FailureCode::DecompressedTooLarge, "", message));
        }
        while !bytes.is_empty() {
            let used = match self.state {
                State::Start => self.start(bytes)?,
                State::Line => self.line(bytes)?,
                State::Value { scan, in_array } => self.value(bytes, scan, in_array)?,
                State::Element { .. } | State::Separator | State::End { .. } => self.between(bytes)?,
            };
            bytes = bytes.get(used..).unwrap_or_default();
            if self.sink.is_full() {
                break;
            }
        }
        Ok(all - bytes.len())
    }

    pub(super) fn finish(&mut self) -> Result<(), Failure> {
        match self.state {
            State::Start | State::End { .. } => Ok(()),
            State::Line => self.end_of_record(&[], false),
            State::Value { scan, in_array: false } => self.end_of_value(&[], scan, false),
            State::Value { in_array: true, .. } | State::Element { .. } | State::Separator => {
                Err(self.problem(FailureCode::Truncated, "the upload ends before the array is closed by ]"))
            }
        }
    }

    /// Before the first record: passes white space and tells encodings that are none of ours.
    fn start(&mut self, bytes: &[u8]) -> Result<usize, Failure> {
        if self.place.byte_offset == 0 {
            match bytes {
                [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..] => {
                    return Err(self.problem(FailureCode::NotUtf8, "this looks like UTF-16 or UTF-32: send UTF-8"));
                }
                [0xef, 0xbb, 0xbf, ..] => {
                    let message = "the upload begins with a byte order mark (EF BB BF): save it as UTF-8 without one";
                    return Err(self.problem(FailureCode::ByteOrderMark, message));
                }
                _ => {}
            }
        }
        let blank = blanks(bytes);
        self.pass(bytes, blank);
        let Some(first) = bytes.get(blank) else { return Ok(blank) };
        match (self.format, first) {
            (Format::Ndjson, b'[') => {
                let message =
                    "NDJSON has a record a line, but this begins with [: send a JSON array as application/json";
                Err(self.problem(FailureCode::ContentTypeMismatch, message))
            }
            (Format::Ndjson, _) => {
                self.begin_record();
                self.state = State::Line;
                Ok(blank)
            }
            (Format::Json, b'[') => {
                self.pass(&bytes[blank..], 1);
                self.state = State::Element { first: true };
                Ok(blank + 1)
            }
            (Format::Json, first) => {
                self.begin_value(*first, false);
                Ok(blank)
            }
        }
    }

    /// In a line of NDJSON.
    fn line(&mut self, bytes: &[u8]) -> Result<usize, Failure> {
        let Some(end) = memchr(b'\n', bytes) else {
            self.hold(bytes);
            return Ok(bytes.len());
        };
        self.end_of_record(&bytes[..end], false)?;
        self.place = Place { byte_offset: self.place.byte_offset + 1, line: self.place.line + 1 };
        self.begin_record();
        Ok(end + 1)
    }

    /// In a value: looks for its end.
    fn value(&mut self, bytes: &[u8], mut scan: Scan, in_array: bool) -> Result<usize, Failure> {
        match scan.end(bytes) {
            Some(end) => {
                self.end_of_value(&bytes[..end], scan, in_array)?;
                Ok(end)
            }
            None => {
                self.state = State::Value { scan, in_array };
                self.hold(bytes);
                if !in_array && self.length > self.limits.record_bytes as u64 {
                    let most = self.limits.record_bytes;
                    let message =
                        format!("one record has at most {most} bytes: send an array, or NDJSON, of smaller ones");
                    return Err(Failure::at(
                        FailureCode::RecordTooLarge,
                        message,
                        self.start.line,
                        self.start.byte_offset,
                    ));
                }
                Ok(bytes.len())
            }
        }
    }

    fn end_of_value(&mut self, last: &[u8], scan: Scan, in_array: bool) -> Result<(), Failure> {
        self.end_of_record(last, in_array)?;
        self.state =
            if in_array { State::Separator } else { State::End { object: scan.object, line: self.place.line } };
        Ok(())
    }

    /// Between values.
    fn between(&mut self, bytes: &[u8]) -> Result<usize, Failure> {
        let blank = blanks(bytes);
        self.pass(bytes, blank);
        let Some(next) = bytes.get(blank) else { return Ok(blank) };
        match (self.state, next) {
            (State::Element { first: true } | State::Separator, b']') => {
                self.state = State::End { object: false, line: self.place.line };
            }
            (State::Separator, b',') => self.state = State::Element { first: false },
            (State::Element { first: false }, b']') => {
                return Err(
                    self.problem(FailureCode::NotJson, "a comma before the closing ]: JSON has no trailing commas")
                );
            }
            (State::Element { .. }, b',') => {
                return Err(self.problem(FailureCode::NotJson, "a comma where an element of the array should be"));
            }
            (State::Element { .. }, first) => {
                self.begin_value(*first, true);
                return Ok(blank);
            }
            (State::End { object: true, line }, b'{') if line < self.place.line => {
                let message = "a second object on a line of its own: send one record a line as application/x-ndjson";
                return Err(self.problem(FailureCode::ContentTypeMismatch, message));
            }
            (State::End { .. }, _) => {
                return Err(self.problem(FailureCode::NotJson, "more text behind the end of the JSON document"));
            }
            _ => return Err(self.problem(FailureCode::NotJson, "neither a comma nor ] behind an element of the array")),
        }
        self.pass(&bytes[blank..], 1);
        Ok(blank + 1)
    }

    fn begin_record(&mut self) {
        self.start = self.place;
        self.length = 0;
        self.held.clear();
        self.held.shrink_to(1 << 20); // a giant must not be paid for until the end
    }

    fn begin_value(&mut self, first: u8, in_array: bool) {
        self.begin_record();
        let scan = Scan { fresh: true, depth: 0, string: false, escaped: false, object: first == b'{' };
        self.state = State::Value { scan, in_array };
    }

    /// Passes bytes of the record in hand that end it not yet.
    fn hold(&mut self, bytes: &[u8]) {
        self.advance(bytes);
        self.length += bytes.len() as u64;
        if self.length <= self.limits.record_bytes as u64 {
            self.held.extend_from_slice(bytes);
        } else {
            self.held = Vec::new();
        }
    }

    /// Hands the record in hand on, `last` being its last bytes.
    fn end_of_record(&mut self, last: &[u8], in_array: bool) -> Result<(), Failure> {
        let bytes = if self.length == 0 {
            self.advance(last);
            self.length = last.len() as u64;
            last
        } else {
            self.hold(last);
            &self.held
        };
        let bytes = (self.length <= self.limits.record_bytes as u64).then_some(bytes);
        if let (Format::Ndjson, Some(bytes)) = (self.format, bytes) {
            if bytes.iter().all(u8::is_ascii_whitespace) {
                return Ok(()); // an empty line is no record
            }
            if self.records == 0 && bytes.trim_ascii() == b"{" {
                let message = "the first line holds no more than {: send an indented document as application/json";
                return Err(Failure::at(
                    FailureCode::ContentTypeMismatch,
                    message,
                    self.start.line,
                    self.start.byte_offset,
                ));
            }
        }
        let frame = Frame {
            index: self.records,
            line: self.start.line,
            byte_offset: self.start.byte_offset,
            byte_length: self.length,
            bytes,
            format: self.format,
            in_array,
        };
        self.records += 1;
        self.sink.record(frame)
    }

    /// Goes on behind bytes of a record: within a line there is no line feed to count.
    fn advance(&mut self, bytes: &[u8]) {
        match self.state {
            State::Line => self.place.byte_offset += bytes.len() as u64,
            _ => self.place.advance(bytes),
        }
    }

    fn pass(&mut self, bytes: &[u8], count: usize) {
        self.place.advance(bytes.get(..count).unwrap_or_default());
    }

    fn problem(&self, code: FailureCode, message: &str) -> Failure {
        Failure::at(code, message, self.place.line, self.place.byte_offset)
    }
}

fn blanks(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).unwrap_or(bytes.len())
}

impl Scan {
    /// Where the value ends in these bytes, if it does: behind its closing quote or bracket, or, for a number or a
    /// word, where it is followed by something else. It finds the end of every value that is JSON; whether it is one,
    /// the parser says.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        let fresh = std::mem::replace(&mut self.fresh, false);
        while let Some(byte) = bytes.get(at) {
            if self.string {
                if self.escaped {
                    self.escaped = false;
                    at += 1;
                    continue;
                }
                at += memchr2(b'"', b'\\', &bytes[at..])?;
                if bytes[at] == b'"' {
                    self.string = false;
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                } else {
                    self.escaped = true;
                }
                at += 1;
                continue;
            }
            match byte {
                b'"' => self.string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth > 1 => self.depth -= 1,
                b'}' | b']' if self.depth == 1 => {
                    self.depth = 0;
                    return Some(at + 1);
                }
                b'}' | b']' | b',' | b' ' | b'\t' | b'\n' | b'\r' if self.depth == 0 && !(fresh && at == 0) => {
                    return Some(at);
                }
                _ => {}
            }
            at += 1;
        }
        None
    }
}
