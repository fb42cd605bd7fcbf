//! The inspection of an object by the core.

use aws_sdk_s3::primitives::ByteStream;
use eventpulse_core::id::{UploadId, file_name_in_key};
use eventpulse_core::intake::failure::{Failure, FailureCode};
use eventpulse_core::intake::inspection::{InputForm, Inspection, InspectionSpec, Inspector, Retention};
use eventpulse_core::intake::reader::{Limits, Media};
use eventpulse_core::intake::schema::SchemaRef;
use eventpulse_core::upload::{RetryForm, Upload};

use crate::Services;
use crate::adapters::object_store::Object;
use crate::error::{Error, Kind};

/// The additional length of a line of the retry records: its failures, and the escapes of a record that is not JSON.
const RETRY_LINE_EXTRA_BYTES: usize = 8 << 20;

/// Returns the spec for the inspection of an upload's object.
///
/// # Errors
/// The failure of the whole upload if its media type, encoding or schema is not supported.
pub(crate) fn inspection_spec(
    services: &Services,
    upload: &Upload,
    key: &str,
    object: &Object,
) -> Result<InspectionSpec, Failure> {
    let origin = upload.origin();
    let mut limits = Limits::default();
    if upload.retry_form() == Some(RetryForm::UnchangedRecords) {
        limits.record_bytes += RETRY_LINE_EXTRA_BYTES;
    }
    let (content_type, encoding) = (object.content_type.as_deref(), object.content_encoding.as_deref());
    let media = Media::parse(content_type, encoding, &file_name_in_key(key))?;
    let schema = origin.schema.as_deref().map(parse_schema).transpose()?;
    // The first attempt kept the limit. A retry has only the records left, and may keep none of them.
    let max_rejected = origin.max_rejected.filter(|_| upload.accepted() == 0);
    Ok(InspectionSpec {
        owner: origin.owner.clone(),
        upload_id: upload.id().clone(),
        attempt: upload.attempt(),
        input: upload.retry_form().map_or(InputForm::Records, RetryForm::input_form),
        media,
        schema,
        default_schema: services.config.default_schema.clone(),
        max_rejected,
        limits,
    })
}

fn parse_schema(name: &str) -> Result<SchemaRef, Failure> {
    SchemaRef::parse(name).map_err(|_| {
        let message = format!("`{name}` is not of the form <name>/<major>.<minor>");
        Failure::new(FailureCode::UnknownSchema, "", message)
    })
}

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
    inspector.finish();
    drain(inspector).await
}
