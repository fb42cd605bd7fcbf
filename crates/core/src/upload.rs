//! The history of an upload: what happened to it, what state that makes, and which step is owed next.
//!
//! An upload is an aggregate in the sense of event sourcing. Its history only grows; [`Upload::fold`] turns it into
//! the present state and holds no logic; [`Upload::next`] names the effect that is still owed, so that a repeated
//! delivery resumes where an earlier one stopped. Writing is the shell's part (`eventpulse-aws`): every append is
//! conditional on the number of events that were read.

mod accessors;
mod decision;
mod event;
pub mod report;
mod state;
#[cfg(test)]
mod tests;

pub use crate::statistics::series_statistics::SeriesStatistics;
pub use decision::{Arrival, Decision, SharedChunk, Step};
pub use event::{
    MessageMetadata, ObjectVersion, Origin, QuarantineLocation, RecordedEvent, RetryForm, UploadEvent, quarantine_key,
    report_key, retry_key,
};
pub use state::{QuarantineStatus, UploadState};

use crate::id::{UPLOADS_PREFIX, UploadId};
use crate::intake::rejection::Rejection;
use crate::time::Timestamp;

/// A retry that was asked for and has not arrived yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingRetry {
    /// The key in the process bucket that it comes under.
    pub key: String,
    /// What it brings.
    pub form: RetryForm,
    /// When the request lapses.
    pub expires_at: Timestamp,
}

/// One upload: the fold of its history.
///
/// Usually it has one round: an object arrives and is decided. Each retry of what was rejected is one round more; what
/// earlier rounds accepted goes on counting.
#[derive(Debug, Clone, PartialEq)]
pub struct Upload {
    id: UploadId,
    origin: Origin,
    created_at: Timestamp,
    changed_at: Timestamp,
    object: Option<ObjectVersion>,
    correlation_id: Option<String>,
    open_claim: Option<String>,
    decision: Option<Decision>,
    quarantine_location: Option<QuarantineLocation>,
    quarantined_at: Option<Timestamp>,
    decided_at: Option<Timestamp>,
    occurrence_recorded: bool,
    failure_reason: Option<String>,
    failed_deliveries: u32,
    attempt: u32,
    retries_requested: u32,
    pending_retry: Option<PendingRetry>,
    retry_form: Option<RetryForm>,
    earlier: Earlier,
    claims: Vec<String>,
    chunk_count: u64,
    shared_chunks: Vec<SharedChunk>,
    message: Option<MessageMetadata>,
    discarded: bool,
    withdrawal_requested: bool,
    withdrawn: bool,
    revision: usize,
}

/// What earlier rounds brought.
#[derive(Debug, Clone, PartialEq, Default)]
struct Earlier {
    objects: Vec<ObjectVersion>,
    accepted: u64,
    series: Vec<SeriesStatistics>,
    series_omitted: u64,
}

/// Why a history cannot be folded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the history of {id} does not begin with `issued`, `found` or `posted`")]
pub struct InvalidHistory {
    /// Whose history it is.
    pub id: UploadId,
}

impl Upload {
    /// Folds a history into the present state.
    ///
    /// # Errors
    /// When the history is empty or does not begin with how the upload came to be.
    pub fn fold(id: UploadId, history: &[RecordedEvent]) -> Result<Self, InvalidHistory> {
        let Some((RecordedEvent { at, fact, .. }, rest)) = history.split_first() else {
            return Err(InvalidHistory { id });
        };
        let (origin, message) = match fact {
            UploadEvent::Issued { origin } | UploadEvent::ObjectFound { origin } => (origin, None),
            UploadEvent::MessagePosted { origin, message } => (origin, Some(message.clone())),
            _ => return Err(InvalidHistory { id }),
        };
        let mut upload = Self {
            id,
            origin: origin.clone(),
            created_at: *at,
            changed_at: *at,
            object: None,
            correlation_id: None,
            open_claim: None,
            decision: None,
            quarantine_location: None,
            quarantined_at: None,
            decided_at: None,
            occurrence_recorded: false,
            failure_reason: None,
            failed_deliveries: 0,
            attempt: 0,
            retries_requested: 0,
            pending_retry: None,
            retry_form: None,
            earlier: Earlier::default(),
            claims: Vec::new(),
            chunk_count: 0,
            shared_chunks: Vec::new(),
            message,
            discarded: false,
            withdrawal_requested: false,
            withdrawn: false,
            revision: 1,
        };
        for event in rest {
            upload.apply(event);
        }
        Ok(upload)
    }

    /// Takes one more event in. No logic here: what may happen next is decided before an event is written.
    pub fn apply(&mut self, event: &RecordedEvent) {
        self.revision += 1;
        self.changed_at = event.at;
        match &event.fact {
            UploadEvent::Issued { .. }
            | UploadEvent::ObjectFound { .. }
            | UploadEvent::MessagePosted { .. }
            | UploadEvent::LateVersionRemoved { .. } => {}
            UploadEvent::Received { object, correlation_id } => {
                if let Some(retry) = self.pending_retry.take_if(|retry| retry.key == object.key) {
                    self.begin_round(retry.form);
                }
                self.object = Some(object.clone());
                self.correlation_id = Some(correlation_id.clone());
            }
            UploadEvent::AcceptanceBegan { sha256 } => self.open_claim = Some(sha256.clone()),
            UploadEvent::Decided { decision } => {
                if let Decision::Accepted { sha256, chunks, shared, .. } = decision {
                    self.claims.push(self.claim(sha256));
                    self.chunk_count += chunks;
                    self.shared_chunks.extend(shared.iter().cloned());
                }
                self.decision = Some(decision.clone());
                self.decided_at = Some(event.at);
                self.failure_reason = None;
            }
            UploadEvent::RolledBack => self.open_claim = None,
            UploadEvent::Withdrawn => {
                self.open_claim = None;
                self.withdrawn = true;
            }
            UploadEvent::Quarantined { quarantined } => {
                self.quarantine_location = Some(quarantined.clone());
                self.quarantined_at = Some(event.at);
                self.failure_reason = None;
            }
            UploadEvent::OccurrenceRecorded { .. } => {
                self.occurrence_recorded = true;
                self.failure_reason = None;
            }
            UploadEvent::DeliveryFailed { reason, .. } => {
                self.failure_reason = Some(reason.clone());
                self.failed_deliveries += 1;
            }
            UploadEvent::RetryRequested { key, form, expires_at, .. } => {
                self.retries_requested += 1;
                self.pending_retry = Some(PendingRetry { key: key.clone(), form: *form, expires_at: *expires_at });
            }
            UploadEvent::Discarded { .. } => {
                self.discarded = true;
                self.pending_retry = None;
            }
            UploadEvent::WithdrawalRequested { .. } => {
                self.withdrawal_requested = true;
                self.pending_retry = None;
            }
        }
    }

    /// What was decided becomes what earlier rounds accepted, and everything is owed once more.
    fn begin_round(&mut self, form: RetryForm) {
        let (series, series_omitted) = self.features();
        let mut objects = std::mem::take(&mut self.earlier.objects);
        objects.extend(self.object.take());
        self.earlier = Earlier { objects, accepted: self.accepted(), series, series_omitted };
        self.attempt += 1;
        self.retry_form = Some(form);
        self.open_claim = None;
        self.decision = None;
        self.quarantine_location = None;
        self.decided_at = None;
        self.occurrence_recorded = false;
        self.failure_reason = None;
    }

    /// The effect that is owed next; none when everything is done.
    #[must_use]
    pub fn next(&self) -> Option<Step> {
        match (&self.decision, &self.quarantine_location) {
            _ if self.withdrawal_requested || self.discarded => None,
            (None, _) => Some(Step::Process),
            (Some(Decision::Rejected { .. }), _) if self.open_claim.is_some() => Some(Step::RollBack),
            (Some(_), _) if self.rejection().is_none() => None,
            (Some(_), None) => Some(Step::Quarantine),
            (Some(_), Some(_)) if !self.occurrence_recorded => Some(Step::RecordOccurrence),
            (Some(_), Some(_)) => None,
        }
    }

    /// What to do with a delivered version. Only one version is ever processed in a round.
    #[must_use]
    pub fn arrival(&self, object: &ObjectVersion) -> Arrival {
        let is_mine = self.object.as_ref().is_some_and(|known| known.is(object));
        if is_mine || self.awaits(&object.key) {
            Arrival::Current
        } else if self.earlier.objects.iter().any(|known| known.is(object)) {
            Arrival::AlreadyProcessed
        } else {
            Arrival::Late
        }
    }

    /// Whether the next object under this key is the one to process.
    #[must_use]
    pub fn awaits(&self, key: &str) -> bool {
        match &self.pending_retry {
            Some(retry) if retry.key == key => true,
            _ => self.object.is_none() && self.origin.key == key,
        }
    }

    /// Whether objects under this key are this upload's.
    #[must_use]
    pub fn has_key(&self, key: &str) -> bool {
        let is_of_retry = |rest: &str| {
            let number = rest.strip_prefix("retry-").and_then(|rest| rest.split_once('/'));
            number.and_then(|(digits, _)| digits.parse::<u32>().ok()).is_some_and(|n| n <= self.retries_requested)
        };
        let folder = format!("{UPLOADS_PREFIX}{}/", self.id);
        self.origin.key == key || key.strip_prefix(&folder).is_some_and(is_of_retry)
    }

    /// Whether what was rejected in this round lies in quarantine, with nothing owed any more; that it was told to nobody
    /// is for an operator to mend, and keeps nobody from correcting it.
    fn is_in_quarantine(&self) -> bool {
        self.quarantine_location.is_some() && (self.next().is_none() || self.failure_reason.is_some())
    }

    /// Whether an object is being worked on: the owner has to wait before doing more with it.
    #[must_use]
    pub fn is_at_work(&self) -> bool {
        self.object.is_some() && self.next().is_some()
    }

    /// Under which name bytes of this round are claimed. The rejected records of two uploads may look alike and count
    /// twice all the same.
    #[must_use]
    pub fn claim(&self, sha256: &str) -> String {
        match self.retry_form {
            Some(RetryForm::UnchangedRecords) => format!("{}/{}", self.id, self.attempt),
            _ => sha256.to_owned(),
        }
    }

    /// Where the upload stands, but for the clock: see [`Upload::state_at`].
    #[must_use]
    pub fn state(&self) -> UploadState {
        let counts_in_part = self.earlier.accepted > 0;
        match &self.decision {
            _ if self.withdrawn => UploadState::Withdrawn,
            _ if self.failure_reason.is_some() => UploadState::Failed,
            None if self.object.is_some() => UploadState::Received,
            None => UploadState::Issued,
            Some(Decision::Accepted { rejection: None, .. }) => UploadState::Accepted,
            Some(Decision::Accepted { rejection: Some(_), .. }) => UploadState::PartiallyAccepted,
            Some(Decision::Rejected { .. }) if counts_in_part => UploadState::PartiallyAccepted,
            Some(Decision::Rejected { .. }) if self.discarded => UploadState::Discarded,
            Some(Decision::Rejected { .. }) => UploadState::Quarantined,
            Some(Decision::Duplicate { .. }) if counts_in_part => UploadState::Accepted,
            Some(Decision::Duplicate { .. }) => UploadState::Duplicate,
        }
    }

    /// Where the upload stands.
    #[must_use]
    pub fn state_at(&self, now: Timestamp) -> UploadState {
        match self.state() {
            UploadState::Issued if self.origin.expires_at.is_some_and(|expires_at| expires_at <= now) => {
                UploadState::Expired
            }
            state => state,
        }
    }

    /// What has become of what was rejected; none when nothing of it ever lay in quarantine.
    #[must_use]
    pub fn quarantine_status(&self, now: Timestamp) -> Option<QuarantineStatus> {
        self.quarantined_at?;
        Some(if self.withdrawal_requested {
            QuarantineStatus::Withdrawn
        } else if self.discarded {
            QuarantineStatus::Discarded
        } else if self.pending_retry.as_ref().is_some_and(|retry| now < retry.expires_at) || self.decision.is_none() {
            QuarantineStatus::Retrying
        } else if self.rejection().is_none() {
            QuarantineStatus::Resolved
        } else if self.is_in_quarantine() {
            QuarantineStatus::Open
        } else if self.attempt == 0 {
            return None; // on its way
        } else {
            QuarantineStatus::Retrying // rejected once more, and on its way
        })
    }

    /// Why records, or the whole upload, do not count.
    #[must_use]
    pub fn rejection(&self) -> Option<&Rejection> {
        match self.decision.as_ref()? {
            Decision::Accepted { rejection, .. } => rejection.as_ref(),
            Decision::Rejected { rejection } => Some(rejection),
            Decision::Duplicate { .. } => None,
        }
    }

    /// How many records count.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.earlier.accepted + self.accepted_in_round()
    }

    /// How many of them came with this round's object.
    #[must_use]
    pub fn accepted_in_round(&self) -> u64 {
        match self.decision {
            Some(Decision::Accepted { accepted, .. }) => accepted,
            _ => 0,
        }
    }

    /// How many records do not count.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.rejection().map_or(0, |rejection| rejection.rejected)
    }

    /// What each series received, the largest first, and how many series are not told.
    #[must_use]
    pub fn features(&self) -> (Vec<SeriesStatistics>, u64) {
        let Earlier { series: earlier, series_omitted: omitted, .. } = &self.earlier;
        match &self.decision {
            Some(Decision::Accepted { series, series_omitted, .. }) => {
                (crate::statistics::series_statistics::merge(earlier, series), omitted + series_omitted)
            }
            _ => (earlier.clone(), *omitted),
        }
    }

    /// Under which upload its bytes count, if it is not this one.
    #[must_use]
    pub fn duplicate_of(&self) -> Option<&UploadId> {
        match &self.decision {
            Some(Decision::Duplicate { of }) => Some(of),
            _ => None,
        }
    }
}
