//! Downloads by presigned links.

use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::time::Duration;

use super::error::{ClientError, innermost};
use super::retry::{Failed, Failure, Retrier, Safety};

/// The longest pause within a download.
const PATIENCE: Duration = Duration::from_secs(60);

/// Saves the object of a presigned URL. The file appears completely or not at all. An existing file is overwritten only
/// by force.
///
/// # Errors
/// Fails when the URL has expired, or the file exists or cannot be written.
pub async fn download(
    http: &reqwest::Client,
    retrier: &Retrier,
    url: &str,
    path: &Path,
    force: bool,
) -> Result<(), ClientError> {
    let mut attempts = retrier.begin(Safety::Repeatable);
    while let Err(failed) = attempt(http, url, path, force).await {
        attempts.after(failed).await?;
    }
    Ok(())
}

/// Makes one attempt at a download.
async fn attempt(http: &reqwest::Client, url: &str, path: &Path, force: bool) -> Result<(), Failed> {
    let unwritten = |error: std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => ClientError::Other(format!("{} exists: --force overwrites it", path.display())),
        _ => ClientError::Other(format!("cannot write {}: {error}", path.display())),
    };
    if path.exists() && !force {
        return Err(unwritten(ErrorKind::AlreadyExists.into()).into());
    }
    let broken = |error: reqwest::Error| {
        let failure = Some(Failure::without_answer(&error));
        let cause = innermost(&error.without_url());
        Failed { error: ClientError::Other(format!("the download was interrupted: {cause}")), failure }
    };
    let stalled = |_| ClientError::Other("the download stalled: try again".to_owned());
    let answer = tokio::time::timeout(PATIENCE, http.get(url).send()).await.map_err(stalled)?;
    let mut answer = answer.map_err(broken)?;
    if !answer.status().is_success() {
        let status = answer.status().as_u16();
        let error = match Failure::of_answer(status, answer.headers()) {
            Some(_) => format!("the storage does not answer ({status}): try again later"),
            None => format!("the download URL has expired ({status}): show the item again for a new one"),
        };
        let failure = Failure::of_answer(status, answer.headers());
        return Err(Failed { error: ClientError::Other(error), failure });
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
    Ok(kept.map(drop).map_err(|error| unwritten(error.error))?)
}
