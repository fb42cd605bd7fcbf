//! The decoder: decompresses input piece by piece.

use super::foreign;
use super::gzip::Gzip;
use super::media::Compression;
use super::stream::take;
use super::zstandard::Zstd;
use crate::intake::failure::{Failure, FailureCode};

/// The number of bytes that distinguish the compressions.
const HEAD_BYTES: usize = 16;
/// The number of bytes of an uncompressed upload that one step copies.
const PLAIN_BYTES: usize = 64 << 10;

/// Detects the compression of an upload by its first bytes, and decompresses it.
pub(super) struct Decoder {
    declared: Option<Compression>,
    gzip_members: u64,
    /// The first bytes, until they are decoded.
    head: Vec<u8>,
    stage: Stage,
}

enum Stage {
    /// There are not enough bytes yet to detect the compression.
    Head,
    Plain,
    Gzip(Box<Gzip>),
    Zstd(Box<Zstd>),
}

impl Decoder {
    pub(super) fn new(declared: Option<Compression>, gzip_members: u64) -> Self {
        Self { declared, gzip_members, head: Vec::new(), stage: Stage::Head }
    }

    /// Takes a bounded piece off the front of the input and decodes it into `content`. Returns `false` if it needs more input.
    pub(super) fn step(&mut self, input: &mut &[u8], content: &mut Vec<u8>) -> Result<bool, Failure> {
        if matches!(self.stage, Stage::Head) {
            let wanted = HEAD_BYTES.saturating_sub(self.head.len()).min(input.len());
            self.head.extend_from_slice(take(input, wanted));
            return if self.head.len() < HEAD_BYTES { Ok(false) } else { self.leave_head().map(|()| true) };
        }
        if self.head.is_empty() {
            return self.stage.step(input, content);
        }
        let head = std::mem::take(&mut self.head);
        let mut rest = head.as_slice();
        let stepped = self.stage.step(&mut rest, content);
        self.head = rest.to_vec();
        stepped
    }

    /// Ends the input, and decodes the rest into `content`.
    pub(super) fn finish(&mut self, content: &mut Vec<u8>) -> Result<(), Failure> {
        self.leave_head()?;
        while self.step(&mut [].as_slice(), content)? {}
        match &mut self.stage {
            Stage::Head | Stage::Plain => Ok(()),
            Stage::Gzip(gzip) => gzip.finish(content),
            Stage::Zstd(zstd) => zstd.finish(content),
        }
    }

    /// Detects the compression by the first bytes.
    fn leave_head(&mut self) -> Result<(), Failure> {
        if !matches!(self.stage, Stage::Head) {
            return Ok(());
        }
        let detected = Compression::of_bytes(&self.head);
        if let Some(declared) = self.declared.filter(|declared| Some(*declared) != detected && !self.head.is_empty()) {
            let (declared, detected) = (declared.as_str(), detected.map_or("not compressed", Compression::as_str));
            let message = format!("Content-Encoding says {declared}, but the bytes are {detected}");
            let mismatch = Failure::new(FailureCode::CorruptCompression, "", message);
            return Err(foreign::binary(&self.head).unwrap_or(mismatch));
        }
        self.stage = match detected {
            None => Stage::Plain,
            Some(Compression::Gzip) => Stage::Gzip(Box::new(Gzip::new(self.gzip_members))),
            Some(Compression::Zstd) => Stage::Zstd(Box::new(Zstd::new()?)),
        };
        Ok(())
    }
}

impl Stage {
    fn step(&mut self, input: &mut &[u8], content: &mut Vec<u8>) -> Result<bool, Failure> {
        match self {
            Self::Head => Ok(false),
            Self::Plain => {
                let piece = take(input, PLAIN_BYTES);
                content.extend_from_slice(piece);
                Ok(!piece.is_empty())
            }
            Self::Gzip(gzip) => gzip.step(input, content),
            Self::Zstd(zstd) => zstd.step(input, content),
        }
    }
}
