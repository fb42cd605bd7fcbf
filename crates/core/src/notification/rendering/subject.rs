//! Subjects: printable ASCII of fewer than 100 characters. They always end with the schema, even if names are long.

use super::contents::{ChangedProblem, DigestContents};
use super::details::{Extent, FailureDetails};
use super::limits::DetailLimits;
use super::words;
use crate::intake::fingerprint::NO_SCHEMA;
use crate::notification::kind::NoticeKind;
use crate::notification::open_records::Amount;

/// SNS accepts fewer than 100 characters.
const MAX_CHARS: usize = 99;
/// A pointer with fewer characters left is omitted.
const MIN_POINTER_CHARS: usize = 8;
/// The start of every subject.
const NAME: &str = "[EventPulse]";

/// `[EventPulse] 3 of 120 records rejected: REQUIRED /items/*/price (orders 1.0)`.
pub(super) fn failing(kind: NoticeKind, details: &FailureDetails<'_>, others: usize) -> String {
    let is_message = details.is_message();
    let rejected = match details.extent {
        Extent::Whole | Extent::Only if is_message => "message rejected".to_owned(),
        Extent::Whole => "upload rejected".to_owned(),
        Extent::Only => "1 record rejected".to_owned(),
        Extent::All(rejected) => format!("all {rejected} records rejected"),
        Extent::First(rejected) => format!("first {rejected} records rejected"),
        Extent::Part { rejected, accepted } => format!("{rejected} of {} records rejected", rejected + accepted),
    };
    let rejected = match kind {
        NoticeKind::Regressed => format!("Back again, {rejected}"),
        NoticeKind::SyntheticCheck => format!("Synthetic check, {rejected}"),
        _ => words::capital(&rejected),
    };
    let (code, pointer) = match details.failures.first() {
        Some(failure) => (failure.code.to_string(), words::position_pattern(failure)),
        None => {
            let (code, pointer, _) = words::primary_failure(details.problem, DetailLimits::ALL[0]);
            (code, pointer)
        }
    };
    let mut tail = in_brackets(&details.problem.schema);
    if others > 0 {
        tail.push_str(&format!(", and {others} more"));
    }
    assemble(&format!("{NAME} {rejected}: {code}"), &pointer, &tail)
}

/// `[EventPulse] Resolved: REQUIRED /items/* (orders 1.0)`.
pub(super) fn resolved(resolved: &[ChangedProblem]) -> String {
    changed("Resolved", resolved)
}

/// `[EventPulse] Quiet, 42 records in quarantine: REQUIRED /items/* (orders 1.0)`.
pub(super) fn quiet(quiet: &[ChangedProblem]) -> String {
    let open = quiet.iter().map(|one| one.problem.open.total()).fold(Amount::default(), Amount::plus);
    if open.is_zero() {
        return changed("Quiet", quiet);
    }
    changed(&format!("Quiet, {} in quarantine", words::records(open)), quiet)
}

fn changed(change: &str, problems: &[ChangedProblem]) -> String {
    let Some((first, others)) = problems.split_first() else { return format!("{NAME} {change}") };
    let (code, pointer, _) = words::primary_failure(&first.problem, DetailLimits::ALL[0]);
    if others.is_empty() {
        return assemble(&format!("{NAME} {change}: {code}"), &pointer, &in_brackets(&first.problem.schema));
    }
    let is_one_schema = others.iter().all(|other| other.problem.schema == first.problem.schema);
    let tail = if is_one_schema { in_brackets(&first.problem.schema) } else { String::new() };
    assemble(&format!("{NAME} {change}: {} problems", problems.len()), "", &tail)
}

/// `[EventPulse] Digest: 999 more uploads rejected, 3 known problems`.
pub(super) fn digest(digest: &DigestContents<'_>) -> String {
    let totals = digest.totals();
    let problems = |problems| words::count(problems, "known problem");
    let (resolved, quiet) = (digest.resolved_problems(), digest.quiet_problems());
    let summary = match (totals.uploads, resolved, quiet, digest.regressed_problems()) {
        (0, 0, 0, 0) => "nothing to report".to_owned(),
        (0, 0, 0, regressed) => format!("{} came back", problems(regressed)),
        (0, 0, quiet, _) => format!("{} quiet", problems(quiet)),
        (0, resolved, ..) => format!("{} resolved", problems(resolved)),
        (uploads, ..) => format!("{} rejected, {}", words::count(uploads, "more upload"), problems(totals.problems)),
    };
    assemble(&format!("{NAME} Digest: {summary}"), "", "")
}

fn in_brackets(schema: &str) -> String {
    if schema.is_empty() || schema == NO_SCHEMA { String::new() } else { format!(" ({})", words::schema(schema)) }
}

/// Puts a pointer between the parts that must be readable. The end of a long pointer says more than its start.
fn assemble(head: &str, pointer: &str, tail: &str) -> String {
    let (head, pointer, tail) = (ascii(head), ascii(pointer), ascii(tail));
    let room = MAX_CHARS.saturating_sub(head.len() + tail.len() + 1);
    let pointer = match pointer.trim_end() {
        "" => String::new(),
        whole if whole.len() <= room => format!(" {whole}"),
        _ if room < MIN_POINTER_CHARS => String::new(),
        long => format!(" ...{}", &long[long.len() - (room - 3)..]),
    };
    match format!("{head}{pointer}{tail}").trim_end() {
        whole if whole.len() <= MAX_CHARS => whole.to_owned(),
        long => format!("{}...", long[..MAX_CHARS - 3].trim_end()),
    }
}

fn ascii(text: &str) -> String {
    text.replace('…', "...").chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}
