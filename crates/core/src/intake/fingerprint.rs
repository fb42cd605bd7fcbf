//! Fingerprints: the identity of like failures in different uploads.
//!
//! A fingerprint is the name and major version of a schema and the set of (code, pointer with array indexes as `*`).

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::encoding::{crockford, first_bits, is_crockford};
use crate::intake::failure::{Failure, FailureCode};
use crate::intake::json::escaped;

const PREFIX: &str = "prb_";

/// The maximum number of fingerprints of one upload, those with the most records. It limits the length of a notice.
pub const MAX_FINGERPRINTS: usize = 20;

/// The maximum number of failures that a fingerprint lists; its id depends on all.
pub const MAX_LISTED_FAILURES: usize = 10;

/// The schema, and the kind, of uploads that request none.
pub const NO_SCHEMA: &str = "none";

/// A kind of upload: the name and major version of a schema, such as `orders/1`.
pub type KindOfUpload = String;

/// Returns the kind of uploads with a schema such as `orders/1.0`.
#[must_use]
pub fn kind_of(schema: &str) -> KindOfUpload {
    schema.rsplit_once('.').map_or(schema, |(kind, _)| kind).to_owned()
}

/// The id of a problem: `prb_` and 26 characters, the same for the same failures of any owner.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProblemId(String);

impl ProblemId {
    /// Returns the id for a kind of upload and the set of its failures.
    #[must_use]
    pub fn of(kind_of_upload: &str, failures: &[FailureAt]) -> Self {
        let mut lines: Vec<String> = failures.iter().map(|at| format!("{} {}", at.code, at.pointer)).collect();
        lines.sort_unstable();
        lines.dedup();
        let digest = Sha256::digest(format!("{kind_of_upload}\n{}", lines.join("\n")));
        Self(crockford(PREFIX, first_bits(&digest)))
    }

    /// Parses an id.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(PREFIX)?;
        is_crockford(digits).then(|| Self(text.to_owned()))
    }

    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ProblemId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A failure code and its location in a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FailureAt {
    /// The failure code.
    pub code: FailureCode,
    /// The JSON Pointer to the failing value, with array indexes as `*`; for `REQUIRED`, to the missing member.
    pub pointer: String,
}

impl FailureAt {
    /// Returns the code and the location of a failure: one for each member that is missing.
    #[must_use]
    pub fn of(failure: &Failure) -> Vec<Self> {
        let (code, pointer) = (failure.code, pattern(&failure.pointer));
        // The name of a missing member is part of the schema. An unexpected member may have any name, so it is left out.
        let is_missing = matches!(code, FailureCode::Required | FailureCode::DependentRequired);
        if !is_missing || failure.targets.is_empty() {
            return vec![Self { code, pointer }];
        }
        let at = |member: &String| Self { code, pointer: format!("{pointer}/{}", escaped(member)) };
        failure.targets.iter().map(at).collect()
    }
}

/// Returns a JSON Pointer with its array indexes as `*`, so that equal failures of many records are one group.
#[must_use]
pub fn pattern(pointer: &str) -> String {
    let is_index = |token: &str| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit());
    let mut pattern = String::with_capacity(pointer.len());
    for (index, token) in pointer.split('/').enumerate() {
        if index > 0 {
            pattern.push('/');
        }
        pattern.push_str(if is_index(token) { "*" } else { token });
    }
    pattern
}

/// The failures of one upload in one kind of records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The id of the problem.
    pub id: ProblemId,
    /// The kind of upload.
    pub kind_of_upload: KindOfUpload,
    /// The applied schema, such as `orders/1.0`; the requested one if reading failed before.
    pub schema: String,
    /// The failures, most frequent first, at most 10.
    pub failures: Vec<FailureAt>,
    /// The number of further failures.
    pub failures_omitted: u64,
    /// The number of rejected records; 0 if the upload failed as a whole.
    pub records: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_replaces_array_indexes() {
        for (pointer, expected) in [("", ""), ("/a/0/b/12", "/a/*/b/*"), ("/a1/b", "/a1/b"), ("/", "/"), ("/0", "/*")] {
            assert_eq!(pattern(pointer), expected);
        }
    }
}
