//! Subjects: printable ASCII, under 100 characters, the schema at the end whatever the names are.

use super::failing::{Extent, ProblemDetails};
use super::{DetailLimits, NoticeKind, RemainderTotals, RepeatedProblem, ResolvedProblem, digest as counted, words};
use crate::intake::fingerprint::NO_SCHEMA;

/// SNS wants fewer than 100 characters.
const MAX_CHARS: usize = 99;
/// A pointer of which less than this would be left is not told.
const MIN_PLACE_CHARS: usize = 8;
/// What begins the subject of every notice.
const NAME: &str = "[EventPulse]";

/// `[EventPulse] 3 of 120 records rejected: REQUIRED /items/*/price (orders 1.0)`.
pub(super) fn failing(kind: NoticeKind, told: &ProblemDetails<'_>, others: usize) -> String {
    let is_message = told.upload.message().is_some();
    let what = match told.extent {
        Extent::Whole | Extent::Only if is_message => "message rejected".to_owned(),
        Extent::Whole => "upload rejected".to_owned(),
        Extent::Only => "1 record rejected".to_owned(),
        Extent::All(rejected) => format!("all {rejected} records rejected"),
        Extent::Part { rejected, accepted } => format!("{rejected} of {} records rejected", rejected + accepted),
    };
    let what = match kind {
        NoticeKind::Regressed => format!("Back again, {what}"),
        NoticeKind::SelfTest => format!("Self-test, {what}"),
        _ => words::capital(&what),
    };
    let (code, place) = match told.failures.first() {
        Some(failure) => (failure.code.to_string(), words::pattern_of_place(failure)),
        None => {
            let (code, place, _) = words::primary_failure(told.group, DetailLimits::ALL[0]);
            (code, place)
        }
    };
    let mut tail = in_brackets(&told.group.schema);
    if others > 0 {
        tail.push_str(&format!(", and {others} more"));
    }
    assemble(&format!("{NAME} {what}: {code}"), &place, &tail)
}

/// `[EventPulse] Resolved: REQUIRED /items/* (orders 1.0)`.
pub(super) fn resolved(resolutions: &[ResolvedProblem]) -> String {
    let Some((first, others)) = resolutions.split_first() else { return format!("{NAME} Resolved") };
    let (code, place, _) = words::primary_failure(&first.group, DetailLimits::ALL[0]);
    if others.is_empty() {
        return assemble(&format!("{NAME} Resolved: {code}"), &place, &in_brackets(&first.group.schema));
    }
    let like = others.iter().all(|other| other.group.schema == first.group.schema);
    let tail = if like { in_brackets(&first.group.schema) } else { String::new() };
    assemble(&format!("{NAME} Resolved: {} problems", resolutions.len()), "", &tail)
}

/// `[EventPulse] Digest: 999 more uploads rejected, 3 known problems`.
pub(super) fn digest(repeats: &[RepeatedProblem], beyond: &RemainderTotals) -> String {
    let totals = counted::totals(repeats, beyond);
    let problems = |groups| words::count(groups, "known problem");
    let (came_back, resolved) = (counted::came_back(repeats, beyond), counted::resolved(repeats, beyond));
    let told = match totals.uploads {
        0 if resolved > 0 => format!("{} resolved", problems(resolved)),
        0 if came_back > 0 => format!("{} came back", problems(came_back)),
        0 => "nothing to report".to_owned(),
        uploads => format!("{} rejected, {}", words::count(uploads, "more upload"), problems(totals.groups)),
    };
    assemble(&format!("{NAME} Digest: {told}"), "", "")
}

fn in_brackets(schema: &str) -> String {
    if schema.is_empty() || schema == NO_SCHEMA { String::new() } else { format!(" ({})", words::schema(schema)) }
}

/// Puts a pointer between what must be read; of a long one, the end says more than the beginning.
fn assemble(head: &str, place: &str, tail: &str) -> String {
    let (head, place, tail) = (ascii(head), ascii(place), ascii(tail));
    let room = MAX_CHARS.saturating_sub(head.len() + tail.len() + 1);
    let place = match place.trim_end() {
        "" => String::new(),
        whole if whole.len() <= room => format!(" {whole}"),
        _ if room < MIN_PLACE_CHARS => String::new(),
        long => format!(" ...{}", &long[long.len() - (room - 3)..]),
    };
    match format!("{head}{place}{tail}").trim_end() {
        whole if whole.len() <= MAX_CHARS => whole.to_owned(),
        long => format!("{}...", long[..MAX_CHARS - 3].trim_end()),
    }
}

fn ascii(text: &str) -> String {
    text.replace('…', "...").chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}
