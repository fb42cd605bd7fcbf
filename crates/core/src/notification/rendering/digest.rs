//! The digest: counts of known problems in a period.

use super::contents::{DeploymentInfo, DigestContents, RemainderTotals, RepeatedProblem};
use super::limits::DetailLimits;
use super::parts::{list, owner_field, preferences, title};
use super::text::Text;
use super::words;

/// The number of problems that the text describes.
const MAX_LARGEST: usize = 3;
/// The maximum number of problems that came back, became quiet, or were resolved, in the text.
const MAX_NAMED: usize = 10;

/// Writes the body of the e-mail.
pub(super) fn text(
    owner: &str,
    digest: &DigestContents<'_>,
    deployment: &DeploymentInfo<'_>,
    limits: DetailLimits,
) -> String {
    let (totals, largest) = (digest.totals(), digest.largest());
    let mut text = Text::default();
    text.paragraph("", &words::capital(&opening(digest, &totals)));
    text.blank();
    owner_field(&mut text, owner);
    if let (Some(first), Some(last)) = (totals.first_seen, totals.last_seen) {
        text.field("First seen", &words::minute(first));
        text.field("Last seen", &words::minute(last));
    }
    write_largest(&mut text, &largest, &totals, limits);
    let remainder = &digest.remainder;
    write_named(&mut text, "Came back", &largest, |repeat| repeat.counts.regressions, remainder.regressions, limits);
    write_named(&mut text, "Quiet", &largest, |repeat| repeat.counts.quiet_periods, remainder.quiet_periods, limits);
    write_named(&mut text, "Resolved", &largest, |repeat| repeat.counts.resolutions, remainder.resolutions, limits);
    text.heading("All rejected uploads");
    list(&mut text, deployment);
    preferences(&mut text);
    text.finish()
}

fn opening(digest: &DigestContents<'_>, totals: &RemainderTotals) -> String {
    let span = words::span(digest.start(), digest.to);
    if totals.problems == 0 {
        return opening_without_rejections(&span, digest);
    }
    let extent = words::extent(totals.uploads, totals.records);
    let problems = words::count(totals.problems, "known problem");
    let each = if totals.problems > 1 { " An upload with several problems counts for each of them." } else { "" };
    format!("{span}, {problems} affected {extent}.{each}")
}

fn opening_without_rejections(span: &str, digest: &DigestContents<'_>) -> String {
    let changes = [
        (digest.regressed_problems(), "came back"),
        (digest.quiet_problems(), "became quiet"),
        (digest.resolved_problems(), "resolved"),
    ];
    let change = |(problems, change): &(u64, &str)| {
        let were = if *change == "resolved" { format!("{} ", words::was(*problems)) } else { String::new() };
        format!("{} {were}{change}", words::count(*problems, "known problem"))
    };
    let changes: Vec<String> = changes.iter().filter(|(problems, _)| *problems > 0).map(change).collect();
    match changes.as_slice() {
        [] => format!("{span}, no upload was rejected for a known problem."),
        [first] => format!("{span}, {first}. No upload was rejected for a known problem."),
        [all @ .., last] => {
            format!("{span}, {} and {last}. No upload was rejected for a known problem.", all.join(", "))
        }
    }
}

/// Writes the problems with the most rejected uploads.
fn write_largest(text: &mut Text, largest: &[&RepeatedProblem], totals: &RemainderTotals, limits: DetailLimits) {
    let rejected: Vec<&&RepeatedProblem> =
        largest.iter().filter(|repeat| repeat.counts.uploads > 0).take(MAX_LARGEST).collect();
    if rejected.is_empty() {
        return;
    }
    let is_all = rejected.len() as u64 == totals.problems;
    text.heading(match (rejected.len(), is_all) {
        (1, true) => "The problem",
        (2, true) => "Both problems",
        (_, true) => "The three problems",
        (1, false) => "The largest problem",
        (2, false) => "The two largest problems",
        (_, false) => "The three largest problems",
    });
    for (repeat, index) in rejected.into_iter().zip(0..) {
        if index > 0 {
            text.blank();
        }
        title(text, &repeat.problem, "", limits);
        let counts = &repeat.counts;
        let extent = words::extent(counts.uploads, counts.records);
        let range = words::range(counts.first_seen, counts.last_seen);
        text.paragraph("    ", &format!("{extent}, {range}"));
        text.field("  Problem", repeat.problem.id.as_str());
        if let Some(upload_id) = &counts.last_upload_id {
            text.field("  Last upload", upload_id.as_str());
        }
        let open = repeat.problem.open.total();
        if !open.is_zero() {
            text.field("  Still in quarantine", &words::amount(open));
        }
    }
}

/// Writes the problems with a count, and how often. `remainder` is the count of the problems that are not listed.
fn write_named(
    text: &mut Text,
    heading: &str,
    repeats: &[&RepeatedProblem],
    count: fn(&RepeatedProblem) -> u64,
    remainder: u64,
    limits: DetailLimits,
) {
    let named: Vec<&&RepeatedProblem> = repeats.iter().filter(|repeat| count(repeat) > 0).collect();
    if named.is_empty() && remainder == 0 {
        return;
    }
    text.heading(heading);
    for repeat in named.iter().take(MAX_NAMED) {
        title(text, &repeat.problem, &format!(", {}", words::times(count(repeat))), limits);
    }
    let others = named.iter().skip(MAX_NAMED).fold(remainder, |sum, repeat| sum.saturating_add(count(repeat)));
    match others {
        0 => {}
        others if named.is_empty() => text.paragraph("  ", &words::capital(&words::times(others))),
        others => text.paragraph("  ", &format!("Other problems, {}", words::times(others))),
    }
}
