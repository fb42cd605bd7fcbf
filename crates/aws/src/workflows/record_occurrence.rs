//! What of an upload is news to its owner: noted here, told by [`notify`](crate::workflows::notify).

use eventpulse_core::intake::fingerprint::kind_of;
use eventpulse_core::intake::inspection::Inspection;
use eventpulse_core::notification::occurrence::Occurrence;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{Decision, Upload, UploadEvent};

use super::process_upload::UploadWork;
use crate::Services;
use crate::adapters::notice_store::profile::Passed;
use crate::adapters::upload_store::Append;
use crate::error::{Error, Kind};

impl<C: Fn() -> Timestamp> UploadWork<'_, C> {
    /// Notes what was rejected for the owner's notices, once: the history says so in the same transaction.
    pub(crate) async fn note(&mut self) -> Result<Append, Error> {
        let corrupt = || Error::new("note", self.upload.id().as_str(), Kind::Corrupt);
        let occurrence = Occurrence::of_rejection(&self.upload).ok_or_else(corrupt)?;
        self.mark_open(&occurrence).await?;
        let put = self.services.groups.note(&self.upload.origin().owner, &occurrence)?;
        let problems = occurrence.fingerprints().iter().map(|fingerprint| fingerprint.id.clone()).collect();
        self.happened(UploadEvent::OccurrenceRecorded { problems });
        let append = self.services.uploads.append_with(&self.upload, self.stored, &self.unstored, put).await?;
        Ok(self.appended(append))
    }

    /// Before anything is moved to quarantine, which may take minutes: who passes from now on is to say so.
    pub(crate) async fn rejected(&self) {
        let Some(occurrence) = Occurrence::of_rejection(&self.upload) else { return };
        if let Err(error) = self.mark_open(&occurrence).await {
            tracing::warn!(error = error.chain(), "that uploads fail is said once more when this one is noted");
        }
    }

    /// Counts an accepted upload in its owner's profile, and notes that it passed.
    pub(crate) async fn accepted(&self, inspection: &Inspection, asked: &str) {
        match self.upload.decision() {
            Some(Decision::Accepted { rejection: None, .. }) => {
                let mut passed = Passed::default();
                passed.add(&inspection.shapes);
                passed.ask(&kind_of(asked));
                note_passed(self.services, &self.upload, &passed, self.now()).await;
            }
            Some(Decision::Accepted { .. }) => self.rejected().await,
            _ => {}
        }
    }

    async fn mark_open(&self, occurrence: &Occurrence) -> Result<(), Error> {
        for fingerprint in occurrence.fingerprints() {
            let owner = &self.upload.origin().owner;
            self.services.groups.mark_open(owner, &fingerprint.kind, occurrence.at).await?;
        }
        Ok(())
    }
}

/// Counts uploads of one owner of which all counts; the last of them is `upload`. Where groups of their kinds may be open,
/// that is news. The uploads count whatever becomes of this: a failure costs the profile a count, no record.
pub(crate) async fn note_passed(services: &Services, upload: &Upload, passed: &Passed, now: Timestamp) {
    let groups = &services.groups;
    let owner = &upload.origin().owner;
    let open = groups.count(owner, passed, now).await.unwrap_or_else(|error| {
        tracing::warn!(error = error.chain(), "what passed could not be counted in its owner's profile");
        passed.kinds() // a pass that resolves nothing is no news, one that is not noted would be missed
    });
    if open.is_empty() {
        return;
    }
    if let Err(error) = groups.put(owner, &Occurrence::of_pass(upload, open, now)).await {
        tracing::warn!(error = error.chain(), "what passed could not be noted for its owner's notices");
    }
}
