//! Groups: like failures of one owner, and their life.
//!
//! Failures with one fingerprint are a group. It is `open` from the first upload that has them until an upload of the
//! same kind passes; then it is `resolved`, until they come back.

use serde::{Deserialize, Serialize};

use crate::intake::fingerprint::{FailureAt, Fingerprint, Kind, ProblemId};
use crate::time::Timestamp;

/// Where a group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemStatus {
    /// Uploads of this kind fail so.
    Open,
    /// One passed since.
    Resolved,
}

/// A group of one owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Its id.
    pub id: ProblemId,
    /// What kind of uploads fail so.
    pub kind: Kind,
    /// The schema that was applied last.
    pub schema: String,
    /// The failures, at most 10.
    pub failures: Vec<FailureAt>,
    /// How many there are beyond those.
    pub failures_omitted: u64,
    /// Where it stands.
    pub life: ProblemStatus,
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

impl Problem {
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
            life: ProblemStatus::Open,
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
