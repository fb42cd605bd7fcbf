//! Turns the errors of `jsonschema` into failures with positions, in the order of the text.

use std::collections::BTreeMap;

use jsonschema::ValidationError;

use super::hints;
use super::message::{self, Description};
use super::text::Mention;
use crate::intake::failure::{Failure, FailureCode, MAX_POINTER_CHARS, MAX_TARGET_CHARS, MAX_TARGETS, shortened};
use crate::intake::json::{Budget, Document, TapeNode, locate};
use crate::intake::schema::Schema;
use crate::intake::schema::plan::ExtractionError;

/// The maximum number of failures that are reported for one record.
pub const MAX_FAILURES: usize = 100;

/// A failure, and the entry of the tape whose position it gets.
pub(super) type Located = (Failure, Option<u32>);

/// A failure of a record that does not conform to its schema.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) failure: Failure,
    /// The entry of the tape whose position the failure gets.
    pub(super) entry: u32,
    /// The entries of the targets if these are names of members of the record, as far as they were found.
    pub(super) target_entries: Vec<Option<u32>>,
    /// The names of members that the message mentions.
    pub(super) mentions: Vec<Mention>,
}

/// Returns the failures of a record that does not conform to its schema, and the minimum number of further ones.
pub(super) fn failures(document: &mut Document<'_>, schema: &Schema) -> (Vec<Described>, u64) {
    document.limit(Budget::new());
    let document = &*document;
    let mut drafts: Vec<Draft<'_>> = Vec::new();
    for error in schema.validator().iter_errors(document.root()) {
        // The "value" of a node is the index of its entry, or null once the budget is spent: see `Budget`.
        let Some(index) = error.instance().as_u64().and_then(|index| u32::try_from(index).ok()) else {
            continue;
        };
        drafts.push(Draft { index, error });
    }
    drafts.sort_by_key(|draft| draft.index);
    let drafts = merged(drafts);
    let omitted = drafts.len().saturating_sub(MAX_FAILURES) as u64;
    // The budget can end within the last failure, so there is at least one more.
    let omitted = omitted.max(u64::from(document.is_spent() && !drafts.is_empty()));
    let mut failures: Vec<Described> = drafts
        .into_iter()
        .take(MAX_FAILURES)
        .map(|(draft, missing)| draft.describe(document, schema, missing))
        .collect();
    if failures.is_empty() {
        let message =
            "the record does not fit its schema, and is too large to locate the failures: send smaller records";
        let failure = Failure::new(FailureCode::SchemaMismatch, "", message);
        failures.push(Described { failure, entry: 0, target_entries: Vec::new(), mentions: Vec::new() });
    }
    (failures, omitted)
}

/// An error of `jsonschema`, and the entry of the tape that it is about.
struct Draft<'e> {
    index: u32,
    error: ValidationError<'e>,
}

/// Merges the errors about missing members of one object; returns the missing members with each error.
fn merged(drafts: Vec<Draft<'_>>) -> Vec<(Draft<'_>, Vec<String>)> {
    let mut merged: Vec<(Draft<'_>, Vec<String>)> = Vec::new();
    let mut indexes: BTreeMap<(u32, String), usize> = BTreeMap::new();
    for draft in drafts {
        let Some(missing) = message::missing_member(&draft.error) else {
            merged.push((draft, Vec::new()));
            continue;
        };
        let missing = missing.to_owned();
        let key = (draft.index, draft.error.schema_path().as_str().to_owned());
        let known = indexes.get(&key).and_then(|&at| merged.get_mut(at));
        match known {
            Some((_, others)) => others.push(missing),
            None => {
                indexes.insert(key, merged.len());
                merged.push((draft, vec![missing]));
            }
        }
    }
    merged
}

impl Draft<'_> {
    fn describe(self, document: &Document<'_>, schema: &Schema, missing: Vec<String>) -> Described {
        let node = TapeNode::at(document, self.index);
        let description = message::describe(&self.error, node, schema, missing);
        let Description { code, keyword, targets, target_entries, message, at } = description;
        let (message, mentions) = message.into_parts();
        let failure = Failure {
            keyword: Some(keyword),
            schema_pointer: Some(shortened(&message::schema_pointer(&self.error, schema), MAX_POINTER_CHARS)),
            targets: targets.iter().take(MAX_TARGETS).map(|target| shortened(target, MAX_TARGET_CHARS)).collect(),
            ..Failure::new(code, self.error.instance_path().as_str(), message)
        };
        Described { failure, entry: at.unwrap_or(self.index), target_entries, mentions }
    }
}

impl From<Described> for Located {
    fn from(described: Described) -> Self {
        (described.failure, Some(described.entry))
    }
}

/// Adds lines and byte offsets to failures, in one pass over the text.
pub(super) fn located<F: Into<Located>>(document: &Document<'_>, failures: Vec<F>) -> Vec<Failure> {
    let failures: Vec<Located> = failures.into_iter().map(Into::into).collect();
    let mut wanted: Vec<u32> = failures.iter().filter_map(|(_, at)| *at).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let found = locate(document.text(), &wanted);
    let position_of = |entry: u32| wanted.binary_search(&entry).ok().and_then(|index| found.get(index));
    let locate = |(mut failure, entry): Located| {
        if let Some(position) = entry.and_then(position_of) {
            failure.line = Some(position.line);
            failure.byte_offset = Some(position.byte_offset);
        }
        failure
    };
    failures.into_iter().map(locate).collect()
}

/// The values that a lax schema accepts and the plan cannot use.
#[derive(Debug, Default)]
pub(super) struct ExtractionErrors {
    kept: Vec<(u32, FailureCode, Vec<String>, String)>,
    omitted: u64,
}

impl ExtractionErrors {
    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    pub(super) fn add(&mut self, error: ExtractionError<'_, '_>) {
        if self.kept.len() >= MAX_FAILURES {
            self.omitted += 1;
            return;
        }
        let (code, node, missing, expected) = match error {
            ExtractionError::Entity(node, missing) => {
                (FailureCode::EntityMissing, node, missing, "a string of 1 to 1024 bytes, or a whole number")
            }
            ExtractionError::Time(node, missing) => (FailureCode::TimeMissing, node, missing, hints::DATE_TIME),
            ExtractionError::Measure(node) => (FailureCode::MeasureNotANumber, node, None, "a number or null"),
            ExtractionError::NotAnArray(node) => (FailureCode::Type, node, None, "an array"),
        };
        let message = match missing {
            Some(name) if node.object().is_some() => format!("missing member `{name}`: it must be {expected}"),
            Some(name) => format!("must be an object with the member `{name}`, but is {}", message::kind_of(node)),
            None if matches!(error, ExtractionError::Time(..)) => match node.text() {
                Some(_) => format!("must be {expected}{}", hints::date_time(node)),
                None => format!("must be {expected}, but is {}{}", message::kind_of(node), hints::date_time(node)),
            },
            None if node.text().is_some_and(str::is_empty) => format!("must be {expected}, but is empty"),
            None if matches!(error, ExtractionError::Entity(..)) && node.text().is_some() => {
                format!("must be {expected}, but has {} bytes", node.text().map_or(0, str::len))
            }
            None => {
                format!("must be {expected}, but is {}{}", message::kind_of(node), hints::quoted_number(node, expected))
            }
        };
        let targets = missing.map(|name| shortened(name, MAX_TARGET_CHARS)).into_iter().collect();
        self.kept.push((node.index().unwrap_or_default(), code, targets, message));
    }

    /// Returns the failures, and the number of further ones.
    pub(super) fn finish(mut self, document: &Document<'_>) -> (Vec<Failure>, u64) {
        self.kept.sort_by_key(|(index, ..)| *index);
        let locate = |(index, code, targets, message): (u32, FailureCode, Vec<String>, String)| {
            (Failure { targets, ..Failure::new(code, &document.pointer(index), message) }, Some(index))
        };
        (located(document, self.kept.into_iter().map(locate).collect()), self.omitted)
    }
}
