//! From the points of an upload, in the order of its records, to chunks.

use crate::id::OwnerId;
use std::collections::HashMap;
use std::sync::Arc;

use super::codec::Encoder;
use super::{Chunk, MAX_POINTS, first_segment, keys};
use crate::statistics::series::{Point, Series};
use crate::time::Timestamp;

/// How much a builder holds back. Part of what makes chunks deterministic: see [`ChunkBuilder`].
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Of 16 bytes, in vectors that may be half empty: 32 MiB.
    points: usize,
    /// Each with its names and its places in two tables, about 250 bytes and the names.
    series: usize,
    name_bytes: usize,
}

const LIMITS: Limits = Limits { points: 1 << 20, series: 1 << 15, name_bytes: 4 << 20 };

/// Gathers the points of one upload into chunks, over any number of series, in bounded memory.
///
/// It holds at most 1,048,576 points and 32,768 series, with 4 MiB of names (or one longer name). A series that has 4,096 points
/// becomes a chunk, or several if cutting it makes them span less time; when there are too many points, the longest series do; when
/// there are too many series, all do, of which one call may thus emit 32,768 chunks. All that depends on nothing but the points: the
/// same points in the same order make the same chunks, so that a second delivery of an upload writes over what the first one wrote.
/// (For that, the limits must not change while an upload may still be retried.)
pub struct ChunkBuilder {
    owner: OwnerId,
    upload_id: String,
    /// The number of the next chunk.
    segment: u32,
    /// Measures, by name: places in `entities`.
    measures: HashMap<Arc<str>, usize>,
    /// Entities of each measure, by name: places in `open`.
    entities: Vec<HashMap<Arc<str>, usize>>,
    /// In the order of their first points.
    open: Vec<OpenSeries>,
    /// Where the point before went.
    recent: usize,
    points: usize,
    name_bytes: usize,
    limits: Limits,
    encoder: Encoder,
}

struct OpenSeries {
    entity: Arc<str>,
    measure: Arc<str>,
    /// The place of the measure.
    of_measure: usize,
    points: Vec<Point>,
}

impl ChunkBuilder {
    /// A builder for one round of one upload of `owner`; see [`first_segment`].
    #[must_use]
    pub fn new(owner: &OwnerId, upload_id: &str, round: u32) -> ChunkBuilder {
        ChunkBuilder::with_limits(owner, upload_id, round, LIMITS)
    }

    fn with_limits(owner: &OwnerId, upload_id: &str, round: u32, limits: Limits) -> ChunkBuilder {
        ChunkBuilder {
            owner: owner.clone(),
            upload_id: upload_id.to_owned(),
            segment: first_segment(round),
            measures: HashMap::new(),
            entities: Vec::new(),
            open: Vec::new(),
            recent: 0,
            points: 0,
            name_bytes: 0,
            limits,
            encoder: Encoder::new(),
        }
    }

    /// Adds a point, and gives `emit` the chunks for which it was the last. A value that is not finite is no point and ignored.
    pub fn add(&mut self, entity: &str, measure: &str, time: Timestamp, value: f64, mut emit: impl FnMut(Chunk)) {
        if !value.is_finite() {
            return;
        }
        let place = match self.find(entity, measure) {
            Some(place) => place,
            None => self.open(entity, measure, &mut emit),
        };
        self.recent = place;
        let Some(open) = self.open.get_mut(place) else {
            return;
        };
        open.points.push(Point { time, value });
        self.points += 1;
        if open.points.len() >= MAX_POINTS {
            self.flush(place, &mut emit);
        } else if self.points >= self.limits.points {
            self.flush_longest(&mut emit);
        }
    }

    /// Gives `emit` the chunks of all points that are left.
    pub fn finish(mut self, mut emit: impl FnMut(Chunk)) {
        self.flush_all(&mut emit);
    }

    fn find(&self, entity: &str, measure: &str) -> Option<usize> {
        let recent = self.open.get(self.recent).filter(|open| *open.measure == *measure);
        if recent.is_some_and(|open| *open.entity == *entity) {
            return Some(self.recent);
        }
        let of_measure = match recent {
            Some(open) => open.of_measure,
            None => *self.measures.get(measure)?,
        };
        self.entities.get(of_measure)?.get(entity).copied()
    }

    fn open(&mut self, entity: &str, measure: &str, emit: &mut impl FnMut(Chunk)) -> usize {
        let name_bytes = entity.len() + measure.len();
        if self.open.len() >= self.limits.series || self.name_bytes + name_bytes > self.limits.name_bytes {
            self.flush_all(emit);
        }
        let place = self.open.len();
        let entity: Arc<str> = entity.into();
        let (measure, of_measure) = match self.measures.get_key_value(measure) {
            Some((known, of_measure)) => (Arc::clone(known), *of_measure),
            None => {
                let (measure, of_measure): (Arc<str>, usize) = (measure.into(), self.entities.len());
                self.measures.insert(Arc::clone(&measure), of_measure);
                self.entities.push(HashMap::new());
                (measure, of_measure)
            }
        };
        if let Some(entities) = self.entities.get_mut(of_measure) {
            entities.insert(Arc::clone(&entity), place);
        }
        self.open.push(OpenSeries { entity, measure, of_measure, points: Vec::new() });
        self.name_bytes += name_bytes;
        place
    }

    /// Flushes the longest series (of equals, the one that was opened first) until half of the room is free.
    fn flush_longest(&mut self, emit: &mut impl FnMut(Chunk)) {
        let mut places: Vec<usize> = (0..self.open.len()).collect();
        places.sort_by_key(|place| std::cmp::Reverse(self.open.get(*place).map_or(0, |open| open.points.len())));
        for place in places {
            if self.points <= self.limits.points / 2 {
                break;
            }
            self.flush(place, emit);
        }
    }

    fn flush_all(&mut self, emit: &mut impl FnMut(Chunk)) {
        for place in 0..self.open.len() {
            self.flush(place, emit);
        }
        self.measures.clear();
        self.entities.clear();
        self.open.clear();
        self.name_bytes = 0;
    }

    fn flush(&mut self, place: usize, emit: &mut impl FnMut(Chunk)) {
        let Some(open) = self.open.get_mut(place) else {
            return;
        };
        // Not to be kept for later points: thousands of empty vectors with room for 4,096 points each would be out of all bounds.
        let mut points = std::mem::take(&mut open.points);
        self.points -= points.len();
        points.sort_by_key(|point| point.time);
        for piece in keys::cut(&points) {
            let series = Series {
                owner: self.owner.clone(),
                entity: open.entity.to_string(),
                measure: open.measure.to_string(),
            };
            if let Some(chunk) = Chunk::of_sorted(series, &self.upload_id, self.segment, piece, &mut self.encoder) {
                self.segment = self.segment.saturating_add(1);
                emit(chunk);
            }
        }
    }
}

#[cfg(test)]
#[path = "builder_tests.rs"]
mod tests;
