//! Problems: sets of like failures of one owner.
//!
//! All uploads of an owner with the same fingerprint belong to one problem. It is `open` from the first rejected upload.
//! It is `quiet` when it has not occurred for some time, while uploads of the same kind passed from every source that
//! failed. It is `resolved` when none of its rejected records is open in quarantine: each is corrected, discarded,
//! withdrawn or expired. A quiet or resolved problem that occurs again is open again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::closing::{ClosedTotals, ClosingCause};
use super::failing_sources::FailingSources;
use super::open_records::{Amount, OpenRecords};
use super::policy::Policy;
use super::source::Source;
use crate::id::UploadId;
use crate::intake::fingerprint::{FailureAt, Fingerprint, KindOfUpload, ProblemId};
use crate::time::Timestamp;

/// A problem is kept for this time after it was last seen. Then it is new again.
const KEEP_AFTER_LAST_SEEN: Duration = Duration::from_secs(180 * 86_400);
/// A problem is kept for this time after its last records expired, so that their expiry is noticed.
const KEEP_AFTER_EXPIRY: Duration = Duration::from_secs(7 * 86_400);

/// The status of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemStatus {
    /// Uploads are rejected for this problem.
    Open,
    /// It has not occurred for some time, and uploads from its sources pass. Rejected records are open in quarantine.
    Quiet,
    /// None of its rejected records is open in quarantine.
    Resolved,
}

impl ProblemStatus {
    /// Returns the stored and serialized name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Quiet => "quiet",
            Self::Resolved => "resolved",
        }
    }
}

/// A problem of one owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The id.
    pub id: ProblemId,
    /// The kind of upload.
    pub kind_of_upload: KindOfUpload,
    /// The schema that was applied last.
    pub schema: String,
    /// The failures, at most 10.
    pub failures: Vec<FailureAt>,
    /// The number of failures that are not listed.
    pub failures_omitted: u64,
    /// The status.
    pub status: ProblemStatus,
    /// The number of uploads rejected for this problem.
    pub uploads: u64,
    /// The number of rejected records in them.
    pub records: u64,
    /// The time at which the first upload was rejected.
    pub first_seen: Timestamp,
    /// The time at which the last upload was rejected.
    pub last_seen: Timestamp,
    /// The number of uploads rejected since the problem was new or last came back.
    pub uploads_since_opened: u64,
    /// The rejected records that are open in quarantine.
    pub open: OpenRecords,
    /// The records that were closed since the problem was new, or last came back after it was resolved.
    pub closed: ClosedTotals,
    /// The sources whose uploads were rejected.
    pub sources: FailingSources,
    /// The time at which it last became quiet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_at: Option<Timestamp>,
    /// The time of the last resolution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    /// The number of times that the problem came back after it was quiet or resolved.
    pub regressions: u64,
    /// The number of successive times that it came back shortly after it was quiet or resolved.
    #[serde(default)]
    pub consecutive_regressions: u64,
    /// The time at which the last immediate notice of kind `regressed` became pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regressed_notice_at: Option<Timestamp>,
    /// The time at which the last immediate notice of kind `quiet` became pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_notice_at: Option<Timestamp>,
    /// The time at which the last immediate notice of kind `resolved` became pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_notice_at: Option<Timestamp>,
}

impl Problem {
    /// Returns the new, open problem that starts with one rejected upload. `source`: `None` for a retry.
    #[must_use]
    pub fn begin(fingerprint: &Fingerprint, source: Option<&Source>, at: Timestamp) -> Self {
        let Fingerprint { id, kind_of_upload, schema, failures, failures_omitted, records } = fingerprint.clone();
        let (mut open, mut sources) = (OpenRecords::default(), FailingSources::default());
        open.open(at, records);
        if let Some(source) = source {
            sources.fail(source, at);
        }
        Self {
            id,
            kind_of_upload,
            schema,
            failures,
            failures_omitted,
            status: ProblemStatus::Open,
            uploads: 1,
            records,
            first_seen: at,
            last_seen: at,
            uploads_since_opened: 1,
            open,
            closed: ClosedTotals::default(),
            sources,
            quiet_at: None,
            resolved_at: None,
            regressions: 0,
            consecutive_regressions: 0,
            regressed_notice_at: None,
            quiet_notice_at: None,
            resolved_notice_at: None,
        }
    }

    /// Adds a rejected upload. Returns whether the problem came back. A retry (without a source) is no upload of a source
    /// that failed again: it does not end a quiet period.
    pub fn reject(
        &mut self,
        fingerprint: &Fingerprint,
        source: Option<&Source>,
        at: Timestamp,
        policy: &Policy,
    ) -> bool {
        self.uploads += 1;
        self.records += fingerprint.records;
        self.schema.clone_from(&fingerprint.schema);
        self.first_seen = self.first_seen.min(at);
        self.last_seen = self.last_seen.max(at);
        let came_back = match self.status {
            ProblemStatus::Open => false,
            ProblemStatus::Quiet => source.is_some(),
            ProblemStatus::Resolved => true,
        };
        if came_back {
            self.reopen(at, policy);
        } else {
            self.uploads_since_opened += 1;
        }
        self.open.open(at, fingerprint.records);
        if let Some(source) = source {
            self.sources.fail(source, at);
        }
        came_back
    }

    fn reopen(&mut self, at: Timestamp, policy: &Policy) {
        let since = match self.status {
            ProblemStatus::Quiet => self.quiet_at,
            _ => self.resolved_at,
        };
        if self.status == ProblemStatus::Resolved {
            (self.closed, self.sources) = (ClosedTotals::default(), FailingSources::default());
        }
        let stayed_away = since.is_none_or(|since| policy.stayed_away(since, at));
        self.status = ProblemStatus::Open;
        self.regressions += 1;
        self.consecutive_regressions = if stayed_away { 1 } else { self.consecutive_regressions + 1 };
        self.uploads_since_opened = 1;
    }

    /// Closes the records of one upload that was rejected at `opened_at`. `again`: for a retry that was rejected for this
    /// problem again, the number of its records. Returns whether the problem changed: it does not if they have expired.
    pub fn close(&mut self, opened_at: Timestamp, records: u64, again: Option<u64>, cause: ClosingCause) -> bool {
        let closed = self.open.close(opened_at, records);
        let counted = match again {
            None => closed,
            Some(again) => Amount { uploads: 0, records: closed.records.saturating_sub(again) },
        };
        self.closed.add(cause, counted);
        !closed.is_zero()
    }

    /// Closes the records that quarantine has deleted by `now`. Returns whether there are any.
    pub fn expire(&mut self, now: Timestamp, policy: &Policy) -> bool {
        let expired = self.open.expire(now, policy.retention_days);
        self.closed.add(ClosingCause::Expired, expired);
        !expired.is_zero()
    }

    /// Resolves the problem if none of its records is open any more. Returns whether it did.
    pub fn resolve_if_closed(&mut self, at: Timestamp) -> bool {
        let is_resolved = self.status != ProblemStatus::Resolved && self.open.is_empty();
        if is_resolved {
            (self.status, self.resolved_at) = (ProblemStatus::Resolved, Some(at));
        }
        is_resolved
    }

    /// Makes the problem quiet if its quiet period is over. Returns whether it did.
    pub fn become_quiet_if_due(&mut self, now: Timestamp, policy: &Policy) -> bool {
        let is_quiet = self.quiet_due_at(policy).is_some_and(|at| at <= now);
        if is_quiet {
            (self.status, self.quiet_at) = (ProblemStatus::Quiet, Some(now));
        }
        is_quiet
    }

    /// Returns when the problem changes without an occurrence: it becomes quiet, or records expire.
    #[must_use]
    pub fn due_at(&self, policy: &Policy) -> Option<Timestamp> {
        self.quiet_due_at(policy).into_iter().chain(self.open.next_expiry(policy.retention_days)).min()
    }

    fn quiet_due_at(&self, policy: &Policy) -> Option<Timestamp> {
        let since = self.sources.all_passed_since().filter(|_| self.status == ProblemStatus::Open)?;
        Some(since + policy.quiet_period_after(self.consecutive_regressions))
    }

    /// Returns the sources of which the problem awaits an upload that passes.
    pub fn awaited(&self) -> impl Iterator<Item = &Source> {
        self.sources.awaited().filter(|_| self.status == ProblemStatus::Open)
    }

    /// Returns the time until which the problem is kept. If it occurs after that, it is new.
    #[must_use]
    pub fn keep_until(&self, policy: &Policy) -> Timestamp {
        let after_last_seen = self.last_seen + KEEP_AFTER_LAST_SEEN;
        let last_expiry = self.open.last_expiry(policy.retention_days);
        last_expiry.map_or(after_last_seen, |expiry| after_last_seen.max(expiry + KEEP_AFTER_EXPIRY))
    }
}

/// The counts of one problem for one digest: the events without an immediate notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemCounts {
    /// The kind of upload of the problem.
    pub kind_of_upload: KindOfUpload,
    /// The number of rejected uploads.
    pub uploads: u64,
    /// The number of rejected records in them.
    pub records: u64,
    /// The time at which the first of the uploads was rejected. Without uploads, the time of the first event.
    pub first_seen: Timestamp,
    /// The time at which the last of the uploads was rejected. Without uploads, the time of the first event.
    pub last_seen: Timestamp,
    /// The last of the uploads; if there is none, the upload whose records were closed, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_upload_id: Option<UploadId>,
    /// The number of times that the problem came back.
    pub regressions: u64,
    /// The number of times that the problem became quiet.
    pub quiet_periods: u64,
    /// The number of times that the problem was resolved.
    pub resolutions: u64,
}
