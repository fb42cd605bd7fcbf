//! Stores accepted messages in batches, one transaction each.

use std::collections::BTreeMap;
use std::time::Duration;

use eventpulse_core::device::batch::{BatchCandidate, BatchedMessage, WriteBatch, plan_batches};
use eventpulse_core::id::OwnerId;
use eventpulse_core::intake::fingerprint::kind_of;
use eventpulse_core::notification::source::Source;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{Decision, RecordedEvent, Upload, UploadEvent};
use eventpulse_core::usage::Charge;

use super::stages::{FailedMessage, LoggedMessage, ParsedMessage};
use crate::Services;
use crate::adapters::notice_store::profile::Passed;
use crate::adapters::upload_store::batch::{BatchAppend, NewUpload};
use crate::error::{Error, Kind};
use crate::workflows::record_occurrence::record_pass;

/// The maximum number of times that the messages of a refused batch are planned again.
const ATTEMPTS: u32 = 8;
/// The pause after the first conflict. It doubles with each attempt, 13 s in all.
const PAUSE: Duration = Duration::from_millis(50);

/// The messages that are not stored in a batch.
#[derive(Default)]
pub(super) struct BatchOutcome {
    /// The messages to process as single uploads.
    pub(super) handed_on: Vec<ParsedMessage>,
    /// The messages that AWS failed to store.
    pub(super) failed: Vec<FailedMessage>,
    /// The charges of the stored messages to the quotas of their owners.
    pub(super) charges: BTreeMap<OwnerId, Charge>,
}

impl BatchOutcome {
    fn hand_on(&mut self, candidates: impl IntoIterator<Item = BatchCandidate<LoggedMessage>>) {
        self.handed_on.extend(candidates.into_iter().map(|candidate| candidate.message.message));
    }

    fn charge(&mut self, candidates: impl IntoIterator<Item = BatchCandidate<LoggedMessage>>) {
        for candidate in candidates {
            let ParsedMessage { owner, body, .. } = candidate.message.message;
            self.charges.entry(owner).or_default().bytes += body.len() as u64;
        }
    }

    fn fail(&mut self, candidates: impl IntoIterator<Item = BatchCandidate<LoggedMessage>>) {
        self.failed.extend(candidates.into_iter().map(|candidate| candidate.message.message.fail()));
    }
}

/// Stores messages in batches, and plans those of a refused batch again.
pub(super) async fn store_in_batches(
    services: &Services,
    mut candidates: Vec<BatchCandidate<LoggedMessage>>,
    clock: impl Fn() -> Timestamp + Copy,
) -> BatchOutcome {
    let mut outcome = BatchOutcome::default();
    for attempt in 0..ATTEMPTS {
        let plan = plan_batches(candidates);
        outcome.handed_on.extend(plan.unbatched.into_iter().map(|logged| logged.message));
        candidates = Vec::new();
        for batch in plan.batches {
            let appended = store_batch(services, &batch, clock()).await;
            let messages = batch.members.len();
            let members = batch.members.into_iter().map(|member| member.candidate);
            match appended {
                Ok(BatchAppend::Done) => outcome.charge(members),
                // Processing a known message as a single upload finds out which part of it is stored already.
                Ok(BatchAppend::Known(ids)) => {
                    let (known, unknown): (Vec<_>, Vec<_>) =
                        members.partition(|candidate| ids.contains(&candidate.upload_id));
                    outcome.hand_on(known);
                    candidates.extend(unknown);
                }
                Ok(BatchAppend::Contended) => {
                    candidates.extend(members);
                    tokio::time::sleep(PAUSE * (1 << attempt)).await;
                }
                // One message may be the cause: processed as single uploads, the others succeed.
                Err(error) if !error.is_retryable() => {
                    tracing::error!(error = error.chain(), messages, "DynamoDB refused a batch of messages");
                    outcome.hand_on(members);
                }
                Err(error) => {
                    tracing::error!(error = error.chain(), messages, "storing a batch of messages failed");
                    outcome.fail(members);
                }
            }
        }
        if candidates.is_empty() {
            return outcome;
        }
    }
    // The conflicts persist; single uploads would add more writes.
    outcome.fail(candidates);
    outcome
}

/// Stores one batch: all or nothing.
async fn store_batch(
    services: &Services,
    batch: &WriteBatch<LoggedMessage>,
    now: Timestamp,
) -> Result<BatchAppend, Error> {
    let mut uploads = Vec::with_capacity(batch.members.len());
    for member in &batch.members {
        uploads.push(new_upload(member, now)?);
    }
    let appended = services.uploads.append_batch(&uploads, &batch.chunks, now).await?;
    if appended == BatchAppend::Done {
        log_stored(&uploads);
        record_passes(services, batch, &uploads, now).await;
    }
    Ok(appended)
}

/// Returns the history of a message in its batch.
fn new_upload(member: &BatchedMessage<LoggedMessage>, now: Timestamp) -> Result<NewUpload, Error> {
    let LoggedMessage { message, acceptance, object } = &member.candidate.message;
    let mut decision = acceptance.decision.clone();
    if let Decision::Accepted { chunks, shared_chunks, .. } = &mut decision {
        (*chunks, *shared_chunks) = (member.own_chunks, member.shared_chunks.clone());
    }
    let correlation_id = message.correlation_id.clone();
    let events = vec![
        message.posted_event(),
        RecordedEvent::new(now, UploadEvent::Received { object: object.clone(), correlation_id, retry_form: None }),
        RecordedEvent::new(now, UploadEvent::Decided { decision, claim: Some(acceptance.sha256.clone()) }),
    ];
    let upload = Upload::fold(message.upload_id.clone(), &events);
    let upload =
        upload.map_err(|error| Error::new("fold", message.upload_id.as_str(), Kind::Corrupt).with_source(error))?;
    let idempotency_key = message.stored_idempotency_key(&acceptance.sha256);
    Ok(NewUpload { upload, events, sha256: acceptance.sha256.clone(), idempotency_key })
}

/// Counts the messages in the profiles of their owners, and records that their kinds pass.
async fn record_passes(services: &Services, batch: &WriteBatch<LoggedMessage>, uploads: &[NewUpload], now: Timestamp) {
    let requested_kind = kind_of(&services.catalog.resolve(None, &services.config.default_schema));
    let mut of_owners: BTreeMap<&OwnerId, (Passed, &Upload)> = BTreeMap::new();
    for (member, new) in batch.members.iter().zip(uploads) {
        let logged = &member.candidate.message;
        let (passed, last) = of_owners.entry(&logged.message.owner).or_insert((Passed::default(), &new.upload));
        passed.add(&logged.acceptance.shapes, &requested_kind, Source::of(&new.upload).as_ref());
        *last = &new.upload;
    }
    for (passed, last) in of_owners.into_values() {
        record_pass(services, last, &passed, now).await;
    }
}

fn log_stored(uploads: &[NewUpload]) {
    for NewUpload { upload, .. } in uploads {
        tracing::info!(
            upload_id = upload.id().as_str(),
            correlation_id = upload.correlation_id(),
            state = upload.state().as_str(),
            accepted = upload.accepted(),
            rejected = 0,
            "the message is processed"
        );
    }
}
