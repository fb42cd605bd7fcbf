//! A file on its way to a presigned URL, in pieces: however large it is, a mebibyte of it is in memory.

mod body;
mod error;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use body::{FileBody, PIECE_BYTES};
pub use error::SendError;

/// The size of a file in bytes, and the lower-case hex SHA-256 of them, in one pass. Blocks.
///
/// # Errors
/// When the file cannot be read.
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

/// Sends a file of `size` bytes by `PUT`, with `headers`, all of which a presigned URL's signature covers, and its
/// length. `on_progress` is told how many bytes were handed to the connection so far. Returns the status of the answer,
/// whatever it is. The URL is a secret: it is in no error.
///
/// # Errors
/// When the file cannot be read or has not `size` bytes, and when there is no answer.
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
