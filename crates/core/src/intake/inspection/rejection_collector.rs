//! The collector of rejected records: their failures, and the records as NDJSON lines.

use super::known_lines::{KnownLine, LineKinds};
use super::rejected::{KnownRecord, RecordPlace, Rejected};
use super::retained_records::RetainedRecords;
use super::spec::Retention;
use crate::intake::rejection::Rejections;

/// The maximum size of the rejected records that are retained of one upload in bytes, by [`Retention::Bounded`].
const MAX_BOUNDED_BYTES: usize = 32 << 20;
/// The maximum number of kinds of records that are remembered while lines are drained.
const MAX_KINDS: usize = 4_096;

pub(super) struct RejectionCollector {
    rejections: Rejections,
    records: Records,
}

/// The rejected records themselves.
enum Records {
    /// Retained until they are too many.
    Retained(Box<RetainedRecords>),
    /// Written as lines, which the caller drains.
    Drained {
        lines: Vec<u8>,
        kinds: LineKinds,
    },
    Dropped,
}

impl RejectionCollector {
    pub(super) fn new(retention: Retention, rejections: Rejections) -> Self {
        let records = match retention {
            Retention::Bounded => Records::Retained(Box::default()),
            Retention::Rejected => Records::Drained { lines: Vec::new(), kinds: LineKinds::default() },
            Retention::Chunks => Records::Dropped,
        };
        Self { rejections, records }
    }

    /// Adds a rejected record; `bytes` are its bytes, if they were read.
    pub(super) fn add(&mut self, record: Rejected<'_>, bytes: Option<&[u8]>) {
        match &mut self.records {
            Records::Retained(records) if records.size_bytes() + bytes.map_or(0, <[u8]>::len) > MAX_BOUNDED_BYTES => {
                self.records = Records::Dropped;
            }
            Records::Retained(records) => records.add(&record, bytes),
            Records::Drained { lines, kinds } => write_line(&record, bytes, kinds, lines),
            Records::Dropped => {}
        }
        match record {
            Rejected::Described(record) => self.rejections.add(record),
            Rejected::Known(record) => {
                let kind = &record.failures.kind;
                self.rejections.add_known(kind.number, kind.failures.len(), || record.describe());
            }
        }
    }

    pub(super) fn rejections(&self) -> &Rejections {
        &self.rejections
    }

    pub(super) fn rejections_mut(&mut self) -> &mut Rejections {
        &mut self.rejections
    }

    /// Returns the size of the lines to drain in bytes.
    pub(super) fn size_bytes(&self) -> usize {
        if let Records::Drained { lines, .. } = &self.records { lines.len() } else { 0 }
    }

    pub(super) fn drain(&mut self) -> Vec<u8> {
        if let Records::Drained { lines, .. } = &mut self.records { std::mem::take(lines) } else { Vec::new() }
    }

    /// Returns the failures, and the records that were not drained, unless they were dropped.
    pub(super) fn finish(self) -> (Rejections, Option<RetainedRecords>) {
        let records = match self.records {
            Records::Retained(records) => Some(*records),
            Records::Drained { lines, .. } => {
                let mut records = RetainedRecords::default();
                records.add_line(|line| *line = lines);
                Some(records)
            }
            Records::Dropped => None,
        };
        (self.rejections, records)
    }
}

fn write_line(record: &Rejected<'_>, bytes: Option<&[u8]>, kinds: &mut LineKinds, lines: &mut Vec<u8>) {
    let (known, bytes) = match (record, bytes) {
        (Rejected::Known(record), Some(bytes)) => (record, bytes),
        (record, bytes) => return record.describe().write_line(bytes, lines),
    };
    let KnownRecord { place: RecordPlace { index, position, byte_length, schema }, failures } = known;
    if kinds.len() >= MAX_KINDS {
        *kinds = LineKinds::default();
    }
    let (kind, _) = kinds.index_of(&failures.kind, schema.as_ref());
    let Some(kind) = kinds.get(kind) else { return };
    let positions = failures.positions(*position);
    let line =
        KnownLine { index: *index, position: *position, byte_length: *byte_length, positions: &positions, bytes };
    kind.write(&line, &|number| failures.name(number), lines);
}
