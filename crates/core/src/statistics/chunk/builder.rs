//! The chunk builder: the points of an upload, in the order of its records, become chunks.

use crate::id::OwnerId;
use std::collections::HashMap;
use std::sync::Arc;

use super::codec::MAX_POINTS;
use super::data::Chunk;
use super::keys;
use super::segment::first_segment;
use crate::statistics::series::{Point, Series, SeriesPoint};

/// The limits of what a builder holds. Chunks depend on them: see [`ChunkBuilder`].
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// The number of points, of 16 bytes each in vectors that may be a third empty: 24 MiB.
    points: usize,
    /// The number of series. Each takes about 200 bytes and its name.
    series: usize,
    /// The size of all names in bytes.
    name_bytes: usize,
}

const LIMITS: Limits = Limits { points: 1 << 20, series: 1 << 17, name_bytes: 8 << 20 };

/// The minimum room for points that is added to a series.
const MIN_ROOM: usize = 4;

/// Builds the chunks of one upload, over any number of series, in bounded memory.
///
/// The builder holds at most 1,048,576 points and 131,072 series, with 8 MiB of names (or one longer name). A series with 4,096
/// points becomes a chunk, or several if cutting it makes them span less time. If there are too many points, the longest series
/// become chunks; if there are too many series, all do, so one call can emit 131,072 chunks. So a million points of 100,000
/// series in any order become 100,000 chunks.
///
/// Chunks depend on nothing but the points and their order, so a second delivery of an upload overwrites the chunks of the first
/// one with the same contents. Therefore the limits must not change while an upload may still be retried.
pub struct ChunkBuilder {
    owner: OwnerId,
    upload_id: String,
    /// The number of the next chunk.
    segment: u32,
    measures: Vec<Measure>,
    /// The series that have points, in the order of their first points.
    open: Vec<OpenSeries>,
    /// The names of their entities, which are UTF-8.
    entities: Vec<Arc<[u8]>>,
    /// The index in `open` of the series of the previous point.
    recent: usize,
    points: usize,
    name_bytes: usize,
    limits: Limits,
    /// The number of series that [`ChunkBuilder::flush_next`] made chunks of.
    flushed: usize,
}

struct Measure {
    outline: Outline,
    name: String,
    /// The indexes of its series in [`ChunkBuilder::open`], by the name of the entity.
    series: HashMap<Arc<[u8]>, usize>,
}

/// What each point needs of its series, in one line of the processor's cache: the points of an upload go to thousands of series
/// in turn.
#[repr(align(64))]
struct OpenSeries {
    /// The outline of the entity's name.
    entity: Outline,
    /// The index of the measure.
    measure: u32,
    /// The index of the series whose point followed one of this series the last time.
    next: u32,
    points: Vec<Point>,
}

/// The length of a name, and the first and the last eight of its first 16 bytes. Names of up to 16 bytes with equal outlines are
/// equal.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Outline {
    length: usize,
    first: u64,
    last: u64,
}

impl Outline {
    const BYTES: usize = 16;

    #[inline]
    fn of(name: &[u8]) -> Self {
        let length = name.len();
        let begin = name.get(..Self::BYTES).unwrap_or(name);
        match (begin.first_chunk(), begin.last_chunk()) {
            (Some(first), Some(last)) => {
                Self { length, first: u64::from_le_bytes(*first), last: u64::from_le_bytes(*last) }
            }
            _ => Self { length, first: begin.iter().fold(0, |bits, byte| bits << 8 | u64::from(*byte)), last: 0 },
        }
    }

    /// Returns whether the outline holds the whole name.
    #[inline]
    fn is_whole(self) -> bool {
        self.length <= Self::BYTES
    }
}

impl Measure {
    #[inline]
    fn is_named(&self, outline: Outline, name: &str) -> bool {
        self.outline == outline && (outline.is_whole() || self.name == name)
    }
}

impl ChunkBuilder {
    /// Returns a builder for one attempt of one upload of `owner`; see [`first_segment`].
    #[must_use]
    pub fn new(owner: &OwnerId, upload_id: &str, attempt: u32) -> ChunkBuilder {
        ChunkBuilder::with_limits(owner, upload_id, attempt, LIMITS)
    }

    fn with_limits(owner: &OwnerId, upload_id: &str, attempt: u32, limits: Limits) -> ChunkBuilder {
        ChunkBuilder {
            owner: owner.clone(),
            upload_id: upload_id.to_owned(),
            segment: first_segment(attempt),
            measures: Vec::new(),
            open: Vec::new(),
            entities: Vec::new(),
            recent: 0,
            points: 0,
            name_bytes: 0,
            limits,
            flushed: 0,
        }
    }

    /// Adds a point, and emits the chunks that it completes. Ignores values that are not finite.
    pub fn add(&mut self, point: SeriesPoint<'_>, emit: impl FnMut(Chunk)) {
        let SeriesPoint { entity, measure, time, value } = point;
        if value.is_finite() {
            self.add_run(entity.as_bytes(), measure, &[Point { time, value }], emit);
        }
    }

    /// Adds successive points of one series, as if one by one. Their values must be finite, and the entity must be UTF-8, which is
    /// not checked again for each point.
    #[inline]
    pub(crate) fn add_run(&mut self, entity: &[u8], measure: &str, points: &[Point], mut emit: impl FnMut(Chunk)) {
        let mut rest = points;
        while !rest.is_empty() {
            let index = match self.find(entity, measure) {
                Some(index) => index,
                None => self.open(entity, measure, &mut emit),
            };
            self.recent = index;
            let Some(open) = self.open.get_mut(index) else {
                return;
            };
            let room = (MAX_POINTS - open.points.len()).min(self.limits.points.saturating_sub(self.points));
            let (now, later) = rest.split_at(room.clamp(1, rest.len()));
            if open.points.capacity() - open.points.len() < now.len() {
                // Half as many again: with many series, the room of a vector that doubles would take most of the memory.
                open.points.reserve_exact(now.len().max(open.points.len() / 2).max(MIN_ROOM));
            }
            match now {
                [point] => open.points.push(*point),
                points => open.points.extend_from_slice(points),
            }
            self.points += now.len();
            if open.points.len() >= MAX_POINTS {
                self.flush_series(index, &mut emit);
            } else if self.points >= self.limits.points {
                self.flush_longest(&mut emit);
            }
            rest = later;
        }
    }

    /// Emits the chunks of all points that the builder holds.
    pub fn flush(&mut self, mut emit: impl FnMut(Chunk)) {
        while self.flush_next(&mut emit) {}
    }

    /// Emits the chunks of the next series that the builder holds, in the order of their first points. Returns whether there was
    /// one. Add no points before all are emitted.
    pub(crate) fn flush_next(&mut self, mut emit: impl FnMut(Chunk)) -> bool {
        if self.flushed >= self.open.len() {
            self.forget_series();
            return false;
        }
        self.flush_series(self.flushed, &mut emit);
        self.flushed += 1;
        true
    }

    /// Returns the index of an open series. Devices often take turns, so the series that followed the previous one the last time
    /// is looked at first.
    #[inline]
    fn find(&mut self, entity: &[u8], measure: &str) -> Option<usize> {
        let next = self.open.get(self.recent)?.next as usize;
        let outlines = (Outline::of(entity), Outline::of(measure.as_bytes()));
        for index in [next, self.recent] {
            if self.is_of(index, outlines, entity, measure) {
                return Some(index);
            }
        }
        let of_measure = self.measures.iter().find(|known| known.is_named(outlines.1, measure))?;
        let found = *of_measure.series.get(entity)?;
        self.follow(found);
        Some(found)
    }

    /// Returns whether an open series has this entity and this measure, whose names have these outlines.
    #[inline]
    fn is_of(&self, index: usize, outlines: (Outline, Outline), entity: &[u8], measure: &str) -> bool {
        let Some(open) = self.open.get(index).filter(|open| open.entity == outlines.0) else { return false };
        let is_named = |known: &Measure| known.is_named(outlines.1, measure);
        self.measures.get(open.measure as usize).is_some_and(is_named)
            && (outlines.0.is_whole() || self.entities.get(index).is_some_and(|known| **known == *entity))
    }

    /// Remembers the series that follows the previous one.
    fn follow(&mut self, index: usize) {
        if let Some(recent) = self.open.get_mut(self.recent) {
            recent.next = index as u32;
        }
    }

    #[cold]
    fn open(&mut self, entity: &[u8], measure: &str, emit: &mut impl FnMut(Chunk)) -> usize {
        let name_bytes = entity.len() + measure.len();
        if self.open.len() >= self.limits.series || self.name_bytes + name_bytes > self.limits.name_bytes {
            self.flush_all(emit);
        }
        let index = self.open.len();
        let of_measure = self.measures.iter().position(|known| known.name == measure).unwrap_or_else(|| {
            let outline = Outline::of(measure.as_bytes());
            self.measures.push(Measure { outline, name: measure.to_owned(), series: HashMap::new() });
            self.measures.len() - 1
        });
        let name: Arc<[u8]> = entity.into();
        if let Some(measure) = self.measures.get_mut(of_measure) {
            measure.series.insert(Arc::clone(&name), index);
        }
        self.follow(index);
        self.open.push(OpenSeries {
            entity: Outline::of(entity),
            measure: of_measure as u32,
            next: index as u32,
            points: Vec::new(),
        });
        self.entities.push(name);
        self.name_bytes += name_bytes;
        index
    }

    /// Flushes the longest series (of equal ones, the one that was opened first) until half of the points are gone.
    fn flush_longest(&mut self, emit: &mut impl FnMut(Chunk)) {
        let mut indexes: Vec<usize> = (0..self.open.len()).collect();
        indexes.sort_by_key(|index| std::cmp::Reverse(self.open.get(*index).map_or(0, |open| open.points.len())));
        for index in indexes {
            if self.points <= self.limits.points / 2 {
                break;
            }
            self.flush_series(index, emit);
        }
    }

    fn flush_all(&mut self, emit: &mut impl FnMut(Chunk)) {
        while self.flush_next(&mut *emit) {}
    }

    fn forget_series(&mut self) {
        self.measures.clear();
        self.open.clear();
        self.entities.clear();
        self.name_bytes = 0;
        self.flushed = 0;
    }

    fn flush_series(&mut self, index: usize, emit: &mut impl FnMut(Chunk)) {
        let (Some(open), Some(entity)) = (self.open.get_mut(index), self.entities.get(index)) else {
            return;
        };
        let Some(measure) = self.measures.get(open.measure as usize) else {
            return;
        };
        // The vector is not kept for later points: thousands of empty ones with a capacity of 4,096 would exceed the limits.
        let mut points = std::mem::take(&mut open.points);
        self.points -= points.len();
        points.sort_by_key(|point| point.time);
        for piece in keys::cut(&points) {
            let series = Series {
                owner: self.owner.clone(),
                entity: String::from_utf8_lossy(entity).into_owned(),
                measure: measure.name.clone(),
            };
            if let Some(chunk) = Chunk::of_sorted(series, &self.upload_id, self.segment, piece) {
                self.segment = self.segment.saturating_add(1);
                emit(chunk);
            }
        }
    }
}

#[cfg(test)]
#[path = "builder_tests.rs"]
mod tests;
