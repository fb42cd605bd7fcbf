//! The history of an upload: what happened to it, what state that makes, and which step is owed next.
//!
//! An upload is an aggregate in the sense of event sourcing. Its history only grows; [`Upload::fold`] turns it into
//! the present state and holds no logic; [`Upload::next`] names the effect that is still owed, so that a repeated
//! delivery resumes where an earlier one stopped. Writing is the shell's part (`eventpulse-aws`): every append is
//! conditional on the number of events that were read.

mod event;
#[cfg(test)]
mod tests;

pub use event::{
    Event, Fact, Intake, MaxRejected, ObjectVersion, Quarantined, SeriesCount, quarantine_key, report_key,
};
use serde::{Deserialize, Serialize};

use crate::id::UploadId;
use crate::rejection::Rejection;
use crate::time::Timestamp;

/// The owner of objects that an operator dropped into the bucket without issuing an upload.
pub const OPERATOR: &str = "operator";

/// Where an upload stands. The first two are on the way, the others are outcomes but for [`State::Failed`], which a
/// later delivery can still end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A presigned URL was handed out; nothing arrived yet.
    Issued,
    /// An object arrived and is being worked on.
    Received,
    /// Every record counts.
    Accepted,
    /// Some records count, the others lie in quarantine.
    PartiallyAccepted,
    /// Nothing counts; the object lies in quarantine.
    Quarantined,
    /// The same bytes of the same owner count already.
    Duplicate,
    /// Nothing that the sender could mend: delivery or processing failed, an operator is told.
    Failed,
}

impl State {
    /// The word that receipts and notices use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Received => "received",
            Self::Accepted => "accepted",
            Self::PartiallyAccepted => "partially_accepted",
            Self::Quarantined => "quarantined",
            Self::Duplicate => "duplicate",
            Self::Failed => "failed",
        }
    }
}

/// The effect that is owed next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Read the object, decide, store what counts.
    Process,
    /// Take back the chunks that were written before the upload turned out to be rejected.
    Withdraw,
    /// Put what was rejected, and its report, into quarantine.
    Quarantine,
    /// Tell the owner.
    Notify,
}

/// What to do with an object version that was delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It is this upload's object: take the next step, if any.
    Mine,
    /// The upload has another version already: remove this one and note it, never process it.
    Late,
}

/// What the examination of an upload's object came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision {
    /// At least one record counts.
    Accepted {
        /// Lower-case hex SHA-256 of the object's bytes, as they lie in the bucket.
        sha256: String,
        /// How many records count.
        accepted: u64,
        /// What each series received, largest first, at most 100 series.
        series: Vec<SeriesCount>,
        /// How many series there are beyond those.
        series_omitted: u64,
        /// Why some records do not count.
        rejection: Option<Rejection>,
    },
    /// Nothing counts.
    Rejected {
        /// Why.
        rejection: Rejection,
    },
    /// The same bytes of the same owner count already.
    Duplicate {
        /// The upload under which they count.
        of: UploadId,
    },
}

/// One upload: the fold of its history.
#[derive(Debug, Clone, PartialEq)]
pub struct Upload {
    /// Its id.
    pub id: UploadId,
    /// How it came to be, and what the client asked for.
    pub intake: Intake,
    /// When its first event happened.
    pub since: Timestamp,
    /// When the latest event happened.
    pub changed: Timestamp,
    /// The object version that is processed under this id, once one arrived.
    pub object: Option<ObjectVersion>,
    /// Goes from the S3 event through every log line, the report and the notice.
    pub correlation_id: Option<String>,
    /// The digest that is claimed for it while its chunks are being written.
    pub claimed: Option<String>,
    /// What was decided, once it was.
    pub decision: Option<Decision>,
    /// Where what was rejected lies, once it does.
    pub quarantined: Option<Quarantined>,
    /// Whether the owner was told.
    pub notified: bool,
    /// Why it is stuck, if it is.
    pub failure_reason: Option<String>,
    /// How often processing failed for good.
    pub failed_deliveries: u32,
    /// How many events the history has: what an append is conditional on.
    pub revision: usize,
}

/// Why a history cannot be folded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the history of {id} does not begin with `issued` or `found`")]
pub struct InvalidHistory {
    /// Whose history it is.
    pub id: UploadId,
}

impl Upload {
    /// Folds a history into the present state.
    ///
    /// # Errors
    /// When the history is empty or does not begin with how the upload came to be.
    pub fn fold(id: UploadId, history: &[Event]) -> Result<Self, InvalidHistory> {
        let Some((Event { at, fact: Fact::Issued { intake } | Fact::Found { intake }, .. }, rest)) =
            history.split_first()
        else {
            return Err(InvalidHistory { id });
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
            notified: false,
            failure_reason: None,
            failed_deliveries: 0,
            revision: 1,
        };
        for event in rest {
            upload.apply(event);
        }
        Ok(upload)
    }

    /// Takes one more event in. No logic here: what may happen next is decided before an event is written.
    pub fn apply(&mut self, event: &Event) {
        self.revision += 1;
        self.changed = event.at;
        match &event.fact {
            Fact::Issued { .. } | Fact::Found { .. } | Fact::LateVersionRemoved { .. } => {}
            Fact::Received { object, correlation_id } => {
                self.object = Some(object.clone());
                self.correlation_id = Some(correlation_id.clone());
            }
            Fact::AcceptanceBegan { sha256 } => self.claimed = Some(sha256.clone()),
            Fact::Decided { decision } => {
                self.decision = Some(decision.clone());
                self.failure_reason = None;
            }
            Fact::Withdrawn => self.claimed = None,
            Fact::Quarantined { quarantined } => {
                self.quarantined = Some(quarantined.clone());
                self.failure_reason = None;
            }
            Fact::Notified { .. } => {
                self.notified = true;
                self.failure_reason = None;
            }
            Fact::Failed { reason, .. } => {
                self.failure_reason = Some(reason.clone());
                self.failed_deliveries += 1;
            }
        }
    }

    /// The effect that is owed next; none when everything is done.
    #[must_use]
    pub fn next(&self) -> Option<Step> {
        match (&self.decision, &self.quarantined) {
            (None, _) => Some(Step::Process),
            (Some(Decision::Rejected { .. }), _) if self.claimed.is_some() => Some(Step::Withdraw),
            (Some(_), _) if self.rejection().is_none() => None,
            (Some(_), None) => Some(Step::Quarantine),
            (Some(_), Some(_)) if !self.notified => Some(Step::Notify),
            (Some(_), Some(_)) => None,
        }
    }

    /// What to do with a delivered version. Only one version is ever processed under an id.
    #[must_use]
    pub fn arrival(&self, version_id: &str) -> Arrival {
        match &self.object {
            Some(object) if object.version_id != version_id => Arrival::Late,
            _ => Arrival::Mine,
        }
    }

    /// Where the upload stands.
    #[must_use]
    pub fn state(&self) -> State {
        match &self.decision {
            _ if self.failure_reason.is_some() => State::Failed,
            None if self.object.is_some() => State::Received,
            None => State::Issued,
            Some(Decision::Accepted { rejection: None, .. }) => State::Accepted,
            Some(Decision::Accepted { rejection: Some(_), .. }) => State::PartiallyAccepted,
            Some(Decision::Rejected { .. }) => State::Quarantined,
            Some(Decision::Duplicate { .. }) => State::Duplicate,
        }
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
}
