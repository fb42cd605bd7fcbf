//! From what a validator finds to failures: few, located, in the order of the text.

use std::collections::BTreeMap;

use jsonschema::ValidationError;

use super::hints;
use super::message::{self, Told};
use crate::intake::failure::{Failure, FailureCode, MAX_POINTER_CHARS, MAX_TARGET_CHARS, MAX_TARGETS, shortened};
use crate::intake::json::{Budget, Document, TapeNode, locate};
use crate::intake::schema::Schema;
use crate::intake::schema::plan::ExtractionError;

/// The most failures that are told of one record.
pub const MAX_FAILURES: usize = 100;

/// A failure, and the entry of the tape that tells its place in the text.
pub(super) type Placed = (Failure, Option<u32>);

/// What is wrong with a record that does not fit its schema, and how many failures more there are at least.
pub(super) fn failures(document: &mut Document<'_>, schema: &Schema) -> (Vec<Failure>, u64) {
    document.limit(Budget::new());
    let document = &*document;
    let mut drafts: Vec<Draft<'_>> = Vec::new();
    for error in schema.validator.iter_errors(document.root()) {
        // What jsonschema takes for the value is the number of its entry; null once the budget is spent.
        let Some(index) = error.instance().as_u64().and_then(|index| u32::try_from(index).ok()) else {
            continue;
        };
        drafts.push(Draft { index, error });
    }
    drafts.sort_by_key(|draft| draft.index);
    let drafts = merged(drafts);
    let omitted = drafts.len().saturating_sub(MAX_FAILURES) as u64;
    // The budget can end in the middle of the last failure: then there is at least one more.
    let omitted = omitted.max(u64::from(document.is_spent() && !drafts.is_empty()));
    let mut placed: Vec<Placed> =
        drafts.into_iter().take(MAX_FAILURES).map(|(draft, missing)| draft.tell(document, schema, missing)).collect();
    if placed.is_empty() {
        let message =
            "the record does not fit its schema; it is too large, or has too many members, to tell exactly where";
        placed.push((Failure::new(FailureCode::SchemaMismatch, "", message), Some(0)));
    }
    (located(document, placed), omitted)
}

/// An error of jsonschema, and the entry it is about.
struct Draft<'e> {
    index: u32,
    error: ValidationError<'e>,
}

/// Errors about missing members of one object become one; with each error, the members that are missing.
fn merged(drafts: Vec<Draft<'_>>) -> Vec<(Draft<'_>, Vec<String>)> {
    let mut merged: Vec<(Draft<'_>, Vec<String>)> = Vec::new();
    let mut places: BTreeMap<(u32, String), usize> = BTreeMap::new();
    for draft in drafts {
        let Some(missing) = message::missing_member(&draft.error) else {
            merged.push((draft, Vec::new()));
            continue;
        };
        let missing = missing.to_owned();
        let key = (draft.index, draft.error.schema_path().as_str().to_owned());
        let known = places.get(&key).and_then(|&at| merged.get_mut(at));
        match known {
            Some((_, others)) => others.push(missing),
            None => {
                places.insert(key, merged.len());
                merged.push((draft, vec![missing]));
            }
        }
    }
    merged
}

impl Draft<'_> {
    fn tell(self, document: &Document<'_>, schema: &Schema, missing: Vec<String>) -> Placed {
        let node = TapeNode::at(document, self.index);
        let Told { code, keyword, targets, message, at } = message::tell(&self.error, node, schema, missing);
        let failure = Failure {
            keyword: Some(keyword),
            schema_pointer: Some(shortened(&message::schema_pointer(&self.error, schema), MAX_POINTER_CHARS)),
            targets: targets.iter().take(MAX_TARGETS).map(|target| shortened(target, MAX_TARGET_CHARS)).collect(),
            ..Failure::new(code, self.error.instance_path().as_str(), message)
        };
        (failure, at.or(Some(self.index)))
    }
}

/// Adds the lines and byte offsets, in one pass over the text.
pub(super) fn located(document: &Document<'_>, placed: Vec<Placed>) -> Vec<Failure> {
    let mut wanted: Vec<u32> = placed.iter().filter_map(|(_, at)| *at).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let found = locate(document.text(), &wanted);
    let place = |at: u32| wanted.binary_search(&at).ok().and_then(|at| found.get(at));
    let locate = |(mut failure, at): Placed| {
        if let Some(place) = at.and_then(place) {
            failure.line = Some(place.line);
            failure.byte_offset = Some(place.byte_offset);
        }
        failure
    };
    placed.into_iter().map(locate).collect()
}

/// What a lax schema let through, and the plan cannot use.
#[derive(Debug, Default)]
pub(super) struct ExtractionErrors {
    kept: Vec<(u32, FailureCode, Vec<String>, String)>,
    omitted: u64,
}

impl ExtractionErrors {
    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    pub(super) fn add(&mut self, flaw: ExtractionError<'_, '_>) {
        if self.kept.len() >= MAX_FAILURES {
            self.omitted += 1;
            return;
        }
        let (code, node, missing, what) = match flaw {
            ExtractionError::Entity(node, missing) => {
                (FailureCode::EntityMissing, node, missing, "a string of 1 to 1024 bytes, or a whole number")
            }
            ExtractionError::Time(node, missing) => (FailureCode::TimeMissing, node, missing, hints::DATE_TIME),
            ExtractionError::Measure(node) => (FailureCode::MeasureNotANumber, node, None, "a number or null"),
            ExtractionError::NotAnArray(node) => (FailureCode::Type, node, None, "an array"),
        };
        let message = match missing {
            Some(name) if node.object().is_some() => format!("missing member `{name}`: it must be {what}"),
            Some(name) => format!("must be an object with the member `{name}`, but is {}", message::kind_of(node)),
            None if matches!(flaw, ExtractionError::Time(..)) => match node.text() {
                Some(text) => format!("must be {what}{}", hints::date_time(text)),
                None => format!("must be {what}, but is {}", message::kind_of(node)),
            },
            None if node.text().is_some_and(str::is_empty) => format!("must be {what}, but is empty"),
            None if matches!(flaw, ExtractionError::Entity(..)) && node.text().is_some() => {
                format!("must be {what}, but has {} bytes", node.text().map_or(0, str::len))
            }
            None => format!("must be {what}, but is {}{}", message::kind_of(node), hints::quoted_number(node, what)),
        };
        let targets = missing.map(|name| shortened(name, MAX_TARGET_CHARS)).into_iter().collect();
        self.kept.push((node.index().unwrap_or_default(), code, targets, message));
    }

    pub(super) fn finish(mut self, document: &Document<'_>) -> (Vec<Failure>, u64) {
        self.kept.sort_by_key(|(index, ..)| *index);
        let place = |(index, code, targets, message): (u32, FailureCode, Vec<String>, String)| {
            (Failure { targets, ..Failure::new(code, &document.pointer(index), message) }, Some(index))
        };
        (located(document, self.kept.into_iter().map(place).collect()), self.omitted)
    }
}
