//! Quarantine: what was rejected, out of the way, with a report beside it. Every effect here may be repeated.

use eventpulse_core::examine::{Examination, Examiner, Keep};
use eventpulse_core::failure::Code;
use eventpulse_core::rejection::Rejections;
use eventpulse_core::report::Report;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{Decision, ObjectVersion, Quarantined, quarantine_key, report_key};

use crate::error::{Error, Kind};
use crate::ingest::{Work, examine, unreadable};

/// Writes the rejected object, or the rejected records, and the report; removes a fully rejected object from the
/// process bucket. `found` is what its examination found, if it was this invocation that examined it.
pub(crate) async fn quarantine<C: Fn() -> Timestamp>(
    work: &Work<'_, C>,
    found: Option<Examination>,
) -> Result<Quarantined, Error> {
    let upload = &work.upload;
    let (owner, name) = (upload.intake.owner.as_str(), upload.intake.file_name.as_str());
    let partial = matches!(upload.decision, Some(Decision::Accepted { .. }));
    let mut quarantined = Quarantined {
        bucket: work.services.config.quarantine_bucket.clone(),
        key: Some(quarantine_key(owner, &upload.id, name, partial)),
        report_key: report_key(owner, &upload.id, name),
    };
    if partial {
        partly(work, found, &quarantined).await?;
    } else if !wholly(work, found, &mut quarantined).await? {
        quarantined.key = None;
    }
    Ok(quarantined)
}

/// The rejected records as NDJSON; the object stays where it is, its good records count.
async fn partly<C: Fn() -> Timestamp>(
    work: &Work<'_, C>,
    found: Option<Examination>,
    quarantined: &Quarantined,
) -> Result<(), Error> {
    let mut examination = match found {
        Some(examination) => examination,
        None => examine_again(work).await?,
    };
    let key = quarantined.key.as_deref().unwrap_or_default();
    let mut writer = work.services.objects.writer(&quarantined.bucket, key, "application/x-ndjson");
    match examination.rejected_records.take() {
        Some(records) => writer.write(&records).await?,
        None => {
            // Too many to keep: they are found once more, and written as they come.
            let object = work.reopen().await?;
            let terms = work.terms(&object).map_err(|_| contradiction(work))?;
            let mut examiner = Examiner::new(&work.services.catalog, terms, Keep::Everything);
            let mut body = object.body;
            while let Some(bytes) = body.next().await {
                examiner.push(&bytes.map_err(|error| unreadable(&work.upload.id).because(error))?);
                examiner.drain_chunks();
                writer.write(&examiner.drain_rejected()).await?;
            }
            examiner.finish();
            writer.write(&examiner.drain_rejected()).await?;
        }
    }
    writer.finish().await?;
    report(work, quarantined, &examination.rejections).await
}

/// The whole object. `false`: there was none to move.
async fn wholly<C: Fn() -> Timestamp>(
    work: &Work<'_, C>,
    found: Option<Examination>,
    quarantined: &mut Quarantined,
) -> Result<bool, Error> {
    let objects = &work.services.objects;
    let to = (quarantined.bucket.as_str(), quarantined.key.as_deref().unwrap_or_default());
    let ObjectVersion { bucket, key, version_id, size } = &work.object;
    let copied = objects.copy((bucket, key, version_id), *size, to).await?;
    if !copied && objects.head(to.0, &quarantined.report_key).await?.is_some() {
        // An earlier attempt moved it and wrote the report.
        return Ok(objects.head(to.0, to.1).await?.is_some());
    }
    let rejections = match found {
        Some(examination) => examination.rejections,
        None => match work.upload.rejection().and_then(|rejection| rejection.upload_failure.clone()) {
            // Not to be read again: it is not there, or reading it is what fails.
            Some(failure) if !copied || failure.code == Code::ProcessingFailed => {
                let mut rejections = Rejections::default();
                rejections.fail_upload(failure);
                rejections
            }
            _ => examine_again(work).await?.rejections,
        },
    };
    if !copied {
        quarantined.key = None;
    }
    report(work, quarantined, &rejections).await?;
    objects.delete_version(bucket, key, version_id).await?;
    Ok(copied)
}

async fn examine_again<C: Fn() -> Timestamp>(work: &Work<'_, C>) -> Result<Examination, Error> {
    let object = work.reopen().await?;
    match work.terms(&object) {
        Ok(terms) => examine(work.services, terms, object).await,
        Err(failure) => {
            let mut rejections = Rejections::default();
            rejections.fail_upload(failure);
            Ok(Examination::failed(rejections))
        }
    }
}

async fn report<C: Fn() -> Timestamp>(
    work: &Work<'_, C>,
    quarantined: &Quarantined,
    rejections: &Rejections,
) -> Result<(), Error> {
    let report = Report::new(&work.upload, quarantined, rejections, work.now());
    let json = serde_json::to_vec_pretty(&report).map_err(|error| contradiction(work).because(error))?;
    work.services.objects.put(&quarantined.bucket, &quarantined.report_key, "application/json", json).await
}

/// What cannot be, by what was decided before.
fn contradiction<C: Fn() -> Timestamp>(work: &Work<'_, C>) -> Error {
    Error::new("quarantine", work.upload.id.as_str(), Kind::Corrupt)
}
