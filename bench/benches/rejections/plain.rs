//! A straightforward pipeline: one well-known crate for each step.

use std::collections::HashMap;

use eventpulse_core::intake::reader::Format;
use eventpulse_core::intake::schema::{Catalog, SchemaRef};
use jsonschema::{Draft, Validator};
use serde_json::Value;

use crate::Failed;

/// The plain pipeline.
pub(crate) struct Plain {
    validator: Validator,
    format: Format,
}

impl Plain {
    /// Compiles the validator. It asserts formats.
    pub(crate) fn new(catalog: &Catalog, format: Format) -> Result<Plain, Failed> {
        let id = catalog.applied(&SchemaRef::parse("reading/1.0")?).ok_or("no such schema")?;
        let schema = catalog.schema(id).ok_or("no such schema")?;
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true)
            .build(schema)
            .map_err(|error| error.to_string())?;
        Ok(Plain { validator, format })
    }

    /// Describes and groups the errors of all records. Returns the number of rejected ones.
    pub(crate) fn run(&self, content: &[u8]) -> Result<u64, Failed> {
        let mut groups: HashMap<(String, String), u64> = HashMap::new();
        let mut rejected = 0;
        self.for_each(content, |record| {
            let Some(record) = record else {
                rejected += 1;
                return;
            };
            if self.validator.is_valid(&record) {
                return;
            }
            rejected += 1;
            for error in self.validator.iter_errors(&record) {
                let message = error.to_string();
                let key = (error.kind().keyword().to_owned(), error.instance_path().to_string());
                *groups.entry(key).or_default() += u64::from(!message.is_empty());
            }
        })?;
        Ok(rejected)
    }

    /// Parses all records. Returns the number of those that are JSON.
    pub(crate) fn parse(&self, content: &[u8]) -> Result<u64, Failed> {
        let mut records = 0;
        self.for_each(content, |record| records += u64::from(record.is_some()))?;
        Ok(records)
    }

    /// Calls `take` with each record; with `None` for one that is not JSON.
    fn for_each(&self, content: &[u8], mut take: impl FnMut(Option<Value>)) -> Result<(), Failed> {
        if self.format != Format::Ndjson {
            let Value::Array(records) = serde_json::from_slice(content)? else { return Err("not an array".into()) };
            records.into_iter().for_each(|record| take(Some(record)));
            return Ok(());
        }
        let lines = content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.for_each(|line| take(serde_json::from_slice(line).ok()));
        Ok(())
    }
}
