//! The digest: what repeated, came back and was resolved in some time, as counts.

use super::failing::{preferences, title};
use super::text::Text;
use super::{Repeat, Room, Site, words};
use crate::time::Timestamp;

/// How many groups the text tells.
const LARGEST_IN_TEXT: usize = 3;
/// How many the text names of those that came back or were resolved.
const NAMED: usize = 10;

/// The groups, the one with the most uploads first.
pub(super) fn largest(repeats: &[Repeat]) -> Vec<&Repeat> {
    let mut largest: Vec<&Repeat> = repeats.iter().collect();
    largest
        .sort_by(|a, b| (b.uploads, b.records).cmp(&(a.uploads, a.records)).then_with(|| a.group.id.cmp(&b.group.id)));
    largest
}

/// What all of them come to.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) groups: u64,
    pub(super) uploads: u64,
    pub(super) records: u64,
    pub(super) came_back: u64,
    pub(super) resolved: u64,
    pub(super) first_seen: Option<Timestamp>,
    pub(super) last_seen: Option<Timestamp>,
}

impl Totals {
    pub(super) fn of(repeats: &[Repeat]) -> Self {
        let mut totals = Self::default();
        for repeat in repeats {
            totals.came_back = totals.came_back.saturating_add(repeat.came_back);
            totals.resolved = totals.resolved.saturating_add(repeat.resolved);
            if repeat.uploads == 0 {
                continue;
            }
            totals.groups += 1;
            totals.uploads = totals.uploads.saturating_add(repeat.uploads);
            totals.records = totals.records.saturating_add(repeat.records);
            let first = totals.first_seen.map_or(repeat.first_seen, |first| first.min(repeat.first_seen));
            let last = totals.last_seen.map_or(repeat.last_seen, |last| last.max(repeat.last_seen));
            (totals.first_seen, totals.last_seen) = (Some(first), Some(last));
        }
        totals
    }
}

pub(super) fn text((from, to): (Timestamp, Timestamp), repeats: &[Repeat], site: &Site<'_>, room: Room) -> String {
    let (totals, largest) = (Totals::of(repeats), largest(repeats));
    let mut text = Text::default();
    text.paragraph("", &words::capital(&counts(&words::span(from, to), &totals)));
    if let (Some(first), Some(last)) = (totals.first_seen, totals.last_seen) {
        text.blank();
        text.field("First seen", &words::minute(first));
        text.field("Last seen", &words::minute(last));
    }
    if totals.groups > 0 {
        text.heading(match totals.groups {
            1 => "The problem",
            2 => "Both problems",
            3 => "The three problems",
            _ => "The three largest problems",
        });
        let told = largest.iter().filter(|repeat| repeat.uploads > 0).take(LARGEST_IN_TEXT);
        for (repeat, at) in told.zip(0..) {
            if at > 0 {
                text.blank();
            }
            title(&mut text, &repeat.group, "", room);
            let (extent, range) =
                (words::extent(repeat.uploads, repeat.records), words::range(repeat.first_seen, repeat.last_seen));
            text.paragraph("    ", &format!("{extent}, {range}"));
            text.field("  Group", repeat.group.id.as_str());
            text.field("  Last upload", repeat.upload_id.as_str());
        }
    }
    named(&mut text, "Came back", &largest, |repeat| repeat.came_back, room);
    named(&mut text, "Resolved", &largest, |repeat| repeat.resolved, room);
    text.heading("See them all");
    text.line(&format!("{}/quarantine", site.api_url));
    text.line("eventpulse quarantine list");
    preferences(&mut text);
    text.finish()
}

fn counts(span: &str, totals: &Totals) -> String {
    let problems = match totals.groups {
        0 => return format!("{span}, no upload of yours was rejected for a problem that you know already."),
        1 => "a problem".to_owned(),
        groups => format!("{groups} problems"),
    };
    let were = if totals.uploads == 1 { "was" } else { "were" };
    let extent = words::extent(totals.uploads, totals.records);
    format!("{span}, {extent} {were} rejected for {problems} that you know already.")
}

/// The groups to which something happened, and how often.
fn named(text: &mut Text, heading: &str, repeats: &[&Repeat], times: fn(&Repeat) -> u64, room: Room) {
    let named: Vec<&&Repeat> = repeats.iter().filter(|repeat| times(repeat) > 0).collect();
    if named.is_empty() {
        return;
    }
    text.heading(heading);
    for repeat in named.iter().take(NAMED) {
        title(text, &repeat.group, &format!(", {}", words::times(times(repeat))), room);
    }
    match named.len().saturating_sub(NAMED) {
        0 => {}
        beyond => text.paragraph("  ", &format!("And {beyond} more.")),
    }
}
