//! Parts that the decompressors share.

use super::media::Compression;
use crate::intake::failure::{Failure, FailureCode};

/// Takes at most `most` bytes off the front.
pub(super) fn take<'a>(input: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (piece, rest) = input.split_at(most.min(input.len()));
    *input = rest;
    piece
}

pub(super) fn damaged(compression: Compression) -> Failure {
    let message = format!("the {} data is damaged: send the file again as it was", compression.as_str());
    Failure::new(FailureCode::CorruptCompression, "", message)
}

/// Returns the failure of a stream that ends before it is complete. A wrong checksum at the very end has the same
/// failure.
pub(super) fn ends_early(compression: Compression) -> Failure {
    let message = format!("the {} data ends early, or is damaged: send the whole file as it was", compression.as_str());
    Failure::new(FailureCode::CorruptCompression, "", message)
}

/// Returns the failure of bytes after the stream that do not begin another one; `at` is the offset in the compressed
/// bytes.
pub(super) fn trailing_bytes(compression: Compression, at: u64) -> Failure {
    let message =
        format!("bytes follow the compressed stream, at byte {at}: send nothing but {} data", compression.as_str());
    Failure::new(FailureCode::TrailingBytes, "", message)
}
