//! The keys of an upload's objects in the process bucket and the quarantine bucket.

use super::aggregate::Upload;
use crate::id::{UPLOADS_PREFIX, UploadId, clean_file_name};

/// Returns the key of an upload's rejected data in the quarantine bucket. `records`: the data is NDJSON of rejected
/// records, not the whole object.
#[must_use]
pub fn quarantine_key(upload: &Upload, records: bool) -> String {
    format!("{}{}", stem(upload), if records { ".rejected.ndjson" } else { "" })
}

/// Returns the key of the report beside the rejected data.
#[must_use]
pub fn report_key(upload: &Upload) -> String {
    format!("{}.report.json", stem(upload))
}

/// Each retry has a folder of its own, so it overwrites nothing that an earlier attempt quarantined.
fn stem(upload: &Upload) -> String {
    let (id, owner, file_name) = (upload.id(), &upload.origin().owner, &upload.origin().file_name);
    match upload.attempt() {
        0 => format!("{owner}/{id}/{file_name}"),
        attempt => format!("{owner}/{id}/retry-{attempt}/{file_name}"),
    }
}

/// Returns the key in the process bucket under which the retry with this number arrives.
#[must_use]
pub fn retry_key(id: &UploadId, number: u32, file_name: &str) -> String {
    format!("{UPLOADS_PREFIX}{id}/retry-{number}/{}", clean_file_name(file_name))
}
