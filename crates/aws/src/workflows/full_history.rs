//! The end of an upload whose history DynamoDB does not let grow. The core's limits prevent that; if it happens
//! nevertheless, no delivery is repeated for ever.

use eventpulse_core::id::UploadId;

use crate::Services;
use crate::error::{Error, Kind};

/// Removes the points that an unfinished acceptance wrote, and marks the upload as failed for good. Returns other errors
/// than [`Kind::HistoryFull`] of this upload, such as that of a chunk or a notice that is too large.
///
/// # Errors
/// Returns an [AWS failure](crate::error).
pub(crate) async fn fail_if_full(services: &Services, id: &UploadId, error: Error) -> Result<(), Error> {
    if error.kind != Kind::HistoryFull {
        return Err(error);
    }
    tracing::error!(error = error.chain(), "the history of the upload is full; the upload fails for good");
    let Some(stored) = services.uploads.load(id).await? else { return Err(error) };
    if let Some(claim) = stored.open_claim() {
        services.chunks.delete_of_upload(id, Some(stored.write_number())).await?;
        services.uploads.release(&stored.origin().owner, claim, id).await?;
    }
    services.uploads.mark_full(&stored).await
}
