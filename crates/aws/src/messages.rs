//! The way of a batch of messages: what came by `POST /data`.
//!
//! A message is an upload like any other, and most of them count as they are. Those are stored together: their bodies in one
//! object of the raw log, their histories, claims and chunks in as few transactions as can be. Every other message, one that
//! is wrong, or a repetition, or large, goes its own way: its body becomes an object, and that is taken to its end
//! by the same steps as an uploaded one.

use std::collections::BTreeSet;
use std::time::Duration;

use eventpulse_core::batch::{self, Group, Member};
use eventpulse_core::chunk::Chunk;
use eventpulse_core::digits::sha256;
use eventpulse_core::examine::{Examiner, Keep, Terms};
use eventpulse_core::failure::{Code, Failure};
use eventpulse_core::id::{MESSAGE_FILE_NAME, MESSAGES_PREFIX, UploadId, message_key};
use eventpulse_core::reader::{Limits, Media};
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{self, Arrival, Decision, Event, Fact, Intake, ObjectVersion, Upload};
use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use tracing::Instrument as _;

use crate::Services;
use crate::error::{Error, Kind};
use crate::ingest::{PAUSE, Work};
use crate::logs;
use crate::uploads::Append;
use crate::uploads::groups::{Grouped, IdempotencyKey, KeyOf, Settled};

/// The media type of a body, which API Gateway sees to.
const MEDIA_TYPE: &str = "application/json";
/// How often messages are grouped anew: some of a group turned out to be known, or others write the same items.
const GROUPINGS: u32 = 8;
/// How long to wait, the first time, when others do; twice as long each further time, 13 s in all.
const GROUPING_PAUSE: Duration = Duration::from_millis(50);
/// How often a message's own way is begun anew because somebody else is on it: 8 s in all, longer than it takes until that
/// one is taken for dead.
const ATTEMPTS: u32 = 16;
/// How many messages go their own way at the same time.
const ALONE_AT_A_TIME: usize = 8;
/// More chunks than that are not worth a place in a shared transaction.
const MAX_CHUNKS_IN_GROUP: usize = 24;
/// The most characters of a header `Idempotency-Key` that a history keeps.
const MAX_KEY_CHARS: usize = 255;

/// A message from the queue.
#[derive(Debug, Clone)]
pub struct Message {
    /// The upload that it is.
    pub upload_id: UploadId,
    /// The tenant, as the authorizer told it.
    pub owner: String,
    /// Goes through every log line, the report and the notice.
    pub correlation_id: String,
    /// The API key that it came with, by its id.
    pub key_id: Option<String>,
    /// Its header `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// When it was acknowledged.
    pub posted_at: Timestamp,
    /// Its body.
    pub body: Vec<u8>,
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

/// A message that counts as it is, if nobody was faster.
struct Good {
    /// Its place in the batch.
    place: usize,
    settled: Settled,
    member: Member,
}

/// Takes messages to their outcomes. `log_name` names their object in the raw log, and is used once only. Returns the places
/// of those that AWS did not let come to their end: they are to be delivered again.
pub async fn ingest_messages(
    services: &Services,
    messages: &[Message],
    log_name: &str,
    clock: impl Fn() -> Timestamp + Copy,
) -> Vec<usize> {
    let good = messages.iter().enumerate().filter_map(|(place, message)| examine(services, place, message, clock()));
    let good: Vec<Good> = good.collect();
    let Together { stored, mut failed } = together(services, messages, good, log_name, clock).await;
    let is_open = |place: &usize| !stored.contains(place) && !failed.contains(place);
    let others = messages.iter().enumerate().filter(|(place, _)| is_open(place));
    let ways = others.map(|(place, message)| async move {
        let way = alone(services, message, clock).instrument(logs::message_span(message));
        way.await.err().map(|_| place)
    });
    let alone: Vec<Option<usize>> = stream::iter(ways).buffer_unordered(ALONE_AT_A_TIME).collect().await;
    failed.extend(alone.into_iter().flatten());
    failed
}

/// A message that counts as it is; none of one that is to go its own way.
fn examine(services: &Services, place: usize, message: &Message, now: Timestamp) -> Option<Good> {
    std::str::from_utf8(&message.body).ok()?;
    let terms = Terms {
        owner: message.owner.clone(),
        upload_id: message.upload_id.clone(),
        round: 0,
        form: None,
        media: Media::parse(Some(MEDIA_TYPE), None, "").ok()?,
        schema: None,
        default_schema: services.config.default_schema.clone(),
        max_rejected: None,
        limits: Limits::default(),
    };
    let mut examiner = Examiner::new(&services.catalog, terms, Keep::Bounded);
    examiner.push(&mut &message.body[..]);
    examiner.finish();
    let mut examination = examiner.examination();
    let decision = examination.decision();
    let Decision::Accepted { sha256, rejection: None, .. } = &decision else { return None };
    let chunks = examination.chunks.take().filter(|chunks| chunks.len() <= MAX_CHUNKS_IN_GROUP)?;
    let series: BTreeSet<String> = chunks.iter().map(Chunk::partition_key).collect();
    if series.len() < chunks.len() {
        return None; // thousands of points, or of many days: how many chunks its group has could not be told beforehand
    }
    let (sha256, key) = (sha256.clone(), message.key(sha256));
    let events = vec![message.posted(), Event::new(now, Fact::Decided { decision })];
    let after = Upload::fold(message.upload_id.clone(), &events).ok()?;
    let settled = Settled { after, events, sha256, key };
    let bytes =
        serde_json::to_vec(&settled.events).map_or(0, |json| json.len()) + 2 * message.correlation_id.len() + 2_048;
    let member = Member { items: settled.items(), bytes, chunks };
    Some(Good { place, settled, member })
}

/// What became of messages that were to be stored together, by their places in the batch. The rest goes its own way.
#[derive(Default)]
struct Together {
    stored: Vec<usize>,
    /// AWS did not do its part.
    failed: Vec<usize>,
}

/// Stores messages together.
async fn together(
    services: &Services,
    messages: &[Message],
    mut good: Vec<Good>,
    log_name: &str,
    clock: impl Fn() -> Timestamp + Copy,
) -> Together {
    let mut together = Together::default();
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
                Ok(Grouped::Done) => together.stored.extend(places()),
                // The others are grouped anew; these go their own way, which finds out what is known.
                Ok(Grouped::Known(known)) => {
                    again.extend(places().enumerate().filter(|(at, _)| !known.contains(at)).map(|(_, place)| place));
                }
                Ok(Grouped::Contended) => {
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

/// Stores a group.
async fn store(
    services: &Services,
    messages: &[Message],
    good: &[Good],
    log: &Log,
    group: Group,
    now: Timestamp,
) -> Result<Grouped, Error> {
    let mut settled = Vec::with_capacity(group.members.len());
    for member in &group.members {
        let known = good.get(member.place).and_then(|good| Some((good, messages.get(good.place)?)));
        let Some((Good { place, settled: known, .. }, message)) = known else { continue };
        let size = message.body.len() as u64;
        let object = ObjectVersion { line: log.line_of(*place), size, ..log.object.clone() };
        settled.push(settle(message, known, object, member, now)?);
    }
    let grouped = services.uploads.store_group(&settled, &group.chunks, now).await?;
    if grouped == Grouped::Done {
        log_group(&settled);
    }
    Ok(grouped)
}

/// The history of a message as it is stored with its group.
fn settle(
    message: &Message,
    known: &Settled,
    object: ObjectVersion,
    member: &batch::GroupMember,
    now: Timestamp,
) -> Result<Settled, Error> {
    let mut decision = known.after.decision.clone();
    if let Some(Decision::Accepted { chunks, shared, .. }) = &mut decision {
        (*chunks, *shared) = (member.own, member.shared.clone());
    }
    let corrupt = || Error::new("settling", message.upload_id.as_str(), Kind::Corrupt);
    let facts = [
        Fact::Received { object, correlation_id: message.correlation_id.clone() },
        Fact::Decided { decision: decision.ok_or_else(corrupt)? },
    ];
    let mut events = vec![message.posted()];
    events.extend(facts.map(|fact| Event::new(now, fact)));
    let after = Upload::fold(message.upload_id.clone(), &events).map_err(|error| corrupt().because(error))?;
    Ok(Settled { after, events, sha256: known.sha256.clone(), key: known.key.clone() })
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
            body: std::str::from_utf8(&message.body).map_err(|error| corrupt().because(error))?,
        };
        serde_json::to_writer(&mut lines, &line).map_err(|error| corrupt().because(error))?;
        lines.push(b'\n');
    }
    let size = lines.len() as u64;
    let version_id = services.objects.put((bucket, &key), "application/x-ndjson", None, lines).await?;
    let object = ObjectVersion { bucket: bucket.clone(), key, version_id, size, line: None };
    Ok(Log { object, places: good.iter().map(|good| good.place).collect() })
}

/// A message's own way: its body becomes an object of the process bucket, and is taken to its end as an uploaded one.
async fn alone(services: &Services, message: &Message, clock: impl Fn() -> Timestamp + Copy) -> Result<(), Error> {
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
    if work.upload.attempt > 0 {
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
) -> Result<Work<'a, C>, Error> {
    let id = &message.upload_id;
    let bucket = &services.config.process_bucket;
    let corrupt = || Error::new("ingest", id.as_str(), Kind::Corrupt);
    let (upload, object, unstored) = match services.uploads.load(id).await? {
        Some(upload) => {
            let is_its_own = upload.message.is_some() && upload.intake.owner == message.owner;
            let object = upload.object.clone().filter(|_| is_its_own).ok_or_else(corrupt)?;
            (upload, object, Vec::new())
        }
        None => {
            let (key, body) = (message_key(id), message.body.clone());
            let size = body.len() as u64;
            let version_id = services.objects.put_new((bucket, &key), MEDIA_TYPE, body).await?;
            let object = ObjectVersion { bucket: bucket.clone(), key, version_id, size, line: None };
            *placed = Some(object.clone());
            let correlation_id = message.correlation_id.clone();
            let received = Fact::Received { object: object.clone(), correlation_id };
            let events = vec![message.posted(), Event::new(clock(), received)];
            let upload = Upload::fold(id.clone(), &events).map_err(|error| corrupt().because(error))?;
            (upload, object, events)
        }
    };
    let mut work = Work::resume(services, upload, object, unstored, message.correlation_id.clone(), clock);
    if let Some(key) = message.key(&sha256(&message.body))
        && work.upload.decision.is_none()
        && work.upload.attempt == 0
    {
        match services.uploads.claim_key(&work.upload, &key, clock()).await? {
            // The same body: whether that counts already, the claim on its digest tells.
            KeyOf::Mine | KeyOf::Earlier { same_body: true, .. } => {}
            KeyOf::Earlier { upload_id, same_body: false } => {
                let message = format!(
                    "{upload_id} came with the same Idempotency-Key and another body: give each event a key of its own"
                );
                work.reject(Failure::new(Code::IdempotencyKeyReused, "", message));
            }
        }
    }
    Ok(work)
}

impl Message {
    /// What its history begins with: the same for each delivery.
    fn posted(&self) -> Event {
        let intake = Intake {
            owner: self.owner.clone(),
            key: message_key(&self.upload_id),
            file_name: MESSAGE_FILE_NAME.to_owned(),
            schema: None,
            max_rejected: None,
            expires_at: None,
        };
        let idempotency_key = self.idempotency_key.as_ref().map(|key| key.chars().take(MAX_KEY_CHARS).collect());
        let message = upload::Message { key_id: self.key_id.clone(), idempotency_key };
        Event::new(self.posted_at, Fact::Posted { intake, message })
    }

    /// Its header `Idempotency-Key`, as it is stored; `body` is the digest of its body.
    fn key(&self, body: &str) -> Option<IdempotencyKey> {
        let key = self.idempotency_key.as_ref()?;
        Some(IdempotencyKey { digest: sha256(key.as_bytes()), sha256: body.to_owned() })
    }
}

fn log_group(settled: &[Settled]) {
    for Settled { after, .. } in settled {
        tracing::info!(
            upload_id = after.id.as_str(),
            correlation_id = after.correlation_id.as_deref(),
            state = after.state().as_str(),
            accepted = after.accepted(),
            rejected = 0,
            "the message is settled"
        );
    }
}
