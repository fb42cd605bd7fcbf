//! The lines of rejected records of known kinds, as [`RejectedRecord::write_line`] writes them.
//!
//! [`RejectedRecord::write_line`]: crate::intake::rejection::RejectedRecord::write_line

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::intake::position::TextPosition;
use crate::intake::rejection::{is_portable, schema_members, write_end, write_place};
use crate::intake::validation::{AppliedSchema, KnownRejection};

/// The kinds whose lines are written.
#[derive(Debug, Default)]
pub(super) struct LineKinds {
    kinds: Vec<LineKind>,
    /// The indexes by the numbers of kinds and the schemas.
    indexes: BTreeMap<(u64, Option<Arc<AppliedSchema>>), usize>,
    /// The index that was found last.
    last: usize,
}

/// A kind of rejected records with one schema.
#[derive(Debug)]
pub(super) struct LineKind {
    kind: Arc<KnownRejection>,
    schema: Option<Arc<AppliedSchema>>,
    /// Whether the record is JSON that any parser accepts.
    is_portable: bool,
    /// The members of the line between the length of the record and its failures.
    schemas: String,
    /// The names that the failures mention, ascending.
    names: Vec<u16>,
}

/// The variable parts of a line.
pub(super) struct KnownLine<'l> {
    pub(super) index: u64,
    pub(super) position: TextPosition,
    pub(super) byte_length: u64,
    pub(super) positions: &'l [TextPosition],
    pub(super) bytes: &'l [u8],
}

impl LineKinds {
    /// Returns the index of a kind, and the memory that it takes in bytes if it is new.
    pub(super) fn index_of(
        &mut self,
        kind: &Arc<KnownRejection>,
        schema: Option<&Arc<AppliedSchema>>,
    ) -> (usize, usize) {
        let is_same = |known: &LineKind| known.kind.number == kind.number && known.schema.as_ref() == schema;
        if self.kinds.get(self.last).is_some_and(is_same) {
            return (self.last, 0);
        }
        let key = (kind.number, schema.cloned());
        if let Some(index) = self.indexes.get(&key) {
            self.last = *index;
            return (self.last, 0);
        }
        let new = LineKind::new(Arc::clone(kind), schema.cloned());
        let size_bytes = kind.size_bytes() + new.schemas.len() + 384;
        self.last = self.kinds.len();
        self.kinds.push(new);
        self.indexes.insert(key, self.last);
        (self.last, size_bytes)
    }

    pub(super) fn get(&self, index: usize) -> Option<&LineKind> {
        self.kinds.get(index)
    }

    pub(super) fn len(&self) -> usize {
        self.kinds.len()
    }
}

impl LineKind {
    fn new(kind: Arc<KnownRejection>, schema: Option<Arc<AppliedSchema>>) -> Self {
        let requested = schema.as_ref().and_then(|schema| schema.requested.as_deref());
        let applied = schema.as_ref().map(|schema| schema.applied.to_string());
        let schemas = schema_members(requested, applied.as_deref());
        let is_portable = kind.failures.iter().all(|failure| is_portable(failure.code()));
        let mut names: Vec<u16> = kind.failures.iter().flat_map(|failure| failure.names()).collect();
        names.sort_unstable();
        names.dedup();
        Self { kind, schema, is_portable, schemas, names }
    }

    /// Returns the numbers of the names that the failures mention, ascending.
    pub(super) fn names(&self) -> &[u16] {
        &self.names
    }

    /// Returns the number of positions that the failures refer to.
    pub(super) fn positions(&self) -> usize {
        self.kind.positions
    }

    /// Appends a line. `name`: returns the unknown member with a number.
    pub(super) fn write<'n>(&self, line: &KnownLine<'_>, name: &impl Fn(u16) -> &'n str, to: &mut Vec<u8>) {
        let KnownLine { index, position, byte_length, positions, bytes } = *line;
        write_place(index, position.line, position.byte_offset, byte_length, to);
        to.extend_from_slice(self.schemas.as_bytes());
        for (index, failure) in self.kind.failures.iter().enumerate() {
            if index > 0 {
                to.push(b',');
            }
            let position = positions.get(failure.position).copied().unwrap_or(position);
            failure.write_json(position, name, to);
        }
        write_end(self.kind.omitted, Some(bytes), self.is_portable, to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::schema::{Catalog, SchemaRef};
    use crate::intake::validation::{Validator, Verdict};

    #[test]
    fn each_kind_has_one_index_for_each_schema() {
        let catalog = Catalog::bundled().unwrap();
        let mut validator = Validator::new(&catalog, None, SchemaRef::parse("reading/1.0").unwrap());
        let records = [r#"{"value":1}"#, r#"{"schema":"reading/1.1"}"#, r#"{"schema":"reading/1.2"}"#, "{}"];
        let mut kinds = LineKinds::default();
        let mut turn = || {
            let index_of = |record: &&str| {
                let Verdict::Rejected { schema, failures } = validator.check(record.as_bytes()) else { panic!() };
                let known = failures.into_known().ok()?;
                Some(kinds.index_of(&known.kind, schema.as_ref()))
            };
            records.iter().filter_map(index_of).collect::<Vec<_>>()
        };
        (0..3).for_each(|_| drop(turn()));
        let (indexes, sizes): (Vec<usize>, Vec<usize>) = turn().into_iter().unzip();
        let mut distinct = indexes.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!((distinct.len(), sizes), (4, vec![0; 4]), "{indexes:?}");
    }
}
