//! The step that moves rejected data into quarantine, with a report beside it. Every effect may be repeated.

use eventpulse_core::intake::inspection::{Inspection, Inspector, Retention};
use eventpulse_core::intake::rejection::Rejections;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::commands::{QuarantineAction, QuarantinePlan, plan_quarantine};
use eventpulse_core::upload::object_metadata::ObjectMetadata;
use eventpulse_core::upload::report::Report;
use eventpulse_core::upload::{ObjectVersion, QuarantineLocation, quarantine_key, report_key};

use crate::adapters::object_store::Properties;
use crate::error::{Error, Kind};
use crate::workflows::inspect_object::{feed, inspect};
use crate::workflows::upload_work::UploadWork;

/// Writes the rejected data and the report, and removes an object without accepted records from the process bucket.
/// `inspection`: that of this delivery, if it inspected the object.
///
/// # Errors
/// Returns an [AWS failure](crate::error).
pub(crate) async fn quarantine<C: Fn() -> Timestamp>(
    work: &UploadWork<'_, C>,
    inspection: Option<Inspection>,
) -> Result<QuarantineLocation, Error> {
    let plan = plan_quarantine(&work.upload);
    let location = QuarantineLocation {
        bucket: work.services.config.quarantine_bucket.clone(),
        key: Some(quarantine_key(&work.upload, plan.records)),
        records: plan.records,
        report_key: report_key(&work.upload),
    };
    match plan.action {
        QuarantineAction::WriteRecords => write_records(work, location, inspection).await,
        QuarantineAction::ReplaceRecords => {
            let location = write_records(work, location, inspection).await?;
            work.delete_object().await?;
            Ok(location)
        }
        QuarantineAction::MoveObject => move_object(work, plan, location, inspection).await,
    }
}

/// Writes the rejected records as NDJSON, then the report.
async fn write_records<C: Fn() -> Timestamp>(
    work: &UploadWork<'_, C>,
    location: QuarantineLocation,
    inspection: Option<Inspection>,
) -> Result<QuarantineLocation, Error> {
    let inspection = match inspection {
        Some(inspection) => Some(inspection),
        None => inspect_again(work).await?,
    };
    let Some(mut inspection) = inspection else {
        let location = QuarantineLocation { key: None, ..location }; // the object is gone
        write_report(work, &location, &known_rejections(work)).await?;
        return Ok(location);
    };
    let key = location.key.as_deref().unwrap_or_default();
    let metadata = ObjectMetadata::of_upload(&work.upload).to_map();
    let properties = Properties::plain("application/x-ndjson", &metadata);
    let mut writer = work.services.objects.writer(&location.bucket, key, properties);
    match inspection.rejected_records.take() {
        Some(records) => {
            for piece in records.into_pieces() {
                writer.write(&piece).await?;
            }
        }
        None => {
            // The records do not fit in memory: a second inspection writes them as they come.
            let object = work.reopen_object().await?;
            let spec = work.inspection_spec(&object);
            let spec = spec.map_err(|_| contradiction(work))?;
            let mut inspector = Inspector::new(&work.services.catalog, spec, Retention::Rejected);
            let write = async |inspector: &mut Inspector<'_>| writer.write(&inspector.drain_rejected()).await;
            feed(work.upload.id(), object.body, &mut inspector, write).await?;
        }
    }
    writer.finish().await?;
    write_report(work, &location, &inspection.rejections).await?;
    Ok(location)
}

/// Copies the object, writes the report, then removes the object.
async fn move_object<C: Fn() -> Timestamp>(
    work: &UploadWork<'_, C>,
    plan: QuarantinePlan,
    location: QuarantineLocation,
    inspection: Option<Inspection>,
) -> Result<QuarantineLocation, Error> {
    let ObjectVersion { bucket, key, version_id, size, .. } = &work.object;
    let to = (location.bucket.as_str(), location.key.as_deref().unwrap_or_default());
    if !work.services.objects.copy((bucket, key, version_id), *size, to, None).await? {
        return report_on_missing_object(work, location, inspection).await;
    }
    let inspection = match inspection {
        None if plan.is_reason_in_object => inspect_again(work).await?,
        inspection => inspection,
    };
    write_report(work, &location, &rejections(work, inspection)).await?;
    work.delete_object().await?;
    Ok(location)
}

/// Writes the report on an object that is gone: an earlier delivery moved it, or it was deleted.
async fn report_on_missing_object<C: Fn() -> Timestamp>(
    work: &UploadWork<'_, C>,
    location: QuarantineLocation,
    inspection: Option<Inspection>,
) -> Result<QuarantineLocation, Error> {
    let objects = &work.services.objects;
    let key = location.key.as_deref().unwrap_or_default();
    let is_moved = objects.head(&location.bucket, key, None).await?.is_some();
    if is_moved && objects.head(&location.bucket, &location.report_key, None).await?.is_some() {
        return Ok(location);
    }
    let location = if is_moved { location } else { QuarantineLocation { key: None, ..location } };
    write_report(work, &location, &rejections(work, inspection)).await?;
    Ok(location)
}

/// Returns the rejections that the inspection found or, without one, those in the history.
fn rejections<C>(work: &UploadWork<'_, C>, inspection: Option<Inspection>) -> Rejections {
    inspection.map_or_else(|| known_rejections(work), |inspection| inspection.rejections)
}

/// Returns the rejections in the history: the largest groups, without single records.
fn known_rejections<C>(work: &UploadWork<'_, C>) -> Rejections {
    work.upload.rejection().map(Rejections::from).unwrap_or_default()
}

/// Inspects the object again; `None` if it is gone.
async fn inspect_again<C: Fn() -> Timestamp>(work: &UploadWork<'_, C>) -> Result<Option<Inspection>, Error> {
    let Some(object) = work.open_object().await? else { return Ok(None) };
    match work.inspection_spec(&object) {
        Ok(spec) => inspect(work.services, spec, object).await.map(Some),
        Err(failure) => {
            let mut rejections = Rejections::default();
            rejections.fail_upload(failure);
            Ok(Some(Inspection::failed(rejections)))
        }
    }
}

async fn write_report<C: Fn() -> Timestamp>(
    work: &UploadWork<'_, C>,
    location: &QuarantineLocation,
    rejections: &Rejections,
) -> Result<(), Error> {
    let report = Report::new(&work.upload, location, rejections, work.now());
    let json = serde_json::to_vec_pretty(&report).map_err(|error| contradiction(work).with_source(error))?;
    let metadata = ObjectMetadata::of_upload(&work.upload).to_map();
    let properties = Properties::plain("application/json", &metadata);
    work.services.objects.put((&location.bucket, &location.report_key), properties, json).await?;
    Ok(())
}

/// Returns the error of a state that the earlier decision excludes.
fn contradiction<C>(work: &UploadWork<'_, C>) -> Error {
    Error::new("quarantine", work.upload.id().as_str(), Kind::Corrupt)
}
