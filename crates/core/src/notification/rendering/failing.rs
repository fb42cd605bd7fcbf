//! The notice about rejected uploads: one in full, a paragraph for each other problem.

use super::advice::{Resend, advice};
use super::contents::{DeploymentInfo, MAX_PROBLEMS_IN_NOTICE, OtherProblem};
use super::details::{Extent, FailureDetails};
use super::limits::DetailLimits;
use super::parts::{owner_field, preferences, request, title};
use super::text::{Text, shown};
use super::words;
use crate::intake::failure::shortened;
use crate::intake::position::ReadUntil;
use crate::intake::rejection::FailureGroup;
use crate::notification::kind::NoticeKind;
use crate::notification::problem::Problem;

/// The introduction of the synthetic check.
const SYNTHETIC_CHECK: &str = "This is the synthetic check of EventPulse. It sent an invalid record on purpose, and the \
                               record was rejected and reported as expected. There is nothing to do.";
/// The maximum number of kinds of failure in the text.
const MAX_FAILURES: usize = 5;

/// Writes the body of the e-mail.
pub(super) fn text(
    owner: &str,
    kind: NoticeKind,
    details: &FailureDetails<'_>,
    others: &[OtherProblem],
    deployment: &DeploymentInfo<'_>,
    limits: DetailLimits,
) -> String {
    let is_check = kind == NoticeKind::SyntheticCheck;
    let mut text = Text::default();
    if is_check {
        text.paragraph("", SYNTHETIC_CHECK);
    } else {
        text.paragraph("", &format!("{} {}", opening(details), recurrence(kind, details.problem)));
    }
    write_upload(&mut text, details);
    text.heading("Why");
    write_failures(&mut text, details, limits);
    write_changes(&mut text, details, limits);
    if !is_check {
        text.heading("What to do");
        write_advice(&mut text, details, deployment);
    }
    write_others(&mut text, kind, others, limits);
    write_ids(&mut text, owner, details);
    write_retention(&mut text, details, deployment);
    if !is_check {
        preferences(&mut text);
    }
    text.finish()
}

/// Says which part of the upload was rejected.
fn opening(details: &FailureDetails<'_>) -> String {
    let upload = details.upload;
    let (subject, object) = match (details.is_message(), upload.attempt()) {
        (false, 0) => ("Your upload".to_owned(), "your upload"),
        (true, 0) => ("A message to POST /data".to_owned(), "a message to POST /data"),
        (_, attempt) => (format!("Retry {attempt} of your upload"), "your retry"),
    };
    let accepted = match upload.accepted() - upload.accepted_in_attempt() {
        0 => "No record was accepted.".to_owned(),
        1 => "The record that was accepted earlier still counts.".to_owned(),
        earlier => format!("The {earlier} records that were accepted earlier still count."),
    };
    match details.extent {
        Extent::Whole => format!("{subject} was rejected as a whole. {accepted}"),
        Extent::Only => format!("{subject} was rejected: its only record is invalid. {accepted}"),
        Extent::All(rejected) => {
            format!("{subject} was rejected: all {rejected} records in it are invalid. {accepted}")
        }
        Extent::First(rejected) => {
            format!("{subject} was rejected: the first {rejected} records in it are invalid. {accepted}")
        }
        Extent::Part { rejected, accepted } => {
            let (were, total) = (words::was(rejected), rejected + accepted);
            let others = if accepted == 1 {
                "The other one was accepted and counts towards statistics.".to_owned()
            } else {
                format!("The other {accepted} were accepted and count towards statistics.")
            };
            format!("{rejected} of the {total} records in {object} {were} rejected. {others}")
        }
    }
}

/// Says whether the problem is new or came back, and how many uploads were rejected for it since.
fn recurrence(kind: NoticeKind, problem: &Problem) -> String {
    let uploads = |since: &str| match problem.uploads_since_opened {
        0 | 1 => String::new(),
        uploads => format!(" {uploads} uploads have been rejected for it {since}."),
    };
    let time = match problem.regressions {
        0 | 1 => String::new(),
        regressions => format!(" for the {} time", ordinal(regressions)),
    };
    let earlier = match problem.quiet_at.max(problem.resolved_at) {
        Some(at) if problem.resolved_at < Some(at) => format!("became quiet on {}", words::day(at)),
        Some(at) => format!("was resolved on {}", words::day(at)),
        None => "was resolved".to_owned(),
    };
    match kind {
        NoticeKind::Regressed => {
            format!("This problem {earlier} and has come back{time}.{}", uploads("since it came back"))
        }
        _ => format!("This problem is new.{}", uploads("so far")),
    }
}

fn ordinal(number: u64) -> String {
    let end = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{number}{end}")
}

fn write_upload(text: &mut Text, details: &FailureDetails<'_>) {
    text.blank();
    match details.upload.message() {
        None => text.field("File", &details.upload.origin().file_name),
        Some(message) => {
            if let Some(key) = &message.key_id {
                text.field("Device key", key);
            }
        }
    }
    text.field("Schema", &details.problem.schema);
    text.field("Rejected at", &words::minute(details.quarantined_at()));
    if let Some(ReadUntil { records, line, byte_offset }) = details.rejection.read_until {
        let last = format!("record {records} (line {line}, byte {byte_offset}); the rest was not read");
        text.field("Read up to", &last);
    }
}

/// Writes each kind of failure: its code, its position, its number and its message, which holds no value.
fn write_failures(text: &mut Text, details: &FailureDetails<'_>, limits: DetailLimits) {
    let max = MAX_FAILURES.min(limits.failures);
    for (failure, index) in details.failures.iter().take(max).zip(0..) {
        if index > 0 {
            text.blank();
        }
        let mut suffix = occurrences(failure);
        if let Some(schema) = failure.schema.as_ref().filter(|schema| **schema != details.problem.schema) {
            suffix.push_str(&format!(" ({})", shown(&words::schema(schema))));
        }
        let position = shortened(&words::position(failure), limits.pointer);
        text.title(failure.code.as_str(), &position, &suffix);
        text.paragraph("    ", &shown(&shortened(&failure.first.message, limits.message)));
    }
    let omitted = details.failures.len().saturating_sub(max) as u64 + details.rejection.groups_omitted;
    if omitted > 0 {
        let kinds = if omitted == 1 { "kind" } else { "kinds" };
        text.blank();
        text.paragraph("  ", &format!("The report has {omitted} more {kinds} of failure."));
    }
}

/// Returns how often a kind of failure occurs, and the line of the first one: `, 3 times, first on line 4`.
fn occurrences(failure: &FailureGroup) -> String {
    let line = failure.first.line.map(|line| match failure.first.byte_offset {
        // In a document without line breaks, the byte offset is the useful position.
        Some(byte) if line == 1 => format!("line 1, byte {byte}"),
        _ => format!("line {line}"),
    });
    match (failure.count, line) {
        (1, None) => String::new(),
        (1, Some(line)) => format!(", {line}"),
        (count, None) => format!(", {}", words::times(count)),
        (count, Some(line)) => format!(", {}, first on {line}", words::times(count)),
    }
}

fn write_changes(text: &mut Text, details: &FailureDetails<'_>, limits: DetailLimits) {
    let Some(history) = details.history.as_ref() else { return };
    if details.known.is_empty() && history.last_passed_at.is_none() {
        return;
    }
    text.heading("What changed");
    for known in &details.known {
        text.paragraph("  ", &known.sentence(history, limits));
    }
    if let Some(at) = history.last_passed_at {
        text.paragraph("  ", &format!("An upload of this kind last passed {}.", words::on(at)));
    }
}

fn write_advice(text: &mut Text, details: &FailureDetails<'_>, deployment: &DeploymentInfo<'_>) {
    let id = details.upload.id();
    let advice = advice(details);
    text.paragraph("  ", advice.sentences);
    let (purpose, file) = match advice.resend {
        Resend::Corrected => ("To send corrected data", " CORRECTED_FILE"),
        Resend::SameFile => ("To send the file again", " FILE"),
        Resend::Nothing => ("To retry it unchanged", ""),
    };
    text.blank();
    if details.quarantine.key.is_some() {
        text.paragraph("  ", "To show the report and save the rejected data in this directory:");
        text.command(&format!("eventpulse quarantine show {id} --download ."));
    } else {
        text.paragraph("  ", "To show the report:");
        text.command(&format!("eventpulse quarantine show {id}"));
    }
    text.paragraph("  ", &format!("{purpose}:"));
    text.command(&format!("eventpulse quarantine retry {id}{file}"));
    text.blank();
    text.paragraph("  ", "Or over REST, with your token, at");
    text.url(deployment.api_url);
    text.paragraph("  ", "To show the report:");
    request(text, "GET", id, "");
    // A message is small enough for the body of a request.
    let is_small = details.is_message();
    text.paragraph(
        "  ",
        &match advice.resend {
            Resend::Nothing => format!("{purpose}, without a body:"),
            _ if is_small => format!("{purpose} as the body:"),
            _ => format!("{purpose} (up to 4 MiB) as the body:"),
        },
    );
    request(text, "POST", id, "/retry");
    if advice.resend != Resend::Nothing && !is_small {
        text.paragraph("  ", "To get a presigned URL for a larger file:");
        request(text, "POST", id, "/correction");
    }
}

/// Writes a title and two ids for each other problem.
fn write_others(text: &mut Text, kind: NoticeKind, others: &[OtherProblem], limits: DetailLimits) {
    if others.is_empty() {
        return;
    }
    text.heading(&match (others.len(), kind) {
        (1, NoticeKind::Regressed) => "1 more problem that came back".to_owned(),
        (1, _) => "1 more new problem".to_owned(),
        (many, NoticeKind::Regressed) => format!("{many} more problems that came back"),
        (many, _) => format!("{many} more new problems"),
    });
    for (other, index) in others.iter().take(MAX_PROBLEMS_IN_NOTICE - 1).zip(0..) {
        if index > 0 {
            text.blank();
        }
        title(text, &other.problem, "", limits);
        text.field("  Problem", other.problem.id.as_str());
        text.field("  Upload", other.upload_id.as_str());
    }
    let omitted = others.len().saturating_sub(MAX_PROBLEMS_IN_NOTICE - 1);
    if omitted > 0 {
        text.blank();
        text.paragraph("  ", &format!("And {omitted} more: `eventpulse quarantine list` lists them all."));
    }
    text.blank();
    text.paragraph("  ", "To show one of them in full, use `eventpulse quarantine show` with the id of its upload.");
}

fn write_ids(text: &mut Text, owner: &str, details: &FailureDetails<'_>) {
    let upload = details.upload;
    text.heading("Ids for support requests");
    owner_field(text, owner);
    text.field("Upload", upload.id().as_str());
    if upload.attempt() > 0 {
        text.field("Retry", &upload.attempt().to_string());
    }
    text.field("Problem", details.problem.id.as_str());
    if let Some(id) = &upload.correlation_id() {
        text.field("Correlation id", id);
    }
}

fn write_retention(text: &mut Text, details: &FailureDetails<'_>, deployment: &DeploymentInfo<'_>) {
    text.heading("Retention");
    let days = words::count(u64::from(deployment.retention_days), "day");
    let until = words::day(details.kept_until(deployment));
    let kept = match (&details.quarantine.key, details.extent, details.is_message()) {
        (None, ..) => "There is no rejected data to keep. The report is kept",
        (Some(_), Extent::Part { .. }, _) => "The rejected records and the report are kept",
        (Some(_), _, false) => "The file and the report are kept",
        (Some(_), _, true) => "The message and the report are kept",
    };
    text.paragraph("  ", &format!("{kept} for {days}, until {until}."));
}
