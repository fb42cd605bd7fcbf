//! Folds occurrences into problems, pending notices and the counts of the next digest.

use std::collections::{BTreeMap, BTreeSet};

use super::closing::{ClosedRecords, ClosingCause};
use super::kind::NoticeKind;
use super::occurrence::{Occurrence, OccurrenceKind, PassedKind, RejectedUpload};
use super::open_records::OpenRecords;
use super::pending::PendingNotice;
use super::policy::Policy;
use super::problem::{Problem, ProblemCounts};
use super::source::Source;
use crate::id::UploadId;
use crate::intake::fingerprint::{Fingerprint, ProblemId};
use crate::time::Timestamp;

/// The problems of one owner while occurrences are folded into them. The caller loads the problems that the occurrences
/// concern, and stores the changes.
///
/// A flapping problem sends few e-mails. Each of `new`, `regressed`, `quiet` and `resolved` makes at most one immediate
/// notice per problem and digest interval. If the problem came back twice in succession, the time between two immediate
/// notices is four intervals, and so on up to 24 intervals. Digests report the rest.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::time::Duration;
///
/// use eventpulse_core::id::UploadId;
/// use eventpulse_core::intake::failure::FailureCode;
/// use eventpulse_core::intake::fingerprint::{FailureAt, Fingerprint, ProblemId};
/// use eventpulse_core::notification::kind::NoticeKind;
/// use eventpulse_core::notification::occurrence::{Occurrence, OccurrenceKind, RejectedUpload};
/// use eventpulse_core::notification::policy::Policy;
/// use eventpulse_core::notification::problem_fold::ProblemFold;
/// use eventpulse_core::notification::source::Source;
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
///     kind: OccurrenceKind::Rejected(RejectedUpload {
///         fingerprints: vec![fingerprint],
///         source: Some(Source::of_file("readings-2025-02-28.json")),
///         retried: None,
///     }),
/// };
///
/// let (hour, day) = (Duration::from_secs(3_600), Duration::from_secs(86_400));
/// let policy = Policy { digest_interval: hour, quiet_period: day, retention_days: 90 };
/// let mut fold = ProblemFold::new(Vec::new(), BTreeMap::new(), policy);
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
    policy: Policy,
}

/// The reason for a change: an occurrence, or the time.
#[derive(Debug, Clone, Copy)]
struct Trigger<'a> {
    at: Timestamp,
    /// The upload of the occurrence, and its revision.
    upload: Option<(&'a UploadId, usize)>,
}

impl<'a> From<&'a Occurrence> for Trigger<'a> {
    fn from(occurrence: &'a Occurrence) -> Self {
        Self { at: occurrence.at, upload: Some((&occurrence.upload_id, occurrence.revision)) }
    }
}

/// The progress of folding an occurrence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Progress {
    /// The occurrence is folded.
    Complete,
    /// The occurrence changes more problems than were allowed. Keep it, and fold it again to change the others.
    Partial,
}

impl ProblemFold {
    /// Starts with the stored problems and the stored counts of the next digest.
    #[must_use]
    pub fn new(problems: Vec<Problem>, counts: BTreeMap<ProblemId, ProblemCounts>, policy: Policy) -> Self {
        Self {
            problems: problems.into_iter().map(|problem| (problem.id.clone(), problem)).collect(),
            counts,
            changed_problems: BTreeSet::new(),
            changed_counts: BTreeSet::new(),
            pending: Vec::new(),
            policy,
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
            let closed = occurrence.closed().map_or(0, |closed| closed.problems.len());
            if max_problems < (occurrence.fingerprints().len() + closed).max(1)
                || self.fold(occurrence, max_problems) == Progress::Partial
            {
                break;
            }
            folded += 1;
        }
        folded
    }

    /// Folds one occurrence. A passed upload changes at most `max_changes` problems.
    pub fn fold(&mut self, occurrence: &Occurrence, max_changes: usize) -> Progress {
        match &occurrence.kind {
            OccurrenceKind::Rejected(rejected) => {
                for fingerprint in &rejected.fingerprints {
                    self.reject(occurrence, rejected.source.as_ref(), fingerprint);
                }
                self.close_retried(occurrence, rejected);
                Progress::Complete
            }
            OccurrenceKind::Closed { closed, cause } => {
                self.close(occurrence, closed, *cause, &[]);
                Progress::Complete
            }
            OccurrenceKind::SyntheticCheck(fingerprints) => {
                for fingerprint in fingerprints {
                    // Nobody handles the records of the check, so they are not open.
                    let problem = Problem::begin(fingerprint, None, occurrence.at);
                    let problem = Problem { open: OpenRecords::default(), ..problem };
                    self.problems.insert(fingerprint.id.clone(), problem);
                    self.add_pending(NoticeKind::SyntheticCheck, &fingerprint.id, occurrence.into());
                }
                Progress::Complete
            }
            OccurrenceKind::Passed(kinds) => self.pass(occurrence.at, kinds, max_changes),
        }
    }

    /// Changes at most `max_changes` problems whose time has come: their records expire, or they become quiet.
    pub fn evaluate(&mut self, now: Timestamp, max_changes: usize) {
        let is_due = |problem: &&Problem| problem.due_at(&self.policy).is_some_and(|at| at <= now);
        let due: Vec<ProblemId> = self.problems.values().filter(is_due).map(|problem| problem.id.clone()).collect();
        let trigger = Trigger { at: now, upload: None };
        for id in due.into_iter().take(max_changes) {
            let Some(problem) = self.problems.get_mut(&id) else { continue };
            if problem.expire(now, &self.policy) {
                self.changed_problems.insert(id.clone());
            }
            if problem.resolve_if_closed(now) {
                self.report(NoticeKind::Resolved, &id, trigger);
            } else if problem.become_quiet_if_due(now, &self.policy) {
                self.report(NoticeKind::Quiet, &id, trigger);
            }
        }
    }

    /// Returns the policy.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
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

    /// Returns the sources that the loaded problems of this kind of upload await.
    #[must_use]
    pub fn awaited(&self, kind_of_upload: &str) -> BTreeSet<&Source> {
        let of_kind = self.problems.values().filter(|problem| problem.kind_of_upload == kind_of_upload);
        of_kind.flat_map(Problem::awaited).collect()
    }

    fn reject(&mut self, occurrence: &Occurrence, source: Option<&Source>, fingerprint: &Fingerprint) {
        let (at, id) = (occurrence.at, &fingerprint.id);
        let Some(problem) = self.problems.get_mut(id) else {
            self.problems.insert(id.clone(), Problem::begin(fingerprint, source, at));
            return self.add_pending(NoticeKind::New, id, occurrence.into());
        };
        let came_back = problem.reject(fingerprint, source, at, &self.policy);
        self.changed_problems.insert(id.clone());
        if came_back && self.report(NoticeKind::Regressed, id, occurrence.into()) {
            return;
        }
        self.count_rejection(occurrence, fingerprint);
    }

    fn count_rejection(&mut self, occurrence: &Occurrence, fingerprint: &Fingerprint) {
        let at = occurrence.at;
        let Some(counts) = self.counts_of(&fingerprint.id, occurrence.into()) else { return };
        if counts.uploads == 0 {
            // Another event started the counts.
            (counts.first_seen, counts.last_seen) = (at, at);
        }
        counts.uploads += 1;
        counts.records += fingerprint.records;
        counts.first_seen = counts.first_seen.min(at);
        if counts.last_seen <= at {
            (counts.last_seen, counts.last_upload_id) = (at, Some(occurrence.upload_id.clone()));
        }
    }

    /// Closes the records that a rejected retry retried. They are open again under its own fingerprints.
    fn close_retried(&mut self, occurrence: &Occurrence, rejected: &RejectedUpload) {
        if let Some(retried) = &rejected.retried {
            self.close(occurrence, retried, ClosingCause::Retried, &rejected.fingerprints);
        }
    }

    /// Closes records. `again`: the fingerprints under which a retry was rejected again.
    fn close(&mut self, occurrence: &Occurrence, closed: &ClosedRecords, cause: ClosingCause, again: &[Fingerprint]) {
        for of_problem in &closed.problems {
            let id = &of_problem.id;
            let Some(problem) = self.problems.get_mut(id) else { continue };
            let again = again.iter().find(|print| print.id == *id).map(|print| print.records);
            if problem.close(closed.opened_at, of_problem.records, again, cause) {
                self.changed_problems.insert(id.clone());
            }
            if problem.resolve_if_closed(occurrence.at) {
                self.report(NoticeKind::Resolved, id, occurrence.into());
            }
        }
    }

    fn pass(&mut self, at: Timestamp, kinds: &[PassedKind], max_changes: usize) -> Progress {
        let mut changed = 0;
        for (id, problem) in &mut self.problems {
            let of_kind = kinds.iter().filter(|kind| kind.kind_of_upload == problem.kind_of_upload);
            let sources: Vec<&Source> = of_kind.flat_map(|kind| &kind.sources).collect();
            let is_awaited =
                problem.awaited().any(|awaited| sources.contains(&awaited) && problem.sources.awaits(awaited, at));
            if !is_awaited {
                continue;
            }
            if changed == max_changes {
                return Progress::Partial;
            }
            sources.into_iter().for_each(|source| problem.sources.pass(source, at));
            self.changed_problems.insert(id.clone());
            changed += 1;
        }
        Progress::Complete
    }

    /// Reports a change of a problem: by an immediate notice, or in the next digest if the last notice of this kind is too
    /// recent. Returns whether a notice is pending.
    fn report(&mut self, kind: NoticeKind, id: &ProblemId, trigger: Trigger<'_>) -> bool {
        let Some(problem) = self.problems.get_mut(id) else { return false };
        let interval = self.policy.notice_interval(problem.consecutive_regressions);
        let last_notice_at = match kind {
            NoticeKind::Regressed => &mut problem.regressed_notice_at,
            NoticeKind::Quiet => &mut problem.quiet_notice_at,
            _ => &mut problem.resolved_notice_at,
        };
        if last_notice_at.is_none_or(|at| trigger.at >= at + interval) {
            *last_notice_at = Some(trigger.at);
            self.add_pending(kind, id, trigger);
            return true;
        }
        self.changed_problems.insert(id.clone());
        if let Some(counts) = self.counts_of(id, trigger) {
            match kind {
                NoticeKind::Regressed => counts.regressions += 1,
                NoticeKind::Quiet => counts.quiet_periods += 1,
                _ => counts.resolutions += 1,
            }
        }
        false
    }

    fn add_pending(&mut self, kind: NoticeKind, id: &ProblemId, trigger: Trigger<'_>) {
        let Some(problem) = self.problems.get(id) else { return };
        let (upload_id, revision) = trigger.upload.unzip();
        self.changed_problems.insert(id.clone());
        self.pending.push(PendingNotice {
            at: trigger.at,
            kind,
            problem_id: id.clone(),
            kind_of_upload: problem.kind_of_upload.clone(),
            upload_id: upload_id.cloned(),
            revision: revision.unwrap_or_default(),
        });
    }

    fn counts_of(&mut self, id: &ProblemId, trigger: Trigger<'_>) -> Option<&mut ProblemCounts> {
        let kind_of_upload = self.problems.get(id)?.kind_of_upload.clone();
        self.changed_counts.insert(id.clone());
        Some(self.counts.entry(id.clone()).or_insert_with(|| ProblemCounts {
            kind_of_upload,
            uploads: 0,
            records: 0,
            first_seen: trigger.at,
            last_seen: trigger.at,
            last_upload_id: trigger.upload.map(|(id, _)| id.clone()),
            regressions: 0,
            quiet_periods: 0,
            resolutions: 0,
        }))
    }
}

#[cfg(test)]
mod tests;
