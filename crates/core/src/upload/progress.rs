//! Questions about the progress of an upload: the next step, the fate of a delivered version, the state for its owner.

use super::aggregate::Upload;
use super::decision::{Arrival, Decision, Step};
use super::event::{ObjectVersion, RetryForm};
use super::state::{QuarantineStatus, UploadState};
use crate::id::UPLOADS_PREFIX;
use crate::time::Timestamp;

impl Upload {
    /// Returns the next step of the current attempt. `None` if nothing is left to do. An upload that awaits its object has
    /// the next step [`Step::Process`].
    ///
    /// A repeated delivery takes this step, so it resumes where an earlier delivery stopped.
    #[must_use]
    pub fn next_step(&self) -> Option<Step> {
        match (&self.current.decision, &self.current.quarantine_location) {
            _ if self.withdrawal_requested || self.discarded || self.history_full => None,
            (None, _) if self.current.open_claim.is_some() && self.current.failure_reason.is_some() => {
                Some(Step::RollBack)
            }
            (None, _) => Some(Step::Process),
            (Some(Decision::Rejected { .. }), _) if self.current.open_claim.is_some() => Some(Step::RollBack),
            // A retry was accepted: the notices still count the records that it retried.
            (Some(_), _) if self.rejection().is_none() => self.open_rejection().map(|_| Step::RecordOccurrence),
            (Some(_), None) => Some(Step::Quarantine),
            (Some(_), Some(_)) if !self.current.occurrence_recorded => Some(Step::RecordOccurrence),
            (Some(_), Some(_)) => None,
        }
    }

    /// Returns how to treat a delivered version. An attempt processes one version only.
    #[must_use]
    pub fn arrival(&self, object: &ObjectVersion) -> Arrival {
        let is_of = |known: &Option<ObjectVersion>| known.as_ref().is_some_and(|known| known.is(object));
        if is_of(&self.current.object) || self.awaits(&object.key) {
            Arrival::Current
        } else if self.earlier.iter().any(|attempt| is_of(&attempt.object)) {
            Arrival::AlreadyProcessed
        } else {
            Arrival::Late
        }
    }

    /// Returns whether the next object under this key is the one to process.
    #[must_use]
    pub fn awaits(&self, key: &str) -> bool {
        match &self.pending_retry {
            Some(retry) if retry.key == key => true,
            _ => self.current.object.is_none() && self.origin.key == key,
        }
    }

    /// Returns whether objects under this key belong to this upload.
    #[must_use]
    pub fn has_key(&self, key: &str) -> bool {
        let is_of_retry = |rest: &str| {
            let number = rest.strip_prefix("retry-").and_then(|rest| rest.split_once('/'));
            number.and_then(|(digits, _)| digits.parse::<u32>().ok()).is_some_and(|n| n <= self.retries_requested)
        };
        let folder = format!("{UPLOADS_PREFIX}{}/", self.id);
        self.origin.key == key || key.strip_prefix(&folder).is_some_and(is_of_retry)
    }

    /// Returns whether an object is being processed: its owner has to wait before sending a command.
    #[must_use]
    pub fn is_at_work(&self) -> bool {
        self.current.object.is_some() && self.next_step().is_some()
    }

    /// Returns the name under which this attempt claims bytes with this SHA-256 (lower-case hex).
    ///
    /// A retry of rejected records claims a name of its own: the rejected records of two uploads may be equal, and both
    /// count.
    #[must_use]
    pub fn claim_name(&self, sha256: &str) -> String {
        match self.current.retry_form {
            Some(RetryForm::UnchangedRecords) => format!("{}/{}", self.id, self.attempt()),
            _ => sha256.to_owned(),
        }
    }

    /// Returns whether chunks that were written under this number count, or may still count when their attempt is decided.
    #[must_use]
    pub fn keeps_chunks_of(&self, write_number: u32) -> bool {
        self.attempts().filter(|attempt| attempt.write_number == write_number).any(|attempt| match attempt.decision {
            Some(Decision::Accepted { .. }) => true,
            Some(_) => false,
            None => attempt.failure_reason.is_none(),
        })
    }

    /// Returns whether accepted records hold this claim. A withdrawn upload gives its claims up.
    #[must_use]
    pub fn has_accepted(&self, claim: &str) -> bool {
        !self.withdrawal_requested && self.claims.iter().any(|known| known == claim)
    }

    /// Returns the state, without regard to the time. See [`Upload::state_at`].
    #[must_use]
    pub fn state(&self) -> UploadState {
        let is_partly_accepted = self.earlier.iter().any(|attempt| attempt.accepted() > 0);
        match &self.current.decision {
            _ if self.withdrawn => UploadState::Withdrawn,
            _ if self.history_full => UploadState::Failed,
            _ if self.current.failure_reason.is_some() => UploadState::Failed,
            None if self.current.awaited_claim.is_some() => UploadState::Waiting,
            None if self.current.object.is_some() => UploadState::Received,
            None => UploadState::Issued,
            Some(Decision::Accepted { rejection: None, .. }) => UploadState::Accepted,
            Some(Decision::Accepted { rejection: Some(_), .. }) => UploadState::PartiallyAccepted,
            Some(Decision::Rejected { .. }) if is_partly_accepted => UploadState::PartiallyAccepted,
            Some(Decision::Rejected { .. }) if self.discarded => UploadState::Discarded,
            Some(Decision::Rejected { .. }) => UploadState::Quarantined,
            Some(Decision::Duplicate { .. }) if is_partly_accepted => UploadState::Accepted,
            Some(Decision::Duplicate { .. }) => UploadState::Duplicate,
        }
    }

    /// Returns the state at `now`: an issued upload expires with its URL.
    #[must_use]
    pub fn state_at(&self, now: Timestamp) -> UploadState {
        match self.state() {
            UploadState::Issued if self.origin.expires_at.is_some_and(|expires_at| expires_at <= now) => {
                UploadState::Expired
            }
            state => state,
        }
    }

    /// Returns the status of the rejected data; `None` if the upload never had data in quarantine.
    #[must_use]
    pub fn quarantine_status(&self, now: Timestamp) -> Option<QuarantineStatus> {
        self.quarantined_at?;
        Some(if self.withdrawal_requested {
            QuarantineStatus::Withdrawn
        } else if self.discarded {
            QuarantineStatus::Discarded
        } else if self.is_retry_pending(now) || self.current.decision.is_none() {
            QuarantineStatus::Retrying
        } else if self.rejection().is_none() {
            QuarantineStatus::Resolved
        } else if self.is_in_quarantine() {
            QuarantineStatus::Open
        } else if self.earlier.is_empty() {
            return None; // moving into quarantine for the first time
        } else {
            QuarantineStatus::Retrying // rejected again, and moving into quarantine
        })
    }

    fn is_retry_pending(&self, now: Timestamp) -> bool {
        self.pending_retry.as_ref().is_some_and(|retry| now < retry.expires_at)
    }

    /// Returns whether the data that this attempt rejected is in quarantine with nothing left to do. An occurrence that
    /// could not be recorded is an operator's concern and does not stop the owner from sending a correction.
    fn is_in_quarantine(&self) -> bool {
        self.current.quarantine_location.is_some()
            && (self.next_step().is_none() || self.current.failure_reason.is_some())
    }
}
