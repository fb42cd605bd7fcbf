//! Requests a retry, and brings its data into the process bucket: copies the rejected data, writes the correction, or
//! presigns the PUT of a correction.

use std::time::Duration;

use eventpulse_core::id::{OwnerId, UploadId};
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::commands::{self, Refusal};
use eventpulse_core::upload::object_metadata::ObjectMetadata;
use eventpulse_core::upload::{QuarantineLocation, Upload};

use crate::Services;
use crate::adapters::object_store::presign::PutOptions;
use crate::adapters::object_store::{Head, NO_VERSION, Properties};
use crate::error::{Error, Kind};
use crate::workflows::decide_and_append::{CommandOutcome, decide_and_append, load_owned};
use crate::workflows::issue::Issued;

/// The time within which the data of a retry arrives that the service itself writes.
const ARRIVES_WITHIN: Duration = Duration::from_secs(300);

/// Corrected data in the body of a request.
#[derive(Debug, Clone)]
pub struct Correction<'a> {
    /// The `Content-Type`.
    pub content_type: &'a str,
    /// The `Content-Encoding`.
    pub content_encoding: Option<&'a str>,
    /// The data.
    pub body: Vec<u8>,
}

/// Retries rejected data unchanged, for example after a change of the schema.
///
/// # Errors
/// Returns an [AWS failure](crate::error). If the data was not copied, the retry lapses after five minutes.
pub async fn retry_unchanged(
    services: &Services,
    owner: &OwnerId,
    id: &UploadId,
    now: Timestamp,
) -> Result<CommandOutcome<Upload>, Error> {
    let Some(upload) = load_owned(services, owner, id).await? else { return Ok(CommandOutcome::NotFound) };
    let from = match commands::retryable_location(&upload, now) {
        Ok(location) => location.clone(),
        Err(refusal) => return Ok(CommandOutcome::Refused(refusal)),
    };
    let Some(stored) = stored_head(services, &from).await? else {
        return Ok(CommandOutcome::Refused(Refusal::NothingToRetry));
    };
    let command = |upload: &Upload| commands::retry_unchanged(upload, &from, ARRIVES_WITHIN, now);
    let outcome = decide_and_append(services, owner, id, now, command).await?;
    if let CommandOutcome::Done(upload) = &outcome {
        copy_into_process_bucket(services, upload, &from, &stored).await?;
    }
    Ok(outcome)
}

/// Returns the size and the properties of quarantined data; `None` if it is gone.
async fn stored_head(services: &Services, location: &QuarantineLocation) -> Result<Option<Head>, Error> {
    let Some(key) = &location.key else { return Ok(None) };
    services.objects.head(&location.bucket, key, None).await
}

async fn copy_into_process_bucket(
    services: &Services,
    upload: &Upload,
    from: &QuarantineLocation,
    stored: &Head,
) -> Result<(), Error> {
    let from_key = from.key.as_deref().unwrap_or_default();
    let source = (from.bucket.as_str(), from_key, NO_VERSION);
    let target = (services.config.process_bucket.as_str(), pending_key(upload)?);
    let metadata = ObjectMetadata::of_pending_retry(upload).to_map();
    if !services.objects.copy(source, stored.size, target, Some(stored.properties(&metadata))).await? {
        return Err(Error::new("CopyObject", from_key, Kind::Missing));
    }
    Ok(())
}

/// Retries rejected data with a correction. For a partially accepted upload, the correction replaces the rejected records
/// only.
///
/// # Errors
/// Returns an [AWS failure](crate::error). If the data was not written, the retry lapses after five minutes.
pub async fn retry_corrected(
    services: &Services,
    owner: &OwnerId,
    id: &UploadId,
    correction: Correction<'_>,
    now: Timestamp,
) -> Result<CommandOutcome<Upload>, Error> {
    let Correction { content_type, content_encoding, body } = correction;
    let command = |upload: &Upload| commands::request_correction(upload, content_type, ARRIVES_WITHIN, now);
    let outcome = decide_and_append(services, owner, id, now, command).await?;
    if let CommandOutcome::Done(upload) = &outcome {
        let target = (services.config.process_bucket.as_str(), pending_key(upload)?);
        let metadata = ObjectMetadata::of_pending_retry(upload).to_map();
        services.objects.put(target, Properties { content_type, content_encoding, metadata: &metadata }, body).await?;
    }
    Ok(outcome)
}

/// Presigns the PUT of a correction that is too large for the body of a request. The retry lapses if the URL is not used
/// in time.
///
/// # Errors
/// Returns an [AWS failure](crate::error).
pub async fn presign_correction(
    services: &Services,
    owner: &OwnerId,
    id: &UploadId,
    options: &PutOptions<'_>,
) -> Result<CommandOutcome<Issued>, Error> {
    let PutOptions { content_type, now, expires_in, .. } = *options;
    let command = |upload: &Upload| commands::request_correction(upload, content_type, expires_in, now);
    let upload = match decide_and_append(services, owner, id, now, command).await? {
        CommandOutcome::Done(upload) => upload,
        CommandOutcome::Refused(refusal) => return Ok(CommandOutcome::Refused(refusal)),
        CommandOutcome::NotFound => return Ok(CommandOutcome::NotFound),
    };
    let key = pending_key(&upload)?.to_owned();
    let metadata = ObjectMetadata::of_pending_retry(&upload).to_map();
    let put = services.objects.presign_put((&services.config.process_bucket, &key), options, metadata).await?;
    Ok(CommandOutcome::Done(Issued { upload_id: id.clone(), key, put, expires_at: now + expires_in }))
}

/// Returns the key of the retry that was just requested.
fn pending_key(upload: &Upload) -> Result<&str, Error> {
    let retry = upload.pending_retry().ok_or_else(|| Error::new("retry", upload.id().as_str(), Kind::Corrupt))?;
    Ok(&retry.key)
}
