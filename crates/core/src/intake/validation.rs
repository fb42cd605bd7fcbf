//! The check of one record: read, pick the schema, validate, take the points out.

mod collect;
mod hints;
mod message;

use std::fmt::Write as _;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::intake::failure::{Failure, FailureCode};
use crate::intake::json::{Document, Tape, TapeNode};
use crate::intake::schema::bundle;
use crate::intake::schema::bundle::nearest::did_you_mean;
use crate::intake::schema::plan::{ExtractionError, Plan, Point, Sink, decimal};
use crate::intake::schema::{Catalog, Schema, SchemaId, SchemaRef};
use crate::intake::shape::{Shape, Types};
use crate::time::Timestamp;

pub use crate::intake::json::MAX_DEPTH;
pub use collect::MAX_FAILURES;

/// Which schema a record was held against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedSchema {
    /// The schema that the record or its upload asked for; none when the default applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested: Option<String>,
    /// The schema that applied.
    pub applied: SchemaId,
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It fits its schema, and its points were told.
    Accepted {
        /// The schema; shared by the records that ask for the same.
        schema: Arc<AppliedSchema>,
    },
    /// It does not, and none of its points was told.
    Rejected {
        /// The schema, if the record got so far.
        schema: Option<Arc<AppliedSchema>>,
        /// What is wrong, in the order of the text; at most [`MAX_FAILURES`], at least one.
        failures: Vec<Failure>,
        /// How many failures more there are; at least so many, when a record has very many.
        omitted: u64,
    },
}

/// Buffers for the check of records, reused from one to the next. One per thread.
#[derive(Debug, Default)]
pub struct Parser {
    tape: Tape,
    buffers: Buffers,
}

#[derive(Debug, Default)]
struct Buffers {
    points: Vec<Held>,
    entity: String,
    applied: Option<Arc<AppliedSchema>>,
    /// The types of members in the records that were accepted, by schema.
    types: Vec<(SchemaId, Types)>,
}

impl Parser {
    /// Empty buffers.
    pub fn new() -> Self {
        Parser::default()
    }

    /// What the records that it accepted look like, by kind.
    #[must_use]
    pub(crate) fn shapes(&self) -> Vec<Shape> {
        self.buffers.types.iter().map(|(id, types)| types.shape(id)).collect()
    }
}

/// A point of the record in hand.
#[derive(Debug, Clone, Copy)]
struct Held {
    entity: u32,
    measure: u32,
    time: Timestamp,
    value: f64,
}

/// The most points that are held; a record with more is walked twice.
const MAX_HELD: usize = 65_536;

impl Catalog {
    /// Checks one record, and tells `on_point` the entity, measure, time and value of each of its points if it is accepted.
    ///
    /// Its own `"schema"` member picks the schema, else `wanted`, else `default`. A value is finite; a measure that is absent or null
    /// is no point. Lines and byte offsets of failures are within `record`.
    pub fn check(
        &self,
        parser: &mut Parser,
        record: &[u8],
        wanted: Option<&SchemaRef>,
        default: &SchemaRef,
        on_point: &mut dyn FnMut(&str, &str, Timestamp, f64),
    ) -> Verdict {
        let Parser { tape, buffers } = parser;
        let verdict = match tape.read(record) {
            Ok(document) => self.check_document(document, buffers, (wanted, default), on_point),
            Err(failure) => rejected(None, vec![*failure], 0),
        };
        tape.trim();
        verdict
    }

    fn check_document(
        &self,
        mut document: Document<'_>,
        Buffers { points, entity, applied, types }: &mut Buffers,
        (wanted, default): (Option<&SchemaRef>, &SchemaRef),
        on_point: &mut dyn FnMut(&str, &str, Timestamp, f64),
    ) -> Verdict {
        let (schema, applied) = match self.choose(&document, wanted, default, applied) {
            Ok(chosen) => chosen,
            Err(failure) => return rejected(None, collect::located(&document, vec![*failure]), 0),
        };
        if !schema.validator.is_valid(document.root()) {
            let (failures, omitted) = collect::failures(&mut document, schema);
            return rejected(Some(applied), failures, omitted);
        }
        points.clear();
        let mut gather = Gather { points, overflowed: false, flaws: collect::ExtractionErrors::default() };
        schema.plan.walk(document.root(), &mut gather);
        let Gather { overflowed, flaws, .. } = gather;
        if !flaws.is_empty() {
            let (failures, omitted) = flaws.finish(&document);
            return rejected(Some(applied), failures, omitted);
        }
        let mut emit = Emit { plan: &schema.plan, entity, of: u32::MAX, on_point };
        if overflowed {
            schema.plan.walk(document.root(), &mut emit);
        } else {
            for held in points.iter() {
                let Held { measure, time, value, .. } = *held;
                emit.point(Point { entity: TapeNode::at(&document, held.entity), measure, time, value });
            }
        }
        let known = types.iter().position(|(id, _)| *id == schema.id);
        let at = known.unwrap_or_else(|| {
            types.push((schema.id.clone(), schema.members.types()));
            types.len() - 1
        });
        if let Some((_, types)) = types.get_mut(at) {
            schema.members.note(document.root(), types);
        }
        Verdict::Accepted { schema: applied }
    }

    /// The schema for a record.
    fn choose<'c>(
        &'c self,
        document: &Document<'_>,
        wanted: Option<&SchemaRef>,
        default: &SchemaRef,
        last: &mut Option<Arc<AppliedSchema>>,
    ) -> Result<(&'c Schema, Arc<AppliedSchema>), Box<collect::Placed>> {
        let named = document.root().member("schema");
        let found = match (named, wanted) {
            (Some(node), _) => {
                let text = node.text().unwrap_or_default();
                bundle::parse_id(text)
                    .and_then(|(name, major, _)| self.find(name, major))
                    .map(|schema| (schema, Some(Asked::Text(text))))
            }
            (None, Some(wanted)) => self.find_ref(wanted).map(|schema| (schema, Some(Asked::Ref(wanted)))),
            (None, None) => self.find_ref(default).map(|schema| (schema, None)),
        };
        let Some((schema, asked)) = found else {
            return Err(Box::new(self.unknown(named, wanted.unwrap_or(default))));
        };
        let same = |applied: &&Arc<AppliedSchema>| match (&applied.requested, &asked) {
            (Some(requested), Some(asked)) => applied.applied == schema.id && asked.is(requested),
            (None, None) => applied.applied == schema.id,
            _ => false,
        };
        if let Some(applied) = last.as_ref().filter(same) {
            return Ok((schema, Arc::clone(applied)));
        }
        let requested = asked.map(|asked| match asked {
            Asked::Text(text) => text.to_owned(),
            Asked::Ref(wanted) => wanted.to_string(),
        });
        let applied = Arc::new(AppliedSchema { requested, applied: schema.id.clone() });
        *last = Some(Arc::clone(&applied));
        Ok((schema, applied))
    }

    fn find_ref(&self, wanted: &SchemaRef) -> Option<&Schema> {
        self.find(&wanted.requested().name, wanted.requested().major)
    }

    /// Why there is no schema for a record, and the entry of the tape that is to blame.
    fn unknown(&self, named: Option<TapeNode<'_>>, asked: &SchemaRef) -> (Failure, Option<u32>) {
        let Some(node) = named else {
            let message = format!("the upload asks for the schema `{asked}`, but {}", self.instead_of(asked));
            return (Failure::new(FailureCode::UnknownSchema, "", message), Some(0));
        };
        let message = match node.text().map(SchemaRef::parse) {
            Some(Ok(asked)) => format!("the record asks for the schema `{asked}`, but {}", self.instead_of(&asked)),
            Some(Err(_)) => {
                "must be the name of a schema, of the form <name>/<major>.<minor>, such as reading/1.0".to_owned()
            }
            None => format!("must be the name of a schema, such as \"reading/1.0\", but is {}", message::kind_of(node)),
        };
        (Failure::new(FailureCode::UnknownSchema, "/schema", message), node.index())
    }

    fn instead_of(&self, asked: &SchemaRef) -> String {
        let SchemaId { name, major, .. } = asked.requested();
        let of_name: Vec<String> = self.ids().filter(|id| id.name == *name).map(ToString::to_string).collect();
        if of_name.is_empty() {
            let hint = did_you_mean(name, self.ids().map(|id| &*id.name));
            return format!("there is no schema of that name{hint}");
        }
        format!("there is no major version {major} of it; there is {}", of_name.join(", "))
    }
}

/// Who asked for a schema.
enum Asked<'a> {
    Text(&'a str),
    Ref(&'a SchemaRef),
}

impl Asked<'_> {
    /// Whether it was asked for in these words.
    fn is(&self, requested: &str) -> bool {
        match self {
            Asked::Text(text) => *text == requested,
            Asked::Ref(wanted) => {
                let SchemaId { name, major, minor } = wanted.requested();
                bundle::parse_id(requested) == Some((&**name, *major, *minor))
            }
        }
    }
}

fn rejected(schema: Option<Arc<AppliedSchema>>, failures: Vec<Failure>, omitted: u64) -> Verdict {
    Verdict::Rejected { schema, failures, omitted }
}

/// Holds the points until all of the record is known to be good.
struct Gather<'b> {
    points: &'b mut Vec<Held>,
    overflowed: bool,
    flaws: collect::ExtractionErrors,
}

impl<'a> Sink<'a> for Gather<'_> {
    fn point(&mut self, point: Point<'a>) {
        let Point { entity, measure, time, value } = point;
        match (entity.index(), self.points.len() < MAX_HELD) {
            (Some(entity), true) => self.points.push(Held { entity, measure, time, value }),
            _ => self.overflowed = true,
        }
    }

    fn flaw(&mut self, flaw: ExtractionError<'_, 'a>) {
        self.flaws.add(flaw);
    }
}

/// Tells the points.
struct Emit<'b> {
    plan: &'b Plan,
    /// The name of the entity, when it is a number.
    entity: &'b mut String,
    /// The entry that [`Emit::entity`] is of.
    of: u32,
    on_point: &'b mut dyn FnMut(&str, &str, Timestamp, f64),
}

impl<'a> Sink<'a> for Emit<'_> {
    fn point(&mut self, point: Point<'a>) {
        let measure = self.plan.measures.get(point.measure as usize).map_or("", |name| &**name);
        if let Some(text) = point.entity.text() {
            return (self.on_point)(text, measure, point.time, point.value);
        }
        let index = point.entity.index().unwrap_or(u32::MAX);
        if index != self.of {
            self.of = index;
            self.entity.clear();
            // Writing to a string does not fail.
            let _ = write!(self.entity, "{}", decimal(point.entity).unwrap_or_default());
        }
        (self.on_point)(self.entity, measure, point.time, point.value);
    }

    fn flaw(&mut self, _: ExtractionError<'_, 'a>) {}
}

#[cfg(test)]
mod tests;
