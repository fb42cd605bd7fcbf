//! The shell of a command: load the upload, let the core decide, append its events. An event that closes rejected records
//! is appended together with the occurrence for the owner's notices.

use eventpulse_core::id::{OwnerId, UploadId};
use eventpulse_core::notification::occurrence::Occurrence;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::commands::Refusal;
use eventpulse_core::upload::{RecordedEvent, Upload, UploadEvent};

use crate::Services;
use crate::adapters::upload_store::Append;
use crate::adapters::upload_store::open_counters::StoredState;
use crate::error::{Error, Kind};
use crate::workflows::conflict_retry::ConflictRetry;

/// The outcome of a command. A refusal is an answer, not an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandOutcome<T> {
    /// The command succeeded.
    Done(T),
    /// The command does not fit the state of the upload.
    Refused(Refusal),
    /// The owner has no such upload.
    NotFound,
}

impl<T> CommandOutcome<T> {
    /// Replaces the value of a command that succeeded.
    pub(crate) fn map<U>(self, convert: impl FnOnce(T) -> U) -> CommandOutcome<U> {
        match self {
            Self::Done(value) => CommandOutcome::Done(convert(value)),
            Self::Refused(refusal) => CommandOutcome::Refused(refusal),
            Self::NotFound => CommandOutcome::NotFound,
        }
    }
}

/// Loads an upload of this owner.
///
/// # Errors
/// Returns an [AWS failure](crate::error).
pub(crate) async fn load_owned(services: &Services, owner: &OwnerId, id: &UploadId) -> Result<Option<Upload>, Error> {
    let upload = services.uploads.load(id).await?;
    Ok(upload.filter(|upload| upload.origin().owner == *owner))
}

/// Appends the events that `command` returns for an upload of this owner, and returns the upload with them applied.
/// Decides again if another process appended meanwhile.
///
/// # Errors
/// Returns an [AWS failure](crate::error).
pub(crate) async fn decide_and_append(
    services: &Services,
    owner: &OwnerId,
    id: &UploadId,
    now: Timestamp,
    command: impl Fn(&Upload) -> Result<Vec<UploadEvent>, Refusal>,
) -> Result<CommandOutcome<Upload>, Error> {
    let mut tries = ConflictRetry::COMMAND.tries();
    while tries.next().await {
        let Some(mut upload) = load_owned(services, owner, id).await? else { return Ok(CommandOutcome::NotFound) };
        let events = match command(&upload) {
            Ok(events) => events,
            Err(refusal) => return Ok(CommandOutcome::Refused(refusal)),
        };
        match append(services, &mut upload, events, now).await {
            Ok(Append::Done) => return Ok(CommandOutcome::Done(upload)),
            Ok(Append::Conflict) => {}
            Err(error) if error.kind == Kind::HistoryFull => {
                tracing::error!(error = error.chain(), upload_id = id.as_str(), "the history of the upload is full");
                return Ok(CommandOutcome::Refused(Refusal::HistoryFull));
            }
            Err(error) => return Err(error),
        }
    }
    Err(tries.exhausted("decide", id.as_str()))
}

async fn append(
    services: &Services,
    upload: &mut Upload,
    events: Vec<UploadEvent>,
    now: Timestamp,
) -> Result<Append, Error> {
    let (before, stored) = (upload.clone(), StoredState::of(upload));
    let events: Vec<RecordedEvent> = events.into_iter().map(|event| RecordedEvent::new(now, event)).collect();
    for event in &events {
        upload.apply(event);
    }
    if events.is_empty() {
        return Ok(Append::Done);
    }
    match Occurrence::of_command(&before, upload, now) {
        None => services.uploads.append(upload, &stored, &events).await,
        Some(occurrence) => {
            let action = services.notices.occurrence_action(&upload.origin().owner, &occurrence)?;
            services.uploads.append_with(upload, &stored, &events, action).await
        }
    }
}
