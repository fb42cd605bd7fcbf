//! Groups: like failures of one owner, and their life.
//!
//! A fingerprint is the schema's name and major version and the set of (code, pointer with array indexes as `*`).
//! Failures with one fingerprint are a group. It is `open` from the first upload that has them until an upload of the
//! same kind passes; then it is `resolved`, until they come back. [`Ledger`] folds what became of uploads into groups and into
//! what is to be told of them, [`Outbox`] says when.

mod ledger;
mod outbox;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::digits::{crockford, is_crockford};
use crate::failure::Code;
use crate::time::Timestamp;
pub use ledger::{Ledger, Occurrence, Seen, Tally, Tell};
pub use outbox::{Due, LEASE_MICROS, Outbox, SPACING_MICROS, Sending, What};

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
pub struct GroupId(String);

impl GroupId {
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

/// The id of the notice that is sent when an owner's outbox was changed so often: it is the same when it is sent again.
#[must_use]
pub fn notice_id(owner: &str, revision: u64) -> String {
    crockford("ntc_", first_bits(&Sha256::digest(format!("{revision}\n{owner}"))))
}

fn first_bits(digest: &[u8]) -> u128 {
    digest.iter().take(16).fold(0, |bits, byte| bits << 8 | u128::from(*byte))
}

impl std::fmt::Display for GroupId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FailureAt {
    /// The code.
    pub code: Code,
    /// The JSON Pointer to the failing value, array indexes as `*`; of `REQUIRED`, to the member that is missing.
    pub pointer: String,
}

/// The failures of one upload that are of one kind, as the group that they belong to has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The group.
    pub id: GroupId,
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

/// Where a group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Life {
    /// Uploads of this kind fail so.
    Open,
    /// One passed since.
    Resolved,
}

/// A group of one owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// What kind of uploads fail so.
    pub kind: Kind,
    /// The schema that was applied last.
    pub schema: String,
    /// The failures, at most 10.
    pub failures: Vec<FailureAt>,
    /// How many there are beyond those.
    pub failures_omitted: u64,
    /// Where it stands.
    pub life: Life,
    /// How many uploads failed so.
    pub uploads: u64,
    /// How many records of them.
    pub records: u64,
    /// When the first one was rejected.
    pub first_seen: Timestamp,
    /// When the last one was.
    pub last_seen: Timestamp,
    /// How many uploads failed so since it was new, or came back.
    pub uploads_in_life: u64,
    /// When it was resolved last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    /// How often it came back.
    pub returns: u64,
    /// How often it came back without being over for long.
    #[serde(default)]
    pub returns_in_a_row: u64,
    /// When the owner was last to be told at once that it is back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_regressed_at: Option<Timestamp>,
    /// When the owner was last to be told at once that it is resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_resolved_at: Option<Timestamp>,
}

impl Group {
    /// The group that an upload begins.
    #[must_use]
    pub fn begin(fingerprint: &Fingerprint, at: Timestamp) -> Self {
        let Fingerprint { id, kind, schema, failures, failures_omitted, records } = fingerprint.clone();
        Self {
            id,
            kind,
            schema,
            failures,
            failures_omitted,
            life: Life::Open,
            uploads: 1,
            records,
            first_seen: at,
            last_seen: at,
            uploads_in_life: 1,
            resolved_at: None,
            returns: 0,
            returns_in_a_row: 0,
            told_regressed_at: None,
            told_resolved_at: None,
        }
    }
}
