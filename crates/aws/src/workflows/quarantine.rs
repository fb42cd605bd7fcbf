//! Quarantine: what was rejected, out of the way, with a report beside it. Every effect here may be repeated.

use eventpulse_core::intake::failure::FailureCode;
use eventpulse_core::intake::inspection::{Inspection, Inspector, Retention};
use eventpulse_core::intake::rejection::Rejections;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::report::Report;
use eventpulse_core::upload::{Decision, ObjectVersion, QuarantineLocation, RetryForm, quarantine_key, report_key};

use crate::error::{Error, Kind};
use crate::workflows::inspect_object::{drive, examine};
use crate::workflows::process_upload::UploadWork;

/// Writes the rejected object, or the rejected records, and the report; removes a fully rejected object from the
/// process bucket. `found` is what its examination found, if it was this invocation that examined it.
pub(crate) async fn quarantine<C: Fn() -> Timestamp>(
    work: &UploadWork<'_, C>,
    found: Option<Inspection>,
) -> Result<QuarantineLocation, Error> {
    let upload = &work.upload;
    let counts_in_part = matches!(upload.decision(), Some(Decision::Accepted { .. }));
    let records = counts_in_part || upload.retry_form() == Some(RetryForm::UnchangedRecords);
    let mut quarantined = QuarantineLocation {
        bucket: work.services.config.quarantine_bucket.clone(),
        key: Some(quarantine_key(upload, records)),
        records,
        report_key: report_key(upload),
    };
    let is_told_by_record = upload.rejection().is_some_and(|rejection| rejection.upload_failure.is_none());
    if records && is_told_by_record {
        partly(work, found, &mut quarantined).await?;
        if !counts_in_part {
            // A retry of which nothing counts. Its records lie in quarantine, told anew.
            let ObjectVersion { bucket, key, version_id, .. } = &work.object;
            work.services.objects.delete_version(bucket, key, version_id).await?;
        }
    } else {
        wholly(work, found, &mut quarantined).await?;
    }
    Ok(quarantined)
}

/// The rejected records as NDJSON. The object of good records stays where it is, they count.
async fn partly<C: Fn() -> Timestamp>(
    work: &UploadWork<'_, C>,
    found: Option<Inspection>,
    quarantined: &mut QuarantineLocation,
) -> Result<(), Error> {
    let inspection = match found {
        Some(inspection) => Some(inspection),
        None => examine_again(work).await?,
    };
    let Some(mut inspection) = inspection else {
        quarantined.key = None;
        return report(work, quarantined, &known(work)).await;
    };
    let key = quarantined.key.as_deref().unwrap_or_default();
    let mut writer = work.services.objects.writer(&quarantined.bucket, key, "application/x-ndjson");
    match inspection.rejected_records.take() {
        Some(records) => writer.write(&records).await?,
        None => {
            // Too many to keep: they are found once more, and written as they come.
            let object = work.reopen().await?;
            let terms = work.terms(&object).map_err(|_| contradiction(work))?;
            let mut inspector = Inspector::new(&work.services.catalog, terms, Retention::Rejected);
            let write = async |inspector: &mut Inspector<'_>| writer.write(&inspector.drain_rejected()).await;
            drive(work.upload.id(), object.body, &mut inspector, write).await?;
        }
    }
    writer.finish().await?;
    report(work, quarantined, &inspection.rejections).await
}

/// The whole object, if it is still there.
async fn wholly<C: Fn() -> Timestamp>(
    work: &UploadWork<'_, C>,
    found: Option<Inspection>,
    quarantined: &mut QuarantineLocation,
) -> Result<(), Error> {
    let objects = &work.services.objects;
    let to = (quarantined.bucket.as_str(), quarantined.key.as_deref().unwrap_or_default());
    let ObjectVersion { bucket, key, version_id, size, .. } = &work.object;
    let copied = objects.copy((bucket, key, version_id), *size, to).await?;
    if !copied {
        // Gone: an earlier attempt moved it, or somebody deleted it.
        let moved = objects.head(to.0, to.1, None).await?.is_some();
        if moved && objects.head(to.0, &quarantined.report_key, None).await?.is_some() {
            return Ok(());
        }
        if !moved {
            quarantined.key = None;
        }
        let rejections = found.map_or_else(|| known(work), |inspection| inspection.rejections);
        return report(work, quarantined, &rejections).await;
    }
    let failure = work.upload.rejection().and_then(|rejection| rejection.upload_failure.as_ref());
    let rejections = match found {
        Some(inspection) => inspection.rejections,
        // Reading it is what fails.
        None if failure.is_some_and(|failure| failure.code == FailureCode::ProcessingFailed) => known(work),
        // What is wrong is not in it.
        None if failure.is_some_and(|failure| failure.code == FailureCode::IdempotencyKeyReused) => known(work),
        None => examine_again(work).await?.map_or_else(|| known(work), |inspection| inspection.rejections),
    };
    report(work, quarantined, &rejections).await?;
    objects.delete_version(bucket, key, version_id).await
}

/// What the history tells of the failures.
fn known<C>(work: &UploadWork<'_, C>) -> Rejections {
    work.upload.rejection().map(Rejections::from).unwrap_or_default()
}

/// None when the object is gone.
async fn examine_again<C: Fn() -> Timestamp>(work: &UploadWork<'_, C>) -> Result<Option<Inspection>, Error> {
    let ObjectVersion { bucket, key, version_id, .. } = &work.object;
    let Some(object) = work.services.objects.get(bucket, key, Some(version_id)).await? else { return Ok(None) };
    match work.terms(&object) {
        Ok(terms) => examine(work.services, terms, object).await.map(Some),
        Err(failure) => {
            let mut rejections = Rejections::default();
            rejections.fail_upload(failure);
            Ok(Some(Inspection::failed(rejections)))
        }
    }
}

async fn report<C: Fn() -> Timestamp>(
    work: &UploadWork<'_, C>,
    quarantined: &QuarantineLocation,
    rejections: &Rejections,
) -> Result<(), Error> {
    let report = Report::new(&work.upload, quarantined, rejections, work.now());
    let json = serde_json::to_vec_pretty(&report).map_err(|error| contradiction(work).with_source(error))?;
    work.services.objects.put((&quarantined.bucket, &quarantined.report_key), "application/json", None, json).await?;
    Ok(())
}

/// What cannot be, by what was decided before.
fn contradiction<C: Fn() -> Timestamp>(work: &UploadWork<'_, C>) -> Error {
    Error::new("quarantine", work.upload.id().as_str(), Kind::Corrupt)
}
