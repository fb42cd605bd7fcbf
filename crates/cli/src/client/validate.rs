//! Validation of a file on this machine: the service's own validator, without an upload and without its limits on calls.

mod text;
mod verdict;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use eventpulse_core::id::{OwnerId, UploadId};
use eventpulse_core::intake::failure::Failure;
use eventpulse_core::intake::inspection::{InputForm, InspectionSpec, Inspector, Retention};
use eventpulse_core::intake::reader::{self, Limits};
use eventpulse_core::intake::schema::{Catalog, SchemaRef};

use super::media::Media;
pub use verdict::{Group, Outcome, Record, RecordFailure, SeriesStatistics, Verdict};

/// The schema for records that name none, of files that name none: what `template.yaml` deploys unless it is told
/// otherwise. Where it is told otherwise, name a schema.
pub const DEFAULT_SCHEMA: &str = "reading/1.0";
/// How much of the file is in memory at a time.
const PIECE_BYTES: usize = 1 << 20;

/// Why there is no verdict on a file. What is wrong with its records is in the [`Verdict`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ValidateError {
    /// The file cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is no such schema.
    #[error("there is no schema `{}`; there are: {}", .given.escape_debug(), .known.join(", "))]
    UnknownSchema {
        /// What was asked for.
        given: String,
        /// The names of those that there are.
        known: Vec<String>,
    },
    /// The service does not read such a file.
    #[error("{}", .0.message)]
    Media(Failure),
}

/// Says what an upload of this file would come to. Reads it in pieces of a mebibyte, however large it is; the service's
/// limits on an upload are kept. `schema` is for records that name none. `on_progress` is told how many bytes of the
/// file were read so far. Blocks.
///
/// # Errors
/// When there is no such schema, or the file cannot be read.
pub fn validate(
    catalog: &Catalog,
    path: &Path,
    media: Media,
    schema: Option<&str>,
    mut on_progress: impl FnMut(u64),
) -> Result<Verdict, ValidateError> {
    let file_name = path.file_name().unwrap_or_default().to_string_lossy();
    let terms = InspectionSpec {
        owner: OwnerId::local(),
        upload_id: UploadId::of_object("", "", ""),
        attempt: 0,
        input: InputForm::Records,
        media: reader::Media::parse(Some(media.content_type), media.content_encoding, &file_name)
            .map_err(ValidateError::Media)?,
        schema: schema.map(|name| known_schema(catalog, name)).transpose()?,
        default_schema: known_schema(catalog, DEFAULT_SCHEMA)?,
        max_rejected: None,
        limits: Limits::default(),
    };
    let unread = |source| ValidateError::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(unread)?;
    let mut inspector = Inspector::new(catalog, terms, Retention::Bounded);
    let (mut buffer, mut read_so_far) = (vec![0; PIECE_BYTES], 0);
    loop {
        let read = match file.read(&mut buffer) {
            Ok(0) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(unread)?,
        };
        // An examiner that keeps a bounded amount is never full: it takes the whole piece, or the file is wrong as a whole.
        if !inspector.push(&mut buffer.get(..read).unwrap_or_default()) {
            break;
        }
        read_so_far += read as u64;
        on_progress(read_so_far);
    }
    inspector.finish();
    Ok(Verdict::of(&inspector.inspection()))
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
