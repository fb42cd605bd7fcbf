//! Downloads by presigned links.

use std::path::Path;

use tokio::io::AsyncWriteExt as _;

use super::api::ClientError;

/// Saves what a presigned link leads to. The file appears whole, or not at all.
///
/// # Errors
/// When the link does not work any more, or the file cannot be written.
pub async fn download(http: &reqwest::Client, url: &str, path: &Path) -> Result<(), ClientError> {
    let broken = |error: reqwest::Error| ClientError::Other(format!("the download broke off: {}", error.without_url()));
    let unwritten = |error: std::io::Error| ClientError::Other(format!("cannot write {}: {error}", path.display()));
    let mut response = http.get(url).send().await.map_err(broken)?;
    if !response.status().is_success() {
        let status = response.status().as_u16();
        return Err(ClientError::Other(format!("the link does not work any more ({status}): show it again")));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let partial = path.with_file_name(format!(".{name}.part"));
    let mut file = tokio::fs::File::create(&partial).await.map_err(unwritten)?;
    while let Some(bytes) = response.chunk().await.map_err(broken)? {
        file.write_all(&bytes).await.map_err(unwritten)?;
    }
    file.sync_all().await.map_err(unwritten)?;
    tokio::fs::rename(&partial, path).await.map_err(unwritten)
}
