//! The verdict for people.

use std::fmt::Write as _;

use eventpulse_core::notification::rendering::visible;

use super::verdict::{Group, Outcome, Verdict};

impl Verdict {
    /// The verdict as a person reads it: the outcome, then each kind of failure. Whatever does not print, and could
    /// steer a terminal, is written as an escape. Ends with a line feed.
    #[must_use]
    pub fn to_text(&self, name: &str) -> String {
        let mut text = format!("{}: {}\n", visible(name), self.outcome());
        for group in &self.failures {
            // Writing into a string does not fail.
            let _ = writeln!(text, "  {}\n    {}", heading(group), visible(&group.message));
        }
        if self.failures_omitted > 0 {
            let _ = writeln!(text, "  and {} more", of(self.failures_omitted, "kind of failure", "kinds of failure"));
        }
        text
    }

    fn outcome(&self) -> String {
        let records = |count| of(count, "record", "records");
        match self.outcome {
            Outcome::Accepted => format!("accepted: {}", records(self.accepted)),
            Outcome::PartiallyAccepted => {
                format!("partially accepted: {} accepted, {} rejected", records(self.accepted), self.rejected)
            }
            Outcome::Quarantined if self.rejected == 0 => "quarantined: nothing of it would count".to_owned(),
            Outcome::Quarantined => {
                format!("quarantined: nothing of it would count, {} rejected", records(self.rejected))
            }
        }
    }
}

/// `TYPE at /value: 3 times, first at line 4, byte 222`
fn heading(group: &Group) -> String {
    let mut heading = group.code.to_owned();
    if !group.pointer.is_empty() {
        let _ = write!(heading, " at {}", visible(&group.pointer));
    }
    heading.push_str(": ");
    let (often, before_place) = match (group.first_record, group.count) {
        (None, _) => ("the file as a whole".to_owned(), ", at "),
        (Some(_), 1) => ("once".to_owned(), ", at "),
        (Some(_), count) => (format!("{count} times"), ", first at "),
    };
    heading.push_str(&often);
    let line = group.line.map(|line| format!("line {line}"));
    let byte = group.byte_offset.map(|byte| format!("byte {byte}"));
    let place: Vec<String> = line.into_iter().chain(byte).collect();
    if !place.is_empty() {
        let _ = write!(heading, "{before_place}{}", place.join(", "));
    }
    heading
}

fn of(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
