//! Processes a message as a single upload: the steps of the main workflow, over an object that holds its body.

use eventpulse_core::device::record_limit::too_many_records;
use eventpulse_core::encoding::sha256;
use eventpulse_core::id::message_key;
use eventpulse_core::intake::failure::{Failure, FailureCode};
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{Arrival, ObjectVersion, RecordedEvent, Upload, UploadEvent};
use eventpulse_core::usage::Charge;
use futures_util::{StreamExt as _, stream};
use tracing::Instrument as _;

use super::stages::{FailedMessage, MEDIA_TYPE, ParsedMessage};
use crate::Services;
use crate::adapters::object_store::Properties;
use crate::adapters::upload_store::batch::IdempotencyClaim;
use crate::error::{Error, Kind};
use crate::workflows::conflict_retry::{ConflictRetry, Try};
use crate::workflows::quotas;
use crate::workflows::take_steps::take_steps;
use crate::workflows::upload_work::{StepOutcome, UploadWork};

/// The number of messages that are processed at a time.
const CONCURRENCY: usize = 8;

/// A message after its steps.
enum Processed {
    /// The upload has no steps left.
    Settled(Upload),
    /// The upload waits for another upload with the same bytes.
    Waiting(Upload),
}

/// Processes each message as a single upload. Returns those that the queue must deliver again: AWS failed, or they wait.
pub(super) async fn process_singles(
    services: &Services,
    messages: Vec<ParsedMessage>,
    clock: impl Fn() -> Timestamp + Copy,
) -> Vec<FailedMessage> {
    let processing = messages.into_iter().map(|message| async move {
        let span = message.span();
        match process_single(services, &message, clock).instrument(span).await {
            Ok(Processed::Settled(_)) => None,
            Ok(Processed::Waiting(_)) | Err(_) => Some(message.fail()),
        }
    });
    stream::iter(processing).buffer_unordered(CONCURRENCY).filter_map(|failed| async move { failed }).collect().await
}

/// Stores the body as an object of the process bucket, and processes that to its end.
async fn process_single(
    services: &Services,
    message: &ParsedMessage,
    clock: impl Fn() -> Timestamp + Copy,
) -> Result<Processed, Error> {
    let mut written = None;
    let processed = try_until_processed(services, message, &mut written, clock).await.inspect_err(|error| {
        tracing::error!(error = error.chain(), "processing the message failed; the queue delivers it again");
    })?;
    let (Processed::Settled(upload) | Processed::Waiting(upload)) = &processed;
    if let Some(ObjectVersion { bucket, key, version_id, .. }) =
        written.filter(|written| upload.arrival(written) == Arrival::Late)
    {
        // The history names the object of another delivery of the message.
        services.objects.delete_version(&bucket, &key, &version_id).await?;
    }
    let (state, accepted, rejected) = (upload.state().as_str(), upload.accepted(), upload.rejected());
    match &processed {
        Processed::Settled(_) => tracing::info!(state, accepted, rejected, "the message is processed"),
        Processed::Waiting(_) => {
            tracing::info!(state, "the message waits for an upload with the same bytes; the queue delivers it again");
        }
    }
    Ok(processed)
}

/// Tries until no other worker interferes. A message that waits is not tried again: its next delivery by the queue ends its
/// wait. Its tries would take the time of the other messages.
async fn try_until_processed(
    services: &Services,
    message: &ParsedMessage,
    written: &mut Option<ObjectVersion>,
    clock: impl Fn() -> Timestamp + Copy,
) -> Result<Processed, Error> {
    let mut tries = ConflictRetry::MESSAGE.tries();
    while tries.next().await {
        match process_once(services, message, written, clock).await {
            Ok(Try::Done(processed)) => return Ok(processed),
            Err(error) if error.kind != Kind::Contended => return Err(error),
            Ok(Try::Conflict) | Err(_) => {}
        }
    }
    Err(tries.exhausted("ingest", message.upload_id.as_str()))
}

/// Takes the steps that the message needs. Sets `written` to the object that it writes.
async fn process_once(
    services: &Services,
    message: &ParsedMessage,
    written: &mut Option<ObjectVersion>,
    clock: impl Fn() -> Timestamp + Copy,
) -> Result<Try<Processed>, Error> {
    let mut work = begin(services, message, written, clock).await?;
    if work.upload.attempt() > 0 {
        return Ok(Try::Done(Processed::Settled(work.upload))); // its retries arrive as objects
    }
    if work.is_held_by_another_worker() {
        return Ok(Try::Conflict);
    }
    let outcome = take_steps(&mut work).await?;
    Ok(after_steps(outcome, work.upload))
}

/// Returns whether a message needs another try after its steps.
fn after_steps(outcome: StepOutcome, upload: Upload) -> Try<Processed> {
    match outcome {
        StepOutcome::Done => Try::Done(Processed::Settled(upload)),
        StepOutcome::Waiting => Try::Done(Processed::Waiting(upload)),
        StepOutcome::Conflict => Try::Conflict,
    }
}

/// Loads the history of a message. Writes its object and begins a history if there is none.
async fn begin<'a, C: Fn() -> Timestamp + Copy>(
    services: &'a Services,
    message: &ParsedMessage,
    written: &mut Option<ObjectVersion>,
    clock: C,
) -> Result<UploadWork<'a, C>, Error> {
    let id = &message.upload_id;
    let corrupt = || Error::new("ingest", id.as_str(), Kind::Corrupt);
    let (upload, object, unstored) = match services.uploads.load(id).await? {
        Some(upload) => {
            let is_this_message = upload.message().is_some() && upload.origin().owner == message.owner;
            let object = upload.object().cloned().filter(|_| is_this_message).ok_or_else(corrupt)?;
            (upload, object, Vec::new())
        }
        None => {
            let charge = Charge { bytes: message.body.len() as u64, ..Charge::default() };
            let counted = quotas::count(&services.usage, &message.owner, &charge, clock());
            let object = tokio::join!(write_object(services, message), counted).0?;
            *written = Some(object.clone());
            let correlation_id = message.correlation_id.clone();
            let received = UploadEvent::Received { object: object.clone(), correlation_id, retry_form: None };
            let events = vec![message.posted_event(), RecordedEvent::new(clock(), received)];
            let upload = Upload::fold(id.clone(), &events).map_err(|error| corrupt().with_source(error))?;
            (upload, object, events)
        }
    };
    let mut work = UploadWork::new(services, upload, object, unstored, clock);
    let is_new = work.upload.decision().is_none() && work.upload.attempt() == 0;
    if let Some(failure) = too_many_records(&message.body).filter(|_| is_new) {
        work.reject(failure);
        return Ok(work);
    }
    claim_idempotency_key(services, message, &mut work).await?;
    Ok(work)
}

async fn write_object(services: &Services, message: &ParsedMessage) -> Result<ObjectVersion, Error> {
    let (bucket, key) = (&services.config.process_bucket, message_key(&message.owner, &message.upload_id));
    let (body, size) = (message.body.clone(), message.body.len() as u64);
    let metadata = message.metadata().to_map();
    let version_id = services.objects.put_new((bucket, &key), Properties::plain(MEDIA_TYPE, &metadata), body).await?;
    Ok(ObjectVersion { bucket: bucket.clone(), key, version_id, size, line: None })
}

/// Claims the header `Idempotency-Key`. Rejects the message if an earlier one has the same key and another body.
async fn claim_idempotency_key<C: Fn() -> Timestamp + Copy>(
    services: &Services,
    message: &ParsedMessage,
    work: &mut UploadWork<'_, C>,
) -> Result<(), Error> {
    let Some(key) = message.stored_idempotency_key(&sha256(&message.body)) else { return Ok(()) };
    if work.upload.decision().is_some() || work.upload.attempt() > 0 {
        return Ok(());
    }
    match services.uploads.claim_idempotency_key(&work.upload, &key, work.now()).await? {
        // The claim on the digest of the body finds out whether an equal body is accepted already.
        IdempotencyClaim::Acquired | IdempotencyClaim::Earlier { same_body: true, .. } => {}
        IdempotencyClaim::Earlier { upload_id, same_body: false } => {
            let text = format!(
                "{upload_id} came with the same Idempotency-Key and another body: give each event a key of its own"
            );
            work.reject(Failure::new(FailureCode::IdempotencyKeyReused, "", text));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_waits_is_not_tried_again() {
        let message = ParsedMessage::example(b"{}");
        let upload = Upload::fold(message.upload_id.clone(), &[message.posted_event()]).unwrap();
        let name = |processed| match processed {
            Try::Done(Processed::Settled(_)) => "settled",
            Try::Done(Processed::Waiting(_)) => "waiting",
            Try::Conflict => "tried again",
        };
        for (outcome, expected) in
            [(StepOutcome::Done, "settled"), (StepOutcome::Waiting, "waiting"), (StepOutcome::Conflict, "tried again")]
        {
            assert_eq!(name(after_steps(outcome, upload.clone())), expected, "{outcome:?}");
        }
    }
}
