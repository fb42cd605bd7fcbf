//! Keys of the chunks table: deterministic, injective, and such that one key range per span class finds all that overlaps a query.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::statistics::series::{Point, Series};
use crate::time::Timestamp;

const DAY: Duration = Duration::from_secs(86_400);

/// A part of a partition key is at most so long; three of them stay well under DynamoDB's 2,048 bytes.
const MAX_PART_BYTES: usize = 600;
/// How much shorter than that the readable beginning of a longer name is: its digest follows.
const CUT_BYTES: usize = 100;
/// The same of a measure in the key of a list: DynamoDB sorts by at most 1,024 bytes.
const MAX_LISTED_MEASURE_BYTES: usize = 400;

/// Chunks are cut to reach a smaller span class only if they keep so many points on average.
const WORTH_A_CHUNK: usize = 512;

/// How much time a chunk spans, from its first point to its last. Stored in keys: the names and bounds must never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpanClass {
    /// At most a day.
    Day,
    /// At most 31 days.
    Month,
    /// At most 1,096 days.
    ThreeYears,
    /// Anything longer.
    Any,
}

/// Sort keys between `lo` and `hi`, both included: the `BETWEEN` of a DynamoDB query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    /// The smallest sort key.
    pub lo: String,
    /// The largest sort key.
    pub hi: String,
}

impl SpanClass {
    /// All classes, the shortest first.
    pub const ALL: [SpanClass; 4] = [SpanClass::Day, SpanClass::Month, SpanClass::ThreeYears, SpanClass::Any];

    /// The class of a chunk with these first and last times.
    #[must_use]
    pub fn of(first: Timestamp, last: Timestamp) -> SpanClass {
        let span = last.duration_since(first);
        if span <= SpanClass::Day.longest() {
            SpanClass::Day
        } else if span <= SpanClass::Month.longest() {
            SpanClass::Month
        } else if span <= SpanClass::ThreeYears.longest() {
            SpanClass::ThreeYears
        } else {
            SpanClass::Any
        }
    }

    /// Returns the longest span of the class.
    fn longest(self) -> Duration {
        match self {
            SpanClass::Day => DAY,
            SpanClass::Month => 31 * DAY,
            SpanClass::ThreeYears => 1096 * DAY,
            SpanClass::Any => Timestamp::MAX.duration_since(Timestamp::MIN),
        }
    }

    /// The word that begins a sort key.
    const fn word(self) -> &'static str {
        match self {
            SpanClass::Day => "day",
            SpanClass::Month => "month",
            SpanClass::ThreeYears => "years",
            SpanClass::Any => "any",
        }
    }
}

/// The sort keys of all chunks that can have points with `from <= time < to`: one range for each span class, none if no time is both.
#[must_use]
pub fn key_ranges(from: Option<Timestamp>, to: Option<Timestamp>) -> Vec<KeyRange> {
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        return Vec::new();
    }
    let from = from.unwrap_or(Timestamp::MIN);
    let range = |class: SpanClass| {
        let word = class.word();
        // A chunk that begins earlier than this is over before `from`.
        let earliest = from - class.longest();
        KeyRange {
            lo: format!("{word}#{}", earliest.sortable()),
            // Every key goes on after the time, so that of a chunk that begins at `to` is larger than this.
            hi: to.map_or_else(|| format!("{word}#~"), |to| format!("{word}#{}", to.sortable())),
        }
    };
    SpanClass::ALL.into_iter().map(range).collect()
}

/// `series#<owner>#<entity>#<measure>`, with `%` and `#` in names escaped. Different series have different keys.
pub(super) fn partition_key(series: &Series) -> String {
    format!("series#{}#{}#{}", part(&series.owner), part(&series.entity), part(&series.measure))
}

/// `<entity>#<measure>`, escaped.
pub(super) fn listing_key(series: &Series) -> String {
    format!("{}{}", entity_prefix(&series.entity), part_within(&series.measure, MAX_LISTED_MEASURE_BYTES))
}

/// What the listing keys of an entity's series begin with.
#[must_use]
pub fn entity_prefix(entity: &str) -> String {
    format!("{}#", part(entity))
}

/// `<span class>#<first time>#<upload>#<segment>`; keys of one class sort by time.
pub(super) fn sort_key(class: SpanClass, first: Timestamp, upload_id: &str, segment: u32) -> String {
    format!("{}#{}#{upload_id}#{segment:010}", class.word(), first.sortable())
}

fn part(name: &str) -> String {
    part_within(name, MAX_PART_BYTES)
}

/// Escapes a name, and cuts one that is too long: then its digest follows `%=`, which no escape begins with.
fn part_within(name: &str, most: usize) -> String {
    let mut escaped = String::with_capacity(name.len().min(most));
    let mut readable = 0;
    for character in name.chars() {
        match character {
            '%' => escaped.push_str("%25"),
            '#' => escaped.push_str("%23"),
            _ => escaped.push(character),
        }
        if escaped.len() <= most - CUT_BYTES {
            readable = escaped.len();
        }
        if escaped.len() > most {
            escaped.truncate(readable);
            escaped.push_str("%=");
            for byte in Sha256::digest(name) {
                escaped.push_str(&format!("{byte:02x}"));
            }
            break;
        }
    }
    escaped
}

/// The length of a name in a key, at most.
pub(super) fn bound(name: &str) -> usize {
    (3 * name.len()).min(MAX_PART_BYTES)
}

/// Cuts points in time order where that brings all of them into a smaller span class in chunks that are still worth it: months of
/// hourly values, say, or a day of values and one of 1970 from a clock that had lost its time.
pub(super) fn cut(points: &[Point]) -> Vec<&[Point]> {
    for class in SpanClass::ALL {
        let most = (points.len() / WORTH_A_CHUNK).max(1);
        if let Some(pieces) = cut_into(points, class, most) {
            return pieces;
        }
    }
    vec![points]
}

/// As few pieces of `class` as possible; `None` if they are more than `most`.
fn cut_into(points: &[Point], class: SpanClass, most: usize) -> Option<Vec<&[Point]>> {
    let mut pieces = Vec::new();
    let mut rest = points;
    while let Some(first) = rest.first() {
        if pieces.len() == most {
            return None;
        }
        let end = first.time + class.longest();
        let (piece, after) = rest.split_at(rest.partition_point(|point| point.time <= end));
        pieces.push(piece);
        rest = after;
    }
    Some(pieces)
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
