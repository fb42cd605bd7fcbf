//! The state of an upload as the fold of its history.

use super::decision::Decision;
use super::event::{MessageMetadata, ObjectVersion, Origin, QuarantineLocation, RecordedEvent, RetryForm, UploadEvent};
use super::limits::stored_bytes;
use crate::id::UploadId;
use crate::intake::rejection::Rejection;
use crate::time::Timestamp;

/// An upload: the fold of its history.
///
/// Most uploads have one attempt: an object arrives and is decided. Each retry of rejected data adds an attempt. The
/// records that earlier attempts accepted stay accepted.
///
/// ```
/// use eventpulse_core::id::UploadId;
/// use eventpulse_core::time::Timestamp;
/// use eventpulse_core::upload::{Origin, RecordedEvent, Step, Upload, UploadEvent, UploadState};
///
/// let origin = Origin {
///     owner: "u1".parse()?,
///     key: "uploads/up_1/readings.json".to_owned(),
///     file_name: "readings.json".to_owned(),
///     schema: None,
///     max_rejected: None,
///     expires_at: Timestamp::parse("2025-02-28T12:15:00Z"),
/// };
/// let noon = Timestamp::parse("2025-02-28T12:00:00Z").unwrap();
/// let history = [RecordedEvent::new(noon, UploadEvent::Issued { origin })];
///
/// let upload = Upload::fold(UploadId::new(noon, [7; 10]), &history)?;
/// assert_eq!(upload.state_at(noon), UploadState::Issued);
/// assert_eq!(upload.next_step(), Some(Step::Process));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Upload {
    pub(super) id: UploadId,
    pub(super) origin: Origin,
    pub(super) message: Option<MessageMetadata>,
    pub(super) created_at: Timestamp,
    pub(super) changed_at: Timestamp,
    pub(super) revision: usize,
    /// The size of the stored events in bytes.
    pub(super) history_bytes: usize,
    /// The latest attempt.
    pub(super) current: Attempt,
    /// The attempts before it, oldest first.
    pub(super) earlier: Vec<Attempt>,
    pub(super) claims: Vec<String>,
    pub(super) quarantined_at: Option<Timestamp>,
    pub(super) retries_requested: u32,
    pub(super) pending_retry: Option<PendingRetry>,
    pub(super) discarded: bool,
    pub(super) withdrawal_requested: bool,
    pub(super) withdrawn: bool,
    /// Whether the table takes no further event: see [`Upload::with_full_history`].
    pub(super) history_full: bool,
}

/// One attempt: the first object, or a retry that arrived.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Attempt {
    pub(super) retry_form: Option<RetryForm>,
    pub(super) object: Option<ObjectVersion>,
    pub(super) correlation_id: Option<String>,
    /// The number under which it writes chunks.
    pub(super) write_number: u32,
    /// The first number under which it wrote chunks: below `write_number` if it was rolled back.
    pub(super) first_write_number: u32,
    /// The claim that it waits for.
    pub(super) awaited_claim: Option<String>,
    pub(super) open_claim: Option<String>,
    pub(super) decision: Option<Decision>,
    pub(super) decided_at: Option<Timestamp>,
    pub(super) quarantine_location: Option<QuarantineLocation>,
    pub(super) occurrence_recorded: bool,
    pub(super) failure_reason: Option<String>,
    pub(super) failed_deliveries: u32,
}

/// A requested retry that has not arrived yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingRetry {
    /// The key in the process bucket under which it arrives.
    pub key: String,
    /// The form of its object.
    pub form: RetryForm,
    /// The time at which the request lapses.
    pub expires_at: Timestamp,
}

/// A history that cannot be folded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the history of {id} does not begin with `issued`, `object_found` or `message_posted`")]
pub struct InvalidHistory {
    /// The upload.
    pub id: UploadId,
}

impl Upload {
    /// Folds a history into the present state.
    ///
    /// # Errors
    /// [`InvalidHistory`] if the history is empty or does not begin with the origin of the upload.
    pub fn fold(id: UploadId, history: &[RecordedEvent]) -> Result<Self, InvalidHistory> {
        let Some((first, rest)) = history.split_first() else {
            return Err(InvalidHistory { id });
        };
        let (origin, message) = match &first.event {
            UploadEvent::Issued { origin } | UploadEvent::ObjectFound { origin } => (origin, None),
            UploadEvent::MessagePosted { origin, message } => (origin, Some(message.clone())),
            _ => return Err(InvalidHistory { id }),
        };
        let mut upload = Self {
            id,
            origin: origin.clone(),
            message,
            created_at: first.at,
            changed_at: first.at,
            revision: 1,
            history_bytes: stored_bytes(first),
            current: Attempt::default(),
            earlier: Vec::new(),
            claims: Vec::new(),
            quarantined_at: None,
            retries_requested: 0,
            pending_retry: None,
            discarded: false,
            withdrawal_requested: false,
            withdrawn: false,
            history_full: false,
        };
        for event in rest {
            upload.apply(event);
        }
        Ok(upload)
    }

    /// Returns the upload as one whose history takes no further event, because DynamoDB refuses the item by its size. The
    /// [limits](super::limits) prevent that. If it happens nevertheless, the upload is `failed` and has no next step, so
    /// that no delivery is repeated.
    #[must_use]
    pub fn with_full_history(self) -> Self {
        Self { history_full: true, ..self }
    }

    /// Applies one more event. The [commands](super::commands) decide whether an event may happen; this only folds it.
    pub fn apply(&mut self, recorded: &RecordedEvent) {
        self.revision += 1;
        self.history_bytes += stored_bytes(recorded);
        self.changed_at = recorded.at;
        match &recorded.event {
            UploadEvent::Issued { .. } | UploadEvent::ObjectFound { .. } | UploadEvent::MessagePosted { .. } => {}
            UploadEvent::Received { object, correlation_id, retry_form } => {
                if retry_form.is_some() {
                    self.begin_attempt(*retry_form);
                }
                self.current.object = Some(object.clone());
                self.current.correlation_id = Some(correlation_id.clone());
            }
            UploadEvent::AcceptanceBegan { claim } => {
                self.current.open_claim = Some(claim.clone());
                self.current.awaited_claim = None;
                self.current.failure_reason = None;
            }
            UploadEvent::WaitingBegan { claim, .. } => {
                self.current.awaited_claim = Some(claim.clone());
                self.current.failure_reason = None;
            }
            UploadEvent::Decided { decision, claim } => {
                self.claims.extend(claim.clone());
                self.current.decision = Some(decision.clone());
                self.current.decided_at = Some(recorded.at);
                self.current.awaited_claim = None;
                self.current.failure_reason = None;
            }
            UploadEvent::RolledBack => {
                self.current.open_claim = None;
                self.current.write_number += 1;
            }
            UploadEvent::Quarantined { location } => {
                self.current.quarantine_location = Some(location.clone());
                self.current.failure_reason = None;
                self.quarantined_at = Some(recorded.at);
            }
            UploadEvent::OccurrenceRecorded { .. } => {
                self.current.occurrence_recorded = true;
                self.current.failure_reason = None;
            }
            UploadEvent::DeliveryFailed { reason, .. } => {
                self.current.failure_reason = Some(reason.clone());
                self.current.awaited_claim = None;
                self.current.failed_deliveries += 1;
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
            UploadEvent::Withdrawn => {
                self.current.open_claim = None;
                self.withdrawn = true;
            }
        }
    }

    fn begin_attempt(&mut self, retry_form: Option<RetryForm>) {
        let number = self.current.write_number + 1;
        let next = Attempt { retry_form, write_number: number, first_write_number: number, ..Attempt::default() };
        let finished = std::mem::replace(&mut self.current, next);
        self.earlier.push(finished);
        self.pending_retry = None;
    }

    /// Returns all attempts, oldest first.
    pub(super) fn attempts(&self) -> impl Iterator<Item = &Attempt> {
        self.earlier.iter().chain([&self.current])
    }
}

impl Attempt {
    /// Returns the number of records that this attempt accepted.
    pub(super) fn accepted(&self) -> u64 {
        match self.decision {
            Some(Decision::Accepted { accepted, .. }) => accepted,
            _ => 0,
        }
    }

    /// Returns the rejection of this attempt's records, or of its whole object.
    pub(super) fn rejection(&self) -> Option<&Rejection> {
        match self.decision.as_ref()? {
            Decision::Accepted { rejection, .. } => rejection.as_ref(),
            Decision::Rejected { rejection, .. } => Some(rejection),
            Decision::Duplicate { .. } => None,
        }
    }

    /// Returns the number of records that this attempt rejected.
    pub(super) fn rejected(&self) -> u64 {
        self.rejection().map_or(0, |rejection| rejection.rejected)
    }
}
