//! Objects on their way through the core's examiner.

use aws_sdk_s3::primitives::ByteStream;
use eventpulse_core::id::UploadId;
use eventpulse_core::intake::inspection::{Examination, Examiner, Keep, Terms};

use crate::Services;
use crate::adapters::object_store::Object;
use crate::error::{Error, Kind};

/// Reads an object to its end, or to where it fails as a whole.
pub(crate) async fn examine(services: &Services, terms: Terms, object: Object) -> Result<Examination, Error> {
    let upload_id = terms.upload_id.clone();
    let mut examiner = Examiner::new(&services.catalog, terms, Keep::Bounded);
    drive(&upload_id, object.body, &mut examiner, async |_| Ok(())).await?;
    Ok(examiner.examination())
}

/// Gives an examiner the bytes of an object. `drain` is called whenever its findings fill it, and at the end.
pub(crate) async fn drive(
    upload_id: &UploadId,
    mut body: ByteStream,
    examiner: &mut Examiner<'_>,
    mut drain: impl AsyncFnMut(&mut Examiner<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    'reading: while let Some(bytes) = body.next().await {
        // The connection may break while an object is read.
        let broken = |error| Error::new("GetObject", upload_id.as_str(), Kind::Unreachable).because(error);
        let bytes = bytes.map_err(broken)?;
        let mut rest = &bytes[..];
        loop {
            if !examiner.push(&mut rest) {
                break 'reading;
            }
            if !examiner.is_full() {
                break;
            }
            drain(examiner).await?;
        }
    }
    examiner.finish();
    drain(examiner).await
}
