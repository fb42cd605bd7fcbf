//! The way of one upload: load its history, take the step that is owed, append what happened, until none is owed.
//!
//! A delivery may come twice, late, or at the same time as another one. Every append is conditional on the history
//! that was read; who loses the race reads again and finds less to do, or nothing.

use std::time::Duration;

use eventpulse_core::id::{OwnerId, UploadId, file_name_in_key, upload_id_in_key};
use eventpulse_core::intake::failure::{Failure, FailureCode};
use eventpulse_core::intake::inspection::{InputForm, Inspection, InspectionSpec, Inspector, Retention};
use eventpulse_core::intake::reader::{Limits, Media};
use eventpulse_core::intake::rejection::Rejection;
use eventpulse_core::intake::schema::SchemaRef;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{
    Arrival, Decision, ObjectVersion, Origin, RecordedEvent, RetryForm, Step, Upload, UploadEvent,
};

use crate::Services;
use crate::adapters::object_store::{NO_VERSION, Object};
use crate::adapters::upload_store::{Append, ClaimOutcome, UploadStore};
use crate::error::{Error, Kind};
use crate::workflows::delivery::Delivery;
use crate::workflows::inspect_object::{drive, examine};
use crate::workflows::quarantine;

/// How often a history is read again because somebody else is at work on it: 20 s in all.
pub(crate) const ATTEMPTS: u32 = 40;
/// How long to wait before it is.
pub(crate) const PAUSE: Duration = Duration::from_millis(500);
/// Who has not written for so long is taken for dead, and its work is resumed. Without this, two deliveries at the same
/// time would both tell the owner.
const TAKE_OVER_AFTER_MICROS: i64 = 5_000_000;
/// A line that holds a rejected record is longer than the record: its failures, and the escapes of what is no JSON.
const LINE_BYTES_AROUND_RECORD: usize = 8 << 20;

/// What a delivery came to.
#[derive(Debug)]
pub enum DeliveryOutcome {
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
pub async fn process_upload(
    services: &Services,
    delivery: &Delivery,
    clock: impl Fn() -> Timestamp,
) -> Result<DeliveryOutcome, Error> {
    if delivery.is_folder_marker() {
        return Ok(DeliveryOutcome::Ignored);
    }
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        let mut work = UploadWork::begin(services, delivery, &clock).await?;
        match work.upload.arrival(&work.object) {
            Arrival::Late => return work.remove_late_version().await,
            Arrival::AlreadyProcessed => return Ok(work.settled()),
            Arrival::Current => {}
        }
        if !work.is_in_other_hands() && work.run().await? == Append::Done {
            return Ok(work.settled());
        }
        tracing::info!("another delivery of this upload is at work; reading its history again");
    }
    Err(Error::new("ingest", format!("{}/{}", delivery.bucket, delivery.key), Kind::Contended))
}

/// One upload at work.
pub(crate) struct UploadWork<'a, C> {
    pub(crate) services: &'a Services,
    pub(crate) upload: Upload,
    pub(crate) object: ObjectVersion,
    correlation_id: String,
    clock: C,
    /// How many events the stored history has.
    pub(crate) stored: usize,
    /// What happened since, not yet stored.
    pub(crate) unstored: Vec<RecordedEvent>,
}

impl<'a, C: Fn() -> Timestamp> UploadWork<'a, C> {
    /// Finds out which upload a delivery belongs to, and reads its history.
    pub(crate) async fn begin(services: &'a Services, delivery: &Delivery, clock: C) -> Result<Self, Error> {
        let issued = match upload_id_in_key(&delivery.key) {
            Some(id) => services.uploads.load(&id).await?.filter(|upload| upload.has_key(&delivery.key)),
            None => None,
        };
        let object = version(services, delivery, issued.as_ref()).await?;
        let (upload, unstored) = match issued {
            Some(upload) => (upload, Vec::new()),
            None => dropped(services, &object, clock()).await?,
        };
        let mut work = Self::resume(services, upload, object, unstored, delivery.correlation_id.clone(), clock);
        if work.upload.awaits(&work.object.key) {
            let (object, correlation_id) = (work.object.clone(), work.correlation_id.clone());
            work.happened(UploadEvent::Received { object, correlation_id });
        }
        tracing::Span::current().record("upload_id", work.upload.id().as_str());
        Ok(work)
    }

    /// Work on an upload that is known, with what of its history is not stored yet.
    pub(crate) fn resume(
        services: &'a Services,
        upload: Upload,
        object: ObjectVersion,
        unstored: Vec<RecordedEvent>,
        correlation_id: String,
        clock: C,
    ) -> Self {
        let stored = upload.revision() - unstored.len();
        Self { services, upload, object, correlation_id, clock, stored, unstored }
    }

    /// Whether another invocation took this upload up a moment ago and still has steps to take.
    pub(crate) fn is_in_other_hands(&self) -> bool {
        let idle = self.now().as_micros() - self.upload.changed_at().as_micros();
        self.unstored.is_empty() && self.upload.next().is_some() && idle < TAKE_OVER_AFTER_MICROS
    }

    /// Takes the steps that are owed. [`Append::Conflict`]: somebody else was faster.
    pub(crate) async fn run(&mut self) -> Result<Append, Error> {
        let mut found = None;
        while let Some(step) = self.upload.next() {
            match step {
                Step::Process => {
                    let (inspection, append) = self.process().await?;
                    if append == Append::Conflict {
                        return Ok(Append::Conflict);
                    }
                    found = inspection;
                }
                Step::RollBack => {
                    if self.store().await? == Append::Conflict {
                        return Ok(Append::Conflict);
                    }
                    self.withdraw().await?;
                    self.happened(UploadEvent::RolledBack);
                }
                Step::Quarantine => {
                    if self.store().await? == Append::Conflict {
                        return Ok(Append::Conflict); // the decision stands before its effects begin
                    }
                    let quarantined = quarantine::quarantine(self, found.take()).await?;
                    self.happened(UploadEvent::Quarantined { quarantined });
                }
                Step::RecordOccurrence => {
                    if self.note().await? == Append::Conflict {
                        return Ok(Append::Conflict); // who is ahead notes it
                    }
                }
            }
        }
        self.store().await
    }

    /// Reads the object and decides. What counts is stored when this returns, with the decision.
    async fn process(&mut self) -> Result<(Option<Inspection>, Append), Error> {
        let ObjectVersion { bucket, key, version_id, .. } = &self.object;
        let Some(object) = self.services.objects.get(bucket, key, Some(version_id)).await? else {
            let message = "the object was deleted before it was read: upload it again";
            self.reject(Failure::new(FailureCode::ObjectMissing, "", message));
            return Ok((None, Append::Done));
        };
        let terms = match self.terms(&object) {
            Ok(terms) => terms,
            Err(failure) => {
                self.reject(failure);
                return Ok((None, Append::Done));
            }
        };
        let mut inspection = examine(self.services, terms.clone(), object).await?;
        let append = match Decision::of(&inspection) {
            Decision::Accepted { sha256, .. } => {
                let claim = self.upload.claim(&sha256);
                let asked = self.services.catalog.resolve(terms.schema.as_ref(), &terms.default_schema);
                let append = self.accept(&mut inspection, &claim, terms).await?;
                if append == Append::Done {
                    self.accepted(&inspection, &asked).await;
                }
                append
            }
            decision => {
                self.happened(UploadEvent::Decided { decision });
                self.rejected().await;
                Append::Done
            }
        };
        Ok((Some(inspection), append))
    }

    /// Stores what counts, once: the claim on the bytes' digest sees to that.
    async fn accept(
        &mut self,
        inspection: &mut Inspection,
        claim: &str,
        terms: InspectionSpec,
    ) -> Result<Append, Error> {
        let in_one = inspection.chunks.as_deref().is_some_and(UploadStore::fits_one_transaction);
        if self.upload.open_claim() == Some(claim) {
            return self.write_what_counts(inspection, terms).await; // an earlier attempt claimed them
        }
        let event = RecordedEvent::new(
            self.now(),
            if in_one {
                UploadEvent::Decided { decision: Decision::of(inspection) }
            } else {
                UploadEvent::AcceptanceBegan { sha256: claim.to_owned() }
            },
        );
        let mut after = self.upload.clone();
        after.apply(&event);
        let events: Vec<RecordedEvent> = self.unstored.iter().cloned().chain([event]).collect();
        let with_claim = inspection.chunks.as_deref().filter(|_| in_one).unwrap_or_default();
        match self.services.uploads.claim(claim, with_claim, &after, self.stored, &events).await? {
            ClaimOutcome::Acquired => {
                self.upload = after;
                self.stored += events.len();
                self.unstored.clear();
            }
            ClaimOutcome::Conflict => return Ok(Append::Conflict),
            ClaimOutcome::TakenBy(of) => {
                // Whether they count, the other upload has yet to show: it may still be given up.
                let other = self.services.uploads.load(&of).await?;
                // What it claimed counts whatever became of its retries.
                let counts = |other: Upload| {
                    !other.is_withdrawal_requested() && other.claims().iter().any(|known| known == claim)
                };
                if !other.is_some_and(counts) {
                    return Err(Error::new("claiming the bytes of", of.as_str(), Kind::Contended));
                }
                self.happened(UploadEvent::Decided { decision: Decision::Duplicate { of } });
                return Ok(Append::Done);
            }
        }
        if in_one { Ok(Append::Done) } else { self.write_what_counts(inspection, terms).await }
    }

    /// Writes the chunks of an upload that holds the claim, then the decision.
    async fn write_what_counts(&mut self, inspection: &mut Inspection, terms: InspectionSpec) -> Result<Append, Error> {
        match inspection.chunks.take() {
            Some(chunks) => self.services.chunks.write(&chunks).await?,
            None => {
                let second = self.write_chunks_of_second_reading(terms).await?;
                inspection.chunk_count = second.chunk_count;
                (inspection.series, inspection.series_omitted) = (second.series, second.series_omitted);
            }
        }
        self.happened(UploadEvent::Decided { decision: Decision::of(inspection) });
        let append = self.store().await?;
        if append == Append::Conflict {
            // Given up meanwhile? Then what was withdrawn has just been written again.
            let upload = self.services.uploads.load(self.upload.id()).await?;
            if upload.is_some_and(|upload| matches!(upload.decision(), Some(Decision::Rejected { .. }))) {
                self.services.chunks.delete_of_upload(self.upload.id(), Some(self.upload.attempt())).await?;
            }
        }
        Ok(append)
    }

    /// Takes back the chunks and the claim of a round that died half-way.
    async fn withdraw(&self) -> Result<(), Error> {
        self.services.chunks.delete_of_upload(self.upload.id(), Some(self.upload.attempt())).await?;
        match &self.upload.open_claim() {
            Some(sha256) => self.services.uploads.release(&self.upload.origin().owner, sha256, self.upload.id()).await,
            None => Ok(()),
        }
    }

    /// The upload was too large to keep its chunks in memory: reads it again and writes them as they come.
    async fn write_chunks_of_second_reading(&self, terms: InspectionSpec) -> Result<Inspection, Error> {
        let mut inspector = Inspector::new(&self.services.catalog, terms, Retention::Chunks);
        let body = self.reopen().await?.body;
        drive(self.upload.id(), body, &mut inspector, async |inspector| {
            self.services.chunks.write(&inspector.drain_chunks()).await
        })
        .await?;
        Ok(inspector.inspection())
    }

    /// The object once more. It was there a moment ago, so its absence is for another attempt to judge.
    pub(crate) async fn reopen(&self) -> Result<Object, Error> {
        let ObjectVersion { bucket, key, version_id, .. } = &self.object;
        let object = self.services.objects.get(bucket, key, Some(version_id)).await?;
        object.ok_or_else(|| Error::new("GetObject", format!("s3://{bucket}/{key}"), Kind::Missing))
    }

    /// What the upload is examined against.
    pub(crate) fn terms(&self, object: &Object) -> Result<InspectionSpec, Failure> {
        let (content_type, encoding) = (object.content_type.as_deref(), object.content_encoding.as_deref());
        let origin = self.upload.origin();
        let unknown = |name: &String| {
            let message = format!("`{name}` is not of the form <name>/<major>.<minor>");
            Failure::new(FailureCode::UnknownSchema, "", message)
        };
        let mut limits = Limits::default();
        if self.upload.retry_form() == Some(RetryForm::UnchangedRecords) {
            limits.record_bytes += LINE_BYTES_AROUND_RECORD;
        }
        let schema = origin.schema.as_ref().map(|name| SchemaRef::parse(name).map_err(|_| unknown(name)));
        Ok(InspectionSpec {
            owner: origin.owner.clone(),
            upload_id: self.upload.id().clone(),
            attempt: self.upload.attempt(),
            input: self.upload.retry_form().map_or(InputForm::Records, RetryForm::input_form),
            media: Media::parse(content_type, encoding, &file_name_in_key(&self.object.key))?,
            schema: schema.transpose()?,
            default_schema: self.services.config.default_schema.clone(),
            // Where something counts already, the limit was kept; the rest is a few records, all of which may be wrong.
            max_rejected: origin.max_rejected.filter(|_| self.upload.accepted() == 0),
            limits,
        })
    }

    pub(crate) fn reject(&mut self, failure: Failure) {
        let wanted = self.upload.origin().schema.as_ref().and_then(|name| SchemaRef::parse(name).ok());
        let asked = self.services.catalog.resolve(wanted.as_ref(), &self.services.config.default_schema);
        let rejection = Rejection::of_upload(failure, &asked);
        self.happened(UploadEvent::Decided { decision: Decision::Rejected { rejection } });
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Notes that something happened; it is stored with the next append.
    pub(crate) fn happened(&mut self, fact: UploadEvent) {
        let event = RecordedEvent::new(self.now(), fact);
        self.upload.apply(&event);
        self.unstored.push(event);
    }

    /// Appends what happened.
    pub(crate) async fn store(&mut self) -> Result<Append, Error> {
        if self.unstored.is_empty() {
            return Ok(Append::Done);
        }
        let append = self.services.uploads.append(&self.upload, self.stored, &self.unstored).await?;
        Ok(self.appended(append))
    }

    pub(crate) fn appended(&mut self, append: Append) -> Append {
        if append == Append::Done {
            self.stored += self.unstored.len();
            self.unstored.clear();
        }
        append
    }

    pub(crate) fn settled(self) -> DeliveryOutcome {
        DeliveryOutcome::Settled(Box::new(self.upload))
    }

    pub(crate) async fn remove_late_version(mut self) -> Result<DeliveryOutcome, Error> {
        let ObjectVersion { bucket, key, version_id, .. } = self.object.clone();
        self.services.objects.delete_version(&bucket, &key, &version_id).await?;
        tracing::warn!(version_id, "a further version under an upload that has its object was removed, unread");
        for _ in 0..ATTEMPTS {
            self.happened(UploadEvent::LateVersionRemoved { version_id: version_id.clone() });
            if self.store().await? == Append::Done {
                break;
            }
            // Somebody else wrote meanwhile: it is noted behind that.
            let Some(upload) = self.services.uploads.load(self.upload.id()).await? else { break };
            (self.stored, self.unstored, self.upload) = (upload.revision(), Vec::new(), upload);
        }
        Ok(DeliveryOutcome::LateVersionRemoved(self.upload.id().clone()))
    }
}

/// The object version that a delivery is about. Where it names none, the current one is meant or, when that is gone
/// already, the one that the upload had.
async fn version(services: &Services, delivery: &Delivery, issued: Option<&Upload>) -> Result<ObjectVersion, Error> {
    let Delivery { bucket, key, version_id, size, .. } = delivery.clone();
    if let Some(version_id) = version_id {
        return Ok(ObjectVersion { bucket, key, version_id, size, line: None });
    }
    let current = services.objects.head(&bucket, &key, None).await?;
    let known = issued.and_then(|upload| upload.object()).filter(|object| object.key == key);
    let (version_id, size) = match (current, known) {
        (Some(current), _) => (current.version_id, current.size),
        (None, Some(known)) => (known.version_id.clone(), known.size),
        (None, None) => (NO_VERSION.to_owned(), size), // gone before it was read
    };
    Ok(ObjectVersion { bucket, key, version_id, size, line: None })
}

/// The upload of an object that nobody was issued a URL for, and what of its history is not stored yet.
async fn dropped(
    services: &Services,
    object: &ObjectVersion,
    now: Timestamp,
) -> Result<(Upload, Vec<RecordedEvent>), Error> {
    let id = UploadId::of_object(&object.bucket, &object.key, &object.version_id);
    if let Some(upload) = services.uploads.load(&id).await? {
        return Ok((upload, Vec::new()));
    }
    let found = vec![RecordedEvent::new(now, UploadEvent::ObjectFound { origin: found(&object.key) })];
    let upload = Upload::fold(id, &found);
    let upload = upload.map_err(|error| Error::new("fold", &object.key, Kind::Corrupt).with_source(error))?;
    Ok((upload, found))
}

/// The intake of an object that nobody was issued a URL for.
fn found(key: &str) -> Origin {
    Origin {
        owner: OwnerId::operator(),
        key: key.to_owned(),
        file_name: file_name_in_key(key),
        schema: None,
        max_rejected: None,
        expires_at: None,
    }
}
