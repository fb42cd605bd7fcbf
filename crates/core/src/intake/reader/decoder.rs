//! The decoder: decompresses input piece by piece.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;
use zstd::stream::raw::{DParameter, Decoder as ZstdDecoder, InBuffer, Operation, OutBuffer};

use super::media::Compression;
use crate::intake::failure::{Failure, FailureCode};

/// The length of the longest magic number.
const HEAD_BYTES: usize = 4;
/// The number of bytes of an uncompressed upload that one step copies.
const PLAIN_BYTES: usize = 64 << 10;
/// The size of the output buffer of zstd.
const ZSTD_OUTPUT_BYTES: usize = 128 << 10;
/// The number of gzip bytes that one step decodes, to at most 1,032 times as many.
const GZIP_INPUT_BYTES: usize = 1 << 10;
/// The maximum zstd window: 32 MiB. A larger one would not fit a function with 256 MiB.
const ZSTD_WINDOW_LOG_MAX: u32 = 25;

/// Detects the compression of an upload by its first bytes, and decompresses it.
pub(super) struct Decoder {
    declared: Option<Compression>,
    /// The first bytes, until they are decoded.
    head: Vec<u8>,
    stage: Stage,
}

enum Stage {
    /// There are not enough bytes yet to detect the compression.
    Head,
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    Zstd(Box<Zstd>),
}

struct Zstd {
    decoder: ZstdDecoder<'static>,
    output: Vec<u8>,
    frame_open: bool,
}

impl Decoder {
    pub(super) fn new(declared: Option<Compression>) -> Self {
        Self { declared, head: Vec::new(), stage: Stage::Head }
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
            Stage::Gzip(decoder) => {
                let finished = decoder.try_finish();
                content.append(decoder.get_mut());
                // An error that occurs only now concerns the checksum: it is missing or wrong.
                finished.map_err(|_| corrupt(Compression::Gzip, &io::ErrorKind::UnexpectedEof.into()))
            }
            Stage::Zstd(zstd) if zstd.frame_open => {
                Err(corrupt(Compression::Zstd, &io::ErrorKind::UnexpectedEof.into()))
            }
            _ => Ok(()),
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
            return Err(Failure::new(FailureCode::CorruptCompression, "", message));
        }
        self.stage = match detected {
            None => Stage::Plain,
            Some(Compression::Gzip) => Stage::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))),
            Some(Compression::Zstd) => {
                Stage::Zstd(Box::new(Zstd::new().map_err(|error| corrupt(Compression::Zstd, &error))?))
            }
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
            Self::Gzip(decoder) => {
                let piece = take(input, GZIP_INPUT_BYTES);
                decoder.write_all(piece).map_err(|error| corrupt(Compression::Gzip, &error))?;
                content.append(decoder.get_mut());
                Ok(!piece.is_empty())
            }
            Self::Zstd(zstd) => zstd.step(input, content).map_err(|error| corrupt(Compression::Zstd, &error)),
        }
    }
}

/// Takes at most `most` bytes off the front.
fn take<'a>(input: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (piece, rest) = input.split_at(most.min(input.len()));
    *input = rest;
    piece
}

impl Zstd {
    fn new() -> io::Result<Self> {
        let mut decoder = ZstdDecoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX))?;
        Ok(Self { decoder, output: vec![0; ZSTD_OUTPUT_BYTES], frame_open: false })
    }

    fn step(&mut self, bytes: &mut &[u8], content: &mut Vec<u8>) -> io::Result<bool> {
        let mut input = InBuffer::around(bytes);
        let mut output = OutBuffer::around(self.output.as_mut_slice());
        let hint = self.decoder.run(&mut input, &mut output)?;
        let (used, decoded) = (input.pos(), output.pos());
        let did_something = used > 0 || decoded > 0;
        if did_something {
            // A hint of 0 means that the frame is complete. A call without effect returns the hint of a next frame.
            self.frame_open = hint != 0;
        }
        take(bytes, used);
        content.extend_from_slice(self.output.get(..decoded).unwrap_or_default());
        Ok(did_something)
    }
}

fn corrupt(compression: Compression, error: &io::Error) -> Failure {
    let compression = compression.as_str();
    let message = match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            format!("the {compression} data ends early, or is damaged: send the whole file as it was")
        }
        _ => format!("the {compression} data is damaged: {error}"),
    };
    Failure::new(FailureCode::CorruptCompression, "", message)
}
