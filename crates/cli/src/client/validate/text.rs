//! The verdict as text for people.

use std::fmt::Write as _;

use eventpulse_core::intake::position::ReadUntil;
use eventpulse_core::notification::rendering::visible;
use eventpulse_core::upload::verdict::{FailureSummary, Outcome, Verdict};

/// Formats a verdict for a terminal: the outcome, then each group of failures. Escapes characters that do not print and
/// could control the terminal. Ends with a line feed.
#[must_use]
pub fn verdict_text(verdict: &Verdict, file: &str) -> String {
    let mut text = format!("{}: {}\n", visible(file), outcome(verdict));
    for failure in &verdict.failures {
        // Writing into a string does not fail.
        let _ = writeln!(text, "  {}\n    {}", heading(failure), visible(&failure.message));
    }
    if let Some(ReadUntil { records, line, byte_offset }) = verdict.read_until {
        let _ = writeln!(
            text,
            "  read up to record {records}, on line {line} at byte {byte_offset}; the rest was not read, because it cannot \
             change the outcome"
        );
    }
    if verdict.failures_omitted > 0 {
        let _ = writeln!(text, "  and {} more", count(verdict.failures_omitted, "kind of failure", "kinds of failure"));
    }
    text
}

fn outcome(verdict: &Verdict) -> String {
    let records = |number| count(number, "record", "records");
    match verdict.outcome {
        Outcome::Accepted => format!("accepted: {}", records(verdict.accepted)),
        Outcome::PartiallyAccepted => {
            format!("partially accepted: {} accepted, {} rejected", records(verdict.accepted), verdict.rejected)
        }
        Outcome::Quarantined if verdict.rejected == 0 => "quarantined: no record would be accepted".to_owned(),
        Outcome::Quarantined => {
            format!("quarantined: no record would be accepted, {} rejected", records(verdict.rejected))
        }
    }
}

/// Returns a heading such as `TYPE at /value: 3 times, first at line 4, byte 222`.
fn heading(failure: &FailureSummary) -> String {
    let mut heading = failure.code.as_str().to_owned();
    if !failure.pointer.is_empty() {
        let _ = write!(heading, " at {}", visible(&failure.pointer));
    }
    heading.push_str(": ");
    let (frequency, before_position) = match (failure.first_record, failure.count) {
        (None, _) => ("the file as a whole".to_owned(), ", at "),
        (Some(_), 1) => ("once".to_owned(), ", at "),
        (Some(_), number) => (format!("{number} times"), ", first at "),
    };
    heading.push_str(&frequency);
    let line = failure.line.map(|line| format!("line {line}"));
    let byte = failure.byte_offset.map(|byte| format!("byte {byte}"));
    let position: Vec<String> = line.into_iter().chain(byte).collect();
    if !position.is_empty() {
        let _ = write!(heading, "{before_position}{}", position.join(", "));
    }
    heading
}

fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
