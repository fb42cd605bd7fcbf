//! Hints for common mistakes. A hint describes the form of a value and never repeats the value.

use crate::intake::date_time::time_advice;
use crate::intake::json::TapeNode;

/// The required form of a time.
pub(super) const DATE_TIME: &str = "an RFC 3339 date-time, such as 2025-02-28T12:00:00Z";

/// The advice for a word or an empty string in place of a number.
const MISSING_NUMBER: &str = ": write null without quotes where the schema allows it, or leave the record out";

/// Returns how to write a value as a date-time: what to change in a string, and for a number its unit; empty if unknown.
pub(super) fn date_time(node: TapeNode<'_>) -> String {
    match (node.text(), node.number()) {
        (Some(text), _) => time_advice(text),
        (None, Some(number)) => time_advice(&format!("{}", number.to_f64().trunc())),
        (None, None) => String::new(),
    }
}

/// Returns a hint if the value is a string with a number in it and a number is expected; else an empty string.
pub(super) fn quoted_number(node: TapeNode<'_>, expected: &str) -> &'static str {
    let is_number = |text: &str| text.len() <= 64 && serde_json::from_str::<f64>(text).is_ok();
    let Some(text) = node.text().map(str::trim).filter(|_| expected.contains("number")) else { return "" };
    let is_word = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    match text {
        _ if is_number(text) => ": write it without the quotes",
        _ if text.contains(',') && is_number(&text.replacen(',', ".", 1)) => {
            ": write it without the quotes, and with a decimal point"
        }
        _ if is_word(&["nan", "inf", "infinity", "-inf", "-infinity", "null", "none", "n/a", "na", "-", ""]) => {
            MISSING_NUMBER
        }
        _ => "",
    }
}
