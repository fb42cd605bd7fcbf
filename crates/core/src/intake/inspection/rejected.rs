//! A rejected record, while it is counted and retained.

use std::sync::Arc;

use crate::intake::failure::Failure;
use crate::intake::position::TextPosition;
use crate::intake::reader::Frame;
use crate::intake::rejection::RejectedRecord;
use crate::intake::validation::{AppliedSchema, KnownFailures};

/// A rejected record.
pub(super) enum Rejected<'a> {
    /// Any record.
    Described(RejectedRecord),
    /// A record of a known kind, which is described only where it is shown.
    Known(KnownRecord<'a>),
}

/// A record of a known kind.
pub(super) struct KnownRecord<'a> {
    pub(super) place: RecordPlace,
    pub(super) failures: KnownFailures<'a>,
}

/// A rejected record without its failures.
pub(super) struct RecordPlace {
    pub(super) index: u64,
    pub(super) position: TextPosition,
    pub(super) byte_length: u64,
    pub(super) schema: Option<Arc<AppliedSchema>>,
}

impl Rejected<'_> {
    /// Returns the number of its kind, if that is known.
    pub(super) fn kind(&self) -> Option<u64> {
        match self {
            Self::Described(_) => None,
            Self::Known(record) => Some(record.failures.kind.number),
        }
    }

    /// Returns the number of failures that are described.
    pub(super) fn failure_count(&self) -> usize {
        match self {
            Self::Described(record) => record.failures.len(),
            Self::Known(record) => record.failures.kind.failures.len(),
        }
    }

    pub(super) fn byte_length(&self) -> u64 {
        match self {
            Self::Described(record) => record.byte_length,
            Self::Known(record) => record.place.byte_length,
        }
    }

    /// Returns the description.
    pub(super) fn describe(&self) -> RejectedRecord {
        match self {
            Self::Described(record) => record.clone(),
            Self::Known(record) => record.describe(),
        }
    }
}

impl KnownRecord<'_> {
    pub(super) fn describe(&self) -> RejectedRecord {
        let Self { place, failures } = self;
        place.describe(failures.describe(place.position), failures.kind.omitted)
    }
}

impl RecordPlace {
    pub(super) fn of(frame: &Frame<'_>, schema: Option<Arc<AppliedSchema>>) -> Self {
        let Frame { index, position, byte_length, .. } = *frame;
        Self { index, position, byte_length, schema }
    }

    /// Returns the record with its failures, whose positions are in the upload.
    pub(super) fn describe(&self, failures: Vec<Failure>, failures_omitted: u64) -> RejectedRecord {
        let Self { index, position, byte_length, schema } = self;
        RejectedRecord {
            index: *index,
            line: position.line,
            byte_offset: position.byte_offset,
            byte_length: *byte_length,
            schema_requested: schema.as_ref().and_then(|schema| schema.requested.clone()),
            schema_applied: schema.as_ref().map(|schema| schema.applied.to_string()),
            failures,
            failures_omitted,
        }
    }
}
