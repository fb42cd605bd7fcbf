//! The record of an upload's occurrence for its owner's notices. The workflow [`notify`](crate::workflows::notify) turns
//! occurrences into notices.

use eventpulse_core::intake::fingerprint::kind_of;
use eventpulse_core::intake::shape::Shape;
use eventpulse_core::notification::occurrence::{Occurrence, PassedKind};
use eventpulse_core::notification::source::Source;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::Upload;
use eventpulse_core::upload::commands::{self, RecordableOccurrence};
use eventpulse_core::usage::Charge;

use crate::Services;
use crate::adapters::notice_store::profile::Passed;
use crate::adapters::upload_store::Append;
use crate::error::{Error, Kind};
use crate::workflows::quotas;
use crate::workflows::upload_work::UploadWork;

/// Records the rejection, or the acceptance of a retry, for the owner's notices, once: the same transaction appends the
/// event.
///
/// # Errors
/// [`Kind::Corrupt`] if the upload is neither. Else returns an [AWS failure](crate::error).
pub(crate) async fn record_occurrence<C: Fn() -> Timestamp>(work: &mut UploadWork<'_, C>) -> Result<Append, Error> {
    let occurrence = Occurrence::of_rejection(&work.upload).or_else(|| Occurrence::of_correction(&work.upload));
    let Some(occurrence) = occurrence else {
        return Err(Error::new("record the occurrence of", work.upload.id().as_str(), Kind::Corrupt));
    };
    mark_problems_open(work, &occurrence).await?;
    let item = work.services.notices.occurrence_action(&work.upload.origin().owner, &occurrence)?;
    work.record(commands::record_occurrence(&work.upload));
    let append = work.store_with(item).await?;
    if append == Append::Done && work.upload.rejection().is_some() {
        // Not in the transaction: it would conflict with every other rejection of the owner.
        let rejected_records = work.upload.rejected().max(1);
        let charge = Charge { rejected_records, ..Charge::default() };
        quotas::count(&work.services.usage, &work.upload.origin().owner, &charge, work.now()).await;
    }
    Ok(append)
}

/// After the decision, counts a pass, or marks the problems of a rejection open before its data are moved, which may take
/// minutes.
///
/// The owner's profile counts passes. A pass is recorded if open problems may await its source. A failure here never rejects
/// data; it may lose a count, or a problem becomes quiet later.
pub(crate) async fn record_pass_or_mark_open<C: Fn() -> Timestamp>(work: &UploadWork<'_, C>, shapes: &[Shape]) {
    match commands::recordable_occurrence(&work.upload) {
        Some(RecordableOccurrence::Pass) => {
            let mut passed = Passed::default();
            let requested_kind = kind_of(&work.requested_schema());
            passed.add(shapes, &requested_kind, Source::of(&work.upload).as_ref());
            record_pass(work.services, &work.upload, &passed, work.now()).await;
        }
        Some(RecordableOccurrence::Rejection) => {
            let Some(occurrence) = Occurrence::of_rejection(&work.upload) else { return };
            if let Err(error) = mark_problems_open(work, &occurrence).await {
                tracing::warn!(
                    error = error.chain(),
                    "could not mark the problems open; will retry when the occurrence is recorded"
                );
            }
        }
        None => {}
    }
}

async fn mark_problems_open<C: Fn() -> Timestamp>(
    work: &UploadWork<'_, C>,
    occurrence: &Occurrence,
) -> Result<(), Error> {
    if occurrence.failed_source().is_none() {
        return Ok(()); // no problem awaits the source of a retry or of the synthetic check
    }
    let owner = &work.upload.origin().owner;
    for fingerprint in occurrence.fingerprints() {
        work.services.notices.mark_open(owner, &fingerprint.kind_of_upload, occurrence.at).await?;
    }
    Ok(())
}

/// Counts accepted uploads of one owner in its profile; `upload` is the latest of them. Records a pass if open problems of
/// their kinds may await their sources. A failure is logged: the uploads are accepted regardless.
pub(crate) async fn record_pass(services: &Services, upload: &Upload, passed: &Passed, now: Timestamp) {
    let owner = &upload.origin().owner;
    let open_kinds = match services.notices.count(owner, passed, now).await {
        Ok(open_kinds) => open_kinds,
        Err(error) => {
            tracing::warn!(error = error.chain(), "could not count accepted uploads in the profile of their owner");
            passed.kinds() // a pass that nothing awaits does no harm; a pass that is not recorded is lost
        }
    };
    let Some(occurrence) = pass_to_record(upload, open_kinds, now) else { return };
    if let Err(error) = services.notices.record_occurrence(owner, &occurrence).await {
        tracing::warn!(error = error.chain(), "could not record that an upload passed");
    }
}

/// Returns the pass to record; `None` if no problem awaits the sources of the upload's kinds.
fn pass_to_record(upload: &Upload, open_kinds: Vec<PassedKind>, now: Timestamp) -> Option<Occurrence> {
    (!open_kinds.is_empty()).then(|| Occurrence::of_pass(upload, open_kinds, now))
}

#[cfg(test)]
mod tests {
    use eventpulse_core::id::UploadId;
    use eventpulse_core::intake::digest::Sha256Source;
    use eventpulse_core::upload::{Decision, Origin, RecordedEvent, UploadEvent};

    use super::*;

    fn accepted_upload() -> Upload {
        let origin = Origin {
            owner: "u1".parse().unwrap(),
            key: "uploads/x/a.json".to_owned(),
            file_name: "a.json".to_owned(),
            schema: None,
            max_rejected: None,
            expires_at: None,
        };
        let decision = Decision::Accepted {
            sha256: "00".to_owned(),
            sha256_source: Sha256Source::Computed,
            accepted: 1,
            chunks: 1,
            shared_chunks: Vec::new(),
            series: Box::default(),
            rejection: None,
            rules: None,
        };
        let events = [
            RecordedEvent::new(Timestamp::from_secs(1), UploadEvent::ObjectFound { origin }),
            RecordedEvent::new(
                Timestamp::from_secs(2),
                UploadEvent::Decided { decision, claim: Some("00".to_owned()) },
            ),
        ];
        Upload::fold(UploadId::of_object("b", "k", "v"), &events).unwrap()
    }

    #[test]
    fn a_pass_is_recorded_only_if_problems_may_await_it() {
        let (upload, now) = (accepted_upload(), Timestamp::from_secs(9));
        assert_eq!(pass_to_record(&upload, Vec::new(), now), None);
        let sources = vec![Source::of_file("a.json")];
        let kinds = vec![PassedKind { kind_of_upload: "orders/1".to_owned(), sources }];
        let occurrence = pass_to_record(&upload, kinds.clone(), now).unwrap();
        assert_eq!((occurrence.at, occurrence.passed()), (Timestamp::from_secs(2), kinds.as_slice()));
    }
}
