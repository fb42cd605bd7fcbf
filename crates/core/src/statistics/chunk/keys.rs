//! The keys of the chunks table. They are deterministic and injective, and one key range per span class covers all chunks that
//! overlap a time range.

use std::time::Duration;

use crate::encoding::sha256;
use crate::statistics::series::{Point, Series};
use crate::time::Timestamp;

const DAY: Duration = Duration::from_secs(86_400);

/// The maximum length of a part of a partition key in bytes. Three parts stay well under the 2,048 bytes of DynamoDB.
const MAX_PART_BYTES: usize = 600;
/// The difference between the maximum and the readable beginning of a longer name, which its digest follows.
const CUT_BYTES: usize = 100;
/// The maximum length of a measure in a listing key in bytes. A sort key of DynamoDB has at most 1,024 bytes.
const MAX_LISTED_MEASURE_BYTES: usize = 400;

/// The minimum average number of points of chunks that are cut to reach a smaller span class.
const MIN_POINTS_OF_PIECE: usize = 512;

/// The class of the time span of a chunk, from its first point to its last. Keys contain it, so names and bounds must never
/// change.
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

/// A range of sort keys, including both ends: the `BETWEEN` of a DynamoDB query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    /// The smallest sort key.
    pub lo: String,
    /// The largest sort key.
    pub hi: String,
}

/// The key of a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkKey {
    /// The series.
    pub series: Series,
    /// The sort key.
    pub sort_key: String,
}

impl SpanClass {
    /// All classes, shortest first.
    pub const ALL: [SpanClass; 4] = [SpanClass::Day, SpanClass::Month, SpanClass::ThreeYears, SpanClass::Any];

    /// Returns the class of a chunk with these first and last times.
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

    /// Returns the first part of a sort key.
    const fn prefix(self) -> &'static str {
        match self {
            SpanClass::Day => "day",
            SpanClass::Month => "month",
            SpanClass::ThreeYears => "years",
            SpanClass::Any => "any",
        }
    }
}

/// Returns the sort keys of all chunks that can have points with `from <= time < to`: one range per span class, none for an empty
/// time range.
#[must_use]
pub fn key_ranges(from: Option<Timestamp>, to: Option<Timestamp>) -> Vec<KeyRange> {
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        return Vec::new();
    }
    let from = from.unwrap_or(Timestamp::MIN);
    let range = |class: SpanClass| {
        let prefix = class.prefix();
        // A chunk that begins earlier ends before `from`.
        let earliest = from - class.longest();
        KeyRange {
            lo: format!("{prefix}#{}", earliest.sortable()),
            // Every key continues after the time, so the key of a chunk that begins at `to` is larger.
            hi: to.map_or_else(|| format!("{prefix}#~"), |to| format!("{prefix}#{}", to.sortable())),
        }
    };
    SpanClass::ALL.into_iter().map(range).collect()
}

/// Returns `series#<owner>#<entity>#<measure>`, with `%` and `#` in names escaped. Different series have different keys.
pub(super) fn partition_key(series: &Series) -> String {
    format!("series#{}#{}#{}", part(&series.owner), part(&series.entity), part(&series.measure))
}

/// Returns `<entity>#<measure>`, escaped.
pub(super) fn listing_key(series: &Series) -> String {
    format!("{}{}", entity_prefix(&series.entity), part_within(&series.measure, MAX_LISTED_MEASURE_BYTES))
}

/// Returns the prefix of the listing keys of an entity.
#[must_use]
pub fn entity_prefix(entity: &str) -> String {
    format!("{}#", part(entity))
}

/// Returns `<span class>#<first time>#<upload>#<segment>`. Keys of one class sort by time.
pub(super) fn sort_key(class: SpanClass, first: Timestamp, upload_id: &str, segment: u32) -> String {
    format!("{}#{}#{upload_id}#{segment:010}", class.prefix(), first.sortable())
}

fn part(name: &str) -> String {
    part_within(name, MAX_PART_BYTES)
}

/// Escapes a name. Cuts one that is too long and appends `%=`, which begins no escape, and its digest.
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
            escaped.push_str(&sha256(name.as_bytes()));
            break;
        }
    }
    escaped
}

/// Returns an upper bound of the length of a name in a key.
pub(super) fn max_length(name: &str) -> usize {
    (3 * name.len()).min(MAX_PART_BYTES)
}

/// Cuts points in time order into pieces of a smaller span class, if the pieces have enough points: for example months of hourly
/// values, or a day of values and one of 1970 from a clock that was reset.
pub(super) fn cut(points: &[Point]) -> Vec<&[Point]> {
    for class in SpanClass::ALL {
        let most = (points.len() / MIN_POINTS_OF_PIECE).max(1);
        if let Some(pieces) = cut_into(points, class, most) {
            return pieces;
        }
    }
    vec![points]
}

/// Returns the fewest pieces of `class`; `None` if there are more than `most`.
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

impl Series {
    /// Returns the partition key of the chunks of the series: at most 2,048 bytes, different for different series.
    #[must_use]
    pub fn partition_key(&self) -> String {
        partition_key(self)
    }

    /// Returns the sort key of the series in the list of its owner: at most 1,024 bytes, different for different series. The
    /// series of one entity are adjacent.
    #[must_use]
    pub fn listing_key(&self) -> String {
        listing_key(self)
    }
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
