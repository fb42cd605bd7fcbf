//! The reader: the bytes of an upload become frames, one per record.
//!
//! ```text
//! bytes ─▶ Decoder (detects the compression, decompresses) ─▶ Framer (finds the records) ─▶ frames
//!                                                               ▲
//!                                                            Recognizer (takes accepted records)
//! ```
//! The reader is pulled: the caller asks for the next frame and offers input, of which the reader takes as much as it
//! needs. Memory use does not grow with the upload: the reader holds at most one incomplete record (16 MiB), one decoded
//! piece of input and the window of the decompressor.

mod decoder;
mod detect;
mod foreign;
mod frame;
mod framer;
mod gzip;
mod head;
mod limits;
mod media;
mod recognizer;
mod scan;
mod stream;
#[cfg(test)]
mod tests;
mod text;
mod zstandard;

use decoder::Decoder;
pub use frame::{Frame, Part};
use framer::{Found, Framer};
pub use limits::Limits;
pub use media::{Compression, Format, Media};
pub use recognizer::{Between, Recognizer, Taken};

use crate::intake::failure::Failure;

/// Splits the bytes of an upload into frames.
///
/// ```
/// use eventpulse_core::intake::reader::{Limits, Media, Part, Reader};
///
/// let media = Media::parse(Some("application/x-ndjson"), None, "readings").unwrap();
/// let mut reader = Reader::new(media, Limits::default());
/// let mut input = &b"{\"value\": 1}\n{\"value\": 2}"[..];
/// let mut lines = Vec::new();
/// while let Some(Part::Record(frame)) = reader.next(&mut input, &mut ()).unwrap() {
///     lines.push(frame.position.line);
/// }
/// while let Some(Part::Record(frame)) = reader.next_at_end(&mut ()).unwrap() {
///     lines.push(frame.position.line);
/// }
/// assert_eq!(lines, [1, 2]);
/// ```
pub struct Reader {
    decoder: Decoder,
    framer: Framer,
    /// The failure of the decoder, if records come before it.
    failed: Option<Failure>,
    /// The result of the decoder's last step; none before the end of the input.
    decoded: Option<Result<(), Failure>>,
}

impl Reader {
    /// Returns a reader for an upload of this media type.
    #[must_use]
    pub fn new(media: Media, limits: Limits) -> Self {
        let (decoder, framer) =
            (Decoder::new(media.compression, limits.gzip_members), Framer::new(media.format, limits));
        Self { decoder, framer, failed: None, decoded: None }
    }

    /// Returns the next part. Takes bytes off the front of `input` as needed; returns `None` when it needs more. The records are
    /// the same whether the recognizer takes them or not.
    ///
    /// # Errors
    /// Returns the failure of the upload as a whole. Stop reading.
    #[inline]
    pub fn next(&mut self, input: &mut &[u8], recognizer: &mut impl Recognizer) -> Result<Option<Part<'_>>, Failure> {
        loop {
            if let Some(found) = self.framer.next_record(recognizer)? {
                return Ok(Some(self.part(found)));
            }
            if let Some(failure) = &self.failed {
                return Err(failure.clone());
            }
            let content = self.framer.content_mut();
            let before = content.len();
            match self.decoder.step(input, content) {
                Ok(true) => self.framer.check_size()?,
                Ok(false) => return Ok(None),
                Err(failure) if self.framer.is_held(recognizer) => {
                    self.framer.release(before);
                    self.failed = Some(failure);
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Returns the next part after the end of the input; `None` after the last one.
    ///
    /// # Errors
    /// Returns the failure of the upload as a whole, after the records before it.
    pub fn next_at_end(&mut self, recognizer: &mut impl Recognizer) -> Result<Option<Part<'_>>, Failure> {
        loop {
            if let Some(found) = self.framer.next_record(recognizer)? {
                return Ok(Some(self.part(found)));
            }
            if let Some(decoded) = self.decoded.clone() {
                decoded?;
                return Ok(self.framer.last_record()?.map(|record| Part::Record(self.framer.frame(record))));
            }
            self.decoded = Some(self.decoder.finish(self.framer.content_mut()));
            self.framer.end_content();
            self.framer.check_size()?;
        }
    }

    #[inline]
    fn part(&self, found: Found) -> Part<'_> {
        match found {
            Found::Record(record) => Part::Record(self.framer.frame(record)),
            Found::Taken(taken) => Part::Taken(taken),
        }
    }
}
