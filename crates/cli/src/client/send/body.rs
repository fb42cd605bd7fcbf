//! The body of a request, read from a file while it is sent.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;

use super::error::SendError;

/// The size of one read, in bytes.
pub(super) const PIECE_BYTES: usize = 256 << 10;
/// The number of pieces that may wait for the connection.
const PIECES_AHEAD: usize = 2;

/// A body of known length. Fails, and the request with it, when its [`Feed`] ends early.
pub(super) struct FileBody {
    pieces: mpsc::Receiver<Bytes>,
    left: u64,
}

/// The source of the body's bytes.
pub(super) struct Feed {
    pieces: mpsc::Sender<Bytes>,
    size: u64,
}

impl FileBody {
    /// Makes a body of `size` bytes, and its source.
    pub(super) fn new(size: u64) -> (Self, Feed) {
        let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
        (Self { pieces, left: size }, Feed { pieces: sender, size })
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.pieces.poll_recv(context).map(|piece| {
            let Some(piece) = piece else {
                return Some(Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the end of the file was not reached")));
            };
            self.left = self.left.saturating_sub(piece.len() as u64);
            Some(Ok(Frame::data(piece)))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

impl Feed {
    /// Reads the file to its end. Sends the last piece only if the file still has its size, so that the request of a
    /// changing file is never complete. Ends early when the answer has come already.
    pub(super) async fn all_of(
        self,
        file: &mut File,
        path: &Path,
        on_progress: &impl Fn(u64),
    ) -> Result<(), SendError> {
        let mut sent = 0;
        while sent < self.size {
            let most = usize::try_from(self.size - sent).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
            let mut piece = BytesMut::with_capacity(most);
            let mut limited = (&mut *file).take(most as u64);
            let read = limited.read_buf(&mut piece).await;
            let read = read.map_err(|source| SendError::Read { path: path.to_owned(), source })? as u64;
            if read == 0 || sent + read == self.size {
                unchanged(file, path, self.size).await?;
            }
            if read == 0 {
                return Err(SendError::Changed { path: path.to_owned(), expected: self.size, found: sent });
            }
            if self.pieces.send(piece.freeze()).await.is_err() {
                return Ok(());
            }
            sent += read;
            on_progress(sent);
        }
        Ok(())
    }
}

/// Checks that the file has the expected size.
pub(super) async fn unchanged(file: &File, path: &Path, expected: u64) -> Result<(), SendError> {
    let metadata = file.metadata().await.map_err(|source| SendError::Read { path: path.to_owned(), source })?;
    let found = metadata.len();
    if found == expected { Ok(()) } else { Err(SendError::Changed { path: path.to_owned(), expected, found }) }
}
