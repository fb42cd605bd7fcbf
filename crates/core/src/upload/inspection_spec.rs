//! The spec for the inspection of an upload's object.

use super::aggregate::Upload;
use super::event::RetryForm;
use crate::id::{OwnerId, file_name_in_key};
use crate::intake::failure::{Failure, FailureCode};
use crate::intake::inspection::{Bounds, InputForm, InspectionSpec, MaxRecords};
use crate::intake::reader::{Limits, Media};
use crate::intake::schema::SchemaRef;

/// The additional length of a line of retry records: its failures, and the escapes of a record that is not JSON.
const RETRY_LINE_EXTRA_BYTES: usize = 8 << 20;
/// The maximum size of a message in bytes, after decompression. The gateway accepts 192 KiB.
const MESSAGE_BYTES: u64 = 1 << 20;

/// Returns the spec for the inspection of the object under `key` with these headers.
///
/// # Errors
/// The failure of the whole upload if its media type, encoding or schema name is not supported.
pub fn inspection_spec(
    upload: &Upload,
    key: &str,
    content_type: Option<&str>,
    content_encoding: Option<&str>,
    default_schema: &SchemaRef,
) -> Result<InspectionSpec, Failure> {
    let origin = upload.origin();
    let (mut limits, mut bounds) = (Limits::default(), Bounds::UPLOAD);
    match upload.retry_form() {
        Some(RetryForm::UnchangedRecords) => limits.record_bytes += RETRY_LINE_EXTRA_BYTES,
        // Unchanged may be a correction with too many records.
        Some(RetryForm::Corrected | RetryForm::Unchanged) => {
            bounds.records = upload.uncorrected().map(MaxRecords::OfCorrection);
        }
        None if upload.message().is_some() => limits = message_limits(),
        None => {}
    }
    let parse_media = if is_found(upload) { Media::parse_or_undeclared } else { Media::parse };
    let media = parse_media(content_type, content_encoding, &file_name_in_key(key))?;
    let schema = origin.schema.as_deref().map(parse_schema).transpose()?;
    // The first attempt kept the limit. A retry has the rejected records only, and all of them may fail again.
    let max_rejected = origin.max_rejected.filter(|_| upload.accepted() == 0);
    Ok(InspectionSpec {
        owner: origin.owner.clone(),
        upload_id: upload.id().clone(),
        attempt: upload.write_number(),
        input: upload.retry_form().map_or(InputForm::Records, RetryForm::input_form),
        media,
        schema,
        default_schema: default_schema.clone(),
        max_rejected,
        known_sha256: None,
        limits,
        bounds,
    })
}

/// Returns whether an operator copied the object into the bucket. Tools send no useful type for unknown endings, and no
/// answer named the supported types to the sender.
fn is_found(upload: &Upload) -> bool {
    upload.origin().owner == OwnerId::operator()
}

/// Returns the size limits of a message.
#[must_use]
pub fn message_limits() -> Limits {
    Limits { decompressed_bytes: MESSAGE_BYTES, ..Limits::default() }
}

fn parse_schema(name: &str) -> Result<SchemaRef, Failure> {
    SchemaRef::parse(name).map_err(|_| {
        let message = format!("`{name}` is not of the form <name>/<major>.<minor>");
        Failure::new(FailureCode::UnknownSchema, "", message)
    })
}
