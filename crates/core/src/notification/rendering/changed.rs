//! Changes: the members of accepted uploads, compared with the failures of the rejected one.

use std::collections::BTreeMap;

use super::limits::DetailLimits;
use super::text::shown;
use super::words;
use crate::intake::failure::{FailureCode, shortened};
use crate::intake::fingerprint::kind_of;
use crate::intake::rejection::FailureGroup;
use crate::intake::shape::JsonType;
use crate::notification::problem::Problem;
use crate::notification::profile::Profile;
use crate::time::Timestamp;
use crate::upload::Upload;

/// The highest number of members.
const MAX_MEMBERS: usize = 5;

/// The accepted uploads of the owner before a rejected one.
pub(super) struct PassHistory<'a> {
    profile: &'a Profile,
    /// The time at which the last one passed. `None` if it passed after the rejection, or none passed.
    pub(super) last_passed_at: Option<Timestamp>,
}

impl<'a> PassHistory<'a> {
    /// Returns `None` if no upload passed.
    pub(super) fn before(upload: &Upload, profile: &'a Profile) -> Option<Self> {
        let is_before = |passed: &Timestamp| upload.decided_at().is_none_or(|decided| *passed < decided);
        let last_passed_at = profile.last_passed_at.filter(is_before);
        (profile.uploads > 0).then_some(Self { profile, last_passed_at })
    }

    /// Returns the number of uploads that passed.
    pub(super) fn uploads(&self) -> u64 {
        self.profile.uploads
    }

    /// Returns the number of uploads for each type of the member at `pointer`; empty if no upload is known to have had it.
    fn types(&self, pointer: &str) -> BTreeMap<JsonType, u64> {
        self.profile.types(pointer).cloned().unwrap_or_default()
    }
}

/// The types of a member with a failure, as the profile knows them.
pub(super) struct KnownTypes {
    /// The pointer to the member, array indexes as `*`.
    pub(super) pointer: String,
    /// The number of uploads for each type; empty if no upload is known to have had the member.
    pub(super) types: BTreeMap<JsonType, u64>,
    /// `true` if the failure is about the type of the member, not about its presence.
    is_of_type: bool,
}

/// Returns the known types of the members with failures. Failures of other kinds of upload are left out.
pub(super) fn known(problem: &Problem, failures: &[&FailureGroup], history: &PassHistory<'_>) -> Vec<KnownTypes> {
    let mut known: Vec<KnownTypes> = Vec::new();
    let is_of_kind = |failure: &&&FailureGroup| {
        failure.schema.as_deref().is_some_and(|schema| kind_of(schema) == problem.kind_of_upload)
    };
    for failure in failures.iter().filter(is_of_kind) {
        for (pointer, is_of_type) in members(failure) {
            let types = history.types(&pointer);
            // A declared member that no upload is known to have had says nothing about a change.
            let is_undeclared =
                matches!(failure.code, FailureCode::AdditionalProperties | FailureCode::UnevaluatedProperties);
            let is_new = known.iter().all(|other| other.pointer != pointer);
            if (!types.is_empty() || is_undeclared) && is_new && known.len() < MAX_MEMBERS {
                known.push(KnownTypes { pointer, types, is_of_type });
            }
        }
    }
    known
}

/// Returns the pointers to the members with a failure, and whether the failure is about their type.
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
    /// Returns a sentence about the member.
    pub(super) fn sentence(&self, history: &PassHistory<'_>, limits: DetailLimits) -> String {
        let pointer = format!("`{}`", shown(&shortened(&self.pointer, limits.pointer)));
        let uploads = history.uploads();
        let last = if uploads == 1 { "your last upload".to_owned() } else { format!("your last {uploads} uploads") };
        let mut types: Vec<(JsonType, u64)> = self.types.iter().map(|(kind, count)| (*kind, *count)).collect();
        types.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let max = types.first().map_or(0, |(_, count)| *count);
        if !self.is_of_type && max > 0 {
            return match types.len() {
                _ if max >= uploads => format!("{pointer} was present in {last}."),
                1 => format!("{pointer} was present in {max} of {last}."),
                // One upload can have the member with several types, so the sum may be too high.
                _ => format!("{pointer} was present in at least {max} of {last}."),
            };
        }
        match types.as_slice() {
            [(kind, count)] if *count >= uploads => format!("{pointer} was {} in {last}.", article(*kind)),
            [(kind, count), rest @ ..] => {
                let rest: String =
                    rest.iter().map(|(kind, count)| format!(", {} in {count}", article(*kind))).collect();
                format!("{pointer} was {} in {count} of {last}{rest}.", article(*kind))
            }
            [] => format!("No accepted upload of yours is known to have had {pointer}."),
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
