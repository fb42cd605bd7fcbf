//! The upload that a worker processes: its state, its object, and the events that are not stored yet.

use aws_sdk_dynamodb::types::TransactWriteItem;
use eventpulse_core::intake::failure::Failure;
use eventpulse_core::intake::inspection::InspectionSpec;
use eventpulse_core::intake::schema::SchemaRef;
use eventpulse_core::statistics::chunk::Chunk;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{ObjectVersion, RecordedEvent, Upload, UploadEvent, commands, inspection_spec};

use crate::Services;
use crate::adapters::object_store::Object;
use crate::adapters::upload_store::open_counters::StoredState;
use crate::adapters::upload_store::{Append, ClaimOutcome};
use crate::error::{Error, Kind};

/// The outcome of a step, or of all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepOutcome {
    /// The step is done.
    Done,
    /// Another worker was faster: begin again from the stored state.
    Conflict,
    /// The upload waits for another upload with the same bytes. That it does is stored.
    Waiting,
}

impl From<Append> for StepOutcome {
    fn from(append: Append) -> Self {
        match append {
            Append::Done => Self::Done,
            Append::Conflict => Self::Conflict,
        }
    }
}

/// One upload at work. Events are applied to `upload` at once and stored with the next append.
pub(crate) struct UploadWork<'a, C> {
    pub(crate) services: &'a Services,
    pub(crate) upload: Upload,
    pub(crate) object: ObjectVersion,
    clock: C,
    /// The state before the unstored events. The next append is conditional on it.
    stored: StoredState,
    unstored: Vec<RecordedEvent>,
}

impl<'a, C: Fn() -> Timestamp> UploadWork<'a, C> {
    /// Begins or resumes the work on an upload. `unstored`: its whole history, if nothing of it is stored yet; else empty.
    pub(crate) fn new(
        services: &'a Services,
        upload: Upload,
        object: ObjectVersion,
        unstored: Vec<RecordedEvent>,
        clock: C,
    ) -> Self {
        let stored = if unstored.is_empty() { StoredState::of(&upload) } else { StoredState::NOTHING };
        Self { services, upload, object, clock, stored, unstored }
    }

    /// Returns the present time.
    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Returns whether another worker advanced this upload a moment ago and has steps left to take.
    pub(crate) fn is_held_by_another_worker(&self) -> bool {
        self.unstored.is_empty() && commands::is_held_by_another_worker(&self.upload, self.now())
    }

    /// Applies events. The next append stores them.
    pub(crate) fn record(&mut self, events: impl IntoIterator<Item = UploadEvent>) {
        for event in events {
            let recorded = RecordedEvent::new(self.now(), event);
            self.upload.apply(&recorded);
            self.unstored.push(recorded);
        }
    }

    /// Rejects the upload as a whole. The next append stores the decision.
    pub(crate) fn reject(&mut self, failure: Failure) {
        self.record(commands::reject(&self.upload, failure, &self.requested_schema()));
    }

    /// Returns the schema that applies to records that name none.
    pub(crate) fn requested_schema(&self) -> String {
        let named = self.upload.origin().schema.as_ref().and_then(|name| SchemaRef::parse(name).ok());
        self.services.catalog.resolve(named.as_ref(), &self.services.config.default_schema)
    }

    /// Appends the unstored events.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub(crate) async fn store(&mut self) -> Result<Append, Error> {
        if self.unstored.is_empty() {
            return Ok(Append::Done);
        }
        let append = self.services.uploads.append(&self.upload, &self.stored, &self.unstored).await?;
        Ok(self.appended(append))
    }

    /// Appends the unstored events and writes another item, in one transaction.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub(crate) async fn store_with(&mut self, other: TransactWriteItem) -> Result<Append, Error> {
        let uploads = &self.services.uploads;
        let append = uploads.append_with(&self.upload, &self.stored, &self.unstored, other).await?;
        Ok(self.appended(append))
    }

    /// Appends the unstored events and releases a claim of this upload, in one transaction.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub(crate) async fn store_releasing(&mut self, claim: &str) -> Result<Append, Error> {
        let uploads = &self.services.uploads;
        let append = uploads.append_releasing(&self.upload, &self.stored, &self.unstored, claim).await?;
        Ok(self.appended(append))
    }

    /// Claims bytes, writes chunks, and appends the unstored events and `events`, in one transaction. Without the claim,
    /// `events` are not recorded.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub(crate) async fn store_with_claim(
        &mut self,
        claim: &str,
        chunks: &[Chunk],
        events: Vec<UploadEvent>,
    ) -> Result<ClaimOutcome, Error> {
        let before = (self.upload.clone(), self.unstored.clone());
        self.record(events);
        let (uploads, upload) = (&self.services.uploads, &self.upload);
        let outcome = uploads.claim(claim, chunks, upload, &self.stored, &self.unstored).await?;
        match outcome {
            ClaimOutcome::Acquired => self.note_stored(),
            ClaimOutcome::TakenBy(_) | ClaimOutcome::Conflict => (self.upload, self.unstored) = before,
        }
        Ok(outcome)
    }

    /// Returns the spec for the inspection of the object.
    ///
    /// # Errors
    /// The failure of the whole upload: see [`inspection_spec`].
    pub(crate) fn inspection_spec(&self, object: &Object) -> Result<InspectionSpec, Failure> {
        let (content_type, encoding) = (object.content_type.as_deref(), object.content_encoding.as_deref());
        let default_schema = &self.services.config.default_schema;
        let spec = inspection_spec(&self.upload, &self.object.key, content_type, encoding, default_schema)?;
        Ok(InspectionSpec { known_sha256: object.sha256, ..spec })
    }

    /// Opens the object; `None` if it is gone.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub(crate) async fn open_object(&self) -> Result<Option<Object>, Error> {
        let ObjectVersion { bucket, key, version_id, .. } = &self.object;
        self.services.objects.get(bucket, key, Some(version_id)).await
    }

    /// Opens the object again.
    ///
    /// # Errors
    /// [`Kind::Missing`] if it was deleted since it was read: the next delivery decides about that. Else returns an
    /// [AWS failure](crate::error).
    pub(crate) async fn reopen_object(&self) -> Result<Object, Error> {
        let ObjectVersion { bucket, key, .. } = &self.object;
        let object = self.open_object().await?;
        object.ok_or_else(|| Error::new("GetObject", format!("s3://{bucket}/{key}"), Kind::Missing))
    }

    /// Removes the object version from the process bucket.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub(crate) async fn delete_object(&self) -> Result<(), Error> {
        let ObjectVersion { bucket, key, version_id, .. } = &self.object;
        self.services.objects.delete_version(bucket, key, version_id).await
    }

    fn appended(&mut self, append: Append) -> Append {
        if append == Append::Done {
            self.note_stored();
        }
        append
    }

    fn note_stored(&mut self) {
        self.unstored.clear();
        self.stored = StoredState::of(&self.upload);
    }
}
