//! The body of a request, read from a file as the connection takes it.

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

/// How much of a file is read at a time.
pub(super) const PIECE_BYTES: usize = 256 << 10;
/// How many pieces may wait for the connection.
const PIECES_AHEAD: usize = 2;

/// A body of known length. Breaks off, and the request with it, when its [`Feed`] ends before all of it came.
pub(super) struct FileBody {
    pieces: mpsc::Receiver<Bytes>,
    left: u64,
}

/// Where the body's bytes come from.
pub(super) struct Feed {
    pieces: mpsc::Sender<Bytes>,
    size: u64,
}

impl FileBody {
    /// A body of `size` bytes, and where to put them.
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
                return Some(Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file was not read to its end")));
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
    /// Reads the file to its end. The last piece goes out only when the file still has its size, so that a request
    /// whose file changes is never complete. Ends early when nobody wants more: the answer came already.
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

/// Whether the file has the size that it is said to have.
pub(super) async fn unchanged(file: &File, path: &Path, expected: u64) -> Result<(), SendError> {
    let metadata = file.metadata().await.map_err(|source| SendError::Read { path: path.to_owned(), source })?;
    let found = metadata.len();
    if found == expected { Ok(()) } else { Err(SendError::Changed { path: path.to_owned(), expected, found }) }
}
