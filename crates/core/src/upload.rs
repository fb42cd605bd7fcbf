//! The history of an upload: what happened to it, what state that makes, and which step is owed next.
//!
//! An upload is an aggregate in the sense of event sourcing. Its history only grows; [`Upload::fold`] turns it into
//! the present state and holds no logic; [`Upload::next`] names the effect that is still owed, so that a repeated
//! delivery resumes where an earlier one stopped. Writing is the shell's part (`eventpulse-aws`): every append is
//! conditional on the number of events that were read.

mod decision;
mod event;
pub mod report;
mod state;
#[cfg(test)]
mod tests;

pub use crate::statistics::features::SeriesStatistics;
pub use decision::{Arrival, Decision, SharedChunk, Step};
pub use event::{
    MaxRejected, MessageMetadata, ObjectVersion, Origin, QuarantineLocation, RecordedEvent, RetryForm, UploadEvent,
    quarantine_key, report_key, retry_key,
};
pub use state::{QuarantineStatus, UploadState};

use crate::id::{UPLOADS_PREFIX, UploadId};
use crate::intake::rejection::Rejection;
use crate::time::Timestamp;

/// The owner of objects that an operator dropped into the bucket without issuing an upload.
pub const OPERATOR: &str = "operator";
/// The owner of the uploads by which a deployment tests itself. Nobody signs in as it.
pub const SYNTHETIC_CHECK_OWNER: &str = "self-test";

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
    /// Its id.
    pub id: UploadId,
    /// How it came to be, and what the client asked for.
    pub intake: Origin,
    /// When its first event happened.
    pub since: Timestamp,
    /// When the latest event happened.
    pub changed: Timestamp,
    /// The object version that is processed in this round, once one arrived.
    pub object: Option<ObjectVersion>,
    /// Goes from the S3 event through every log line, the report and the notice.
    pub correlation_id: Option<String>,
    /// The digest that is claimed for it while its chunks are being written.
    pub claimed: Option<String>,
    /// What was decided in this round, once it was.
    pub decision: Option<Decision>,
    /// Where what was rejected in this round lies, once it does.
    pub quarantined: Option<QuarantineLocation>,
    /// When something of it came to lie in quarantine for the last time.
    pub quarantined_at: Option<Timestamp>,
    /// When what became of this round was decided.
    pub decided_at: Option<Timestamp>,
    /// Whether it was noted for the owner's notices.
    pub noted: bool,
    /// Why it is stuck, if it is.
    pub failure_reason: Option<String>,
    /// How often processing failed for good.
    pub failed_deliveries: u32,
    /// How many retries arrived: the number of this round.
    pub attempt: u32,
    /// How many retries were asked for.
    pub retries_requested: u32,
    /// The retry that was asked for last, until it arrives.
    pub retry: Option<PendingRetry>,
    /// What this round's object is, if it is a retry's.
    pub form: Option<RetryForm>,
    /// What the rounds before this one brought.
    earlier: Earlier,
    /// The claims that were made for what counts.
    pub claims: Vec<String>,
    /// How many chunks all rounds wrote.
    pub chunks: u64,
    /// The chunks that it shares with other uploads.
    pub shared: Vec<SharedChunk>,
    /// What came with the message that it is, if it is one.
    pub message: Option<MessageMetadata>,
    /// Whether the owner discarded what was rejected.
    pub discarded: bool,
    /// Whether the owner wants it taken back.
    pub withdrawal_requested: bool,
    /// Whether it is.
    pub withdrawn: bool,
    /// How many events the history has: what an append is conditional on.
    pub revision: usize,
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
        let (intake, message) = match fact {
            UploadEvent::Issued { intake } | UploadEvent::Found { intake } => (intake, None),
            UploadEvent::Posted { intake, message } => (intake, Some(message.clone())),
            _ => return Err(InvalidHistory { id }),
        };
        let mut upload = Self {
            id,
            intake: intake.clone(),
            since: *at,
            changed: *at,
            object: None,
            correlation_id: None,
            claimed: None,
            decision: None,
            quarantined: None,
            quarantined_at: None,
            decided_at: None,
            noted: false,
            failure_reason: None,
            failed_deliveries: 0,
            attempt: 0,
            retries_requested: 0,
            retry: None,
            form: None,
            earlier: Earlier::default(),
            claims: Vec::new(),
            chunks: 0,
            shared: Vec::new(),
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
        self.changed = event.at;
        match &event.fact {
            UploadEvent::Issued { .. }
            | UploadEvent::Found { .. }
            | UploadEvent::Posted { .. }
            | UploadEvent::LateVersionRemoved { .. } => {}
            UploadEvent::Received { object, correlation_id } => {
                if let Some(retry) = self.retry.take_if(|retry| retry.key == object.key) {
                    self.begin_round(retry.form);
                }
                self.object = Some(object.clone());
                self.correlation_id = Some(correlation_id.clone());
            }
            UploadEvent::AcceptanceBegan { sha256 } => self.claimed = Some(sha256.clone()),
            UploadEvent::Decided { decision } => {
                if let Decision::Accepted { sha256, chunks, shared, .. } = decision {
                    self.claims.push(self.claim(sha256));
                    self.chunks += chunks;
                    self.shared.extend(shared.iter().cloned());
                }
                self.decision = Some(decision.clone());
                self.decided_at = Some(event.at);
                self.failure_reason = None;
            }
            UploadEvent::Withdrawn => {
                self.claimed = None;
                self.withdrawn = self.withdrawal_requested;
            }
            UploadEvent::Quarantined { quarantined } => {
                self.quarantined = Some(quarantined.clone());
                self.quarantined_at = Some(event.at);
                self.failure_reason = None;
            }
            UploadEvent::Notified { .. } | UploadEvent::Noted { .. } => {
                self.noted = true;
                self.failure_reason = None;
            }
            UploadEvent::Failed { reason, .. } => {
                self.failure_reason = Some(reason.clone());
                self.failed_deliveries += 1;
            }
            UploadEvent::RetryRequested { key, form, expires_at, .. } => {
                self.retries_requested += 1;
                self.retry = Some(PendingRetry { key: key.clone(), form: *form, expires_at: *expires_at });
            }
            UploadEvent::Discarded { .. } => {
                self.discarded = true;
                self.retry = None;
            }
            UploadEvent::WithdrawalRequested { .. } => {
                self.withdrawal_requested = true;
                self.retry = None;
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
        self.form = Some(form);
        self.claimed = None;
        self.decision = None;
        self.quarantined = None;
        self.decided_at = None;
        self.noted = false;
        self.failure_reason = None;
    }

    /// The effect that is owed next; none when everything is done.
    #[must_use]
    pub fn next(&self) -> Option<Step> {
        match (&self.decision, &self.quarantined) {
            _ if self.withdrawal_requested || self.discarded => None,
            (None, _) => Some(Step::Process),
            (Some(Decision::Rejected { .. }), _) if self.claimed.is_some() => Some(Step::RollBack),
            (Some(_), _) if self.rejection().is_none() => None,
            (Some(_), None) => Some(Step::Quarantine),
            (Some(_), Some(_)) if !self.noted => Some(Step::RecordOccurrence),
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
        match &self.retry {
            Some(retry) if retry.key == key => true,
            _ => self.object.is_none() && self.intake.key == key,
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
        self.intake.key == key || key.strip_prefix(&folder).is_some_and(is_of_retry)
    }

    /// Whether what was rejected in this round lies in quarantine, with nothing owed any more; that it was told to nobody
    /// is for an operator to mend, and keeps nobody from correcting it.
    fn is_in_quarantine(&self) -> bool {
        self.quarantined.is_some() && (self.next().is_none() || self.failure_reason.is_some())
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
        match self.form {
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
            UploadState::Issued if self.intake.expires_at.is_some_and(|expires_at| expires_at <= now) => {
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
        } else if self.retry.as_ref().is_some_and(|retry| now < retry.expires_at) || self.decision.is_none() {
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
                (crate::statistics::features::merge(earlier, series), omitted + series_omitted)
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
