//! Extends the statistics of a correction's series to the earlier attempts.

use std::time::Duration;

use eventpulse_core::intake::inspection::Inspection;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::series_totals::{ChunkSearch, EarlierPoints, SeriesTotals};

use crate::adapters::dynamodb::batch_get::MAX_KEYS;
use crate::error::Error;
use crate::workflows::upload_work::UploadWork;

/// The pause before the index of chunks is queried again, because it lags behind the table. It doubles each time.
const INDEX_PAUSE: Duration = Duration::from_millis(100);
/// The number of queries: 6 s in all.
const INDEX_QUERIES: u32 = 7;

/// Replaces the report on the series by that on all accepted attempts. Reads the points of the earlier attempts where the
/// history does not know enough. Does nothing, and costs no call, if no earlier attempt accepted records.
///
/// The chunks of the earlier attempts are stored: each decision was stored after them, or in their transaction.
///
/// # Errors
/// Returns an [AWS failure](crate::error).
pub(crate) async fn total_series<C: Fn() -> Timestamp>(
    work: &UploadWork<'_, C>,
    inspection: &mut Inspection,
) -> Result<(), Error> {
    let report = match SeriesTotals::of_correction(&work.upload, inspection) {
        None => return Ok(()),
        Some(totals) if totals.needs_chunks() => totals.report(Some(&read_earlier_points(work, &totals).await?)),
        Some(totals) => totals.report(None),
    };
    inspection.series = report;
    Ok(())
}

/// Reads the chunks. The report omits what depends on missing and unreadable ones.
async fn read_earlier_points<'t, C: Fn() -> Timestamp>(
    work: &UploadWork<'_, C>,
    totals: &'t SeriesTotals<'_>,
) -> Result<EarlierPoints<'t>, Error> {
    let mut earlier = totals.earlier_points(search_chunks(work, totals).await?);
    let keys = earlier.keys().to_vec();
    let (mut missing, mut reason) = (keys.len(), None);
    for keys in keys.chunks(MAX_KEYS) {
        let read = work.services.chunks.get_many(keys).await?;
        missing -= read.chunks.iter().filter(|chunk| earlier.add(chunk)).count();
        reason = reason.or_else(|| read.unreadable.into_iter().next());
    }
    if missing > 0 {
        let (upload_id, error) = (work.upload.id().as_str(), reason.map(|error| error.chain()));
        tracing::warn!(
            upload_id,
            missing,
            error,
            "cannot read chunks of earlier attempts; the receipt omits their series"
        );
    }
    Ok(earlier)
}

/// Searches until the index knows as many chunks as the history counts, or until the last query. Missing chunks do not delay
/// the correction; the report omits what depends on them.
async fn search_chunks<C: Fn() -> Timestamp>(
    work: &UploadWork<'_, C>,
    totals: &SeriesTotals<'_>,
) -> Result<ChunkSearch, Error> {
    let mut queries = 0;
    loop {
        let mut search = totals.search();
        work.services.chunks.keys_of_upload(work.upload.id(), |pk, sk| search.found(pk, sk)).await?;
        queries += 1;
        if search.is_complete() {
            return Ok(search);
        }
        if queries == INDEX_QUERIES {
            let (upload_id, missing) = (work.upload.id().as_str(), search.missing());
            tracing::warn!(upload_id, missing, "the index lags; the receipt omits what depends on missing chunks");
            return Ok(search);
        }
        tokio::time::sleep(INDEX_PAUSE * 2u32.pow(queries - 1)).await;
    }
}
