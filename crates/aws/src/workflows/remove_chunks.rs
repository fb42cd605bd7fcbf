//! The removal of an upload's accepted points: from the chunks that it shares with other messages, and its own chunks.

use std::time::Duration;

use eventpulse_core::statistics::series::Series;
use eventpulse_core::upload::{SharedChunk, Upload};

use crate::Services;
use crate::error::Error;

/// The pause before the index of chunks is queried again: it lags behind the table.
const INDEX_PAUSE: Duration = Duration::from_millis(250);
/// The number of queries: 10 s in all.
const INDEX_QUERIES: u32 = 40;

/// Removes the upload from its shared chunks, and its own chunks until at least `expected` are removed. Stops querying
/// after [`INDEX_QUERIES`]: another call may have removed some.
///
/// # Errors
/// Returns an [AWS failure](crate::error). A repeated call resumes.
pub(crate) async fn remove_chunks(services: &Services, upload: &Upload, expected: u64) -> Result<(), Error> {
    let owner = &upload.origin().owner;
    for SharedChunk { entity, measure, sort_key } in upload.shared_chunks() {
        let series = Series { owner: owner.clone(), entity: entity.clone(), measure: measure.clone() };
        services.chunks.remove_upload(&series, sort_key, upload.id()).await?;
    }
    let mut removed = 0;
    for _ in 0..INDEX_QUERIES {
        removed += services.chunks.delete_of_upload(upload.id(), None).await?;
        if removed >= expected {
            break;
        }
        tokio::time::sleep(INDEX_PAUSE).await;
    }
    Ok(())
}
