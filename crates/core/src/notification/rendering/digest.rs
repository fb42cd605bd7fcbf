//! The digest: what repeated, came back and was resolved in some time, as counts.

use std::cmp::Reverse;

use super::parts::{list, owned_by, preferences, title};
use super::text::Text;
use super::{DeploymentInfo, DetailLimits, RemainderTotals, RepeatedProblem, words};
use crate::time::Timestamp;

/// How many groups the text tells.
const LARGEST_IN_TEXT: usize = 3;
/// How many the text names of those that came back or were resolved.
const NAMED: usize = 10;

/// The groups, the one with the most uploads first.
pub(super) fn largest(repeats: &[RepeatedProblem]) -> Vec<&RepeatedProblem> {
    let mut largest: Vec<&RepeatedProblem> = repeats.iter().collect();
    largest.sort_by_key(|RepeatedProblem { group, tally }| (Reverse((tally.uploads, tally.records)), &group.id));
    largest
}

/// What all of them come to.
pub(super) fn totals(repeats: &[RepeatedProblem], beyond: &RemainderTotals) -> RemainderTotals {
    let mut totals = *beyond;
    for repeat in repeats {
        totals.add(&repeat.tally);
    }
    totals
}

/// How many groups came back; of those that are only counted, how often one did.
pub(super) fn came_back(repeats: &[RepeatedProblem], beyond: &RemainderTotals) -> u64 {
    beyond.came_back.saturating_add(repeats.iter().filter(|repeat| repeat.tally.came_back > 0).count() as u64)
}

/// How many groups were resolved; of those that are only counted, how often one was.
pub(super) fn resolved(repeats: &[RepeatedProblem], beyond: &RemainderTotals) -> u64 {
    beyond.resolved.saturating_add(repeats.iter().filter(|repeat| repeat.tally.resolved > 0).count() as u64)
}

/// When the time of a digest begins: an upload may be heard of after its time.
pub(super) fn since(from: Timestamp, totals: &RemainderTotals) -> Timestamp {
    totals.first_seen.map_or(from, |first| first.min(from))
}

/// What a digest is of.
pub(super) struct ProblemDetails<'a> {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    pub(super) repeats: &'a [RepeatedProblem],
    pub(super) beyond: &'a RemainderTotals,
}

pub(super) fn text(owner: &str, told: &ProblemDetails<'_>, site: &DeploymentInfo<'_>, room: DetailLimits) -> String {
    let ProblemDetails { from, to, repeats, beyond } = *told;
    let (totals, largest) = (totals(repeats, beyond), largest(repeats));
    let mut text = Text::default();
    text.paragraph("", &words::capital(&opening(&words::span(since(from, &totals), to), &totals, told)));
    text.blank();
    owned_by(&mut text, owner);
    if let (Some(first), Some(last)) = (totals.first_seen, totals.last_seen) {
        text.field("First seen", &words::minute(first));
        text.field("Last seen", &words::minute(last));
    }
    let failed: Vec<&&RepeatedProblem> =
        largest.iter().filter(|repeat| repeat.tally.uploads > 0).take(LARGEST_IN_TEXT).collect();
    if !failed.is_empty() {
        let is_all = failed.len() as u64 == totals.groups;
        text.heading(match (failed.len(), is_all) {
            (1, true) => "The problem",
            (2, true) => "Both problems",
            (_, true) => "The three problems",
            (1, false) => "The largest problem",
            (2, false) => "The two largest problems",
            (_, false) => "The three largest problems",
        });
        for (repeat, at) in failed.into_iter().zip(0..) {
            if at > 0 {
                text.blank();
            }
            title(&mut text, &repeat.group, "", room);
            let tally = &repeat.tally;
            let (extent, range) =
                (words::extent(tally.uploads, tally.records), words::range(tally.first_seen, tally.last_seen));
            text.paragraph("    ", &format!("{extent}, {range}"));
            text.field("  Group", repeat.group.id.as_str());
            text.field("  Last upload", tally.upload_id.as_str());
        }
    }
    named(&mut text, "Came back", &largest, (|repeat| repeat.tally.came_back, beyond.came_back), room);
    named(&mut text, "Resolved", &largest, (|repeat| repeat.tally.resolved, beyond.resolved), room);
    text.heading("See them all");
    list(&mut text, site);
    preferences(&mut text);
    text.finish()
}

fn opening(span: &str, totals: &RemainderTotals, told: &ProblemDetails<'_>) -> String {
    let problems = match totals.groups {
        0 => return without_uploads(span, told),
        1 => "a problem".to_owned(),
        groups => format!("{groups} problems"),
    };
    let were = if totals.uploads == 1 { "was" } else { "were" };
    let extent = words::extent(totals.uploads, totals.records);
    let each = if totals.groups > 1 { " An upload with several problems counts for each." } else { "" };
    format!("{span}, {extent} {were} rejected for {problems} that you know already.{each}")
}

fn without_uploads(span: &str, ProblemDetails { repeats, beyond, .. }: &ProblemDetails<'_>) -> String {
    let problems = |groups| {
        let were = if groups == 1 { "was" } else { "were" };
        (words::count(groups, "problem"), were)
    };
    match (resolved(repeats, beyond), came_back(repeats, beyond)) {
        (0, 0) => format!("{span}, no upload of yours was rejected for a problem that you know already."),
        (0, groups) => format!("{span}, {} that you know already came back.", problems(groups).0),
        (groups, _) => {
            let (problems, were) = problems(groups);
            format!(
                "{span}, {problems} that you know already {were} resolved: uploads passed again. No upload was rejected \
                 for a problem that you know."
            )
        }
    }
}

/// The groups to which something happened, and how often.
fn named(
    text: &mut Text,
    heading: &str,
    repeats: &[&RepeatedProblem],
    (times, beyond): (fn(&RepeatedProblem) -> u64, u64),
    room: DetailLimits,
) {
    let named: Vec<&&RepeatedProblem> = repeats.iter().filter(|repeat| times(repeat) > 0).collect();
    if named.is_empty() && beyond == 0 {
        return;
    }
    text.heading(heading);
    for repeat in named.iter().take(NAMED) {
        title(text, &repeat.group, &format!(", {}", words::times(times(repeat))), room);
    }
    let others = named.iter().skip(NAMED).fold(beyond, |sum, repeat| sum.saturating_add(times(repeat)));
    match others {
        0 => {}
        others if named.is_empty() => text.paragraph("  ", &words::capital(&words::times(others))),
        others => text.paragraph("  ", &format!("Others, {}", words::times(others))),
    }
}
