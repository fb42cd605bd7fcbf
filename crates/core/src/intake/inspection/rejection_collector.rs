//! The collector of rejected records: their failures, and the records as NDJSON lines.

use super::spec::Retention;
use crate::intake::rejection::{RejectedRecord, Rejections};

/// The maximum size of the lines that are retained of one upload in bytes, by [`Retention::Bounded`].
const MAX_BOUNDED_BYTES: usize = 8 << 20;

pub(super) struct RejectionCollector {
    retention: Retention,
    rejections: Rejections,
    lines: Vec<u8>,
    dropped: bool,
}

impl RejectionCollector {
    pub(super) fn new(retention: Retention, rejections: Rejections) -> Self {
        Self { retention, rejections, lines: Vec::new(), dropped: retention == Retention::Chunks }
    }

    /// Adds a rejected record; `bytes` are its bytes, if they were read.
    pub(super) fn add(&mut self, record: RejectedRecord, bytes: Option<&[u8]>) {
        let size = self.lines.len() + bytes.map_or(0, <[u8]>::len);
        if self.retention == Retention::Bounded && size > MAX_BOUNDED_BYTES {
            self.dropped = true;
            self.lines = Vec::new();
        }
        if !self.dropped {
            record.write_line(bytes, &mut self.lines);
        }
        self.rejections.add(record);
    }

    pub(super) fn rejections(&self) -> &Rejections {
        &self.rejections
    }

    pub(super) fn rejections_mut(&mut self) -> &mut Rejections {
        &mut self.rejections
    }

    /// Returns the size of the retained lines in bytes.
    pub(super) fn size_bytes(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn drain(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.lines)
    }

    /// Returns the failures, and the lines unless they were dropped.
    pub(super) fn finish(self) -> (Rejections, Option<Vec<u8>>) {
        (self.rejections, (!self.dropped).then_some(self.lines))
    }
}
