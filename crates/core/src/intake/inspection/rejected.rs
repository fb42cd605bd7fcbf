//! A rejected record, while it is counted and retained.

use std::sync::Arc;

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
    pub(super) index: u64,
    pub(super) position: TextPosition,
    pub(super) byte_length: u64,
    pub(super) schema: Option<Arc<AppliedSchema>>,
    pub(super) failures: KnownFailures<'a>,
}

impl<'a> Rejected<'a> {
    pub(super) fn known(frame: &Frame<'_>, schema: Option<Arc<AppliedSchema>>, failures: KnownFailures<'a>) -> Self {
        let Frame { index, position, byte_length, .. } = *frame;
        Self::Known(KnownRecord { index, position, byte_length, schema, failures })
    }

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
            Self::Known(record) => record.byte_length,
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
        let Self { index, position, byte_length, schema, failures } = self;
        RejectedRecord {
            index: *index,
            line: position.line,
            byte_offset: position.byte_offset,
            byte_length: *byte_length,
            schema_requested: schema.as_ref().and_then(|schema| schema.requested.clone()),
            schema_applied: schema.as_ref().map(|schema| schema.applied.to_string()),
            failures: failures.describe(*position),
            failures_omitted: failures.kind.omitted,
        }
    }
}
