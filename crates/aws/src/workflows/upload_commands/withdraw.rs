//! Withdrawing an upload: its accepted records leave every answer, and the same bytes may be sent and accepted again.

use std::time::Duration;

use eventpulse_core::id::{OwnerId, UploadId};
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{Upload, commands};

use crate::Services;
use crate::error::Error;
use crate::workflows::decide_and_append::{CommandOutcome, decide_and_append, load_owned};
use crate::workflows::remove_chunks::remove_chunks;

/// The time for the removal of chunks before the call answers: API Gateway waits 29 s.
const REMOVAL_TIMEOUT: Duration = Duration::from_secs(20);

/// The outcome of a withdrawal.
#[derive(Debug, Clone, PartialEq)]
pub enum Withdrawal {
    /// The upload has no accepted records any more.
    Done(Box<Upload>),
    /// Some chunks are left: call again.
    Unfinished(Box<Upload>),
}

/// Withdraws an upload.
///
/// # Errors
/// Returns an [AWS failure](crate::error). A repeated call resumes.
pub async fn withdraw(
    services: &Services,
    owner: &OwnerId,
    id: &UploadId,
    now: Timestamp,
) -> Result<CommandOutcome<Withdrawal>, Error> {
    let Some(before) = load_owned(services, owner, id).await? else { return Ok(CommandOutcome::NotFound) };
    if before.is_withdrawn() {
        return Ok(CommandOutcome::Done(Withdrawal::Done(Box::new(before))));
    }
    let request = |upload: &Upload| commands::request_withdrawal(upload, now);
    let upload = match decide_and_append(services, owner, id, now, request).await? {
        CommandOutcome::Done(upload) => upload,
        CommandOutcome::Refused(refusal) => return Ok(CommandOutcome::Refused(refusal)),
        CommandOutcome::NotFound => return Ok(CommandOutcome::NotFound),
    };
    // A resumed withdrawal does not know how many chunks an earlier call removed, and relies on the index.
    let expected = if before.is_withdrawal_requested() { 0 } else { upload.chunk_count() };
    match tokio::time::timeout(REMOVAL_TIMEOUT, remove_chunks(services, &upload, expected)).await {
        Ok(removed) => removed?,
        Err(_) => return Ok(CommandOutcome::Done(Withdrawal::Unfinished(Box::new(upload)))),
    }
    for claim in upload.claims() {
        services.uploads.release(owner, claim, id).await?;
    }
    let outcome = decide_and_append(services, owner, id, now, commands::complete_withdrawal).await?;
    Ok(outcome.map(|upload| Withdrawal::Done(Box::new(upload))))
}
