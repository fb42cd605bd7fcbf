//! Hints for common mistakes. A hint describes the form of a value and never repeats the value.

use crate::intake::json::TapeNode;
use crate::time::Timestamp;

/// The required form of a time.
pub(super) const DATE_TIME: &str = "an RFC 3339 date-time, such as 2025-02-28T12:00:00Z";

/// Returns what to change in a string so that it becomes a date-time; empty if unknown.
pub(super) fn date_time(text: &str) -> &'static str {
    let good = |text: &str| Timestamp::parse(text).is_some();
    let with_t = |text: &str| match (text.get(..10), text.get(11..)) {
        (Some(date), Some(time)) if text.get(10..11) == Some(" ") => Some(format!("{date}T{time}")),
        _ => None,
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    match text {
        "" => ", but is empty",
        _ if text.len() > 64 => "",
        _ if good(text.trim()) => ": take the white space around it away",
        _ if good(&format!("{text}Z")) => ": it has no time zone, add Z or an offset such as +01:00",
        _ if good(&format!("{text}T00:00:00Z")) => ": it has no time of day",
        _ if with_t(text).is_some_and(|text| good(&text)) => ": put a T between date and time",
        _ if with_t(text).is_some_and(|text| good(&format!("{text}Z"))) => {
            ": put a T between date and time, and add Z or an offset such as +01:00"
        }
        _ if good(&text.replace(' ', "T").replacen("TUTC", "Z", 1)) => ": put a T between date and time, and Z for UTC",
        _ if is_number(text) => ": seconds or milliseconds since 1970 are not read",
        _ => "",
    }
}

/// Returns a hint if the value is a string with a number in it and a number is expected; else an empty string.
pub(super) fn quoted_number(node: TapeNode<'_>, expected: &str) -> &'static str {
    let is_number = |text: &str| text.len() <= 64 && serde_json::from_str::<f64>(text).is_ok();
    match node.text() {
        Some(text) if expected.contains("number") && is_number(text.trim()) => ": write it without the quotes",
        Some(text)
            if expected.contains("number") && text.contains(',') && is_number(&text.trim().replacen(',', ".", 1)) =>
        {
            ": write it without the quotes, and with a decimal point"
        }
        _ => "",
    }
}
