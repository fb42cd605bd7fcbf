//! Downloads by presigned links.

use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::time::Duration;

use super::error::ClientError;

/// The longest pause within a download.
const PATIENCE: Duration = Duration::from_secs(60);

/// Saves the object of a presigned URL. The file appears completely or not at all. An existing file is overwritten only
/// by force.
///
/// # Errors
/// Fails when the URL has expired, or the file exists or cannot be written.
pub async fn download(http: &reqwest::Client, url: &str, path: &Path, force: bool) -> Result<(), ClientError> {
    let unwritten = |error: std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => ClientError::Other(format!("{} exists: --force overwrites it", path.display())),
        _ => ClientError::Other(format!("cannot write {}: {error}", path.display())),
    };
    if path.exists() && !force {
        return Err(unwritten(ErrorKind::AlreadyExists.into()));
    }
    let broken =
        |error: reqwest::Error| ClientError::Other(format!("the download was interrupted: {}", error.without_url()));
    let stalled = |_| ClientError::Other("the download stalled: try again".to_owned());
    let answer = tokio::time::timeout(PATIENCE, http.get(url).send()).await.map_err(stalled)?;
    let mut answer = answer.map_err(broken)?;
    if !answer.status().is_success() {
        let status = answer.status().as_u16();
        return Err(ClientError::Other(format!(
            "the download URL has expired ({status}): show the item again for a new one"
        )));
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory).map_err(unwritten)?;
    // Under a name of its own, beside its place; it goes when the download does not come to its end.
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(unwritten)?;
    while let Some(bytes) = tokio::time::timeout(PATIENCE, answer.chunk()).await.map_err(stalled)?.map_err(broken)? {
        file.write_all(&bytes).map_err(unwritten)?;
    }
    file.as_file().sync_all().map_err(unwritten)?;
    let kept = if force { file.persist(path) } else { file.persist_noclobber(path) };
    kept.map(drop).map_err(|error| unwritten(error.error))
}
