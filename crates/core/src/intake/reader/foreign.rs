//! Recognises formats that are not read here by the first bytes of a file.

use flate2::{Decompress, FlushDecompress};

use super::media::Compression;
use super::text::{BYTE_ORDER_MARK, complete_lines, holds_record, is_json};
use crate::intake::failure::{Failure, FailureCode};

/// Returns the failure of a file that is binary, but neither gzip nor zstd. `None` may also be text.
pub(super) fn binary(head: &[u8]) -> Option<Failure> {
    let name = match head {
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..] => "compressed with bzip2",
        [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90, ..] => "compressed with bzip2",
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => "compressed with xz",
        [0x04, 0x22, 0x4d, 0x18, ..] | [0x02, 0x21, 0x4c, 0x18, ..] => "compressed with lz4",
        [0xff, 0x06, 0, 0, b's', b'N', b'a', b'P', b'p', b'Y', ..] => "compressed with snappy",
        [0x1f, 0x9d, ..] => "compressed with compress (.Z)",
        [0x78, ..] if is_zlib(head) => "compressed with zlib",
        [b'P', b'K', 3, 4, ..] if holds(head, b"xl/") => "an Excel workbook (.xlsx)",
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] | [b'P', b'K', 7, 8, ..] => "a zip archive",
        [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, ..] => "a 7z archive",
        [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, ..] => "an old Excel workbook (.xls)",
        [b'P', b'A', b'R', b'1', 0x15, ..] => "Parquet",
        [b'O', b'b', b'j', 1, ..] => "Avro",
        [b'A', b'R', b'R', b'O', b'W', b'1', 0, 0, ..] => "Arrow",
        _ if head.get(257..262) == Some(b"ustar") => "a tar archive",
        _ => return None,
    };
    Some(unsupported(name))
}

/// Returns the failure of a file that was compressed a second time.
pub(super) fn compressed_twice(content: &[u8]) -> Option<Failure> {
    let inner = Compression::of_bytes(content)?.as_str();
    let message = format!("the file is compressed twice, first with {inner}: compress it once, with gzip or zstd");
    Some(Failure::new(FailureCode::UnsupportedFormat, "", message))
}

/// Returns the failure of a text that is not JSON in any of its lines; `is_whole` if the head is the whole text.
pub(super) fn text(head: &[u8], is_whole: bool) -> Option<Failure> {
    let begin = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head).trim_ascii_start();
    let begins = |word: &[u8]| begin.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    let name = match begin {
        [b'{' | b'[', ..] => return None,
        _ if begins(b"<!doctype html") || begins(b"<html") => "HTML",
        _ if begins(b"<?xml") => "XML",
        _ if begins(b"%PDF-") => "PDF",
        _ if is_csv(begin, is_whole) => "CSV",
        _ => return None,
    };
    (!holds_record(head, is_whole)).then(|| unsupported(name))
}

/// Returns whether all lines have the same number of columns, and none is JSON.
fn is_csv(text: &[u8], is_whole: bool) -> bool {
    let mut lines = complete_lines(text, is_whole);
    let are_columns = |separator: u8| {
        let mut counts = lines.clone().map(|line| columns(line, separator));
        let first = counts.next().unwrap_or(0);
        let mut others = counts.peekable();
        first > 1 && others.peek().is_some() && others.all(|count| count == first)
    };
    b",;\t|".iter().any(|separator| are_columns(*separator)) && !lines.any(is_json)
}

/// Returns the number of columns of a line of CSV. Separators in double quotes belong to a value.
fn columns(line: &[u8], separator: u8) -> usize {
    let mut quoted = false;
    let separators = line.iter().filter(|&&byte| {
        quoted ^= byte == b'"';
        byte == separator && !quoted
    });
    separators.count() + 1
}

/// Returns whether zlib ([RFC 1950](https://www.rfc-editor.org/rfc/rfc1950)) begins here. Its first two bytes may be text, so
/// the rest must decompress, and must not be ASCII.
fn is_zlib(head: &[u8]) -> bool {
    let mut output = [0; 64];
    matches!(head, [0x78, 0x01 | 0x5e | 0x9c | 0xda, _, _, ..])
        && !head.is_ascii()
        && Decompress::new(true).decompress(head, &mut output, FlushDecompress::None).is_ok()
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn unsupported(name: &str) -> Failure {
    let message = format!(
        "the file is {name}: send JSON as application/json, or one JSON record a line as application/x-ndjson; both may be \
         compressed once, with gzip or zstd"
    );
    Failure::new(FailureCode::UnsupportedFormat, "", message)
}
