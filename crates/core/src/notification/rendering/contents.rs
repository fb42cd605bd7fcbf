//! The contents of notices, before they are rendered.

use std::cmp::Reverse;

use crate::id::UploadId;
use crate::intake::fingerprint::ProblemId;
use crate::notification::kind::NoticeKind;
use crate::notification::problem::{Problem, ProblemCounts};
use crate::notification::profile::Profile;
use crate::time::Timestamp;
use crate::upload::Upload;

/// The version of the JSON form.
pub const VERSION: &str = "1.0";
/// The maximum number of problems in one notice.
pub const MAX_PROBLEMS_IN_NOTICE: usize = 50;
/// The maximum number of problems that the JSON form of a digest lists.
pub const MAX_REPEATS_LISTED: usize = 10;

/// The deployment that a notice comes from.
#[derive(Debug, Clone, Copy)]
pub struct DeploymentInfo<'a> {
    /// The URL of the REST API, without a slash at the end.
    pub api_url: &'a str,
    /// The number of days for which quarantine keeps rejected data.
    pub retention_days: u32,
}

/// The problem that a notice describes in full, with the upload that caused the notice.
#[derive(Debug, Clone, Copy)]
pub struct FeaturedProblem<'a> {
    /// The problem.
    pub problem: &'a Problem,
    /// The upload, in its state at the time of the rejection.
    pub upload: &'a Upload,
    /// The profile of the owner's accepted uploads of this kind.
    pub profile: Option<&'a Profile>,
}

/// A further problem in the same notice.
#[derive(Debug, Clone)]
pub struct OtherProblem {
    /// The problem.
    pub problem: Problem,
    /// The upload that was rejected for it.
    pub upload_id: UploadId,
}

/// A problem that is quiet or resolved.
#[derive(Debug, Clone)]
pub struct ChangedProblem {
    /// The problem.
    pub problem: Problem,
    /// The upload whose records were closed last; `None` if the time changed the problem.
    pub upload_id: Option<UploadId>,
    /// The time of the change.
    pub at: Timestamp,
}

/// A problem with its counts for a digest.
#[derive(Debug, Clone)]
pub struct RepeatedProblem {
    /// The problem.
    pub problem: Problem,
    /// The counts.
    pub counts: ProblemCounts,
}

/// The totals of the problems that a digest does not list.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct RemainderTotals {
    /// The number of problems with rejected uploads.
    pub problems: u64,
    /// The number of rejected uploads.
    pub uploads: u64,
    /// The number of rejected records in them.
    pub records: u64,
    /// The number of times that a problem came back.
    pub regressions: u64,
    /// The number of times that a problem became quiet.
    pub quiet_periods: u64,
    /// The number of times that a problem was resolved.
    pub resolutions: u64,
    /// The time at which the first of the uploads was rejected.
    pub first_seen: Option<Timestamp>,
    /// The time at which the last of the uploads was rejected.
    pub last_seen: Option<Timestamp>,
}

impl RemainderTotals {
    /// Adds the counts of a problem.
    pub fn add(&mut self, counts: &ProblemCounts) {
        self.regressions = self.regressions.saturating_add(counts.regressions);
        self.quiet_periods = self.quiet_periods.saturating_add(counts.quiet_periods);
        self.resolutions = self.resolutions.saturating_add(counts.resolutions);
        if counts.uploads == 0 {
            return; // Without rejected uploads, the times of the counts are those of other events.
        }
        self.problems = self.problems.saturating_add(1);
        self.uploads = self.uploads.saturating_add(counts.uploads);
        self.records = self.records.saturating_add(counts.records);
        self.first_seen = Some(self.first_seen.map_or(counts.first_seen, |first| first.min(counts.first_seen)));
        self.last_seen = self.last_seen.max(Some(counts.last_seen));
    }
}

/// Splits the counts of a digest: the `max` problems with the most rejected uploads, the largest first, and the totals
/// of the others.
#[must_use]
pub fn keep_largest(
    mut counts: Vec<(ProblemId, ProblemCounts)>,
    max: usize,
) -> (Vec<(ProblemId, ProblemCounts)>, RemainderTotals) {
    counts.sort_by_key(|(_, counts)| Reverse((counts.uploads, counts.records)));
    let mut remainder = RemainderTotals::default();
    for (_, others) in counts.drain(max.min(counts.len())..) {
        remainder.add(&others);
    }
    (counts, remainder)
}

/// The contents of a digest.
#[derive(Debug, Clone, Copy)]
pub struct DigestContents<'a> {
    /// The start of its period.
    pub from: Timestamp,
    /// The end of its period.
    pub to: Timestamp,
    /// The problems with their counts, in any order.
    pub repeats: &'a [RepeatedProblem],
    /// The totals of the other problems.
    pub remainder: RemainderTotals,
}

impl<'a> DigestContents<'a> {
    /// Returns the problems, the one with the most rejected uploads first.
    pub(super) fn largest(&self) -> Vec<&'a RepeatedProblem> {
        let mut largest: Vec<&RepeatedProblem> = self.repeats.iter().collect();
        largest.sort_by_key(|RepeatedProblem { problem, counts }| {
            (Reverse((counts.uploads, counts.records)), &problem.id)
        });
        largest
    }

    /// Returns the totals of all problems.
    pub(super) fn totals(&self) -> RemainderTotals {
        let mut totals = self.remainder;
        for repeat in self.repeats {
            totals.add(&repeat.counts);
        }
        totals
    }

    /// Returns the number of problems that came back. A problem of the remainder counts each time.
    pub(super) fn regressed_problems(&self) -> u64 {
        let listed = self.repeats.iter().filter(|repeat| repeat.counts.regressions > 0).count();
        self.remainder.regressions.saturating_add(listed as u64)
    }

    /// Returns the number of problems that became quiet. A problem of the remainder counts each time.
    pub(super) fn quiet_problems(&self) -> u64 {
        let listed = self.repeats.iter().filter(|repeat| repeat.counts.quiet_periods > 0).count();
        self.remainder.quiet_periods.saturating_add(listed as u64)
    }

    /// Returns the number of problems that were resolved. A problem of the remainder counts each time.
    pub(super) fn resolved_problems(&self) -> u64 {
        let listed = self.repeats.iter().filter(|repeat| repeat.counts.resolutions > 0).count();
        self.remainder.resolutions.saturating_add(listed as u64)
    }

    /// Returns the start of the period: `from`, or the first rejection if it was recorded late.
    pub(super) fn start(&self) -> Timestamp {
        self.totals().first_seen.map_or(self.from, |first| first.min(self.from))
    }
}

/// The contents of a notice.
#[derive(Debug, Clone, Copy)]
pub enum NoticeContents<'a> {
    /// Uploads are rejected.
    Failing {
        /// `new`, `regressed` or `synthetic_check`.
        kind: NoticeKind,
        /// The problem that is described in full.
        first: FeaturedProblem<'a>,
        /// Further problems with the same kind of notice.
        others: &'a [OtherProblem],
    },
    /// Problems are quiet, and rejected records of them are in quarantine. At least one.
    Quiet(&'a [ChangedProblem]),
    /// None of the rejected records of these problems is open in quarantine. At least one.
    Resolved(&'a [ChangedProblem]),
    /// Counts of known problems.
    Digest(DigestContents<'a>),
}

impl NoticeContents<'_> {
    /// Returns the kind of notice.
    pub(super) fn kind(&self) -> NoticeKind {
        match self {
            Self::Failing { kind, .. } => *kind,
            Self::Quiet(_) => NoticeKind::Quiet,
            Self::Resolved(_) => NoticeKind::Resolved,
            Self::Digest { .. } => NoticeKind::Digest,
        }
    }

    /// Returns the problems, the most important first.
    pub(super) fn problems(&self) -> Vec<&Problem> {
        match self {
            Self::Failing { first, others, .. } => {
                std::iter::once(first.problem).chain(others.iter().map(|other| &other.problem)).collect()
            }
            Self::Quiet(changed) | Self::Resolved(changed) => changed.iter().map(|one| &one.problem).collect(),
            Self::Digest(digest) => digest.largest().into_iter().map(|repeat| &repeat.problem).collect(),
        }
    }
}
