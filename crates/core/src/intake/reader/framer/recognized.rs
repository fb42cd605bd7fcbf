//! Records that are taken before they are framed.

use super::super::recognizer::{Between, Recognizer, Taken};
use super::super::scan::Scan;
use super::Framer;
use super::state::{Current, Found, State};
use crate::intake::failure::Failure;

/// Successive records that were taken, by their offsets in the content.
struct Run {
    records: u64,
    /// The offset of the last one.
    last: usize,
    /// The offset behind the last one.
    end: usize,
    /// The offset of the next one, which was refused.
    refused: Option<usize>,
}

impl Framer {
    /// Takes records, from the current one on, until one is refused.
    #[inline]
    pub(super) fn take(&mut self, between: Between, recognizer: &mut impl Recognizer) -> Option<Taken> {
        let Current { start, position, dropped, was_refused } = self.current;
        if was_refused || dropped > 0 {
            return None;
        }
        self.current.was_refused = self.is_object_at(start);
        let run = self.run(start, between, recognizer)?;
        self.records += run.records;
        let mut last = position;
        if between == Between::LineFeed {
            last.line += run.records - 1;
            last.byte_offset += (run.last - start) as u64;
        } else {
            last.advance(self.content.get(start..run.last).unwrap_or_default());
        }
        self.next = run.last;
        self.position = last;
        self.advance_in_record(run.end);
        let end = self.position.byte_offset;
        self.end_run(between, run.refused);
        Some(Taken { records: run.records, last, end })
    }

    /// Has the recognizer take records from `start` on. Returns `None` if it takes none.
    #[inline]
    fn run(&self, start: usize, between: Between, recognizer: &mut impl Recognizer) -> Option<Run> {
        let content = self.content.as_slice();
        let mut run = Run { records: 0, last: start, end: start, refused: Some(start) };
        while let Some(next) = run.refused {
            let Some(length) = recognizer.find(content.get(next..)?, between) else { break };
            let Some(end) = between.end(content, next + length) else { break };
            let Some(record) = content.get(next..end).filter(|record| record.len() <= self.limits.record_bytes) else {
                break;
            };
            run = Run { records: run.records + 1, last: next, end, refused: between.next(content, end) };
            if !recognizer.take(record) {
                run.refused = None;
            }
        }
        (run.records > 0).then_some(run)
    }

    /// Moves to the next state behind a run of records, with the next record if it was refused.
    fn end_run(&mut self, between: Between, refused: Option<usize>) {
        match (between, refused) {
            (Between::Nothing, _) => self.state = State::End { is_object: true },
            (Between::Comma, None) => self.state = State::Separator,
            (Between::Comma, Some(next)) => {
                self.skip(next - self.next);
                self.begin_record();
                self.scan = Scan::new(b'{');
                self.state = State::Value { in_array: true };
                self.current.was_refused = true;
            }
            (Between::LineFeed, _) => {
                self.end_line();
                self.current.was_refused = refused.is_some_and(|next| self.is_object_at(next));
            }
        }
    }

    /// Returns whether a record begins with an object. The recognizer was not shown an object behind white space.
    fn is_object_at(&self, at: usize) -> bool {
        self.content.get(at) == Some(&b'{')
    }

    /// Returns whether the first document of an upload has no end yet, so that it may be the whole upload. It is held until
    /// the content ends, and then read in one pass. Documents in a row are not held up to the limit of the upload, before
    /// which their records count.
    pub(in crate::intake::reader) fn is_held(&self, recognizer: &impl Recognizer) -> bool {
        let Current { start, dropped, was_refused, .. } = self.current;
        let size = self.content.len();
        let is_within = |length: usize| {
            length > 0 && size - start <= self.limits.record_bytes && size as u64 <= self.limits.decompressed_bytes / 2
        };
        matches!(self.state, State::Value { in_array: false })
            && self.records == 0
            && dropped == 0
            && !was_refused
            && is_within(self.next - start)
            && recognizer.is_active()
    }

    /// In the first document, which is held: takes it when it is complete.
    pub(super) fn held(&mut self, recognizer: &mut impl Recognizer) -> Result<Option<Found>, Failure> {
        if !self.ended {
            return Ok(None);
        }
        match self.take(Between::Nothing, recognizer) {
            Some(taken) => Ok(Some(Found::Taken(taken))),
            None => self.next_record(recognizer),
        }
    }

    /// Ends the hold, because the content ends with a failure. Drops the content behind `length`.
    pub(in crate::intake::reader) fn release(&mut self, length: usize) {
        self.content.truncate(length);
        self.current.was_refused = true;
    }
}
