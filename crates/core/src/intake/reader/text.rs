//! Parts of a text: white space, the byte order mark, and lines.

use memchr::memrchr;
use serde::de::IgnoredAny;

pub(super) use crate::intake::json::is_white_space;

/// The byte order mark of UTF-8.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Returns the lines of the first bytes of an upload that are not empty, without the last one if the head ends within it.
pub(super) fn complete_lines(head: &[u8], is_whole: bool) -> impl Iterator<Item = &[u8]> + Clone {
    let until = if is_whole { head.len() } else { memrchr(b'\n', head).unwrap_or(0) };
    let lines = head.get(..until).unwrap_or_default().split(|byte| *byte == b'\n');
    lines.map(<[u8]>::trim_ascii).filter(|line| !line.is_empty())
}

/// Returns whether a line is an object. Then the upload is NDJSON, however its other lines look.
pub(super) fn holds_record(head: &[u8], is_whole: bool) -> bool {
    complete_lines(head, is_whole).any(|line| line.starts_with(b"{") && is_json(line))
}

pub(super) fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(text).is_ok()
}
