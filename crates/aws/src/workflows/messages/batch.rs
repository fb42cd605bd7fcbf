//! Messages that count as they are, stored together.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use eventpulse_core::device::batch::{self, BatchCandidate, WriteBatch};
use eventpulse_core::id::MESSAGES_PREFIX;
use eventpulse_core::intake::fingerprint::kind_of;
use eventpulse_core::intake::inspection::{InputForm, InspectionSpec, Inspector, Retention};
use eventpulse_core::intake::reader::{Limits, Media};
use eventpulse_core::intake::shape::Shape;
use eventpulse_core::statistics::chunk::Chunk;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{Decision, ObjectVersion, RecordedEvent, Upload, UploadEvent};
use serde::Serialize;

use super::{MEDIA_TYPE, Message};
use crate::Services;
use crate::adapters::notice_store::profile::Passed;
use crate::adapters::upload_store::batch::{IdempotencyKey, Settled, Stored, items};
use crate::error::{Error, Kind};
use crate::workflows::record_occurrence::note_passed;

/// How often messages are grouped anew: some of a group turned out to be known, or others write the same items.
const GROUPINGS: u32 = 8;
/// How long to wait, the first time, when others do; twice as long each further time, 13 s in all.
const GROUPING_PAUSE: Duration = Duration::from_millis(50);
/// More chunks than that are not worth a place in a shared transaction.
const MAX_CHUNKS_IN_GROUP: usize = 24;

/// A message that counts as it is, if nobody was faster.
struct Good {
    /// Its place in the batch.
    place: usize,
    decision: Decision,
    /// The digest of its body.
    sha256: String,
    key: Option<IdempotencyKey>,
    member: BatchCandidate,
    /// What its records look like.
    shapes: Vec<Shape>,
}

/// What became of messages that were to be stored together, by their places in the batch. The rest goes its own way.
#[derive(Default)]
pub(super) struct Together {
    pub(super) stored: Vec<usize>,
    /// AWS did not do its part.
    pub(super) failed: Vec<usize>,
}

/// Stores those messages together that count as they are. `log_name` names their object in the raw log.
pub(super) async fn together(
    services: &Services,
    messages: &[Message],
    log_name: &str,
    clock: impl Fn() -> Timestamp + Copy,
) -> Together {
    let mut together = Together::default();
    let good = messages.iter().enumerate().filter_map(|(place, message)| examine(services, place, message));
    let mut good: Vec<Good> = good.collect();
    if good.is_empty() {
        return together;
    }
    let log = match write_log(services, messages, &good, log_name, clock()).await {
        Ok(log) => log,
        Err(error) => {
            tracing::error!(error = error.chain(), messages = good.len(), "writing the raw log failed");
            together.failed = good.iter().map(|good| good.place).collect();
            return together;
        }
    };
    for grouping in 0..GROUPINGS {
        let mut again = Vec::new();
        for group in batch::plan(good.iter().map(|good| &good.member)) {
            let of_group: Vec<usize> = group.members.iter().map(|member| member.place).collect();
            let places = || of_group.iter().filter_map(|at| good.get(*at)).map(|good| good.place);
            match store(services, messages, &good, &log, group, clock()).await {
                Ok(Stored::Done) => together.stored.extend(places()),
                // The others are grouped anew; these go their own way, which finds out what is known.
                Ok(Stored::Known(known)) => {
                    again.extend(places().enumerate().filter(|(at, _)| !known.contains(at)).map(|(_, place)| place));
                }
                Ok(Stored::Contended) => {
                    again.extend(places());
                    tokio::time::sleep(GROUPING_PAUSE * (1 << grouping)).await;
                }
                // What is wrong may be one of them: they go their own ways, and the others arrive.
                Err(error) if !error.is_retryable() => {
                    tracing::error!(
                        error = error.chain(),
                        messages = of_group.len(),
                        "messages cannot be stored together"
                    );
                }
                Err(error) => {
                    tracing::error!(error = error.chain(), messages = of_group.len(), "storing messages failed");
                    together.failed.extend(places());
                }
            }
        }
        good.retain(|good| again.contains(&good.place));
        if good.is_empty() {
            return together;
        }
    }
    // Too much is written: one by one it would be more still.
    together.failed.extend(good.iter().map(|good| good.place));
    together
}

/// A message that counts as it is; none of one that is to go its own way.
fn examine(services: &Services, place: usize, message: &Message) -> Option<Good> {
    std::str::from_utf8(&message.body).ok()?;
    let terms = InspectionSpec {
        owner: message.owner.clone(),
        upload_id: message.upload_id.clone(),
        attempt: 0,
        input: InputForm::Records,
        media: Media::parse(Some(MEDIA_TYPE), None, "").ok()?,
        schema: None,
        default_schema: services.config.default_schema.clone(),
        max_rejected: None,
        limits: Limits::default(),
    };
    let mut inspector = Inspector::new(&services.catalog, terms, Retention::Bounded);
    inspector.push(&mut &message.body[..]);
    inspector.finish();
    let mut inspection = inspector.inspection();
    let decision = Decision::of(&inspection);
    let Decision::Accepted { sha256, rejection: None, .. } = &decision else { return None };
    let chunks = inspection.chunks.take().filter(|chunks| chunks.len() <= MAX_CHUNKS_IN_GROUP)?;
    let series: BTreeSet<String> = chunks.iter().map(Chunk::partition_key).collect();
    if series.len() < chunks.len() {
        return None; // thousands of points, or of many days: how many chunks its group has could not be told beforehand
    }
    let (sha256, key) = (sha256.clone(), message.key(sha256));
    let bytes = serde_json::to_vec(&(message.posted(), &decision)).map_or(0, |json| json.len())
        + 2 * message.correlation_id.len()
        + 2_048;
    let items = items(&message.upload_id, &message.owner, &sha256, key.as_ref());
    let shapes = inspection.shapes;
    Some(Good { place, decision, sha256, key, member: BatchCandidate { items, bytes, chunks }, shapes })
}

/// Stores a group.
async fn store(
    services: &Services,
    messages: &[Message],
    good: &[Good],
    log: &Log,
    group: WriteBatch,
    now: Timestamp,
) -> Result<Stored, Error> {
    let mut settled = Vec::with_capacity(group.members.len());
    let mut passed: BTreeMap<&str, (Passed, usize)> = BTreeMap::new();
    for member in &group.members {
        let known = good.get(member.place).and_then(|good| Some((good, messages.get(good.place)?)));
        let Some((good, message)) = known else { continue };
        let (of_owner, last) = passed.entry(&message.owner).or_default();
        of_owner.add(&good.shapes);
        *last = settled.len();
        let object =
            ObjectVersion { line: log.line_of(good.place), size: message.body.len() as u64, ..log.object.clone() };
        settled.push(settle(message, good, object, member, now)?);
    }
    let stored = services.uploads.store_together(&settled, &group.chunks, now).await?;
    if stored == Stored::Done {
        log_group(&settled);
        let asked = kind_of(&services.catalog.resolve(None, &services.config.default_schema));
        for (mut of_owner, last) in passed.into_values() {
            of_owner.ask(&asked);
            let Some(Settled { after, .. }) = settled.get(last) else { continue };
            note_passed(services, after, &of_owner, now).await;
        }
    }
    Ok(stored)
}

/// The history of a message as it is stored with its group.
fn settle(
    message: &Message,
    good: &Good,
    object: ObjectVersion,
    member: &batch::BatchedMessage,
    now: Timestamp,
) -> Result<Settled, Error> {
    let mut decision = good.decision.clone();
    if let Decision::Accepted { chunks, shared, .. } = &mut decision {
        (*chunks, *shared) = (member.own, member.shared.clone());
    }
    let received = UploadEvent::Received { object, correlation_id: message.correlation_id.clone() };
    let events = vec![
        message.posted(),
        RecordedEvent::new(now, received),
        RecordedEvent::new(now, UploadEvent::Decided { decision }),
    ];
    let after = Upload::fold(message.upload_id.clone(), &events);
    let after =
        after.map_err(|error| Error::new("fold", message.upload_id.as_str(), Kind::Corrupt).with_source(error))?;
    Ok(Settled { after, events, sha256: good.sha256.clone(), key: good.key.clone() })
}

/// A line of the raw log.
#[derive(Serialize)]
struct Line<'a> {
    upload_id: &'a str,
    owner: &'a str,
    posted_at: Timestamp,
    correlation_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<&'a str>,
    /// The body, to the letter.
    body: &'a str,
}

/// The object of the raw log that holds messages.
struct Log {
    object: ObjectVersion,
    /// The place in the batch of the message in each line.
    places: Vec<usize>,
}

impl Log {
    fn line_of(&self, place: usize) -> Option<u64> {
        self.places.iter().position(|of_line| *of_line == place).map(|line| line as u64 + 1)
    }
}

/// Writes bodies to the raw log, before anything of them counts.
async fn write_log(
    services: &Services,
    messages: &[Message],
    good: &[Good],
    log_name: &str,
    now: Timestamp,
) -> Result<Log, Error> {
    let bucket = &services.config.process_bucket;
    let day = now.to_string().chars().take(10).collect::<String>();
    let key = format!("{MESSAGES_PREFIX}log/{day}/{log_name}.ndjson");
    let corrupt = || Error::new("writing the log", &key, Kind::Corrupt);
    let mut lines = Vec::new();
    for Good { place, .. } in good {
        let message = messages.get(*place).ok_or_else(corrupt)?;
        let line = Line {
            upload_id: message.upload_id.as_str(),
            owner: &message.owner,
            posted_at: message.posted_at,
            correlation_id: &message.correlation_id,
            key_id: message.key_id.as_deref(),
            idempotency_key: message.idempotency_key.as_deref(),
            body: std::str::from_utf8(&message.body).map_err(|error| corrupt().with_source(error))?,
        };
        serde_json::to_writer(&mut lines, &line).map_err(|error| corrupt().with_source(error))?;
        lines.push(b'\n');
    }
    let size = lines.len() as u64;
    let version_id = services.objects.put((bucket, &key), "application/x-ndjson", None, lines).await?;
    let object = ObjectVersion { bucket: bucket.clone(), key, version_id, size, line: None };
    Ok(Log { object, places: good.iter().map(|good| good.place).collect() })
}

fn log_group(settled: &[Settled]) {
    for Settled { after, .. } in settled {
        tracing::info!(
            upload_id = after.id().as_str(),
            correlation_id = after.correlation_id(),
            state = after.state().as_str(),
            accepted = after.accepted(),
            rejected = 0,
            "the message is settled"
        );
    }
}
