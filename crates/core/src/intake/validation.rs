//! The validator: a record becomes a verdict, with points if it is accepted.
//!
//! There are two ways from bytes to a verdict. The program of a schema accepts common records in one pass over their bytes;
//! [`Validator::check`] tries it first; `Validator::find_accepted` has it find the end of the record, too. Every other
//! record is parsed, its schema is resolved, and it is validated; then its points are extracted.

mod collect;
mod extract;
mod failures;
mod hints;
mod kind;
mod kinds;
mod known;
mod message;
mod one_pass;
mod resolve;
mod signature;
mod template;
mod text;

use std::sync::Arc;

use crate::intake::json::{Tape, is_white_space};
use crate::intake::program::WhiteSpace;
use crate::intake::rules::AppliedRules;
use crate::intake::schema::{Catalog, Schema, SchemaRef};
use crate::intake::shape::{MemberTypes, Shape};
use extract::{BufferedPoint, Extraction};
use known::KnownRejections;
use one_pass::OnePass;
use resolve::Request;

pub use crate::intake::json::MAX_DEPTH;
pub use collect::MAX_FAILURES;
pub use extract::Points;
pub use failures::Failures;
pub(crate) use failures::KnownFailures;
pub(crate) use kind::KnownRejection;
pub(crate) use one_pass::Accepted;
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
        /// The failures.
        failures: Failures<'a>,
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
    one_pass: OnePass<'c>,
    tape: Tape,
    points: Vec<BufferedPoint>,
    /// The text of an entity that is a number.
    entity: String,
    /// The schema of the previous record.
    previous: Option<Arc<AppliedSchema>>,
    /// The types of members in the accepted records, by the indexes of schemas.
    member_types: Vec<(usize, MemberTypes)>,
    /// The indexes of the schemas that records were checked against without their programs.
    applied: Vec<usize>,
    /// The kinds of the rejected records.
    known: KnownRejections,
}

impl<'c> Validator<'c> {
    /// Returns a validator for an upload. A record is checked against the schema that its member `schema` names, else
    /// against `requested`, else against `default`.
    #[must_use]
    pub fn new(catalog: &'c Catalog, requested: Option<SchemaRef>, default: SchemaRef) -> Self {
        Self {
            one_pass: OnePass::new(catalog, requested.as_ref(), &default),
            catalog,
            requested,
            default,
            tape: Tape::default(),
            points: Vec::new(),
            entity: String::new(),
            previous: None,
            member_types: Vec::new(),
            applied: Vec::new(),
            known: KnownRejections::default(),
        }
    }

    /// Parses and validates every record, also those that a program could accept in one pass. The verdicts are the same.
    #[must_use]
    pub fn without_one_pass(self) -> Self {
        Self { one_pass: self.one_pass.turned_off(), ..self }
    }

    /// Returns the number of records that were accepted in one pass over their bytes.
    #[must_use]
    pub fn accepted_in_one_pass(&self) -> u64 {
        self.one_pass.accepted()
    }

    /// Returns whether programs accept records.
    pub(crate) fn has_one_pass(&self) -> bool {
        self.one_pass.is_on()
    }

    /// Describes each rejected record for itself, however many fail alike. For tests: the failures are the same.
    #[must_use]
    pub fn without_known_rejections(mut self) -> Self {
        self.known.turn_off();
        self
    }

    /// Checks one record.
    ///
    /// The values of its points are finite; a measure that is absent or null is not a point.
    #[inline]
    pub fn check<'a>(&'a mut self, record: &'a [u8]) -> Verdict<'a> {
        let start = record.iter().take_while(|byte| is_white_space(**byte)).count();
        let text = record.get(start..).unwrap_or_default();
        let is_whole = |length| text.get(length..).is_some_and(|rest| rest.iter().copied().all(is_white_space));
        match self.one_pass.read(text, self.one_pass.white_space()) {
            Some(Accepted { length, schema }) if is_whole(length) => self.accepted(schema, text),
            _ => self.check_document(record),
        }
    }

    /// Returns the record that `content` begins with, if its program accepts it. More content may follow.
    #[inline]
    pub(crate) fn find_accepted(&mut self, content: &[u8], white_space: WhiteSpace) -> Option<Accepted<'c>> {
        self.one_pass.read(content, white_space)
    }

    /// Accepts the record that [`find_accepted`](Self::find_accepted) found last, with which `record` begins.
    #[inline]
    pub(crate) fn take_accepted<'a>(&'a mut self, accepted: &Accepted<'c>, record: &'a [u8]) -> Points<'a> {
        let found = self.one_pass.accept();
        types_of(&mut self.member_types, accepted.schema).merge(found.types());
        Points::of_program(found, record, &accepted.schema.plan)
    }

    fn accepted<'a>(&'a mut self, schema: &'c Schema, record: &'a [u8]) -> Verdict<'a> {
        let found = self.one_pass.accept();
        let named = found.schema(record).and_then(|name| std::str::from_utf8(name).ok());
        let request = named.map(Request::Record).or(self.requested.as_ref().map(Request::Upload));
        let applied = resolve::applied(schema, request, &mut self.previous);
        types_of(&mut self.member_types, schema).merge(found.types());
        Verdict::Accepted { schema: applied, points: Points::of_program(found, record, &schema.plan) }
    }

    /// Checks a record without its program.
    pub(crate) fn check_document<'a>(&'a mut self, record: &'a [u8]) -> Verdict<'a> {
        let Self { catalog, requested, default, one_pass, tape, points, entity, previous, .. } = self;
        let Self { member_types, known, applied: schemas, .. } = self;
        tape.trim();
        let document = match tape.read(record) {
            Ok(document) => document,
            Err(failure) => return rejected(None, known.of_texts(vec![*failure], 0, None)),
        };
        let (schema, request) = match resolve::schema(catalog, &document, requested.as_ref(), default) {
            Ok(resolved) => resolved,
            Err(failure) => {
                let found = collect::located(&document, vec![*failure]);
                return rejected(None, known.of_texts(found, 0, None));
            }
        };
        let applied = resolve::applied(schema, request, previous);
        if !schemas.contains(&schema.index) {
            schemas.push(schema.index);
        }
        if known.knows(&document, schema) || !schema.validator().is_valid(document.root()) {
            return rejected(Some(applied), known.failures(document, schema));
        }
        match extract::points(&document, &schema.plan, points) {
            Extraction::Failed(errors) => {
                let (found, omitted) = errors.finish(&document);
                return rejected(Some(applied), known.of_texts(found, omitted, Some(&schema.id)));
            }
            Extraction::Complete => {}
            Extraction::Overflowed => points.clear(),
        }
        schema.members.record(document.root(), types_of(member_types, schema));
        one_pass.follow(schema);
        Verdict::Accepted { schema: applied, points: Points::of_document(document, &schema.plan, points, entity) }
    }

    /// Returns the rules that were applied to the records so far.
    #[must_use]
    pub fn rules(&self) -> AppliedRules {
        let accepted = self.member_types.iter().map(|(index, _)| index);
        let schemas = accepted.chain(&self.applied).filter_map(|index| self.catalog.schemas().get(*index));
        let digests = schemas.flat_map(Schema::digests);
        let schemas = digests.map(|digest| (digest.schema.clone(), digest.sha256.clone())).collect();
        AppliedRules { default_schema: self.default.clone(), schemas, omitted: 0 }
    }

    /// Returns the member types of the records accepted so far, by kind.
    pub(crate) fn shapes(&self) -> Vec<Shape> {
        self.member_types.iter().map(|(_, types)| types.shape()).collect()
    }
}

fn rejected(schema: Option<Arc<AppliedSchema>>, failures: Failures<'_>) -> Verdict<'_> {
    Verdict::Rejected { schema, failures }
}

/// Returns the types of members in the accepted records of a schema.
#[inline]
fn types_of<'t>(member_types: &'t mut Vec<(usize, MemberTypes)>, schema: &Schema) -> &'t mut MemberTypes {
    let known = member_types.iter().position(|(known, _)| *known == schema.index);
    let index = known.unwrap_or_else(|| {
        member_types.push((schema.index, schema.members.no_types()));
        member_types.len() - 1
    });
    &mut member_types[index].1
}

#[cfg(test)]
mod tests;
