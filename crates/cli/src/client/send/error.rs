//! The reasons why a file was not sent.

use std::io;
use std::path::PathBuf;

/// Why a file was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The file cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Somebody writes to the file. Nothing of it has arrived: a `PUT` that breaks off leaves no object.
    #[error(
        "{} changed while it was sent: it had {expected} bytes, now it has {found}; upload it again when it is complete",
        .path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// How large it was when the upload was asked for.
        expected: u64,
        /// How large it is.
        found: u64,
    },
    /// The other side was not reached, or the connection broke.
    #[error("the file did not reach the storage")]
    Http(#[source] reqwest::Error),
}
