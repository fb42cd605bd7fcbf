//! The findings of a program in one record.

use super::date_time::RecentDate;
use super::rules::{MAX_MEASURES, Role, Scopes};
use crate::intake::shape::TypeMasks;
use crate::statistics::series::Point;
use crate::time::Timestamp;

/// The maximum number of points in the elements of one record, so that the buffers stay within 16 MiB.
const MAX_ELEMENT_POINTS: usize = 1 << 19;
/// The number of points for which buffers are kept from record to record.
const KEPT_POINTS: usize = 1 << 16;

/// The offsets of a text in the record; empty at first.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The points of a record and what else is known of it, in buffers that are reused.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The value of the member `schema`.
    schema: Option<Span>,
    record: Scope,
    element: Scope,
    /// Whether the current value is within an element with points of its own.
    in_element: bool,
    /// The points of the elements, in order.
    points: Vec<Point>,
    /// The measure of each of these points.
    measures: Vec<u8>,
    /// The entity of each of these points; empty if the record has one entity.
    entities: Vec<Span>,
    types: TypeMasks,
    pub(super) recent_date: RecentDate,
}

/// The entity, the time and the measures of the record itself or of an element.
#[derive(Debug, Default)]
struct Scope {
    entity: Option<Span>,
    time: Option<Timestamp>,
    /// One bit for each measure that is present.
    present: u32,
    values: [f64; MAX_MEASURES],
}

impl Scope {
    fn clear(&mut self) {
        (self.entity, self.time, self.present) = (None, None, 0);
    }

    /// Returns the present measures in ascending order, with their values.
    fn measures(&self) -> impl Iterator<Item = (u8, f64)> {
        let mut left = self.present;
        std::iter::from_fn(move || {
            let index = (left != 0).then(|| left.trailing_zeros() as u8)?;
            left &= left - 1;
            Some((index, self.values.get(usize::from(index)).copied()?))
        })
    }
}

impl Found {
    /// Forgets the previous record.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.schema = None;
        self.record.clear();
        self.in_element = false;
        self.types = TypeMasks::default();
        if !self.points.is_empty() {
            self.clear_points();
        }
    }

    fn clear_points(&mut self) {
        self.points.clear();
        self.measures.clear();
        self.entities.clear();
        if self.points.capacity() > KEPT_POINTS {
            (self.points, self.measures, self.entities) = Default::default();
        }
    }

    /// Records the type of a member.
    #[inline]
    pub(super) fn types_mut(&mut self) -> &mut TypeMasks {
        &mut self.types
    }

    fn scope(&mut self) -> &mut Scope {
        if self.in_element { &mut self.element } else { &mut self.record }
    }

    /// Records the span of a text with this role.
    #[inline]
    pub(super) fn set_text(&mut self, role: Role, span: Span) {
        match role {
            Role::Entity => self.scope().entity = Some(span),
            Role::Schema => self.schema = Some(span),
            Role::None | Role::Time | Role::Measure(_) => {}
        }
    }

    /// Records the time.
    #[inline]
    pub(super) fn set_time(&mut self, time: Timestamp) {
        self.scope().time = Some(time);
    }

    /// Records the value of a measure.
    #[inline]
    pub(super) fn set_measure(&mut self, measure: u8, value: f64) {
        let scope = self.scope();
        if let Some(slot) = scope.values.get_mut(usize::from(measure)) {
            *slot = value;
            scope.present |= 1 << measure;
        }
    }

    #[inline]
    pub(super) fn begin_element(&mut self) {
        self.in_element = true;
        self.element.clear();
    }

    /// Adds the points of an element. Returns `None` if it lacks its entity or its time, or if there are too many points.
    #[inline]
    pub(super) fn end_element(&mut self, scopes: Scopes) -> Option<()> {
        let Self { element, points, measures, entities, .. } = self;
        // A time of the record is filled in at its end.
        let time = if scopes.time_in_element { element.time? } else { Timestamp::MIN };
        let entity = if scopes.entity_in_element { Some(element.entity?) } else { None };
        for (measure, value) in element.measures() {
            points.push(Point { time, value });
            measures.push(measure);
            entities.extend(entity);
        }
        self.in_element = false;
        (points.len() <= MAX_ELEMENT_POINTS).then_some(())
    }

    /// Completes the points. Returns `None` if the record lacks its entity or its time.
    #[inline]
    pub(super) fn end_record(&mut self, scopes: Scopes) -> Option<()> {
        if !scopes.time_in_element {
            let time = self.record.time?;
            self.points.iter_mut().for_each(|point| point.time = time);
        }
        (scopes.entity_in_element || self.record.entity.is_some()).then_some(())
    }

    /// Returns the types of the members.
    pub(crate) fn types(&self) -> &TypeMasks {
        &self.types
    }

    /// Returns the value of the member `schema` of a record.
    #[inline]
    pub(crate) fn schema<'t>(&self, record: &'t [u8]) -> Option<&'t [u8]> {
        self.schema.map(|span| bytes(record, span))
    }

    /// Calls `take` with the points of a record, in the order of the extraction plan: the entity, the index of the measure,
    /// and successive points of this series.
    #[inline]
    pub(crate) fn for_each_run(&self, record: &[u8], mut take: impl FnMut(&[u8], usize, &[Point])) {
        let of_record = self.record.entity.map(|span| bytes(record, span)).unwrap_or_default();
        if let Some(time) = self.record.time {
            for (measure, value) in self.record.measures() {
                take(of_record, usize::from(measure), &[Point { time, value }]);
            }
        }
        let mut start = 0;
        for run in self.measures.chunk_by(|one, next| one == next && self.entities.is_empty()) {
            let points = self.points.get(start..start + run.len()).unwrap_or_default();
            let entity = self.entities.get(start).map_or(of_record, |span| bytes(record, *span));
            take(entity, run.first().copied().map_or(0, usize::from), points);
            start += run.len();
        }
    }
}

fn bytes(record: &[u8], span: Span) -> &[u8] {
    record.get(span.start..span.end).unwrap_or_default()
}
