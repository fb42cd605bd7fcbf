//! What changed: what the uploads that passed had, where the one that failed has something else.

use std::collections::BTreeMap;

use super::text::shown;
use super::{DetailLimits, words};
use crate::intake::failure::{FailureCode, shortened};
use crate::intake::fingerprint::kind_of;
use crate::intake::rejection::FailureGroup;
use crate::intake::shape::JsonType;
use crate::notification::problem::Problem;
use crate::notification::profile::Profile;
use crate::time::Timestamp;
use crate::upload::Upload;

/// How many members are told.
const MOST: usize = 5;

/// What is known of the uploads of which all counted.
pub(super) struct PassHistory<'a> {
    profile: &'a Profile,
    /// When the last one passed, if that was before.
    pub(super) last_passed_at: Option<Timestamp>,
}

impl<'a> PassHistory<'a> {
    /// None if no upload passed.
    pub(super) fn before(upload: &Upload, profile: &'a Profile) -> Option<Self> {
        let is_before = |passed: &Timestamp| upload.decided_at().is_none_or(|decided| *passed < decided);
        let last_passed_at = profile.last_passed_at.filter(is_before);
        (profile.uploads > 0).then_some(Self { profile, last_passed_at })
    }

    /// How many passed.
    pub(super) fn uploads(&self) -> u64 {
        self.profile.uploads
    }

    /// In how many the member at a pointer had which type; none if none is known to have had it.
    fn types(&self, pointer: &str) -> BTreeMap<JsonType, u64> {
        self.profile.types(pointer).cloned().unwrap_or_default()
    }
}

/// What the profile knows of a member that a failure is about.
pub(super) struct KnownTypes {
    /// The pointer to it, array indexes as `*`.
    pub(super) pointer: String,
    /// In how many uploads it had which type; none if no upload is known to have had it.
    pub(super) types: BTreeMap<JsonType, u64>,
    /// Whether its type is what is wrong, rather than that it is, or is not, there.
    is_of_type: bool,
}

/// What the profile knows of the members that failures of the group's kind are about.
pub(super) fn known(group: &Problem, failures: &[&FailureGroup], past: &PassHistory<'_>) -> Vec<KnownTypes> {
    let mut known: Vec<KnownTypes> = Vec::new();
    let is_of_kind =
        |failure: &&&FailureGroup| failure.schema.as_deref().is_some_and(|schema| kind_of(schema) == group.kind);
    for failure in failures.iter().filter(is_of_kind) {
        for (pointer, is_of_type) in members(failure) {
            let types = past.types(&pointer);
            // A member that the schema declares, and that no upload is known to have had, says nothing.
            let never = matches!(failure.code, FailureCode::AdditionalProperties | FailureCode::UnevaluatedProperties);
            let is_new = known.iter().all(|other| other.pointer != pointer);
            if (!types.is_empty() || never) && is_new && known.len() < MOST {
                known.push(KnownTypes { pointer, types, is_of_type });
            }
        }
    }
    known
}

/// The members that a failure is about, and whether it is about their type.
fn members(failure: &FailureGroup) -> Vec<(String, bool)> {
    let at = |member: &String| (words::member_at(failure.code, &failure.pointer, member), false);
    match failure.code {
        FailureCode::Type | FailureCode::MeasureNotANumber => vec![(failure.pointer.clone(), true)],
        FailureCode::EntityMissing | FailureCode::TimeMissing if failure.first.targets.is_empty() => {
            vec![(failure.pointer.clone(), true)]
        }
        FailureCode::Required
        | FailureCode::DependentRequired
        | FailureCode::EntityMissing
        | FailureCode::TimeMissing
        | FailureCode::AdditionalProperties
        | FailureCode::UnevaluatedProperties => failure.first.targets.iter().map(at).collect(),
        _ => Vec::new(),
    }
}

impl KnownTypes {
    /// In a sentence.
    pub(super) fn sentence(&self, past: &PassHistory<'_>, room: DetailLimits) -> String {
        let pointer = format!("`{}`", shown(&shortened(&self.pointer, room.pointer)));
        let uploads = past.uploads();
        let last = if uploads == 1 { "your last upload".to_owned() } else { format!("your last {uploads} uploads") };
        let mut types: Vec<(JsonType, u64)> = self.types.iter().map(|(kind, count)| (*kind, *count)).collect();
        types.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let most = types.first().map_or(0, |(_, count)| *count);
        if !self.is_of_type && most > 0 {
            return match types.len() {
                _ if most >= uploads => format!("{pointer} was there in {last}."),
                1 => format!("{pointer} was there in {most} of {last}."),
                // An upload may hold it with several types: only this much is sure.
                _ => format!("{pointer} was there in at least {most} of {last}."),
            };
        }
        match types.as_slice() {
            [(kind, count)] if *count >= uploads => format!("{pointer} was {} in {last}.", article(*kind)),
            [(kind, count), rest @ ..] => {
                let rest: String =
                    rest.iter().map(|(kind, count)| format!(", {} in {count}", article(*kind))).collect();
                format!("{pointer} was {} in {count} of {last}{rest}.", article(*kind))
            }
            [] => format!("No upload of yours that passed is known to have had {pointer}."),
        }
    }
}

fn article(kind: JsonType) -> &'static str {
    match kind {
        JsonType::Null => "null",
        JsonType::Boolean => "true or false",
        JsonType::Number => "a number",
        JsonType::String => "a string",
        JsonType::Array => "an array",
        JsonType::Object => "an object",
    }
}
