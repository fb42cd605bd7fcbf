//! A kind of rejected record.

use super::collect::Located;
use super::signature::UnknownName;
use super::template::KnownFailure;
use crate::intake::failure::{Failure, FailureCode};
use crate::intake::json::Document;
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
    /// The entries at these positions, ascending, if the kind has a signature.
    pub(super) entries: Vec<u32>,
    /// The schema, if the kind has no signature.
    schema: Option<SchemaId>,
}

impl KnownRejection {
    /// Returns the kind of a record with a signature; none if its names cannot be told from other text.
    pub(super) fn signed(
        number: u64,
        document: &Document<'_>,
        names: &[UnknownName],
        found: &[Located],
        omitted: u64,
    ) -> Option<Self> {
        if found.len() > MAX_FAILURES || omitted > 0 {
            return None;
        }
        let mut entries: Vec<u32> = found.iter().map(|(_, entry)| *entry).collect::<Option<_>>()?;
        entries.sort_unstable();
        entries.dedup();
        let known = |(failure, entry): &Located| {
            let entry = (*entry)?;
            let position = entries.binary_search(&entry).ok()?;
            let names = match failure.code {
                FailureCode::AdditionalProperties => gaps_at(document, names, entry)?,
                _ => Vec::new(),
            };
            KnownFailure::of(failure, position, &names)
        };
        let failures = found.iter().map(known).collect::<Option<_>>()?;
        Some(Self { number, failures, omitted, positions: entries.len(), entries, schema: None })
    }

    /// Returns the kind of a record without a signature.
    pub(super) fn described(number: u64, found: &[Failure], omitted: u64, schema: Option<&SchemaId>) -> Option<Self> {
        let failures = found.iter().enumerate().map(|(position, failure)| KnownFailure::of(failure, position, &[]));
        let failures = failures.collect::<Option<_>>()?;
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

    /// Returns an upper bound of the memory that the kind takes, in bytes.
    pub(crate) fn size_bytes(&self) -> usize {
        256 + self.failures.iter().map(KnownFailure::size_bytes).sum::<usize>()
    }
}

/// Returns the names that the signature leaves out of the object one of whose names is at `entry`, with their numbers.
/// `None` if it leaves out some and holds others.
fn gaps_at<'a>(document: &Document<'a>, names: &[UnknownName], entry: u32) -> Option<Vec<(u16, &'a str)>> {
    let object = names.iter().find(|unknown| unknown.name == entry)?.object;
    let of_object = || (0_u16..).zip(names).filter(|(_, unknown)| unknown.object == object);
    if of_object().all(|(_, unknown)| !unknown.is_gap) {
        return Some(Vec::new());
    }
    of_object().map(|(number, unknown)| unknown.is_gap.then(|| (number, document.name(unknown.name)))).collect()
}
