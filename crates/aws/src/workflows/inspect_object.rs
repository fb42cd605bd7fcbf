//! Objects on their way through the core's examiner.

use aws_sdk_s3::primitives::ByteStream;
use eventpulse_core::id::UploadId;
use eventpulse_core::intake::inspection::{Inspection, InspectionSpec, Inspector, Retention};

use crate::Services;
use crate::adapters::object_store::Object;
use crate::error::{Error, Kind};

/// Reads an object to its end, or to where it fails as a whole.
pub(crate) async fn examine(services: &Services, terms: InspectionSpec, object: Object) -> Result<Inspection, Error> {
    let upload_id = terms.upload_id.clone();
    let mut inspector = Inspector::new(&services.catalog, terms, Retention::Bounded);
    drive(&upload_id, object.body, &mut inspector, async |_| Ok(())).await?;
    Ok(inspector.inspection())
}

/// Gives an examiner the bytes of an object. `drain` is called whenever its findings fill it, and at the end.
pub(crate) async fn drive(
    upload_id: &UploadId,
    mut body: ByteStream,
    inspector: &mut Inspector<'_>,
    mut drain: impl AsyncFnMut(&mut Inspector<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    'reading: while let Some(bytes) = body.next().await {
        // The connection may break while an object is read.
        let broken = |error| Error::new("GetObject", upload_id.as_str(), Kind::Unreachable).with_source(error);
        let bytes = bytes.map_err(broken)?;
        let mut rest = &bytes[..];
        loop {
            if !inspector.push(&mut rest) {
                break 'reading;
            }
            if !inspector.is_full() {
                break;
            }
            drain(inspector).await?;
        }
    }
    inspector.finish();
    drain(inspector).await
}
