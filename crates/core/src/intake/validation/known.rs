//! The failures of records that fail alike: described twice at most, and then told apart by their positions and by the names of
//! unknown members only.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use super::collect;
use super::failures::Failures;
use super::kind::{KnownRejection, MAX_FAILURES};
use super::kinds::Kinds;
use super::signature::{Signature, SignaturePlan};
use crate::intake::failure::Failure;
use crate::intake::json::Document;
use crate::intake::schema::{Schema, SchemaId};

/// The kinds of the rejected records of one upload.
#[derive(Debug, Default)]
pub(super) struct KnownRejections {
    /// The plans by the indexes of schemas.
    plans: Vec<(usize, Option<SignaturePlan>)>,
    signature: Signature,
    /// The kinds by their signatures.
    kinds: Kinds,
    /// The kinds without a signature, by the hash of their texts.
    by_texts: Kinds,
    /// The last one of these.
    last: Option<Arc<KnownRejection>>,
    /// Whether the last record had a signature. The next one probably fails as well.
    is_signing: bool,
    /// Whether `signature` is that of the current record.
    is_signed: bool,
    /// The kind of the current record.
    found: Option<Arc<KnownRejection>>,
    /// The number of the next kind.
    next: u64,
    is_off: bool,
}

impl KnownRejections {
    /// Describes each record for itself from now on.
    pub(super) fn turn_off(&mut self) {
        self.is_off = true;
    }

    /// Returns whether a record is of a known kind: its signature says that it does not conform to its schema, so it need not
    /// be validated. Looks at records behind a rejected one only, because a signature is no cheaper than a validation.
    pub(super) fn knows(&mut self, document: &Document<'_>, schema: &Schema) -> bool {
        self.is_signed = self.is_signing && self.sign(document, schema);
        let found = if self.is_signed { self.kinds.get(&self.signature.bytes) } else { None };
        self.found = found.cloned();
        self.is_signing = self.found.is_some();
        self.is_signing
    }

    /// Returns the failures of a record that does not conform to its schema. [`knows`](Self::knows) has looked at it.
    pub(super) fn failures<'a>(&'a mut self, mut document: Document<'a>, schema: &Schema) -> Failures<'a> {
        if let Some(kind) = self.found.take() {
            return Failures::known(document, kind, &self.signature);
        }
        if self.is_off || !(self.is_signed || self.sign(&document, schema)) {
            let (found, omitted) = collect::failures(&mut document, schema);
            return self.of_texts(collect::located(&document, found), omitted, Some(&schema.id));
        }
        self.is_signing = true;
        if let Some(known) = self.kinds.get(&self.signature.bytes) {
            return Failures::known(document, Arc::clone(known), &self.signature);
        }
        let (found, omitted) = collect::failures(&mut document, schema);
        if !self.kinds.comes_again(&self.signature.bytes) {
            return Failures::described(collect::located(&document, found), omitted);
        }
        let kind = KnownRejection::signed(self.next, &self.signature, &found, omitted);
        let found = collect::located(&document, found);
        let Some(kind) = kind else { return self.of_texts(found, omitted, Some(&schema.id)) };
        self.next += 1;
        self.kinds.insert(&self.signature.bytes, Arc::new(kind));
        Failures::described(found, omitted)
    }

    /// Returns the failures of a record without a signature. Positions are within the record.
    pub(super) fn of_texts<'a>(
        &mut self,
        found: Vec<Failure>,
        omitted: u64,
        schema: Option<&SchemaId>,
    ) -> Failures<'a> {
        if self.is_off || found.len() > MAX_FAILURES {
            return Failures::described(found, omitted);
        }
        let is_same = |kind: &&Arc<KnownRejection>| kind.has_texts_of(&found, omitted, schema);
        let positions = || found.iter().map(Failure::position).collect();
        if let Some(kind) = self.last.as_ref().filter(is_same) {
            return Failures::known_at(positions(), Arc::clone(kind));
        }
        let key = hash_of_texts(&found, omitted, schema).to_le_bytes();
        if let Some(kind) = self.by_texts.get(&key).filter(is_same) {
            return Failures::known_at(positions(), Arc::clone(self.last.insert(Arc::clone(kind))));
        }
        if self.by_texts.comes_again(&key)
            && let Some(kind) = KnownRejection::described(self.next, &found, omitted, schema)
        {
            self.next += 1;
            self.by_texts.insert(&key, Arc::new(kind));
        }
        Failures::described(found, omitted)
    }

    /// Writes the signature of a record. Returns `false` if it has none.
    fn sign(&mut self, document: &Document<'_>, schema: &Schema) -> bool {
        let Self { plans, signature, .. } = self;
        let known = plans.iter().position(|(known, _)| *known == schema.index);
        let index = known.unwrap_or_else(|| {
            plans.push((schema.index, schema.source().and_then(SignaturePlan::of)));
            plans.len() - 1
        });
        let Some((_, Some(plan))) = plans.get(index) else { return false };
        signature.bytes.clear();
        signature.bytes.extend((index as u32).to_le_bytes());
        plan.write(document, signature)
    }
}

/// Returns a hash of all that [`KnownRejection::has_texts_of`] compares: kinds with equal hashes would replace each other.
fn hash_of_texts(found: &[Failure], omitted: u64, schema: Option<&SchemaId>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (omitted, schema).hash(&mut hasher);
    for Failure { code, keyword, pointer, schema_pointer, targets, message, line: _, byte_offset: _ } in found {
        (*code, keyword, pointer, schema_pointer, targets, message).hash(&mut hasher);
    }
    hasher.finish()
}
