//! Decompression, as the bytes come in.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;
use zstd::stream::raw::{DParameter, Decoder as ZstdDecoder, InBuffer, Operation, OutBuffer};

use super::Compression;
use crate::failure::{Code, Failure};

/// The magic numbers of both compressions fit in this.
const HEAD_BYTES: usize = 4;
/// What zstd decodes into at a time.
const ZSTD_OUTPUT_BYTES: usize = 128 << 10;
/// How much gzip data is decoded at a time: it grows at most 1,032-fold.
const GZIP_INPUT_BYTES: usize = 1 << 10;
/// zstd windows up to 32 MiB: more would not fit a function that stays under 256 MiB.
const ZSTD_WINDOW_LOG_MAX: u32 = 25;

/// Tells what an upload's first bytes are and decompresses the lot.
pub(super) struct Decoder {
    declared: Option<Compression>,
    stage: Stage,
}

enum Stage {
    /// The first bytes, until there are enough to tell what they are.
    Head(Vec<u8>),
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    Zstd(Box<Zstd>),
}

struct Zstd {
    decoder: ZstdDecoder<'static>,
    output: Vec<u8>,
    frame_open: bool,
}

/// Where decompressed bytes go. An error ends the reading.
type Out<'a> = &'a mut dyn FnMut(&[u8]) -> Result<(), Failure>;

impl Decoder {
    pub(super) fn new(declared: Option<Compression>) -> Self {
        Self { declared, stage: Stage::Head(Vec::new()) }
    }

    pub(super) fn decode(&mut self, bytes: &[u8], out: Out<'_>) -> Result<(), Failure> {
        match &mut self.stage {
            Stage::Head(head) if head.is_empty() && bytes.len() >= HEAD_BYTES => self.begin(bytes, out),
            Stage::Head(head) => {
                head.extend_from_slice(bytes);
                if head.len() < HEAD_BYTES { Ok(()) } else { self.leave_head(out) }
            }
            Stage::Plain => out(bytes),
            Stage::Gzip(decoder) => {
                for part in bytes.chunks(GZIP_INPUT_BYTES) {
                    decoder.write_all(part).map_err(|error| corrupt(Compression::Gzip, &error))?;
                    drain(decoder.get_mut(), out)?;
                }
                Ok(())
            }
            Stage::Zstd(zstd) => zstd.decode(bytes, out),
        }
    }

    pub(super) fn finish(&mut self, out: Out<'_>) -> Result<(), Failure> {
        self.leave_head(out)?;
        match &mut self.stage {
            Stage::Gzip(decoder) => {
                let finished = decoder.try_finish();
                drain(decoder.get_mut(), out)?;
                // What is wrong only now is wrong at the end: the checksum is missing, or not that of the content.
                finished.map_err(|_| corrupt(Compression::Gzip, &io::ErrorKind::UnexpectedEof.into()))
            }
            Stage::Zstd(zstd) if zstd.frame_open => {
                Err(corrupt(Compression::Zstd, &io::ErrorKind::UnexpectedEof.into()))
            }
            _ => Ok(()),
        }
    }

    fn leave_head(&mut self, out: Out<'_>) -> Result<(), Failure> {
        let Stage::Head(head) = &mut self.stage else { return Ok(()) };
        let head = std::mem::take(head);
        self.begin(&head, out)
    }

    /// Takes the first bytes, which tell what all of them are.
    fn begin(&mut self, head: &[u8], out: Out<'_>) -> Result<(), Failure> {
        let seen = Compression::of_bytes(head);
        if let Some(declared) = self.declared.filter(|declared| Some(*declared) != seen && !head.is_empty()) {
            let (declared, seen) = (declared.as_str(), seen.map_or("not compressed", Compression::as_str));
            let message = format!("Content-Encoding says {declared}, but the bytes are {seen}");
            return Err(Failure::new(Code::CorruptCompression, "", message));
        }
        self.stage = match seen {
            None => Stage::Plain,
            Some(Compression::Gzip) => Stage::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))),
            Some(Compression::Zstd) => {
                Stage::Zstd(Box::new(Zstd::new().map_err(|error| corrupt(Compression::Zstd, &error))?))
            }
        };
        self.decode(head, out)
    }
}

impl Zstd {
    fn new() -> io::Result<Self> {
        let mut decoder = ZstdDecoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX))?;
        Ok(Self { decoder, output: vec![0; ZSTD_OUTPUT_BYTES], frame_open: false })
    }

    fn decode(&mut self, bytes: &[u8], out: Out<'_>) -> Result<(), Failure> {
        let mut input = InBuffer::around(bytes);
        loop {
            let mut output = OutBuffer::around(self.output.as_mut_slice());
            let hint = self.decoder.run(&mut input, &mut output).map_err(|error| corrupt(Compression::Zstd, &error))?;
            let (decoded, full) = (output.pos(), output.pos() == output.capacity());
            // A hint of 0: the frame is complete; the next byte, if any, begins another.
            self.frame_open = hint != 0;
            out(self.output.get(..decoded).unwrap_or_default())?;
            if input.pos() == bytes.len() && !full {
                return Ok(());
            }
        }
    }
}

fn drain(decoded: &mut Vec<u8>, out: Out<'_>) -> Result<(), Failure> {
    let result = out(decoded);
    decoded.clear();
    result
}

fn corrupt(compression: Compression, error: &io::Error) -> Failure {
    let compression = compression.as_str();
    let message = match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            format!("the {compression} data ends early, or is damaged: send the whole file as it was")
        }
        _ => format!("the {compression} data is damaged: {error}"),
    };
    Failure::new(Code::CorruptCompression, "", message)
}
