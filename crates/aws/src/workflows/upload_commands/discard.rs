//! Discarding rejected data.

use eventpulse_core::id::{OwnerId, UploadId};
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{QuarantineLocation, Upload, commands};

use crate::Services;
use crate::error::Error;
use crate::workflows::decide_and_append::{CommandOutcome, decide_and_append};

/// Discards rejected data. Accepted records stay accepted.
///
/// # Errors
/// Returns an [AWS failure](crate::error). A repeated call removes objects that this one left.
pub async fn discard(
    services: &Services,
    owner: &OwnerId,
    id: &UploadId,
    now: Timestamp,
) -> Result<CommandOutcome<Upload>, Error> {
    let command = |upload: &Upload| commands::discard(upload, now);
    let outcome = decide_and_append(services, owner, id, now, command).await?;
    if let CommandOutcome::Done(upload) = &outcome
        && let Some(location) = upload.quarantine_location()
    {
        hide(services, location).await?;
    }
    Ok(outcome)
}

/// Hides the rejected data and its report. The lifecycle rule of the bucket deletes them later.
async fn hide(services: &Services, location: &QuarantineLocation) -> Result<(), Error> {
    if let Some(key) = &location.key {
        services.objects.hide(&location.bucket, key).await?;
    }
    services.objects.hide(&location.bucket, &location.report_key).await
}
