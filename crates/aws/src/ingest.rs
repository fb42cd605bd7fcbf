//! The way of one upload: load its history, take the step that is owed, append what happened, until none is owed.
//!
//! A delivery may come twice, late, or at the same time as another one. Every append is conditional on the history
//! that was read; who loses the race reads again and finds less to do, or nothing.

use std::time::Duration;

use eventpulse_core::examine::{Examination, Examiner, Keep, Terms};
use eventpulse_core::failure::{Code, Failure};
use eventpulse_core::id::{UploadId, file_name_in_key, upload_id_in_key};
use eventpulse_core::notice::Notice;
use eventpulse_core::reader::{Limits, Media};
use eventpulse_core::rejection::Rejection;
use eventpulse_core::schema::SchemaRef;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{
    Arrival, Decision, Event, Fact, Intake, OPERATOR, ObjectVersion, SeriesCount, Step, Upload,
};

use crate::Services;
use crate::delivery::Delivery;
use crate::error::{Error, Kind};
use crate::objects::Object;
use crate::quarantine;
use crate::uploads::{Append, Claim, Uploads};

/// How often a history is read again because somebody else is at work on it: 20 s in all.
const ATTEMPTS: u32 = 40;
/// How long to wait before it is.
const PAUSE: Duration = Duration::from_millis(500);
/// Who has not written for so long is taken for dead, and its work is resumed. Without this, two deliveries at the same
/// time would both tell the owner.
const TAKE_OVER_AFTER_MICROS: i64 = 5_000_000;
/// How many bytes of findings are gathered before they are written, when an upload is read a second time.
const DRAIN_BYTES: usize = 4 << 20;

/// What a delivery came to.
#[derive(Debug)]
pub enum Outcome {
    /// The upload, with nothing owed any more.
    Settled(Box<Upload>),
    /// A version under an id that has its object already. It was removed, unread.
    LateVersionRemoved(UploadId),
    /// A folder marker, as consoles make them: no upload.
    Ignored,
}

/// Takes a delivery to its end.
///
/// # Errors
/// When AWS does not answer, or refuses: the delivery is to be repeated, and resumes.
pub async fn ingest(services: &Services, delivery: &Delivery, clock: impl Fn() -> Timestamp) -> Result<Outcome, Error> {
    if delivery.key.ends_with('/') && delivery.size == 0 {
        return Ok(Outcome::Ignored);
    }
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        let mut work = Work::begin(services, delivery, &clock).await?;
        if work.upload.arrival(&work.object.version_id) == Arrival::Late {
            return work.remove_late_version().await;
        }
        if !work.is_in_other_hands() && work.run().await? == Append::Done {
            return Ok(work.settled());
        }
        tracing::info!("another delivery of this upload is at work; reading its history again");
    }
    Err(Error::new("ingest", format!("{}/{}", delivery.bucket, delivery.key), Kind::Contended))
}

/// One upload at work.
pub(crate) struct Work<'a, C> {
    pub(crate) services: &'a Services,
    pub(crate) upload: Upload,
    pub(crate) object: ObjectVersion,
    correlation_id: String,
    clock: C,
    /// How many events the stored history has.
    stored: usize,
    /// What happened since, not yet stored.
    unstored: Vec<Event>,
}

impl<'a, C: Fn() -> Timestamp> Work<'a, C> {
    /// Finds out which upload a delivery belongs to, and reads its history.
    pub(crate) async fn begin(services: &'a Services, delivery: &Delivery, clock: C) -> Result<Self, Error> {
        let Delivery { bucket, key, .. } = delivery;
        let issued = match upload_id_in_key(key) {
            Some(id) => services.uploads.load(&id).await?.filter(|upload| upload.intake.key == *key),
            None => None,
        };
        let known = issued.as_ref().and_then(|upload| upload.object.as_ref());
        let (version_id, size) = match (&delivery.version_id, known) {
            (Some(version_id), _) => (version_id.clone(), delivery.size),
            (None, known) => match (services.objects.head(bucket, key).await?, known) {
                (Some(current), _) => current,
                (None, Some(known)) => (known.version_id.clone(), known.size),
                (None, None) => ("null".to_owned(), delivery.size), // gone before it was read
            },
        };
        let object = ObjectVersion { bucket: bucket.clone(), key: key.clone(), version_id, size };
        let (upload, stored, unstored) = match issued {
            Some(upload) => (Some(upload.clone()), upload.revision, Vec::new()),
            None => {
                let id = UploadId::of_object(bucket, key, &object.version_id);
                match services.uploads.load(&id).await? {
                    Some(upload) => (Some(upload.clone()), upload.revision, Vec::new()),
                    None => (None, 0, vec![Event::new(clock(), Fact::Found { intake: found(key) })]),
                }
            }
        };
        let upload = match upload {
            Some(upload) => upload,
            None => {
                let id = UploadId::of_object(bucket, key, &object.version_id);
                Upload::fold(id, &unstored).map_err(|error| Error::new("fold", key, Kind::Corrupt).because(error))?
            }
        };
        let correlation_id = delivery.correlation_id.clone();
        let mut work = Self { services, upload, object, correlation_id, clock, stored, unstored };
        if work.upload.object.is_none() {
            let (object, correlation_id) = (work.object.clone(), work.correlation_id.clone());
            work.happened(Fact::Received { object, correlation_id });
        }
        tracing::Span::current().record("upload_id", work.upload.id.as_str());
        Ok(work)
    }

    /// Whether another invocation took this upload up a moment ago and still has steps to take.
    fn is_in_other_hands(&self) -> bool {
        let idle = self.now().as_micros() - self.upload.changed.as_micros();
        self.unstored.is_empty() && self.upload.next().is_some() && idle < TAKE_OVER_AFTER_MICROS
    }

    /// Takes the steps that are owed. [`Append::Conflict`]: somebody else was faster.
    pub(crate) async fn run(&mut self) -> Result<Append, Error> {
        let mut found = None;
        while let Some(step) = self.upload.next() {
            match step {
                Step::Process => {
                    let (examination, append) = self.process().await?;
                    if append == Append::Conflict {
                        return Ok(Append::Conflict);
                    }
                    found = examination;
                }
                Step::Quarantine => {
                    if self.store().await? == Append::Conflict {
                        return Ok(Append::Conflict); // the decision stands before its effects begin
                    }
                    let quarantined = quarantine::quarantine(self, found.take()).await?;
                    self.happened(Fact::Quarantined { quarantined });
                }
                Step::Notify => {
                    let message_id = self.publish().await?;
                    self.happened(Fact::Notified { message_id });
                }
            }
        }
        self.store().await
    }

    /// Reads the object and decides. What counts is stored when this returns, with the decision.
    async fn process(&mut self) -> Result<(Option<Examination>, Append), Error> {
        let ObjectVersion { bucket, key, version_id, .. } = &self.object;
        let Some(object) = self.services.objects.get(bucket, key, Some(version_id)).await? else {
            let message = "the object was deleted before it was read: upload it again";
            self.reject(Failure::new(Code::ObjectMissing, "", message));
            return Ok((None, Append::Done));
        };
        let terms = match self.terms(&object) {
            Ok(terms) => terms,
            Err(failure) => {
                self.reject(failure);
                return Ok((None, Append::Done));
            }
        };
        let mut examination = examine(self.services, terms.clone(), object).await?;
        let append = match examination.decision() {
            Decision::Accepted { sha256, .. } => self.accept(&mut examination, &sha256, terms).await?,
            decision => {
                self.happened(Fact::Decided { decision });
                Append::Done
            }
        };
        Ok((Some(examination), append))
    }

    /// Stores what counts, once: the claim on the bytes' digest sees to that.
    async fn accept(&mut self, examination: &mut Examination, sha256: &str, terms: Terms) -> Result<Append, Error> {
        let in_one = examination.chunks.as_deref().is_some_and(Uploads::fits_one_transaction);
        let event = Event::new(
            self.now(),
            if in_one {
                Fact::Decided { decision: examination.decision() }
            } else {
                Fact::AcceptanceBegan { sha256: sha256.to_owned() }
            },
        );
        let mut after = self.upload.clone();
        after.apply(&event);
        let events: Vec<Event> = self.unstored.iter().cloned().chain([event]).collect();
        let chunks = examination.chunks.take();
        let with_claim = chunks.as_deref().filter(|_| in_one).unwrap_or_default();
        match self.services.uploads.claim(sha256, with_claim, &after, self.stored, &events).await? {
            Claim::Mine => {
                self.upload = after;
                self.stored += events.len();
                self.unstored.clear();
            }
            Claim::Conflict => return Ok(Append::Conflict),
            Claim::TakenBy(of) => {
                self.happened(Fact::Decided { decision: Decision::Duplicate { of } });
                return Ok(Append::Done);
            }
        }
        if in_one {
            return Ok(Append::Done);
        }
        match chunks {
            Some(chunks) => self.services.chunks.write(&chunks).await?,
            None => examination.series = self.write_chunks_of_second_reading(terms).await?,
        }
        self.happened(Fact::Decided { decision: examination.decision() });
        self.store().await
    }

    /// Tells the owner. Returns SNS's message id.
    async fn publish(&self) -> Result<String, Error> {
        match Notice::of(&self.upload) {
            Some(notice) => self.services.notices.publish(&notice).await,
            None => Err(Error::new("Publish", self.upload.id.as_str(), Kind::Corrupt)),
        }
    }

    /// The upload was too large to keep its chunks in memory: reads it again and writes them as they come.
    async fn write_chunks_of_second_reading(&self, terms: Terms) -> Result<(Vec<SeriesCount>, u64), Error> {
        let mut examiner = Examiner::new(&self.services.catalog, terms, Keep::Everything);
        let mut body = self.reopen().await?.body;
        while let Some(bytes) = body.next().await {
            examiner.push(&bytes.map_err(|error| unreadable(&self.upload.id).because(error))?);
            examiner.drain_rejected();
            if examiner.pending_bytes() > DRAIN_BYTES {
                self.services.chunks.write(&examiner.drain_chunks()).await?;
            }
        }
        examiner.finish();
        self.services.chunks.write(&examiner.drain_chunks()).await?;
        Ok(examiner.examination().series)
    }

    /// The object once more. It was there a moment ago, so its absence is for another attempt to judge.
    pub(crate) async fn reopen(&self) -> Result<Object, Error> {
        let ObjectVersion { bucket, key, version_id, .. } = &self.object;
        let object = self.services.objects.get(bucket, key, Some(version_id)).await?;
        object.ok_or_else(|| Error::new("GetObject", format!("s3://{bucket}/{key}"), Kind::Missing))
    }

    /// What the upload is examined against.
    pub(crate) fn terms(&self, object: &Object) -> Result<Terms, Failure> {
        let (content_type, encoding) = (object.content_type.as_deref(), object.content_encoding.as_deref());
        let intake = &self.upload.intake;
        let unknown = |name: &String| {
            let message = format!("`{name}` is not of the form <name>/<major>.<minor>");
            Failure::new(Code::UnknownSchema, "", message)
        };
        let schema = intake.schema.as_ref().map(|name| SchemaRef::parse(name).map_err(|_| unknown(name)));
        Ok(Terms {
            owner: intake.owner.clone(),
            upload_id: self.upload.id.clone(),
            media: Media::parse(content_type, encoding, &intake.file_name)?,
            schema: schema.transpose()?,
            default_schema: self.services.config.default_schema.clone(),
            max_rejected: intake.max_rejected,
            limits: Limits::default(),
        })
    }

    pub(crate) fn reject(&mut self, failure: Failure) {
        self.happened(Fact::Decided { decision: Decision::Rejected { rejection: Rejection::of_upload(failure) } });
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Notes that something happened; it is stored with the next append.
    pub(crate) fn happened(&mut self, fact: Fact) {
        let event = Event::new(self.now(), fact);
        self.upload.apply(&event);
        self.unstored.push(event);
    }

    /// Appends what happened.
    pub(crate) async fn store(&mut self) -> Result<Append, Error> {
        if self.unstored.is_empty() {
            return Ok(Append::Done);
        }
        let append = self.services.uploads.append(&self.upload, self.stored, &self.unstored).await?;
        if append == Append::Done {
            self.stored += self.unstored.len();
            self.unstored.clear();
        }
        Ok(append)
    }

    pub(crate) fn settled(self) -> Outcome {
        Outcome::Settled(Box::new(self.upload))
    }

    pub(crate) async fn remove_late_version(mut self) -> Result<Outcome, Error> {
        let ObjectVersion { bucket, key, version_id, .. } = self.object.clone();
        self.services.objects.delete_version(&bucket, &key, &version_id).await?;
        tracing::warn!(version_id, "a further version under an upload that has its object was removed, unread");
        self.happened(Fact::LateVersionRemoved { version_id });
        // Lost races do not matter here: the other delivery's history is as good, and the removal is done.
        self.store().await?;
        Ok(Outcome::LateVersionRemoved(self.upload.id))
    }
}

/// Reads an object to its end, or to where it fails as a whole.
pub(crate) async fn examine(services: &Services, terms: Terms, object: Object) -> Result<Examination, Error> {
    let upload_id = terms.upload_id.clone();
    let mut examiner = Examiner::new(&services.catalog, terms, Keep::Bounded);
    let mut body = object.body;
    while let Some(bytes) = body.next().await {
        if !examiner.push(&bytes.map_err(|error| unreadable(&upload_id).because(error))?) {
            break;
        }
    }
    examiner.finish();
    Ok(examiner.examination())
}

/// The intake of an object that nobody was issued a URL for.
fn found(key: &str) -> Intake {
    Intake {
        owner: OPERATOR.to_owned(),
        key: key.to_owned(),
        file_name: file_name_in_key(key),
        schema: None,
        max_rejected: None,
        expires_at: None,
    }
}

/// The connection broke while an object was read.
pub(crate) fn unreadable(id: &UploadId) -> Error {
    Error::new("GetObject", id.as_str(), Kind::Unreachable)
}
