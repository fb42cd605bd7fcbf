//! The validator: a record becomes a verdict, with points if it is accepted.
//!
//! [`Validator::check`] is the only way from bytes to a verdict: it parses the record, resolves its schema, validates it and
//! extracts its points. Whatever decides faster about common records belongs in there, ahead of these steps, and leaves the
//! others to them.

mod collect;
mod extract;
mod hints;
mod message;
mod resolve;

use std::sync::Arc;

use crate::intake::failure::Failure;
use crate::intake::json::{Document, Tape};
use crate::intake::schema::{Catalog, Schema, SchemaId, SchemaRef};
use crate::intake::shape::{MemberTypes, Shape};
use extract::{BufferedPoint, Extraction};

pub use crate::intake::json::MAX_DEPTH;
pub use collect::MAX_FAILURES;
pub use extract::Points;
pub use resolve::AppliedSchema;

/// The decision about a record.
#[derive(Debug)]
pub enum Verdict<'a> {
    /// The record conforms to its schema.
    Accepted {
        /// The schema, shared by successive records with the same one.
        schema: Arc<AppliedSchema>,
        /// The points of the record.
        points: Points<'a>,
    },
    /// The record is not valid. None of its points counts.
    Rejected {
        /// The schema; none if the record is not JSON or requests an unknown one.
        schema: Option<Arc<AppliedSchema>>,
        /// The failures in the order of the text: at least one, at most [`MAX_FAILURES`]. Positions are within the record.
        failures: Vec<Failure>,
        /// The number of further failures; a lower bound for records with very many.
        omitted: u64,
    },
}

/// Checks the records of one upload, one at a time, in buffers that it reuses.
///
/// ```
/// use eventpulse_core::intake::schema::{Catalog, SchemaRef};
/// use eventpulse_core::intake::validation::{Validator, Verdict};
///
/// let catalog = Catalog::bundled().unwrap();
/// let mut validator = Validator::new(&catalog, None, SchemaRef::parse("reading/1.0").unwrap());
///
/// let record = br#"{"device_id": "12345", "timestamp": "2025-02-28T12:00:00Z", "value": 22.5}"#;
/// let Verdict::Accepted { points, .. } = validator.check(record) else { panic!("rejected") };
/// let mut values = Vec::new();
/// points.for_each(|point| values.push((point.entity.to_owned(), point.value)));
/// assert_eq!(values, [("12345".to_owned(), 22.5)]);
///
/// let record = br#"{"device_id": "12345", "timestamp": "2025-02-28T12:00:00Z", "value": "22.5"}"#;
/// let Verdict::Rejected { failures, .. } = validator.check(record) else { panic!("accepted") };
/// assert_eq!(failures[0].message, "must be a number, but is a string: write it without the quotes");
/// ```
pub struct Validator<'c> {
    catalog: &'c Catalog,
    requested: Option<SchemaRef>,
    default: SchemaRef,
    tape: Tape,
    points: Vec<BufferedPoint>,
    /// The text of an entity that is a number.
    entity: String,
    /// The schema of the previous record.
    previous: Option<Arc<AppliedSchema>>,
    /// The types of members in the accepted records, by schema.
    member_types: Vec<(SchemaId, MemberTypes)>,
}

impl<'c> Validator<'c> {
    /// Returns a validator for an upload. A record is checked against the schema that its member `schema` names, else
    /// against `requested`, else against `default`.
    #[must_use]
    pub fn new(catalog: &'c Catalog, requested: Option<SchemaRef>, default: SchemaRef) -> Self {
        Self {
            catalog,
            requested,
            default,
            tape: Tape::default(),
            points: Vec::new(),
            entity: String::new(),
            previous: None,
            member_types: Vec::new(),
        }
    }

    /// Checks one record.
    ///
    /// The values of its points are finite; a measure that is absent or null is not a point.
    #[inline]
    pub fn check<'a>(&'a mut self, record: &'a [u8]) -> Verdict<'a> {
        let Self { catalog, requested, default, tape, points, entity, previous, member_types } = self;
        tape.trim();
        let mut document = match tape.read(record) {
            Ok(document) => document,
            Err(failure) => return rejected(None, (vec![*failure], 0)),
        };
        let (schema, applied) = match resolve::schema(catalog, &document, requested.as_ref(), default, previous) {
            Ok(resolved) => resolved,
            Err(failure) => return rejected(None, (collect::located(&document, vec![*failure]), 0)),
        };
        if !schema.validator.is_valid(document.root()) {
            return rejected(Some(applied), collect::failures(&mut document, schema));
        }
        match extract::points(&document, &schema.plan, points) {
            Extraction::Failed(errors) => return rejected(Some(applied), errors.finish(&document)),
            Extraction::Complete => record_types(member_types, schema, &document),
            Extraction::Overflowed => {
                points.clear();
                record_types(member_types, schema, &document);
            }
        }
        Verdict::Accepted { schema: applied, points: Points::new(document, &schema.plan, points, entity) }
    }

    /// Returns the member types of the records accepted so far, by kind.
    pub(crate) fn shapes(&self) -> Vec<Shape> {
        self.member_types.iter().map(|(id, types)| types.shape(id)).collect()
    }
}

fn rejected<'a>(schema: Option<Arc<AppliedSchema>>, (failures, omitted): (Vec<Failure>, u64)) -> Verdict<'a> {
    Verdict::Rejected { schema, failures, omitted }
}

fn record_types(member_types: &mut Vec<(SchemaId, MemberTypes)>, schema: &Schema, document: &Document<'_>) {
    let known = member_types.iter().position(|(id, _)| *id == schema.id);
    let index = known.unwrap_or_else(|| {
        member_types.push((schema.id.clone(), schema.members.no_types()));
        member_types.len() - 1
    });
    if let Some((_, types)) = member_types.get_mut(index) {
        schema.members.record(document.root(), types);
    }
}

#[cfg(test)]
mod tests;
