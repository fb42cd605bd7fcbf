//! The inspection of an object by the core.

use aws_sdk_s3::primitives::ByteStream;
use eventpulse_core::id::UploadId;
use eventpulse_core::intake::inspection::{Inspection, InspectionSpec, Inspector, Retention};

use crate::Services;
use crate::adapters::object_store::Object;
use crate::error::{Error, Kind};

/// Inspects an object until its end, or until it fails as a whole.
///
/// # Errors
/// [`Kind::Unreachable`] if the connection breaks: the next delivery reads the object again.
pub(crate) async fn inspect(services: &Services, spec: InspectionSpec, object: Object) -> Result<Inspection, Error> {
    let upload_id = spec.upload_id.clone();
    let mut inspector = Inspector::new(&services.catalog, spec, Retention::Bounded);
    feed(&upload_id, object.body, &mut inspector, async |_| Ok(())).await?;
    Ok(inspector.inspection())
}

/// Feeds the bytes of an object to an inspector. Calls `drain` whenever the inspector is full, and at the end.
///
/// # Errors
/// [`Kind::Unreachable`] if the connection breaks; the errors of `drain`.
pub(crate) async fn feed(
    upload_id: &UploadId,
    mut body: ByteStream,
    inspector: &mut Inspector<'_>,
    mut drain: impl AsyncFnMut(&mut Inspector<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    'reading: while let Some(bytes) = body.next().await {
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
    while !inspector.finish() {
        drain(inspector).await?;
    }
    drain(inspector).await
}
