//! Validation of a file on this machine with the service's own validator. No upload is needed, and the size limits of
//! `POST /validate` do not apply.

mod text;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use eventpulse_core::id::{OwnerId, UploadId};
use eventpulse_core::intake::failure::Failure;
use eventpulse_core::intake::inspection::{Bounds, InputForm, Inspection, InspectionSpec, Inspector, Retention};
use eventpulse_core::intake::reader::{self, Limits};
use eventpulse_core::intake::schema::{Catalog, SchemaRef};

pub use eventpulse_core::upload::verdict::{
    AcceptedSeries, FailureSummary, Outcome, RecordFailure, RecordVerdict, Verdict,
};
pub use text::verdict_text;

use super::media::Media;

/// The schema of records for which neither the record nor the caller names one: the default of `template.yaml`. If your
/// deployment has another default, name the schema.
pub const DEFAULT_SCHEMA: &str = "reading/1.0";
/// The number of bytes of the file that are in memory at a time.
const PIECE_BYTES: usize = 1 << 20;

/// The reason why a file has no verdict. Invalid records are part of the [`Verdict`], not an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ValidateError {
    /// The file cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The schema is not among the bundled ones.
    #[error("unknown schema `{}`; known schemas: {}", .given.escape_debug(), .known.join(", "))]
    UnknownSchema {
        /// The requested name.
        given: String,
        /// The names of the bundled schemas.
        known: Vec<String>,
    },
    /// The service does not support this type of file.
    #[error("{}", .0.message)]
    Media(Failure),
}

/// Validates a file as an upload of it would be validated, within the service's limits on uploads.
///
/// Reads the file in pieces of one mebibyte, whatever its size. `schema` applies to records that name none. Calls
/// `on_progress` with the number of bytes of the file that are read so far. Blocks.
///
/// # Errors
/// Returns [`ValidateError`] when the schema is unknown, the file cannot be read, or its type is not supported.
pub fn validate(
    catalog: &Catalog,
    path: &Path,
    media: Media,
    schema: Option<&str>,
    on_progress: impl FnMut(u64),
) -> Result<Verdict, ValidateError> {
    let file_name = path.file_name().unwrap_or_default().to_string_lossy();
    let spec = InspectionSpec {
        owner: OwnerId::local(),
        upload_id: UploadId::of_object("", "", ""),
        attempt: 0,
        input: InputForm::Records,
        media: reader::Media::parse(Some(media.content_type), media.content_encoding, &file_name)
            .map_err(ValidateError::Media)?,
        schema: schema.map(|name| known_schema(catalog, name)).transpose()?,
        default_schema: known_schema(catalog, DEFAULT_SCHEMA)?,
        max_rejected: None,
        known_sha256: None,
        limits: Limits::default(),
        bounds: Bounds::UPLOAD,
    };
    let inspection = inspect(catalog, path, spec, on_progress)
        .map_err(|source| ValidateError::Read { path: path.to_owned(), source })?;
    Ok(Verdict::new(&inspection))
}

/// Reads a file to its end, or to the point where it fails as a whole.
fn inspect(
    catalog: &Catalog,
    path: &Path,
    spec: InspectionSpec,
    mut on_progress: impl FnMut(u64),
) -> io::Result<Inspection> {
    let mut file = File::open(path)?;
    let mut inspector = Inspector::new(catalog, spec, Retention::Bounded);
    let (mut buffer, mut read_so_far) = (vec![0; PIECE_BYTES], 0);
    loop {
        let read = match file.read(&mut buffer) {
            Ok(0) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        // With bounded retention, the inspector takes the whole piece unless the file fails as a whole.
        if !inspector.push(&mut buffer.get(..read).unwrap_or_default()) {
            break;
        }
        read_so_far += read as u64;
        on_progress(read_so_far);
    }
    inspector.finish();
    Ok(inspector.inspection())
}

fn known_schema(catalog: &Catalog, name: &str) -> Result<SchemaRef, ValidateError> {
    match SchemaRef::parse(name) {
        Ok(schema) if catalog.applied(&schema).is_some() => Ok(schema),
        _ => {
            let known = catalog.ids().map(ToString::to_string).collect();
            Err(ValidateError::UnknownSchema { given: name.to_owned(), known })
        }
    }
}

#[cfg(test)]
mod tests;
