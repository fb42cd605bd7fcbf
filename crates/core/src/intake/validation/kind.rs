//! A kind of rejected record.

use super::collect::Described;
use super::signature::Signature;
use super::template::KnownFailure;
use crate::intake::failure::Failure;
use crate::intake::schema::SchemaId;

/// The maximum number of failures of a kind.
pub(super) const MAX_FAILURES: usize = 16;

/// A kind of rejected record: the failures have the same texts, and the schema is the same.
#[derive(Debug)]
pub(crate) struct KnownRejection {
    /// A number that no other kind of the upload has.
    pub(crate) number: u64,
    /// The failures in the order of the text.
    pub(crate) failures: Vec<KnownFailure>,
    /// The number of further failures.
    pub(crate) omitted: u64,
    /// The number of positions that the failures refer to.
    pub(crate) positions: usize,
    /// These positions if the kind has a signature: ascending indexes of its entries.
    pub(super) entries: Vec<usize>,
    /// The schema, if the kind has no signature.
    schema: Option<SchemaId>,
}

impl KnownRejection {
    /// Returns the kind of a record with a signature; none if it has too many failures.
    pub(super) fn signed(number: u64, signature: &Signature, found: &[Described], omitted: u64) -> Option<Self> {
        if found.len() > MAX_FAILURES || omitted > 0 {
            return None;
        }
        let index_of = |found: &Described| signature.entries.binary_search(&found.entry).ok();
        let mut entries: Vec<usize> = found.iter().map(index_of).collect::<Option<_>>()?;
        entries.sort_unstable();
        entries.dedup();
        let number_of = |entry| {
            let index = signature.names.iter().position(|unknown| unknown.name == entry)?;
            u16::try_from(index).ok()
        };
        let known = |found: &Described| {
            let position = entries.binary_search(&index_of(found)?).ok()?;
            KnownFailure::of(found, position, &number_of)
        };
        let failures = found.iter().map(known).collect::<Option<_>>()?;
        Some(Self { number, failures, omitted, positions: entries.len(), entries, schema: None })
    }

    /// Returns the kind of a record without a signature.
    pub(super) fn described(number: u64, found: &[Failure], omitted: u64, schema: Option<&SchemaId>) -> Option<Self> {
        let known = |(position, failure)| KnownFailure::without_gaps(failure, position);
        let failures = found.iter().enumerate().map(known).collect::<Option<_>>()?;
        let (positions, entries) = (found.len(), Vec::new());
        Some(Self { number, failures, omitted, positions, entries, schema: schema.cloned() })
    }

    /// Returns whether the failures have the texts of this kind.
    pub(super) fn has_texts_of(&self, found: &[Failure], omitted: u64, schema: Option<&SchemaId>) -> bool {
        self.omitted == omitted
            && self.schema.as_ref() == schema
            && self.failures.len() == found.len()
            && self.failures.iter().zip(found).all(|(known, failure)| known.has_texts_of(failure))
    }

    /// Returns approximately the memory that the kind takes, in bytes.
    pub(crate) fn size_bytes(&self) -> usize {
        256 + self.failures.iter().map(KnownFailure::size_bytes).sum::<usize>()
    }
}
