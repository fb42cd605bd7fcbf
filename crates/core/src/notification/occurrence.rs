//! What became of an owner's uploads, folded into groups and into what is to be told of them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::problem::{Problem, ProblemStatus};
use crate::id::UploadId;
use crate::intake::fingerprint::{Fingerprint, Kind, ProblemId};
use crate::notification::kind::NoticeKind;
use crate::time::Timestamp;
use crate::upload::Upload;

/// What became of one upload, as far as notices go. Written once, in the transaction that stores it in the upload's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Occurrence {
    /// When it was decided what became of it.
    pub at: Timestamp,
    /// The upload.
    pub upload_id: UploadId,
    /// How many events its history had then: what is told is told of that state.
    pub revision: usize,
    /// What became of it.
    #[serde(flatten)]
    pub seen: Outcome,
}

/// What became of an upload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Something of it was rejected and lies in quarantine.
    Failed(Vec<Fingerprint>),
    /// All of it counts, and it is of these kinds.
    Passed(Vec<Kind>),
    /// It is the deployment's own: see [`NoticeKind::SelfTest`].
    Tested(Vec<Fingerprint>),
}

impl Occurrence {
    /// Something of an upload was rejected and lies in quarantine; none if nothing was.
    #[must_use]
    pub fn of_rejection(upload: &Upload) -> Option<Self> {
        let (at, fingerprints) = (upload.decided_at()?, upload.rejection()?.fingerprints.clone());
        let is_test = upload.origin().owner.is_synthetic_check();
        let seen = if is_test { Outcome::Tested(fingerprints) } else { Outcome::Failed(fingerprints) };
        Some(Self { at, upload_id: upload.id().clone(), revision: upload.revision(), seen })
    }

    /// All of an upload counts, and groups of these kinds may be open.
    #[must_use]
    pub fn of_pass(upload: &Upload, kinds: Vec<Kind>, now: Timestamp) -> Self {
        let at = upload.decided_at().unwrap_or(now);
        Self { at, upload_id: upload.id().clone(), revision: upload.revision(), seen: Outcome::Passed(kinds) }
    }

    /// The groups that it is about by name.
    pub fn fingerprints(&self) -> &[Fingerprint] {
        match &self.seen {
            Outcome::Failed(fingerprints) | Outcome::Tested(fingerprints) => fingerprints,
            Outcome::Passed(_) => &[],
        }
    }

    /// The kinds of which it resolves groups.
    pub fn passed(&self) -> &[Kind] {
        match &self.seen {
            Outcome::Passed(kinds) => kinds,
            _ => &[],
        }
    }
}

/// A notice that is owed at once, of one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PendingNotice {
    /// When it happened.
    pub at: Timestamp,
    /// What is told.
    pub kind: NoticeKind,
    /// The group.
    pub group: ProblemId,
    /// Its kind of upload.
    pub of: Kind,
    /// The upload by which it happened.
    pub upload_id: UploadId,
    /// How many events the history of that upload had then.
    pub revision: usize,
}

/// What a digest tells of one group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemCounts {
    /// The group's kind of upload.
    pub of: Kind,
    /// How many uploads failed so that were not told at once.
    pub uploads: u64,
    /// How many records of them.
    pub records: u64,
    /// When the first of them was rejected; when it was resolved, if none was.
    pub first_seen: Timestamp,
    /// When the last of them was.
    pub last_seen: Timestamp,
    /// The last of them; the one that passed, if none failed.
    pub upload_id: UploadId,
    /// How often it came back without being told at once.
    pub came_back: u64,
    /// How often it was resolved without being told at once.
    pub resolved: u64,
}

/// After how many intervals between digests a group that comes and goes is told at once again, at most.
const MOST_INTERVALS: i64 = 24;

/// The groups of one owner at work. The caller loads those that occurrences are about, and stores those that changed.
///
/// Of each group, each of `new`, `regressed` and `resolved` is told at once at most once in the time between two digests,
/// in four times that if it came back twice, and so on up to a day; digests tell the others. So a group that fails and passes
/// by turns is no flood.
#[derive(Debug)]
pub struct ProblemFold {
    groups: BTreeMap<ProblemId, Problem>,
    tallies: BTreeMap<ProblemId, ProblemCounts>,
    changed: BTreeSet<ProblemId>,
    tallied: BTreeSet<ProblemId>,
    tells: Vec<PendingNotice>,
    interval_micros: i64,
}

impl ProblemFold {
    /// The groups as they are stored, and what the next digest is to tell of them. `interval_seconds` lies between two digests.
    #[must_use]
    pub fn new(groups: Vec<Problem>, tallies: BTreeMap<ProblemId, ProblemCounts>, interval_seconds: u32) -> Self {
        Self {
            groups: groups.into_iter().map(|group| (group.id.clone(), group)).collect(),
            tallies,
            changed: BTreeSet::new(),
            tallied: BTreeSet::new(),
            tells: Vec::new(),
            interval_micros: i64::from(interval_seconds) * 1_000_000,
        }
    }

    /// Takes an occurrence in, changing at most about `most` groups. `false`: more groups are to change by it; it stays
    /// to be taken again, which changes those.
    pub fn take(&mut self, occurrence: &Occurrence, most: usize) -> bool {
        match &occurrence.seen {
            Outcome::Failed(fingerprints) => {
                for fingerprint in fingerprints {
                    self.fail(occurrence, fingerprint);
                }
                true
            }
            Outcome::Tested(fingerprints) => {
                for fingerprint in fingerprints {
                    self.groups.insert(fingerprint.id.clone(), Problem::begin(fingerprint, occurrence.at));
                    self.tell(NoticeKind::SelfTest, &fingerprint.id, &fingerprint.kind, occurrence);
                }
                true
            }
            Outcome::Passed(kinds) => self.pass(occurrence, kinds, most),
        }
    }

    /// The groups that changed.
    pub fn changed(&self) -> impl Iterator<Item = &Problem> {
        self.changed.iter().filter_map(|id| self.groups.get(id))
    }

    /// What the next digest is to tell, as far as it changed.
    pub fn tallied(&self) -> impl Iterator<Item = (&ProblemId, &ProblemCounts)> {
        self.tallied.iter().filter_map(|id| self.tallies.get_key_value(id))
    }

    /// What is to be told at once, in the order in which it happened.
    #[must_use]
    pub fn tells(&self) -> &[PendingNotice] {
        &self.tells
    }

    /// How many items the caller has to write.
    #[must_use]
    pub fn writes(&self) -> usize {
        self.changed.len() + self.tallied.len() + self.tells.len()
    }

    /// Whether a group of this kind is open, of those that were loaded.
    #[must_use]
    pub fn has_open(&self, kind: &str) -> bool {
        self.groups.values().any(|group| group.life == ProblemStatus::Open && group.kind == kind)
    }

    fn fail(&mut self, occurrence: &Occurrence, fingerprint: &Fingerprint) {
        let at = occurrence.at;
        let id = &fingerprint.id;
        let Some(group) = self.groups.get_mut(id) else {
            self.groups.insert(id.clone(), Problem::begin(fingerprint, at));
            return self.tell(NoticeKind::New, id, &fingerprint.kind, occurrence);
        };
        group.uploads += 1;
        group.records += fingerprint.records;
        group.schema.clone_from(&fingerprint.schema);
        group.first_seen = group.first_seen.min(at);
        group.last_seen = group.last_seen.max(at);
        // What was rejected before it was resolved, and is heard of after, belongs to the time before.
        let comes_back =
            group.life == ProblemStatus::Resolved && group.resolved_at.is_none_or(|resolved_at| resolved_at < at);
        let mut came_back = 0;
        if comes_back {
            let was_over = group.resolved_at.map_or(i64::MAX, |since| at.as_micros() - since.as_micros());
            group.life = ProblemStatus::Open;
            group.returns += 1;
            group.returns_in_a_row = if was_over > self.interval_micros.saturating_mul(MOST_INTERVALS) {
                1
            } else {
                group.returns_in_a_row + 1
            };
            group.uploads_in_life = 1;
            if is_past(group.told_regressed_at, at, quiet_micros(self.interval_micros, group.returns_in_a_row)) {
                group.told_regressed_at = Some(at);
                return self.tell(NoticeKind::Regressed, id, &fingerprint.kind, occurrence);
            }
            came_back = 1;
        } else {
            group.uploads_in_life += 1;
        }
        self.changed.insert(id.clone());
        let tally = self.tally(id, &fingerprint.kind, occurrence);
        if tally.uploads == 0 {
            // What it was begun with was a resolution.
            (tally.first_seen, tally.last_seen) = (at, at);
        }
        tally.uploads += 1;
        tally.records += fingerprint.records;
        tally.came_back += came_back;
        tally.first_seen = tally.first_seen.min(at);
        if tally.last_seen <= at {
            (tally.last_seen, tally.upload_id) = (at, occurrence.upload_id.clone());
        }
    }

    fn pass(&mut self, occurrence: &Occurrence, kinds: &[Kind], most: usize) -> bool {
        let at = occurrence.at;
        let open =
            |group: &&Problem| group.life == ProblemStatus::Open && group.last_seen < at && kinds.contains(&group.kind);
        let mut open: Vec<ProblemId> = self.groups.values().filter(open).map(|group| group.id.clone()).collect();
        let is_all = open.len() <= most;
        open.truncate(most);
        for id in open {
            let Some(group) = self.groups.get_mut(&id) else { continue };
            group.life = ProblemStatus::Resolved;
            group.resolved_at = Some(at);
            let kind = group.kind.clone();
            if is_past(group.told_resolved_at, at, quiet_micros(self.interval_micros, group.returns_in_a_row)) {
                group.told_resolved_at = Some(at);
                self.tell(NoticeKind::Resolved, &id, &kind, occurrence);
            } else {
                self.changed.insert(id.clone());
                self.tally(&id, &kind, occurrence).resolved += 1;
            }
        }
        is_all
    }

    fn tell(&mut self, kind: NoticeKind, group: &ProblemId, of: &str, occurrence: &Occurrence) {
        self.changed.insert(group.clone());
        self.tells.push(PendingNotice {
            at: occurrence.at,
            kind,
            group: group.clone(),
            of: of.to_owned(),
            upload_id: occurrence.upload_id.clone(),
            revision: occurrence.revision,
        });
    }

    fn tally(&mut self, id: &ProblemId, of: &str, occurrence: &Occurrence) -> &mut ProblemCounts {
        self.tallied.insert(id.clone());
        self.tallies.entry(id.clone()).or_insert_with(|| ProblemCounts {
            of: of.to_owned(),
            uploads: 0,
            records: 0,
            first_seen: occurrence.at,
            last_seen: occurrence.at,
            upload_id: occurrence.upload_id.clone(),
            came_back: 0,
            resolved: 0,
        })
    }
}

/// How long a group is not told at once again: longer each time it comes back, unless it was over for long.
fn quiet_micros(interval_micros: i64, returns_in_a_row: u64) -> i64 {
    let returns = i64::try_from(returns_in_a_row).unwrap_or(i64::MAX);
    interval_micros.saturating_mul(returns.saturating_mul(returns).clamp(1, MOST_INTERVALS))
}

/// Whether what was told at `told`, if ever, is so long ago that it may be told once more.
fn is_past(told: Option<Timestamp>, now: Timestamp, interval_micros: i64) -> bool {
    told.is_none_or(|told| now.as_micros().saturating_sub(told.as_micros()) >= interval_micros)
}

#[cfg(test)]
mod tests;
