//! A straightforward pipeline: everything in memory, one well-known crate for each step.

use std::collections::HashMap;

use eventpulse_core::intake::reader::Format;
use eventpulse_core::intake::schema::{Catalog, SchemaRef};
use eventpulse_core::time::Timestamp;
use jsonschema::{Draft, Validator};
use serde_json::Value;
use statrs::statistics::{Data, Distribution, OrderStatistics};

use crate::Failed;
use crate::ours::{Line, Tally};

/// The plain pipeline for one schema.
pub(crate) struct Plain {
    validator: Validator,
    format: Format,
}

/// The times and values of one device.
type Points = Vec<(Timestamp, f64)>;

impl Plain {
    /// Compiles the validator. It asserts formats.
    pub(crate) fn new(schema: &str, catalog: &Catalog, format: Format) -> Result<Plain, Failed> {
        let id = catalog.applied(&SchemaRef::parse(schema)?).ok_or("no such schema")?;
        let schema = catalog.schema(id).ok_or("no such schema")?;
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true)
            .build(schema)
            .map_err(|error| error.to_string())?;
        Ok(Plain { validator, format })
    }

    /// Returns the statistics of every series, with medians.
    pub(crate) fn run(&self, input: &[u8]) -> Result<Tally, Failed> {
        let records: Vec<Value> = match self.format {
            Format::Json | Format::Undeclared => vec![serde_json::from_slice(input)?],
            Format::Ndjson => serde_json::Deserializer::from_slice(input).into_iter().collect::<Result<_, _>>()?,
        };
        let mut devices: HashMap<&str, Points> = HashMap::new();
        for record in &records {
            if !self.validator.is_valid(record) {
                continue;
            }
            let points = devices.entry(record["device_id"].as_str().unwrap_or_default()).or_default();
            match record.get("readings") {
                Some(readings) => points.extend(readings.as_array().into_iter().flatten().filter_map(point)),
                None => points.extend(point(record)),
            }
        }
        let mut tally: Tally = devices.into_iter().map(|(device, points)| line(device, &points)).collect();
        tally.sort_by(|a, b| a.series.cmp(&b.series));
        Ok(tally)
    }
}

fn point(reading: &Value) -> Option<(Timestamp, f64)> {
    Some((Timestamp::parse(reading["timestamp"].as_str()?)?, reading["value"].as_f64()?))
}

fn line(device: &str, points: &[(Timestamp, f64)]) -> Line {
    let mut values = Data::new(points.iter().map(|(_, value)| *value).collect::<Vec<f64>>());
    Line {
        series: (device.to_owned(), "value".to_owned()),
        count: points.len() as u64,
        mean: values.mean().unwrap_or(f64::NAN),
        standard_deviation: values.std_dev().filter(|deviation| deviation.is_finite()),
        median: values.median(),
    }
}
