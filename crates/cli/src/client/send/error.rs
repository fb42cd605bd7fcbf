//! The reasons why a file was not sent.

use std::io;
use std::path::PathBuf;

/// The reason why a file was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The file cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file changed. Nothing of it has arrived: an interrupted `PUT` leaves no object.
    #[error(
        "{} changed while it was sent: it had {expected} bytes, now it has {found}; upload it again when it is complete",
        .path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// The size in bytes when the upload was requested.
        expected: u64,
        /// The present size in bytes.
        found: u64,
    },
    /// The server was not reached, or the connection broke.
    #[error("the file did not reach the storage")]
    Http(#[source] reqwest::Error),
}
