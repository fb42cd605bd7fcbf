//! The beginning of a delivery: from an object version to the upload that it belongs to.

use eventpulse_core::id::{OwnerId, UploadId, file_name_in_key, upload_id_in_key};
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{Arrival, ObjectVersion, Origin, RecordedEvent, Upload, UploadEvent, commands};

use crate::Services;
use crate::adapters::object_store::NO_VERSION;
use crate::error::{Error, Kind};
use crate::workflows::delivery::{Delivery, DeliveryOutcome};
use crate::workflows::upload_work::UploadWork;

/// The beginning of a delivery.
pub(crate) enum Begun<'a, C> {
    /// The object is the one to process.
    Work(Box<UploadWork<'a, C>>),
    /// Nothing is left to do.
    Finished(DeliveryOutcome),
}

/// Finds the upload of a delivered object. Removes the object if the upload has another one already.
///
/// # Errors
/// Returns an [AWS failure](crate::error).
pub(crate) async fn begin_delivery<'a, C: Fn() -> Timestamp>(
    services: &'a Services,
    delivery: &Delivery,
    clock: C,
) -> Result<Begun<'a, C>, Error> {
    let issued = upload_of_key(services, &delivery.key).await?;
    let object = object_version(services, delivery, issued.as_ref()).await?;
    let (upload, unstored) = match issued {
        Some(upload) => (upload, Vec::new()),
        None => found_upload(services, &object, clock()).await?,
    };
    tracing::Span::current().record("upload_id", upload.id().as_str());
    if upload.is_history_full() {
        return Ok(Begun::Finished(DeliveryOutcome::Settled(Box::new(upload))));
    }
    match upload.arrival(&object) {
        Arrival::Late => {
            remove_late_version(services, &upload, &object).await?;
            Ok(Begun::Finished(DeliveryOutcome::LateVersionRemoved(upload.id().clone())))
        }
        Arrival::AlreadyProcessed => Ok(Begun::Finished(DeliveryOutcome::Settled(Box::new(upload)))),
        Arrival::Current => {
            let received = commands::receive(&upload, &object, &delivery.correlation_id);
            let mut work = UploadWork::new(services, upload, object, unstored, clock);
            work.record(received);
            Ok(Begun::Work(Box::new(work)))
        }
    }
}

/// Loads the upload whose id is in this key, if the key belongs to it: its own key, or one of its retries.
async fn upload_of_key(services: &Services, key: &str) -> Result<Option<Upload>, Error> {
    let Some(id) = upload_id_in_key(key) else { return Ok(None) };
    let upload = services.uploads.load(&id).await?;
    Ok(upload.filter(|upload| upload.has_key(key)))
}

/// Returns the object version of a delivery. A delivery without a version means the current one or, if that is gone, the
/// one that the upload received.
async fn object_version(
    services: &Services,
    delivery: &Delivery,
    issued: Option<&Upload>,
) -> Result<ObjectVersion, Error> {
    let Delivery { bucket, key, version_id, size, .. } = delivery.clone();
    if let Some(version_id) = version_id {
        return Ok(ObjectVersion { bucket, key, version_id, size, line: None });
    }
    let current = services.objects.head(&bucket, &key, None).await?;
    let received = issued.and_then(Upload::object).filter(|object| object.key == key);
    let (version_id, size) = match (current, received) {
        (Some(current), _) => (current.version_id, current.size),
        (None, Some(received)) => (received.version_id.clone(), received.size),
        (None, None) => (NO_VERSION.to_owned(), size), // deleted before it was read
    };
    Ok(ObjectVersion { bucket, key, version_id, size, line: None })
}

/// Loads or creates the upload of an object for which no URL was issued. Returns the events that are not stored yet, too.
async fn found_upload(
    services: &Services,
    object: &ObjectVersion,
    now: Timestamp,
) -> Result<(Upload, Vec<RecordedEvent>), Error> {
    let id = UploadId::of_object(&object.bucket, &object.key, &object.version_id);
    if let Some(upload) = services.uploads.load(&id).await? {
        return Ok((upload, Vec::new()));
    }
    let events = vec![RecordedEvent::new(now, UploadEvent::ObjectFound { origin: found_origin(&object.key) })];
    match Upload::fold(id, &events) {
        Ok(upload) => Ok((upload, events)),
        Err(error) => Err(Error::new("fold", &object.key, Kind::Corrupt).with_source(error)),
    }
}

/// Returns the origin of an object for which no URL was issued: it belongs to the operator.
fn found_origin(key: &str) -> Origin {
    Origin {
        owner: OwnerId::operator(),
        key: key.to_owned(),
        file_name: file_name_in_key(key),
        schema: None,
        max_rejected: None,
        expires_at: None,
    }
}

/// Removes a version whose upload has another one already, and counts it. A client can send any number of them, so they
/// are no events of the history.
async fn remove_late_version(services: &Services, upload: &Upload, object: &ObjectVersion) -> Result<(), Error> {
    let ObjectVersion { bucket, key, version_id, .. } = object;
    services.objects.delete_version(bucket, key, version_id).await?;
    tracing::warn!(version_id, "removed a late version unread");
    services.uploads.count_late_version(upload.id()).await
}
