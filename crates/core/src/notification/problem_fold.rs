//! Folds occurrences into problems, pending notices and the counts of the next digest.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::kind::NoticeKind;
use super::occurrence::{Occurrence, OccurrenceKind};
use super::pending::PendingNotice;
use super::problem::{Problem, ProblemCounts, ProblemStatus};
use crate::intake::fingerprint::{Fingerprint, KindOfUpload, ProblemId};
use crate::time::Timestamp;

/// The longest time between two immediate notices of one kind about a flapping problem, in digest intervals.
const MAX_QUIET_INTERVALS: u32 = 24;

/// The problems of one owner while occurrences are folded into them. The caller loads the problems that the occurrences
/// concern, and stores the changes.
///
/// A flapping problem sends few e-mails. Each of `new`, `regressed` and `resolved` makes at most one immediate notice
/// per problem and digest interval. If the problem came back twice in succession, the time between two immediate notices
/// is four intervals, and so on up to 24 intervals. Digests report the rest.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::time::Duration;
///
/// use eventpulse_core::id::UploadId;
/// use eventpulse_core::intake::failure::FailureCode;
/// use eventpulse_core::intake::fingerprint::{FailureAt, Fingerprint, ProblemId};
/// use eventpulse_core::notification::kind::NoticeKind;
/// use eventpulse_core::notification::occurrence::{Occurrence, OccurrenceKind};
/// use eventpulse_core::notification::problem_fold::ProblemFold;
/// use eventpulse_core::time::Timestamp;
///
/// let failures = vec![FailureAt { code: FailureCode::Type, pointer: "/value".to_owned() }];
/// let fingerprint = Fingerprint {
///     id: ProblemId::of("reading/1", &failures),
///     kind_of_upload: "reading/1".to_owned(),
///     schema: "reading/1.0".to_owned(),
///     failures,
///     failures_omitted: 0,
///     records: 3,
/// };
/// let at = Timestamp::parse("2025-02-28T12:00:00Z").unwrap();
/// let occurrence = Occurrence {
///     at,
///     upload_id: UploadId::new(at, [0; 10]),
///     revision: 4,
///     kind: OccurrenceKind::Rejected(vec![fingerprint]),
/// };
///
/// let mut fold = ProblemFold::new(Vec::new(), BTreeMap::new(), Duration::from_secs(3_600));
/// // The first upload with these failures makes an immediate notice, the second one only counts.
/// assert_eq!(fold.fold_all([&occurrence, &occurrence], 100), 2);
/// assert_eq!(fold.pending_notices().len(), 1);
/// assert_eq!(fold.pending_notices()[0].kind, NoticeKind::New);
/// assert_eq!(fold.changed_counts().next().unwrap().1.uploads, 1);
/// ```
#[derive(Debug)]
pub struct ProblemFold {
    problems: BTreeMap<ProblemId, Problem>,
    counts: BTreeMap<ProblemId, ProblemCounts>,
    changed_problems: BTreeSet<ProblemId>,
    changed_counts: BTreeSet<ProblemId>,
    pending: Vec<PendingNotice>,
    digest_interval: Duration,
}

/// The progress of folding an occurrence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Progress {
    /// The occurrence is folded.
    Complete,
    /// The occurrence resolves more problems than were allowed. Keep it, and fold it again to resolve the others.
    Partial,
}

impl ProblemFold {
    /// Starts with the stored problems and the stored counts of the next digest.
    #[must_use]
    pub fn new(problems: Vec<Problem>, counts: BTreeMap<ProblemId, ProblemCounts>, digest_interval: Duration) -> Self {
        Self {
            problems: problems.into_iter().map(|problem| (problem.id.clone(), problem)).collect(),
            counts,
            changed_problems: BTreeSet::new(),
            changed_counts: BTreeSet::new(),
            pending: Vec::new(),
            digest_interval,
        }
    }

    /// Folds occurrences, in order, as long as all changes fit into `max_writes` items: two for each problem, and the
    /// deletion of each occurrence. Returns the number of occurrences that are folded completely.
    pub fn fold_all<'o>(&mut self, occurrences: impl IntoIterator<Item = &'o Occurrence>, max_writes: usize) -> usize {
        let mut folded = 0;
        for occurrence in occurrences {
            let writes_left = max_writes.saturating_sub(self.writes() + folded + 1);
            // A problem takes two writes: itself, and its pending notice or its counts.
            let max_problems = writes_left / 2;
            if max_problems < occurrence.fingerprints().len().max(1)
                || self.fold(occurrence, max_problems) == Progress::Partial
            {
                break;
            }
            folded += 1;
        }
        folded
    }

    /// Folds one occurrence. A passed upload resolves at most `max_resolutions` problems.
    pub fn fold(&mut self, occurrence: &Occurrence, max_resolutions: usize) -> Progress {
        match &occurrence.kind {
            OccurrenceKind::Rejected(fingerprints) => {
                for fingerprint in fingerprints {
                    self.reject(occurrence, fingerprint);
                }
                Progress::Complete
            }
            OccurrenceKind::SyntheticCheck(fingerprints) => {
                for fingerprint in fingerprints {
                    self.problems.insert(fingerprint.id.clone(), Problem::begin(fingerprint, occurrence.at));
                    let kind_of_upload = &fingerprint.kind_of_upload;
                    self.add_pending(NoticeKind::SyntheticCheck, &fingerprint.id, kind_of_upload, occurrence);
                }
                Progress::Complete
            }
            OccurrenceKind::Passed(kinds) => self.resolve(occurrence, kinds, max_resolutions),
        }
    }

    /// Returns the problems that changed.
    pub fn changed_problems(&self) -> impl Iterator<Item = &Problem> {
        self.changed_problems.iter().filter_map(|id| self.problems.get(id))
    }

    /// Returns the counts that changed.
    pub fn changed_counts(&self) -> impl Iterator<Item = (&ProblemId, &ProblemCounts)> {
        self.changed_counts.iter().filter_map(|id| self.counts.get_key_value(id))
    }

    /// Returns the new pending notices, in the order of their occurrences.
    #[must_use]
    pub fn pending_notices(&self) -> &[PendingNotice] {
        &self.pending
    }

    /// Returns the number of items that the caller has to write.
    #[must_use]
    pub fn writes(&self) -> usize {
        self.changed_problems.len() + self.changed_counts.len() + self.pending.len()
    }

    /// Returns whether a loaded problem of this kind of upload is open.
    #[must_use]
    pub fn has_open(&self, kind_of_upload: &str) -> bool {
        let is_open = |problem: &Problem| problem.status == ProblemStatus::Open;
        self.problems.values().any(|problem| is_open(problem) && problem.kind_of_upload == kind_of_upload)
    }

    /// Returns whether the open mark of this kind of upload can be removed after `folded` was folded. It can if no
    /// loaded problem of the kind is open and no occurrence is a rejection of the kind.
    #[must_use]
    pub fn can_mark_closed<'o>(&self, kind_of_upload: &str, folded: impl IntoIterator<Item = &'o Occurrence>) -> bool {
        let mut fingerprints = folded.into_iter().flat_map(Occurrence::fingerprints);
        !self.has_open(kind_of_upload) && fingerprints.all(|print| print.kind_of_upload != kind_of_upload)
    }

    fn reject(&mut self, occurrence: &Occurrence, fingerprint: &Fingerprint) {
        let (at, id) = (occurrence.at, &fingerprint.id);
        let Some(problem) = self.problems.get_mut(id) else {
            self.problems.insert(id.clone(), Problem::begin(fingerprint, at));
            return self.add_pending(NoticeKind::New, id, &fingerprint.kind_of_upload, occurrence);
        };
        problem.uploads += 1;
        problem.records += fingerprint.records;
        problem.schema.clone_from(&fingerprint.schema);
        problem.first_seen = problem.first_seen.min(at);
        problem.last_seen = problem.last_seen.max(at);
        let mut regressions = 0;
        if is_regression(problem, at) {
            reopen(problem, at, self.digest_interval);
            let quiet = quiet_time(self.digest_interval, problem.consecutive_regressions);
            if is_over(problem.regressed_notice_at, quiet, at) {
                problem.regressed_notice_at = Some(at);
                return self.add_pending(NoticeKind::Regressed, id, &fingerprint.kind_of_upload, occurrence);
            }
            regressions = 1;
        } else {
            problem.uploads_since_opened += 1;
        }
        self.changed_problems.insert(id.clone());
        self.count_rejection(occurrence, fingerprint, regressions);
    }

    fn count_rejection(&mut self, occurrence: &Occurrence, fingerprint: &Fingerprint, regressions: u64) {
        let at = occurrence.at;
        let counts = self.counts_of(&fingerprint.id, &fingerprint.kind_of_upload, occurrence);
        if counts.uploads == 0 {
            // A resolution started the counts.
            (counts.first_seen, counts.last_seen) = (at, at);
        }
        counts.uploads += 1;
        counts.records += fingerprint.records;
        counts.regressions += regressions;
        counts.first_seen = counts.first_seen.min(at);
        if counts.last_seen <= at {
            (counts.last_seen, counts.last_upload_id) = (at, occurrence.upload_id.clone());
        }
    }

    fn resolve(&mut self, occurrence: &Occurrence, kinds: &[KindOfUpload], max_resolutions: usize) -> Progress {
        let at = occurrence.at;
        let is_resolved_now = |problem: &&Problem| {
            problem.status == ProblemStatus::Open && problem.last_seen < at && kinds.contains(&problem.kind_of_upload)
        };
        let mut open: Vec<ProblemId> =
            self.problems.values().filter(is_resolved_now).map(|problem| problem.id.clone()).collect();
        let progress = if open.len() <= max_resolutions { Progress::Complete } else { Progress::Partial };
        open.truncate(max_resolutions);
        for id in open {
            let Some(problem) = self.problems.get_mut(&id) else { continue };
            problem.status = ProblemStatus::Resolved;
            problem.resolved_at = Some(at);
            let kind_of_upload = problem.kind_of_upload.clone();
            let quiet = quiet_time(self.digest_interval, problem.consecutive_regressions);
            if is_over(problem.resolved_notice_at, quiet, at) {
                problem.resolved_notice_at = Some(at);
                self.add_pending(NoticeKind::Resolved, &id, &kind_of_upload, occurrence);
            } else {
                self.changed_problems.insert(id.clone());
                self.counts_of(&id, &kind_of_upload, occurrence).resolutions += 1;
            }
        }
        progress
    }

    fn add_pending(&mut self, kind: NoticeKind, id: &ProblemId, kind_of_upload: &str, occurrence: &Occurrence) {
        self.changed_problems.insert(id.clone());
        self.pending.push(PendingNotice {
            at: occurrence.at,
            kind,
            problem_id: id.clone(),
            kind_of_upload: kind_of_upload.to_owned(),
            upload_id: occurrence.upload_id.clone(),
            revision: occurrence.revision,
        });
    }

    fn counts_of(&mut self, id: &ProblemId, kind_of_upload: &str, occurrence: &Occurrence) -> &mut ProblemCounts {
        self.changed_counts.insert(id.clone());
        self.counts.entry(id.clone()).or_insert_with(|| ProblemCounts {
            kind_of_upload: kind_of_upload.to_owned(),
            uploads: 0,
            records: 0,
            first_seen: occurrence.at,
            last_seen: occurrence.at,
            last_upload_id: occurrence.upload_id.clone(),
            regressions: 0,
            resolutions: 0,
        })
    }
}

/// Returns whether a rejection at this time reopens the problem. A rejection from before the resolution does not, even
/// if it is recorded later.
fn is_regression(problem: &Problem, at: Timestamp) -> bool {
    problem.status == ProblemStatus::Resolved && problem.resolved_at.is_none_or(|resolved_at| resolved_at < at)
}

fn reopen(problem: &mut Problem, at: Timestamp, digest_interval: Duration) {
    let long = digest_interval.saturating_mul(MAX_QUIET_INTERVALS);
    let was_resolved_for_long = problem.resolved_at.is_none_or(|resolved_at| at > resolved_at + long);
    problem.status = ProblemStatus::Open;
    problem.regressions += 1;
    problem.consecutive_regressions = if was_resolved_for_long { 1 } else { problem.consecutive_regressions + 1 };
    problem.uploads_since_opened = 1;
}

/// Returns the shortest time between two immediate notices of one kind about a problem.
fn quiet_time(digest_interval: Duration, consecutive_regressions: u64) -> Duration {
    let regressions = u32::try_from(consecutive_regressions).unwrap_or(u32::MAX);
    digest_interval.saturating_mul(regressions.saturating_mul(regressions).clamp(1, MAX_QUIET_INTERVALS))
}

/// Returns whether the quiet time after the last notice is over. Without a notice, it is.
fn is_over(last_notice_at: Option<Timestamp>, quiet: Duration, now: Timestamp) -> bool {
    last_notice_at.is_none_or(|at| now >= at + quiet)
}

#[cfg(test)]
mod tests;
