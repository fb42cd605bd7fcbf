//! The extraction of points from a record that conforms to its schema.

use std::fmt::Write as _;

use super::collect::ExtractionErrors;
use crate::intake::json::{Document, TapeNode};
use crate::intake::program::Found;
use crate::intake::schema::plan::{ExtractionError, Plan, PlanVisitor, PlannedPoint, decimal};
use crate::statistics::series::{Point, SeriesPoint};
use crate::time::Timestamp;

/// The maximum number of points that are buffered. A record with more is walked a second time.
pub(super) const MAX_BUFFERED: usize = 65_536;

/// A point of the current record.
#[derive(Debug, Clone, Copy)]
pub(super) struct BufferedPoint {
    /// The entry of the tape that holds the entity.
    entity: u32,
    /// The index of the measure in the plan.
    measure: u32,
    time: Timestamp,
    value: f64,
}

/// The result of an extraction.
pub(super) enum Extraction {
    /// The buffer holds all points.
    Complete,
    /// The record has more points than the buffer takes.
    Overflowed,
    /// The schema accepts values that the plan cannot use.
    Failed(ExtractionErrors),
}

/// Puts the points of a record into `buffer`, or finds the reasons why it has none.
#[inline]
pub(super) fn points(document: &Document<'_>, plan: &Plan, buffer: &mut Vec<BufferedPoint>) -> Extraction {
    buffer.clear();
    let mut visitor = Buffering { buffer, overflowed: false, errors: ExtractionErrors::default() };
    plan.walk(document.root(), &mut visitor);
    match visitor {
        Buffering { errors, .. } if !errors.is_empty() => Extraction::Failed(errors),
        Buffering { overflowed: true, .. } => Extraction::Overflowed,
        Buffering { .. } => Extraction::Complete,
    }
}

/// The points of an accepted record.
#[derive(Debug)]
pub struct Points<'a>(Source<'a>);

/// The findings that points come from.
#[derive(Debug)]
enum Source<'a> {
    Document {
        document: Document<'a>,
        plan: &'a Plan,
        /// Empty if there are none, or too many for the buffer.
        buffered: &'a [BufferedPoint],
        entity: &'a mut String,
    },
    Program {
        found: &'a Found,
        record: &'a [u8],
        plan: &'a Plan,
    },
}

impl<'a> Points<'a> {
    pub(super) fn of_document(
        document: Document<'a>,
        plan: &'a Plan,
        buffered: &'a [BufferedPoint],
        entity: &'a mut String,
    ) -> Self {
        Self(Source::Document { document, plan, buffered, entity })
    }

    /// Returns the points that a program found in `record`.
    pub(super) fn of_program(found: &'a Found, record: &'a [u8], plan: &'a Plan) -> Self {
        Self(Source::Program { found, record, plan })
    }

    /// Calls `take` with each point.
    #[inline]
    pub fn for_each(self, mut take: impl FnMut(SeriesPoint<'_>)) {
        self.for_each_run(|entity, measure, points| {
            let entity = std::str::from_utf8(entity).unwrap_or_default(); // was checked
            for Point { time, value } in points.iter().copied() {
                take(SeriesPoint { entity, measure, time, value });
            }
        });
    }

    /// Calls `take` with successive points of one entity, whose name is UTF-8, and one measure.
    #[inline]
    pub(crate) fn for_each_run(self, mut take: impl FnMut(&[u8], &str, &[Point])) {
        match self.0 {
            Source::Document { document, plan, buffered, entity } => {
                let mut naming = Naming { plan, entity, entity_index: None, take };
                if buffered.is_empty() {
                    plan.walk(document.root(), &mut naming);
                    return;
                }
                for point in buffered {
                    let BufferedPoint { entity, measure, time, value } = *point;
                    naming.point(PlannedPoint { entity: TapeNode::at(&document, entity), measure, time, value });
                }
            }
            Source::Program { found, record, plan } => found.for_each_run(record, |entity, measure, points| {
                take(entity, plan.measures.get(measure).map_or("", |name| &**name), points);
            }),
        }
    }
}

/// Buffers points until the whole record is known to be good.
struct Buffering<'b> {
    buffer: &'b mut Vec<BufferedPoint>,
    overflowed: bool,
    errors: ExtractionErrors,
}

impl<'a> PlanVisitor<'a> for Buffering<'_> {
    #[inline]
    fn point(&mut self, point: PlannedPoint<'a>) {
        let PlannedPoint { entity, measure, time, value } = point;
        match (entity.index(), self.buffer.len() < MAX_BUFFERED) {
            (Some(entity), true) => self.buffer.push(BufferedPoint { entity, measure, time, value }),
            _ => self.overflowed = true,
        }
    }

    fn error(&mut self, error: ExtractionError<'_, 'a>) {
        self.errors.add(error);
    }
}

/// Adds the names of the series to the points.
struct Naming<'b, F> {
    plan: &'b Plan,
    /// The decimal text of the entity at `entity_index`, which is a number.
    entity: &'b mut String,
    entity_index: Option<u32>,
    take: F,
}

impl<'a, F: FnMut(&[u8], &str, &[Point])> PlanVisitor<'a> for Naming<'_, F> {
    #[inline]
    fn point(&mut self, point: PlannedPoint<'a>) {
        let PlannedPoint { entity, measure, time, value } = point;
        let measure = self.plan.measures.get(measure as usize).map_or("", |name| &**name);
        let point = [Point { time, value }];
        if let Some(entity) = entity.text() {
            return (self.take)(entity.as_bytes(), measure, &point);
        }
        if self.entity_index.is_none() || self.entity_index != entity.index() {
            self.entity_index = entity.index();
            self.entity.clear();
            // Writing to a string does not fail.
            let _ = write!(self.entity, "{}", decimal(entity).unwrap_or_default());
        }
        (self.take)(self.entity.as_bytes(), measure, &point);
    }

    fn error(&mut self, _: ExtractionError<'_, 'a>) {}
}
