//! Decompresses zstd ([RFC 8878](https://www.rfc-editor.org/rfc/rfc8878)).

use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

use super::media::{Compression, ZSTD_MAGIC, begins_skippable_frame};
use super::stream::{damaged, ends_early, take, trailing_bytes};
use crate::intake::failure::{Failure, FailureCode};

/// The size of the output buffer.
const OUTPUT_BYTES: usize = 128 << 10;
/// The maximum window: 32 MiB. A larger one would not fit a function with 256 MiB.
const WINDOW_LOG_MAX: u32 = 25;

/// A stream of one or more frames. Skippable frames may come before, between and after them, and zero bytes may follow.
pub(super) struct Zstd {
    decoder: Decoder<'static>,
    output: Vec<u8>,
    place: Place,
    /// The first bytes of a frame, until its header is complete.
    header: Vec<u8>,
    /// The number of bytes taken.
    taken: u64,
}

#[derive(Clone, Copy)]
enum Place {
    /// In the header of a frame, or before it.
    Header,
    Frame,
    /// In a skippable frame, of which this many bytes remain.
    Skippable(u64),
    /// In the zero bytes after the stream.
    Padding,
}

/// The first bytes of a frame.
enum Header {
    Incomplete,
    Frame {
        window_bytes: u64,
        has_dictionary: bool,
    },
    /// A skippable frame, with the number of bytes after its header.
    Skippable(u64),
    /// Not a frame.
    Foreign,
}

impl Zstd {
    pub(super) fn new() -> Result<Self, Failure> {
        let mut decoder = Decoder::new().map_err(|_| damaged(Compression::Zstd))?;
        decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX)).map_err(|_| damaged(Compression::Zstd))?;
        let output = vec![0; OUTPUT_BYTES];
        Ok(Self { decoder, output, place: Place::Header, header: Vec::new(), taken: 0 })
    }

    /// Takes a bounded piece off the front of the input and decodes it into `content`. Returns `false` if it needs more input.
    pub(super) fn step(&mut self, input: &mut &[u8], content: &mut Vec<u8>) -> Result<bool, Failure> {
        let before = input.len();
        let wrote = match self.place {
            Place::Header => {
                self.header.extend_from_slice(take(input, 1));
                self.taken += (before - input.len()) as u64;
                return if before > 0 { self.begin_frame().map(|()| true) } else { Ok(false) };
            }
            Place::Frame => self.decode(input, content)?,
            Place::Skippable(left) => {
                let left = left - take(input, usize::try_from(left).unwrap_or(usize::MAX)).len() as u64;
                self.place = if left == 0 { Place::Header } else { Place::Skippable(left) };
                false
            }
            Place::Padding => {
                let zeros = input.iter().take_while(|byte| **byte == 0).count();
                take(input, zeros);
                if !input.is_empty() {
                    return Err(trailing_bytes(Compression::Zstd, self.taken + zeros as u64));
                }
                false
            }
        };
        self.taken += (before - input.len()) as u64;
        Ok(wrote || input.len() < before)
    }

    /// Ends the input, and decodes the rest into `content`.
    pub(super) fn finish(&mut self, content: &mut Vec<u8>) -> Result<(), Failure> {
        while self.step(&mut [].as_slice(), content)? {}
        match self.place {
            Place::Header if self.header.is_empty() => Ok(()),
            Place::Padding => Ok(()),
            Place::Header | Place::Frame | Place::Skippable(_) => Err(ends_early(Compression::Zstd)),
        }
    }

    /// Begins a frame as soon as its header is complete.
    fn begin_frame(&mut self) -> Result<(), Failure> {
        match Header::parse(&self.header) {
            Header::Incomplete => return Ok(()),
            Header::Frame { has_dictionary: true, .. } => {
                let message = "the zstd data needs a dictionary to decompress: compress the file without one";
                return Err(Failure::new(FailureCode::UnsupportedFormat, "", message));
            }
            Header::Frame { window_bytes, .. } if window_bytes > 1 << WINDOW_LOG_MAX => {
                return Err(window_too_large(window_bytes));
            }
            Header::Frame { .. } => {
                let header = std::mem::take(&mut self.header);
                self.place = Place::Frame;
                let mut input = header.as_slice();
                self.decode(&mut input, &mut Vec::new())?;
                return if input.is_empty() { Ok(()) } else { Err(damaged(Compression::Zstd)) };
            }
            Header::Skippable(0) => {}
            Header::Skippable(bytes) => self.place = Place::Skippable(bytes),
            Header::Foreign if self.header == [0] => self.place = Place::Padding,
            Header::Foreign => {
                return Err(trailing_bytes(Compression::Zstd, self.taken - self.header.len() as u64));
            }
        }
        self.header.clear();
        Ok(())
    }

    /// Decodes a piece of a frame. Returns whether there was output.
    fn decode(&mut self, bytes: &mut &[u8], content: &mut Vec<u8>) -> Result<bool, Failure> {
        let mut input = InBuffer::around(bytes);
        let mut output = OutBuffer::around(self.output.as_mut_slice());
        let hint = self.decoder.run(&mut input, &mut output).map_err(|_| damaged(Compression::Zstd))?;
        let (used, decoded) = (input.pos(), output.pos());
        if hint == 0 && (used > 0 || decoded > 0) {
            // The frame is complete. A call without effect returns the hint of a next frame.
            self.place = Place::Header;
        }
        take(bytes, used);
        content.extend_from_slice(self.output.get(..decoded).unwrap_or_default());
        Ok(decoded > 0)
    }
}

impl Header {
    /// Parses the first bytes of a frame ([RFC 8878](https://www.rfc-editor.org/rfc/rfc8878#section-3.1)).
    fn parse(bytes: &[u8]) -> Self {
        match bytes {
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, a, b, c, d, ..] => {
                Self::Skippable(u32::from_le_bytes([*a, *b, *c, *d]).into())
            }
            [0x50..=0x5f] | [0x50..=0x5f, 0x2a] | [0x50..=0x5f, 0x2a, 0x4d] => Self::Incomplete,
            _ if begins_skippable_frame(bytes) => Self::Incomplete,
            _ if bytes.starts_with(&ZSTD_MAGIC) => {
                bytes.get(ZSTD_MAGIC.len()..).and_then(Self::of_frame).unwrap_or(Self::Incomplete)
            }
            _ if ZSTD_MAGIC.starts_with(bytes) => Self::Incomplete,
            _ => Self::Foreign,
        }
    }

    /// Parses the descriptor, window, dictionary id and content size of a frame, as far as each is there.
    fn of_frame(bytes: &[u8]) -> Option<Self> {
        let (&descriptor, rest) = bytes.split_first()?;
        let is_single_segment = descriptor & 0x20 != 0;
        let (window, rest) = rest.split_at_checked(usize::from(!is_single_segment))?;
        let (dictionary, rest) = rest.split_at_checked([0, 1, 2, 4][usize::from(descriptor & 3)])?;
        let size_bytes = [usize::from(is_single_segment), 2, 4, 8][usize::from(descriptor >> 6)];
        let (size, _) = rest.split_at_checked(size_bytes)?;
        let content_bytes = little_endian(size) + if size_bytes == 2 { 256 } else { 0 };
        // The window of a single segment is its content.
        let window_bytes = window.first().map_or(content_bytes, |&window| {
            let base = 1_u64 << (10 + (window >> 3));
            base + base / 8 * u64::from(window & 7)
        });
        Some(Self::Frame { window_bytes, has_dictionary: little_endian(dictionary) != 0 })
    }
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn window_too_large(bytes: u64) -> Failure {
    let message = format!(
        "decompressing the zstd data takes a window of {} MiB, at most {} MiB are allowed: compress the file with \
         `zstd --long={WINDOW_LOG_MAX}`, or at level 19 or lower",
        bytes.div_ceil(1 << 20),
        (1_u64 << WINDOW_LOG_MAX) >> 20,
    );
    Failure::new(FailureCode::WindowTooLarge, "", message)
}

#[cfg(test)]
mod tests {
    use super::{Header, ZSTD_MAGIC};

    #[test]
    fn windows_are_read_from_the_header() {
        let rows: [(&str, &[u8], u64); 8] = [
            ("1 KiB", &[0x00, 0x00], 1 << 10),
            ("32 MiB", &[0x00, 15 << 3], 32 << 20),
            ("one eighth more", &[0x00, 15 << 3 | 1], 36 << 20),
            ("128 MiB", &[0x04, 17 << 3], 128 << 20),
            ("one segment of 7 bytes", &[0x20, 7], 7),
            ("one segment of 256 bytes", &[0x60, 0, 0], 256),
            ("one segment of 33 MiB", &[0xa0, 0, 0, 0x10, 2], 33 << 20),
            ("one segment of 4 GiB", &[0xe0, 0, 0, 0, 0, 1, 0, 0, 0], 1 << 32),
        ];
        for (name, header, expected) in rows {
            let bytes = [&ZSTD_MAGIC, header].concat();
            let Header::Frame { window_bytes, has_dictionary } = Header::parse(&bytes) else { panic!("{name}") };
            assert_eq!((window_bytes, has_dictionary), (expected, false), "{name}");
            for length in 0..bytes.len() {
                assert!(matches!(Header::parse(&bytes[..length]), Header::Incomplete), "{name}, cut at {length}");
            }
        }
    }
}
