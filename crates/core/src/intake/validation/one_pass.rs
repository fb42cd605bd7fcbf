//! The programs of a catalog at work on the records of one upload: the choice of the program, and what is kept from record to
//! record. Nothing of that decides about a record: the schema that it names is compared for each one.

use crate::intake::program::{Found, Layouts, WhiteSpace};
use crate::intake::schema::bundle::parse_id;
use crate::intake::schema::{Catalog, Schema, SchemaRef};

/// A record that the program of its schema accepts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Accepted<'c> {
    /// Its length in bytes.
    pub(crate) length: usize,
    pub(crate) schema: &'c Schema,
}

/// The programs of a catalog for one upload.
#[derive(Debug)]
pub(super) struct OnePass<'c> {
    catalog: &'c Catalog,
    is_on: bool,
    /// The schema of records that name none.
    unnamed: Option<&'c Schema>,
    /// The schema of the previous record, whose program is tried first.
    current: Option<&'c Schema>,
    /// The name that was resolved last, and its schema.
    resolved: Option<(Vec<u8>, &'c Schema)>,
    /// What the programs learned, by the indexes of schemas.
    layouts: Vec<Option<Layouts>>,
    /// The white space of the latest records.
    white_space: WhiteSpace,
    found: Found,
    accepted: u64,
}

impl<'c> OnePass<'c> {
    /// Returns the programs for the records of an upload that requests a schema, or none.
    pub(super) fn new(catalog: &'c Catalog, requested: Option<&SchemaRef>, default: &SchemaRef) -> Self {
        let unnamed = catalog.find(requested.unwrap_or(default));
        Self {
            catalog,
            is_on: true,
            unnamed,
            current: unnamed,
            resolved: None,
            layouts: Vec::new(),
            white_space: WhiteSpace::Json,
            found: Found::default(),
            accepted: 0,
        }
    }

    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Accepts no record.
    pub(super) fn turned_off(mut self) -> Self {
        self.is_on = false;
        self
    }

    /// Returns the record that `content` begins with, if the program of its schema accepts it. Its findings are then in
    /// [`accept`](Self::accept).
    #[inline]
    pub(super) fn read(&mut self, content: &[u8], white_space: WhiteSpace) -> Option<Accepted<'c>> {
        if !self.is_on {
            return None;
        }
        self.white_space = white_space;
        let current = self.current?;
        let length = self.run(current, content);
        // The schema is also known of a record that broke off behind its name.
        let schema = self.schema_of(content)?;
        if schema.index == current.index {
            return Some(Accepted { length: length?, schema });
        }
        let length = self.run(schema, content)?;
        self.current = Some(schema);
        let is_same = self.schema_of(content)?.index == schema.index;
        is_same.then_some(Accepted { length, schema })
    }

    /// Continues with the schema of a record that was accepted without its program.
    pub(super) fn follow(&mut self, schema: &'c Schema) {
        self.current = Some(schema);
    }

    /// Returns the white space of the latest records.
    pub(super) fn white_space(&self) -> WhiteSpace {
        self.white_space
    }

    /// Accepts the record that was read last. Returns the findings in it.
    #[inline]
    pub(super) fn accept(&mut self) -> &Found {
        self.accepted += 1;
        &self.found
    }

    /// Returns the number of accepted records.
    pub(super) fn accepted(&self) -> u64 {
        self.accepted
    }

    #[inline]
    fn run(&mut self, schema: &'c Schema, content: &[u8]) -> Option<usize> {
        let Some(program) = &schema.program else {
            self.found.clear();
            return None;
        };
        if self.layouts.len() <= schema.index {
            self.layouts.resize_with(schema.index + 1, || None);
        }
        let layouts = self.layouts.get_mut(schema.index)?.get_or_insert_with(|| program.layouts());
        program.read(content, self.white_space, layouts, &mut self.found)
    }

    /// Returns the schema that applies to the record that was read last.
    #[inline]
    fn schema_of(&mut self, content: &[u8]) -> Option<&'c Schema> {
        let Some(name) = self.found.schema(content) else { return self.unnamed };
        match &self.resolved {
            Some((known, schema)) if known == name => Some(*schema),
            _ => {
                let (text, major, _) = parse_id(std::str::from_utf8(name).ok()?)?;
                let schema = self.catalog.find_version(text, major)?;
                self.resolved = Some((name.to_vec(), schema));
                Some(schema)
            }
        }
    }
}

impl Drop for OnePass<'_> {
    fn drop(&mut self) {
        for (schema, layouts) in self.catalog.schemas().iter().zip(&mut self.layouts) {
            if let (Some(program), Some(layouts)) = (&schema.program, layouts.take()) {
                program.keep(layouts);
            }
        }
    }
}
