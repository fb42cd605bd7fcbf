//! The check of the first bytes of an upload: do they have the form that the sender declared?
//!
//! A bad line of NDJSON costs only itself, also if it is the first one. So a failure of the whole upload needs evidence from
//! several lines.

use memchr::memchr_iter;
use serde::de::IgnoredAny;

use super::detect;
use super::foreign;
use super::media::Format;
use super::text::{BYTE_ORDER_MARK, holds_record, is_white_space};
use crate::intake::failure::{Failure, FailureCode};
use crate::intake::position::TextPosition;
use crate::intake::utf16::begins_as_utf16;

/// The number of bytes that the check needs, unless the upload is shorter.
const HEAD_BYTES: usize = 16 << 10;
/// A document that does not end within the head spans lines if it holds this many line feeds.
const LINE_FEEDS_OF_OPEN_DOCUMENT: usize = 3;

/// Checks the first bytes of the content, and detects the format if none is declared. Returns `None` if that takes more
/// content; `is_end` if no more follows.
pub(super) fn format_of(declared: Format, content: &[u8], is_end: bool) -> Result<Option<Format>, Failure> {
    if content.len() < HEAD_BYTES && !is_end {
        return Ok(None);
    }
    let head = content.get(..HEAD_BYTES).unwrap_or(content);
    let is_whole = is_end && head.len() == content.len();
    check_encoding(head, is_whole)?;
    let format = match declared {
        Format::Undeclared => detect::format_of_bytes(content, is_end)?,
        declared => Some(declared),
    };
    format.map_or(Ok(()), |format| check_form(format, head, is_whole))?;
    Ok(format)
}

/// Checks that the first bytes of the content may be JSON or NDJSON; `is_whole` if there are no more.
fn check_encoding(head: &[u8], is_whole: bool) -> Result<(), Failure> {
    if let Some(failure) = foreign::compressed_twice(head).or_else(|| foreign::binary(head)) {
        return Err(failure);
    }
    if begins_as_utf16(head) {
        return Err(Failure::at(FailureCode::NotUtf8, "this is UTF-16 or UTF-32: save it as UTF-8", 1, 0));
    }
    foreign::text(head, is_whole).map_or(Ok(()), Err)
}

/// Checks that the first bytes of the content have the form of their format.
fn check_form(format: Format, head: &[u8], is_whole: bool) -> Result<(), Failure> {
    match format {
        Format::Ndjson => Indented::find(head, is_whole).map_or(Ok(()), |found| Err(found.failure())),
        Format::Json | Format::Undeclared if head.starts_with(BYTE_ORDER_MARK) => {
            let message = "the upload begins with a byte order mark (EF BB BF): save it as UTF-8 without one";
            Err(Failure::at(FailureCode::ByteOrderMark, message, 1, 0))
        }
        Format::Json | Format::Undeclared => Ok(()),
    }
}

/// The first of the documents in a text whose documents take several lines each.
struct Indented {
    position: TextPosition,
    /// Its last line; none if it does not end within the head.
    last_line: Option<u64>,
    is_array: bool,
}

impl Indented {
    /// Finds indented documents. Returns `None` if a document takes one line, as a record of NDJSON does.
    fn find(head: &[u8], is_whole: bool) -> Option<Self> {
        let mut documents = serde_json::Deserializer::from_slice(head).into_iter::<IgnoredAny>();
        let mut first: Option<Self> = None;
        let mut begin = 0;
        while let Some(document) = documents.next() {
            let rest = head.get(begin..).unwrap_or_default();
            let start = begin + rest.iter().take_while(|byte| is_white_space(**byte)).count();
            let end = if document.is_ok() { documents.byte_offset() } else { head.len() };
            let line_feeds = line_feeds(head.get(start..end).unwrap_or_default());
            let needed = match &document {
                Ok(_) => 1,
                Err(error) if error.is_eof() => LINE_FEEDS_OF_OPEN_DOCUMENT,
                Err(_) => return first.filter(|_| !holds_record(head, is_whole)),
            };
            if line_feeds < needed {
                return first.filter(|_| document.is_err());
            }
            if first.is_none() {
                let mut position = TextPosition::START;
                position.advance(head.get(..start).unwrap_or_default());
                let last_line = document.is_ok().then_some(position.line + line_feeds as u64);
                first = Some(Self { position, last_line, is_array: head.get(start) == Some(&b'[') });
            }
            begin = end;
        }
        first
    }

    fn failure(self) -> Failure {
        let Self { position: TextPosition { line, byte_offset }, last_line, is_array } = self;
        let subject = if is_array { "this array" } else { "this record" };
        let lines = last_line.map_or("more than one line".to_owned(), |last| format!("lines {line} to {last}"));
        let message =
            format!("{subject} takes {lines}, but a record of NDJSON takes one: send the file as application/json");
        Failure::at(FailureCode::ContentTypeMismatch, message, line, byte_offset)
    }
}

fn line_feeds(text: &[u8]) -> usize {
    memchr_iter(b'\n', text).count()
}
