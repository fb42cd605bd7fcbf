//! Sends a file to a presigned URL in pieces. Memory use is about one mebibyte for any size.

mod body;
mod error;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use body::{FileBody, PIECE_BYTES};
pub use error::SendError;

/// Returns the size of a file in bytes and its lower-case hex SHA-256, in one pass. Blocks.
///
/// # Errors
/// Fails when the file cannot be read.
pub fn digest(path: &Path) -> Result<(u64, String), SendError> {
    let unread = |source| SendError::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(unread)?;
    let (mut sha256, mut size, mut buffer) = (Sha256::new(), 0, vec![0; PIECE_BYTES]);
    loop {
        let read = match file.read(&mut buffer) {
            Ok(0) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(unread)?,
        };
        sha256.update(buffer.get(..read).unwrap_or_default());
        size += read as u64;
    }
    Ok((size, format!("{:x}", Bytes::copy_from_slice(&sha256.finalize()))))
}

/// Sends a file of `size` bytes by `PUT`, with its length and the signed `headers`. Calls `on_progress` with the number
/// of bytes sent so far. Returns the status of the answer. No error contains the URL, which is a secret.
///
/// # Errors
/// Fails when the file cannot be read, when its size is not `size`, and when there is no answer.
pub async fn put(
    http: &reqwest::Client,
    url: &str,
    headers: &[(String, String)],
    path: &Path,
    size: u64,
    on_progress: impl Fn(u64) + Send + Sync + 'static,
) -> Result<u16, SendError> {
    let unread = |source| SendError::Read { path: path.to_owned(), source };
    let mut file = tokio::fs::File::open(path).await.map_err(unread)?;
    body::unchanged(&file, path, size).await?;
    let (body, feed) = FileBody::new(size);
    // Its length is said even where it is 0: S3 insists on it.
    let mut request = http.put(url).header("content-length", size).body(reqwest::Body::wrap(body));
    for (name, value) in headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("content-length")) {
        request = request.header(name, value);
    }
    let (answer, fed) = tokio::join!(request.send(), feed.all_of(&mut file, path, &on_progress));
    fed?; // why the request broke off, if it is the file's fault
    Ok(answer.map_err(|error| SendError::Http(error.without_url()))?.status().as_u16())
}

#[cfg(test)]
mod tests;
