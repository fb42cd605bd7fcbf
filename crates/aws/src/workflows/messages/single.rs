//! A message's own way: the steps of the main job, over an object that holds its body.

use eventpulse_core::encoding::sha256;
use eventpulse_core::id::message_key;
use eventpulse_core::intake::failure::{Failure, FailureCode};
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{Arrival, ObjectVersion, RecordedEvent, Upload, UploadEvent};

use super::{MEDIA_TYPE, Message};
use crate::Services;
use crate::adapters::upload_store::Append;
use crate::adapters::upload_store::batch::IdempotencyClaim;
use crate::error::{Error, Kind};
use crate::workflows::process_upload::{PAUSE, UploadWork};

/// How often a message's own way is begun anew because somebody else is on it: 8 s in all, longer than it takes until that
/// one is taken for dead.
const ATTEMPTS: u32 = 16;

/// A message's own way: its body becomes an object of the process bucket, and is taken to its end as an uploaded one.
pub(super) async fn alone(
    services: &Services,
    message: &Message,
    clock: impl Fn() -> Timestamp + Copy,
) -> Result<(), Error> {
    let mut placed = None;
    let settled = async {
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            match step(services, message, &mut placed, clock).await {
                Ok(Some(upload)) => return Ok(upload),
                Err(error) if error.kind != Kind::Contended => return Err(error),
                Ok(None) | Err(_) => {}
            }
        }
        Err(Error::new("ingest", message.upload_id.as_str(), Kind::Contended))
    };
    match settled.await {
        Ok(upload) => {
            if let Some(ObjectVersion { bucket, key, version_id, .. }) =
                placed.filter(|placed| upload.arrival(placed) == Arrival::Late)
            {
                // Another delivery of it was faster: its history names another object.
                services.objects.delete_version(&bucket, &key, &version_id).await?;
            }
            let (accepted, rejected) = (upload.accepted(), upload.rejected());
            tracing::info!(state = upload.state().as_str(), accepted, rejected, "the message is settled");
            Ok(())
        }
        Err(error) => {
            tracing::error!(error = error.chain(), "the message failed; it will be delivered again");
            Err(error)
        }
    }
}

/// Takes the steps that are owed for a message; none when somebody else is at work on it. `placed`: the object that it was made.
async fn step(
    services: &Services,
    message: &Message,
    placed: &mut Option<ObjectVersion>,
    clock: impl Fn() -> Timestamp + Copy,
) -> Result<Option<Upload>, Error> {
    let mut work = begin(services, message, placed, clock).await?;
    if work.upload.attempt() > 0 {
        return Ok(Some(work.upload)); // its retries come as objects
    }
    let is_done = !work.is_in_other_hands() && work.run().await? == Append::Done;
    Ok(is_done.then_some(work.upload))
}

/// Finds out what is known of a message; makes it an object if that is nothing.
async fn begin<'a, C: Fn() -> Timestamp + Copy>(
    services: &'a Services,
    message: &Message,
    placed: &mut Option<ObjectVersion>,
    clock: C,
) -> Result<UploadWork<'a, C>, Error> {
    let id = &message.upload_id;
    let bucket = &services.config.process_bucket;
    let corrupt = || Error::new("ingest", id.as_str(), Kind::Corrupt);
    let (upload, object, unstored) = match services.uploads.load(id).await? {
        Some(upload) => {
            let is_its_own = upload.message().is_some() && upload.origin().owner == message.owner;
            let object = upload.object().cloned().filter(|_| is_its_own).ok_or_else(corrupt)?;
            (upload, object, Vec::new())
        }
        None => {
            let (key, body) = (message_key(id), message.body.clone());
            let size = body.len() as u64;
            let version_id = services.objects.put_new((bucket, &key), MEDIA_TYPE, body).await?;
            let object = ObjectVersion { bucket: bucket.clone(), key, version_id, size, line: None };
            *placed = Some(object.clone());
            let correlation_id = message.correlation_id.clone();
            let received = UploadEvent::Received { object: object.clone(), correlation_id };
            let events = vec![message.posted(), RecordedEvent::new(clock(), received)];
            let upload = Upload::fold(id.clone(), &events).map_err(|error| corrupt().with_source(error))?;
            (upload, object, events)
        }
    };
    let mut work = UploadWork::resume(services, upload, object, unstored, message.correlation_id.clone(), clock);
    if let Some(key) = message.key(&sha256(&message.body))
        && work.upload.decision().is_none()
        && work.upload.attempt() == 0
    {
        match services.uploads.claim_key(&work.upload, &key, clock()).await? {
            // The same body: whether that counts already, the claim on its digest tells.
            IdempotencyClaim::Acquired | IdempotencyClaim::Earlier { same_body: true, .. } => {}
            IdempotencyClaim::Earlier { upload_id, same_body: false } => {
                let message = format!(
                    "{upload_id} came with the same Idempotency-Key and another body: give each event a key of its own"
                );
                work.reject(Failure::new(FailureCode::IdempotencyKeyReused, "", message));
            }
        }
    }
    Ok(work)
}
