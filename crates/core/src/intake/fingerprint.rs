//! Fingerprints: which failures of an upload are alike.
//!
//! A fingerprint is the name and major version of a schema and the set of (code, pointer with array indexes as `*`).

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::encoding::{crockford, is_crockford};
use crate::intake::failure::FailureCode;

const PREFIX: &str = "grp_";

/// The most groups that one upload is of, those with the most records: a notice has to end.
pub const MAX_FINGERPRINTS: usize = 20;

/// The most failures that a fingerprint tells; all count for its id.
pub const MAX_FAILURES_TOLD: usize = 10;

/// The schema of what asks for none, and the kind of it.
pub const NO_SCHEMA: &str = "none";

/// What kind of upload it is: a schema's name and major version, `orders/1`.
pub type Kind = String;

/// The kind of uploads that a schema, `orders/1.0`, is for.
#[must_use]
pub fn kind_of(schema: &str) -> Kind {
    schema.rsplit_once('.').map_or(schema, |(kind, _)| kind).to_owned()
}

/// Names a group: `grp_` and 26 characters, the same for the same failures of any owner.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProblemId(String);

impl ProblemId {
    /// Of a kind of upload and the set of its failures.
    #[must_use]
    pub fn of(kind: &str, failures: &[FailureAt]) -> Self {
        let mut lines: Vec<String> = failures.iter().map(|at| format!("{} {}", at.code, at.pointer)).collect();
        lines.sort_unstable();
        lines.dedup();
        let digest = Sha256::digest(format!("{kind}\n{}", lines.join("\n")));
        Self(crockford(PREFIX, first_bits(&digest)))
    }

    /// Reads an id.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(PREFIX)?;
        (digits.len() == 26 && is_crockford(digits)).then(|| Self(text.to_owned()))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

pub(crate) fn first_bits(digest: &[u8]) -> u128 {
    digest.iter().take(16).fold(0, |bits, byte| bits << 8 | u128::from(*byte))
}

impl std::fmt::Display for ProblemId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FailureAt {
    /// The code.
    pub code: FailureCode,
    /// The JSON Pointer to the failing value, array indexes as `*`; of `REQUIRED`, to the member that is missing.
    pub pointer: String,
}

/// The failures of one upload that are of one kind, as the group that they belong to has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The group.
    pub id: ProblemId,
    /// What kind of upload it is.
    pub kind: Kind,
    /// The schema that was applied, `orders/1.0`; the one that was to apply, where reading did not come so far.
    pub schema: String,
    /// The failures, the most frequent first, at most 10.
    pub failures: Vec<FailureAt>,
    /// How many there are beyond those.
    pub failures_omitted: u64,
    /// How many records of the upload have them. 0 when the upload failed as a whole.
    pub records: u64,
}
