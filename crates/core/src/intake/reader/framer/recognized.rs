//! Records that are recognized before they are framed.

use super::super::recognizer::{Recognition, Recognizer};
use super::super::text::is_white_space;
use super::Framer;
use super::state::{Current, Record, State};
use crate::intake::failure::Failure;

impl Framer {
    /// Returns the length of the line that begins here, without its line feed, if its record is recognized.
    #[inline]
    pub(super) fn recognized_line(&mut self, recognizer: &mut impl Recognizer) -> Option<usize> {
        if self.next > self.current.start || self.current.dropped > 0 {
            return None;
        }
        self.current.recognition = Recognition::NotSure;
        let rest = self.content.get(self.next..).unwrap_or_default();
        let length = recognizer.recognize(rest, true)?;
        let behind = rest.get(length..)?.iter().take_while(|byte| **byte != b'\n' && is_white_space(**byte)).count();
        let end = length + behind;
        if rest.get(end) != Some(&b'\n') {
            return None;
        }
        self.current.recognition = Recognition::Accepted;
        Some(end)
    }

    /// Returns whether the first document of an upload has no end yet, so that it may be the whole upload. It is held until
    /// the content ends, and then read in one pass. Documents in a row are not held up to the limit of the upload, before
    /// which their records count.
    pub(in crate::intake::reader) fn is_held(&self, recognizer: &impl Recognizer) -> bool {
        let Current { start, dropped, recognition, .. } = self.current;
        let size = self.content.len();
        let is_within = |length: usize| {
            length > 0 && size - start <= self.limits.record_bytes && size as u64 <= self.limits.decompressed_bytes / 2
        };
        matches!(self.state, State::Value { in_array: false })
            && self.records == 0
            && dropped == 0
            && recognition == Recognition::Untried
            && is_within(self.next - start)
            && recognizer.is_active()
    }

    /// In the first document, which is held: recognizes it when it is complete.
    pub(super) fn held(&mut self, recognizer: &mut impl Recognizer) -> Result<Option<Record>, Failure> {
        if !self.ended {
            return Ok(None);
        }
        match self.recognized_value(self.current.start, recognizer) {
            Some(end) => self.end_value(end, false),
            None => self.next_record(recognizer),
        }
    }

    /// Ends the hold, because the content ends with a failure. Drops the content behind `length`.
    pub(in crate::intake::reader) fn release(&mut self, length: usize) {
        self.content.truncate(length);
        self.current.recognition = Recognition::NotSure;
    }

    /// Returns the end of the value that begins at `start`, if it is recognized.
    pub(super) fn recognized_value(&mut self, start: usize, recognizer: &mut impl Recognizer) -> Option<usize> {
        self.current.recognition = Recognition::NotSure;
        let length = recognizer.recognize(self.content.get(start..).unwrap_or_default(), false)?;
        self.current.recognition = Recognition::Accepted;
        Some(start + length)
    }
}
