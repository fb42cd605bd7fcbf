//! The format of an upload that declares none, from its first bytes.

use memchr::memchr;

use super::media::Format;
use super::scan::{End, Scan};
use super::text::BYTE_ORDER_MARK;
use crate::intake::failure::{Failure, FailureCode};

/// The maximum number of bytes of a first line. A document without a line break in so many bytes is no NDJSON.
const MAX_FIRST_LINE_BYTES: usize = 1 << 20;

/// Returns the format that the first bytes of the content indicate; `None` if that takes more of them.
///
/// An array is JSON. An object is NDJSON if it ends on its first line, and JSON otherwise. A byte order mark is left to the
/// checks of the format. `is_end`: no content follows.
///
/// # Errors
/// A failure with [`FailureCode::UnsupportedContentType`] if the content begins neither with an array nor with an object.
pub(super) fn format_of_bytes(content: &[u8], is_end: bool) -> Result<Option<Format>, Failure> {
    let text = content.strip_prefix(BYTE_ORDER_MARK).unwrap_or(content).trim_ascii_start();
    match text.first() {
        None => Ok(is_end.then_some(Format::Json)), // empty: every format reports that alike
        Some(b'[') => Ok(Some(Format::Json)),
        Some(b'{') => {
            let line = match memchr(b'\n', text) {
                Some(length) => text.get(..length).unwrap_or_default(),
                None if is_end => text,
                None => return Ok((text.len() > MAX_FIRST_LINE_BYTES).then_some(Format::Json)),
            };
            Ok(Some(if is_whole_object(line) { Format::Ndjson } else { Format::Json }))
        }
        Some(_) => Err(Failure::new(
            FailureCode::UnsupportedContentType,
            "",
            "neither the Content-Type nor the file name's ending says whether this is JSON or NDJSON, and it begins neither \
             with [ nor with {: send JSON or NDJSON",
        )),
    }
}

/// Returns whether a line that begins with an object ends with it. The object itself may be invalid: in NDJSON, such a line
/// costs only itself.
fn is_whole_object(line: &[u8]) -> bool {
    match Scan::new(b'{').end(line) {
        Some(End::Complete(length)) => line.get(length..).unwrap_or_default().trim_ascii().is_empty(),
        Some(End::Broken(_)) => line.trim_ascii_end().ends_with(b"}"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_format() {
        for (name, content, expected) in [
            ("array", " \r\n[", Some(Format::Json)),
            ("lines", "{\"a\": 1}\n{\"a\": 2}", Some(Format::Ndjson)),
            ("lines of Windows", "{\"a\": [1]} \r\n{", Some(Format::Ndjson)),
            ("lines after white space", "\n\n {}\n", Some(Format::Ndjson)),
            ("a mark and an array", "\u{feff}[", Some(Format::Json)),
            ("a mark and lines", "\u{feff}{}\n", Some(Format::Ndjson)),
            ("lines of which the first lacks a quote", "{\"a\": \"b, \"c\": 1}\n{}\n", Some(Format::Ndjson)),
            ("lines of which the first is invalid", "{\"a\": nan}\n{\"a\": 1}\n", Some(Format::Ndjson)),
            ("braces and quotes in a string", "{\"a\\\"}\": \"é{[\\\\\"}\n", Some(Format::Ndjson)),
            ("indented document", "{\n  \"a\": 1\n}\n", Some(Format::Json)),
            ("document whose first line ends with an inner object", "{\"a\": {}\n, \"b\": 1}", Some(Format::Json)),
            ("two documents on a line", "{} {}\n", Some(Format::Json)),
            ("first line not complete", "{\"a\": 1}", None),
            ("only white space", " \n", None),
            ("nothing", "", None),
        ] {
            assert_eq!(format_of_bytes(content.as_bytes(), false), Ok(expected), "{name}");
        }
        let long = format!("{{\"a\": \"{}", "x".repeat(MAX_FIRST_LINE_BYTES));
        assert_eq!(format_of_bytes(long.as_bytes(), false), Ok(Some(Format::Json)), "a long first line");
    }

    #[test]
    fn the_end_of_the_content_decides() {
        for (content, expected) in [("{\"a\": 1}", Format::Ndjson), ("{\"a\": ", Format::Json), ("", Format::Json)] {
            assert_eq!(format_of_bytes(content.as_bytes(), true), Ok(Some(expected)), "{content}");
        }
    }

    #[test]
    fn other_content_stays_unsupported() {
        for content in ["device_id,value\n", "<html>", "1", "\"text\"", "PAR1"] {
            let failure = format_of_bytes(content.as_bytes(), false).unwrap_err();
            assert_eq!(failure.code, FailureCode::UnsupportedContentType, "{content}");
        }
    }
}
