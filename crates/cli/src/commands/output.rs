//! The options, the outcome and the printing that all commands share.

use std::io::Write as _;
use std::path::PathBuf;

use eventpulse_core::id::{InvalidUploadId, UploadId};
use serde_json::Value;

use crate::client::error::ClientError;
use crate::client::text::clean;

/// The options of every command.
#[derive(Debug, Clone, clap::Args)]
pub struct Global {
    /// Print one JSON document, for scripts.
    #[arg(long, global = true)]
    pub json: bool,
    /// The file with your sign-in [default: eventpulse/profile.json in your configuration directory].
    #[arg(long, global = true, value_name = "FILE")]
    pub profile: Option<PathBuf>,
}

/// The outcome of a command.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum CommandResult {
    /// Everything succeeded.
    Success,
    /// Something was rejected.
    Rejected,
}

/// Returns the lines of an error: its message, then the positions it names.
pub(super) fn error_lines(error: &ClientError) -> Vec<String> {
    let places = match error {
        ClientError::Problem { errors, .. } => errors.as_slice(),
        _ => &[],
    };
    std::iter::once(clean(&error.to_string())).chain(places.iter().map(|place| clean(place))).collect()
}

/// Prints the API's answer as JSON for a script, or as text for a person.
pub(super) fn show(global: &Global, answer: &Value, text: impl FnOnce() -> String) {
    let text = if global.json { format!("{answer:#}\n") } else { text() };
    let mut output = std::io::stdout().lock();
    // A closed pipe is not an error: its reader has read enough.
    drop(output.write_all(text.as_bytes()).and_then(|()| output.flush()));
}

/// Parses an upload id on the command line, so that no other text gets into a path.
pub(super) fn upload_id(text: &str) -> Result<String, InvalidUploadId> {
    UploadId::parse(text).map(|id| id.to_string())
}

/// Returns a member as a table cell: cleaned text, a number that reads back to the same bits, or nothing for `null`.
pub(super) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => clean(text),
        Value::Number(number) => match (number.as_u64(), number.as_f64()) {
            (None, Some(number)) => crate::client::text::number(number),
            _ => number.to_string(),
        },
        other => clean(&other.to_string()),
    }
}

/// Returns a number of some statistics as a table cell, or the reason for its absence.
pub(super) fn number_or_reason(statistics: &Value, member: &str) -> String {
    match statistics["unavailable"][member].as_str() {
        Some(reason) => format!("n/a ({})", clean(&reason.replace('_', " "))),
        None => cell(&statistics[member]),
    }
}

/// Returns the elements of a list member.
pub(super) fn items<'a>(answer: &'a Value, member: &str) -> &'a [Value] {
    answer[member].as_array().map_or(&[][..], Vec::as_slice)
}

/// Returns the first kind of failure in one line: code, pointer, line.
pub(super) fn first_failure(receipt: &Value) -> String {
    let Some(failure) = items(receipt, "failures").first() else { return String::new() };
    let mut text = cell(&failure["code"]);
    if failure["pointer"].as_str().is_some_and(|pointer| !pointer.is_empty()) {
        text.push_str(&format!(" at {}", cell(&failure["pointer"])));
    }
    if failure["line"].is_u64() {
        text.push_str(&format!(", line {}", failure["line"]));
    }
    text
}

/// Returns all kinds of failure as text.
pub(super) fn failures(answer: &Value) -> String {
    let mut text = String::new();
    for failure in items(answer, "failures") {
        text.push_str(&failure_text(failure));
    }
    if answer["failures_omitted"].as_u64().is_some_and(|omitted| omitted > 0) {
        text.push_str(&format!("  ... and {} further kinds of failure, in the report\n", answer["failures_omitted"]));
    }
    text
}

/// Returns one failure, or one kind of failure, as text.
pub(super) fn failure_text(failure: &Value) -> String {
    let pointer = cell(&failure["pointer"]);
    let at = if pointer.is_empty() { String::new() } else { format!(" at {pointer}") };
    let place = match (failure["line"].as_u64(), failure["byte_offset"].as_u64()) {
        (Some(line), Some(byte)) => format!(", line {line}, byte {byte}"),
        _ => String::new(),
    };
    let times = match failure["count"].as_u64() {
        Some(count) if count > 1 => format!(" ({count} times; the first one:)"),
        _ => String::new(),
    };
    format!("  {}{at}{place}{times}\n    {}\n", cell(&failure["code"]), cell(&failure["message"]))
}

/// Returns members of objects as a table.
pub(super) fn table(headers: &[&str], objects: &[Value], row: impl Fn(&Value) -> Vec<String>) -> String {
    crate::client::text::table(headers, &objects.iter().map(row).collect::<Vec<_>>())
}

/// Returns the parameters that have a value.
pub(super) fn given<'a>(parameters: &[(&'static str, Option<&'a str>)]) -> Vec<(&'static str, &'a str)> {
    parameters.iter().filter_map(|(name, value)| Some((*name, (*value)?))).collect()
}
