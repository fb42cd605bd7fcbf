//! The failures of a rejected record.

use std::cell::OnceCell;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::kind::KnownRejection;
use super::signature::Signature;
use crate::intake::failure::Failure;
use crate::intake::json::{Document, locate_in};
use crate::intake::position::TextPosition;

/// The failures of a rejected record, in the order of the text: at least one, at most
/// [`MAX_FAILURES`](super::MAX_FAILURES). Positions are within the record.
///
/// The failures of records that fail alike are described when they are read: most of them are only counted.
pub struct Failures<'a> {
    source: Source<'a>,
    omitted: u64,
    described: OnceCell<Vec<Failure>>,
}

enum Source<'a> {
    Described,
    Known(KnownFailures<'a>),
}

/// The failures of a record of a known kind.
pub(crate) struct KnownFailures<'a> {
    pub(crate) kind: Arc<KnownRejection>,
    places: Places<'a>,
}

/// The part of the failures that each record has of its own.
enum Places<'a> {
    /// In a record with a signature.
    In(Document<'a>, &'a Signature),
    /// The positions of the failures, within the record.
    At(Vec<TextPosition>),
}

impl<'a> Failures<'a> {
    pub(super) fn described(failures: Vec<Failure>, omitted: u64) -> Self {
        Self { source: Source::Described, omitted, described: failures.into() }
    }

    pub(super) fn known(document: Document<'a>, kind: Arc<KnownRejection>, signature: &'a Signature) -> Self {
        Self::of(KnownFailures { kind, places: Places::In(document, signature) })
    }

    /// Returns the failures of a kind at these positions.
    pub(super) fn known_at(positions: Vec<TextPosition>, kind: Arc<KnownRejection>) -> Self {
        Self::of(KnownFailures { kind, places: Places::At(positions) })
    }

    fn of(known: KnownFailures<'a>) -> Self {
        let omitted = known.kind.omitted;
        Self { source: Source::Known(known), omitted, described: OnceCell::new() }
    }

    /// Returns the number of further failures; a lower bound for records with very many.
    #[must_use]
    pub fn omitted(&self) -> u64 {
        self.omitted
    }

    /// Returns the failures of a record of a known kind; otherwise, the described ones.
    pub(crate) fn into_known(self) -> Result<KnownFailures<'a>, Vec<Failure>> {
        match self.source {
            Source::Known(known) => Ok(known),
            Source::Described => Err(self.described.into_inner().unwrap_or_default()),
        }
    }

    /// Returns the failures.
    #[must_use]
    pub fn into_vec(self) -> Vec<Failure> {
        self.into_known().map_or_else(|described| described, |known| known.describe(TextPosition::START))
    }
}

impl Deref for Failures<'_> {
    type Target = [Failure];

    fn deref(&self) -> &[Failure] {
        self.described.get_or_init(|| match &self.source {
            Source::Known(known) => known.describe(TextPosition::START),
            Source::Described => Vec::new(),
        })
    }
}

impl fmt::Debug for Failures<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl KnownFailures<'_> {
    /// Returns the failures of the record, which begins at `start` of the upload.
    pub(crate) fn describe(&self, start: TextPosition) -> Vec<Failure> {
        let positions = self.positions(start);
        let name = |number| self.name(number);
        let describe = |failure: &super::template::KnownFailure| {
            failure.describe(positions.get(failure.position).copied().unwrap_or(start), &name)
        };
        self.kind.failures.iter().map(describe).collect()
    }

    /// Returns the positions that the failures refer to. The record begins at `start` of the upload.
    pub(crate) fn positions(&self, start: TextPosition) -> Vec<TextPosition> {
        let mut positions = match &self.places {
            Places::In(document, signature) => {
                let entries = self.kind.entries.iter().filter_map(|index| signature.entries.get(*index));
                locate_in(document, entries.copied())
            }
            Places::At(positions) => positions.clone(),
        };
        positions.iter_mut().for_each(|position| *position = position.within(start));
        positions
    }

    /// Returns the unknown member with a number.
    pub(crate) fn name(&self, number: u16) -> &str {
        match &self.places {
            Places::In(document, signature) => {
                signature.names.get(usize::from(number)).map_or("", |unknown| document.name(unknown.name))
            }
            Places::At(_) => "",
        }
    }
}
