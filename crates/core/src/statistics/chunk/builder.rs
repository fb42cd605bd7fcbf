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
    /// The number of points, of 16 bytes each in vectors that may be half empty: 32 MiB.
    points: usize,
    /// The number of series. Each takes about 250 bytes and its names.
    series: usize,
    /// The size of all names in bytes.
    name_bytes: usize,
}

const LIMITS: Limits = Limits { points: 1 << 20, series: 1 << 15, name_bytes: 4 << 20 };

/// Builds the chunks of one upload, over any number of series, in bounded memory.
///
/// The builder holds at most 1,048,576 points and 32,768 series, with 4 MiB of names (or one longer name). A series with 4,096
/// points becomes a chunk, or several if cutting it makes them span less time. If there are too many points, the longest series
/// become chunks; if there are too many series, all do, so one call can emit 32,768 chunks.
///
/// Chunks depend on nothing but the points and their order, so a second delivery of an upload overwrites the chunks of the first
/// one with the same contents. Therefore the limits must not change while an upload may still be retried.
pub struct ChunkBuilder {
    owner: OwnerId,
    upload_id: String,
    /// The number of the next chunk.
    segment: u32,
    /// The indexes of measures in `entities`, by name.
    measures: HashMap<Arc<str>, usize>,
    /// For each measure, the indexes of entities in `open`, by name.
    entities: Vec<HashMap<Arc<[u8]>, usize>>,
    /// The series that have points, in the order of their first points.
    open: Vec<OpenSeries>,
    /// The index in `open` of the series of the previous point.
    recent: usize,
    points: usize,
    name_bytes: usize,
    limits: Limits,
}

struct OpenSeries {
    /// UTF-8.
    entity: Arc<[u8]>,
    measure: Arc<str>,
    /// The index of the measure in [`ChunkBuilder::entities`].
    measure_index: usize,
    /// The index of the series whose point followed one of this series the last time.
    next: usize,
    points: Vec<Point>,
}

impl OpenSeries {
    #[inline]
    fn is_of(&self, entity: &[u8], measure: &str) -> bool {
        is_same(&self.entity, entity) && is_same(self.measure.as_bytes(), measure.as_bytes())
    }
}

/// Compares two texts. Most are short: a few operations cost less than a call.
#[inline]
fn is_same(one: &[u8], other: &[u8]) -> bool {
    /// Compares the first and the last `N` bytes, which are all bytes of a text with N to 2N of them.
    #[inline]
    fn ends<const N: usize>(one: &[u8], other: &[u8]) -> bool {
        one.first_chunk::<N>() == other.first_chunk() && one.last_chunk::<N>() == other.last_chunk()
    }
    one.len() == other.len()
        && match one.len() {
            4..=7 => ends::<4>(one, other),
            8..=16 => ends::<8>(one, other),
            _ => one == other,
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
            measures: HashMap::new(),
            entities: Vec::new(),
            open: Vec::new(),
            recent: 0,
            points: 0,
            name_bytes: 0,
            limits,
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
        self.flush_all(&mut emit);
    }

    /// Returns the index of an open series. Devices often take turns, so the series that followed the previous one the last time
    /// is looked at first.
    #[inline]
    fn find(&mut self, entity: &[u8], measure: &str) -> Option<usize> {
        let recent = self.open.get(self.recent)?;
        for candidate in [recent.next, self.recent] {
            if self.open.get(candidate).is_some_and(|open| open.is_of(entity, measure)) {
                return Some(candidate);
            }
        }
        let measure_index =
            if *recent.measure == *measure { recent.measure_index } else { *self.measures.get(measure)? };
        let found = *self.entities.get(measure_index)?.get(entity)?;
        self.follow(found);
        Some(found)
    }

    /// Remembers the series that follows the previous one.
    fn follow(&mut self, index: usize) {
        if let Some(recent) = self.open.get_mut(self.recent) {
            recent.next = index;
        }
    }

    #[cold]
    fn open(&mut self, entity: &[u8], measure: &str, emit: &mut impl FnMut(Chunk)) -> usize {
        let name_bytes = entity.len() + measure.len();
        if self.open.len() >= self.limits.series || self.name_bytes + name_bytes > self.limits.name_bytes {
            self.flush_all(emit);
        }
        let index = self.open.len();
        let entity: Arc<[u8]> = entity.into();
        let (measure, measure_index) = match self.measures.get_key_value(measure) {
            Some((known, measure_index)) => (Arc::clone(known), *measure_index),
            None => {
                let (measure, measure_index): (Arc<str>, usize) = (measure.into(), self.entities.len());
                self.measures.insert(Arc::clone(&measure), measure_index);
                self.entities.push(HashMap::new());
                (measure, measure_index)
            }
        };
        if let Some(entities) = self.entities.get_mut(measure_index) {
            entities.insert(Arc::clone(&entity), index);
        }
        self.follow(index);
        self.open.push(OpenSeries { entity, measure, measure_index, next: index, points: Vec::new() });
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
        for index in 0..self.open.len() {
            self.flush_series(index, emit);
        }
        self.measures.clear();
        self.entities.clear();
        self.open.clear();
        self.name_bytes = 0;
    }

    fn flush_series(&mut self, index: usize, emit: &mut impl FnMut(Chunk)) {
        let Some(open) = self.open.get_mut(index) else {
            return;
        };
        // The vector is not kept for later points: thousands of empty ones with a capacity of 4,096 would exceed the limits.
        let mut points = std::mem::take(&mut open.points);
        self.points -= points.len();
        points.sort_by_key(|point| point.time);
        for piece in keys::cut(&points) {
            let series = Series {
                owner: self.owner.clone(),
                entity: String::from_utf8_lossy(&open.entity).into_owned(),
                measure: open.measure.to_string(),
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
