//! From the bytes of an upload, as they stream in, to its records.
//!
//! ```text
//! bytes ─▶ Decoder (sniffs, decompresses) ─▶ Framer (finds where each record begins and ends) ─▶ Sink
//! ```
//! Memory does not grow with the upload: at most one record (16 MiB) is held, and what the decompressor keeps.

mod decoder;
mod framer;
mod media;
#[cfg(test)]
mod tests;

use decoder::Decoder;
use framer::Framer;
pub use framer::{Frame, Sink};
pub use media::{Compression, Format, Media};

use crate::intake::failure::Failure;

/// How much an upload and its records may hold.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The most bytes of one record.
    pub record_bytes: usize,
    /// The most bytes of an upload after decompression.
    pub decompressed_bytes: u64,
}

impl Default for Limits {
    /// 16 MiB a record; 8 GiB an upload, about what one invocation can read twice in its 15 minutes.
    fn default() -> Self {
        Self { record_bytes: 16 << 20, decompressed_bytes: 8 << 30 }
    }
}

/// Finds the records in an upload's bytes and hands them to a [`Sink`].
pub struct Reader<S> {
    decoder: Decoder,
    framer: Framer<S>,
    /// Decoded, and not yet framed from `framed` on.
    content: Vec<u8>,
    framed: usize,
}

impl<S: Sink> Reader<S> {
    /// A reader for an upload of this media type.
    pub fn new(media: Media, limits: Limits, sink: S) -> Self {
        let framer = Framer::new(media.format, limits, sink);
        Self { decoder: Decoder::new(media.compression), framer, content: Vec::new(), framed: 0 }
    }

    /// Takes bytes off the front of `input` until there are no more, or the sink is full: then empty the sink and call
    /// again.
    ///
    /// # Errors
    /// What is wrong with the upload as a whole; reading on would be pointless.
    pub fn push(&mut self, input: &mut &[u8]) -> Result<(), Failure> {
        loop {
            self.frame(true)?;
            if self.framer.sink().is_full() {
                return Ok(());
            }
            if !self.decoder.step(input, &mut self.content)? {
                return Ok(());
            }
        }
    }

    /// Says that there are no more bytes. What is found now, a full sink has to take.
    ///
    /// # Errors
    /// What is wrong with the upload as a whole.
    pub fn finish(&mut self) -> Result<(), Failure> {
        self.frame(false)?;
        let finished = self.decoder.finish(&mut self.content);
        self.frame(false)?;
        finished?;
        self.framer.finish()
    }

    /// How many bytes of content were read, after decompression.
    pub fn position(&self) -> u64 {
        self.framer.position()
    }

    /// The sink.
    pub fn sink(&mut self) -> &mut S {
        self.framer.sink()
    }

    /// Frames the content at hand.
    fn frame(&mut self, may_stop: bool) -> Result<(), Failure> {
        while let Some(content) = self.content.get(self.framed..).filter(|content| !content.is_empty()) {
            self.framed += self.framer.push(content)?;
            if may_stop && self.framer.sink().is_full() {
                return Ok(());
            }
        }
        self.content.clear();
        self.framed = 0;
        Ok(())
    }
}
