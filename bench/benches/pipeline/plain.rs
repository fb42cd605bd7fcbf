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
    members: &'static Members,
}

/// The names of the members that hold the points of a record, or of each element of its member `readings`.
struct Members {
    entity: &'static str,
    time: &'static str,
    measures: &'static [&'static str],
}

const READING: Members = Members { entity: "device_id", time: "timestamp", measures: &["value"] };
const WEATHER: Members = Members {
    entity: "station",
    time: "observed_at",
    measures: &["precipitation_mm", "temp_max_c", "temp_min_c", "wind_m_s"],
};

/// The times and values of one series.
type Points = Vec<(Timestamp, f64)>;

impl Plain {
    /// Compiles the validator. It asserts formats.
    pub(crate) fn new(schema: &str, catalog: &Catalog, format: Format) -> Result<Plain, Failed> {
        let members = if schema.starts_with("weather") { &WEATHER } else { &READING };
        let id = catalog.applied(&SchemaRef::parse(schema)?).ok_or("no such schema")?;
        let schema = catalog.schema(id).ok_or("no such schema")?;
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true)
            .build(schema)
            .map_err(|error| error.to_string())?;
        Ok(Plain { validator, format, members })
    }

    /// Returns the statistics of every series, with medians.
    pub(crate) fn run(&self, input: &[u8]) -> Result<Tally, Failed> {
        let Members { entity, time, measures } = self.members;
        let records: Vec<Value> = match self.format {
            Format::Json | Format::Undeclared => match serde_json::from_slice(input)? {
                Value::Array(records) => records,
                record => vec![record],
            },
            Format::Ndjson => serde_json::Deserializer::from_slice(input).into_iter().collect::<Result<_, _>>()?,
        };
        let mut entities: HashMap<&str, Vec<Points>> = HashMap::new();
        for record in records.iter().filter(|record| self.validator.is_valid(record)) {
            let entity = record[entity].as_str().unwrap_or_default();
            let series = entities.entry(entity).or_insert_with(|| vec![Points::new(); measures.len()]);
            let readings = record.get("readings").and_then(Value::as_array);
            for reading in readings.map_or(std::slice::from_ref(record), Vec::as_slice) {
                let Some(time) = reading[time].as_str().and_then(Timestamp::parse) else { continue };
                for (measure, points) in measures.iter().zip(&mut *series) {
                    points.extend(reading[measure].as_f64().map(|value| (time, value)));
                }
            }
        }
        let lines = |(entity, series): (&&str, &Vec<Points>)| -> Tally {
            measures.iter().zip(series).map(|(measure, points)| line(entity, measure, points)).collect()
        };
        let mut tally: Tally = entities.iter().flat_map(lines).collect();
        tally.sort_by(|a, b| a.series.cmp(&b.series));
        Ok(tally)
    }
}

fn line(entity: &str, measure: &str, points: &[(Timestamp, f64)]) -> Line {
    let mut values = Data::new(points.iter().map(|(_, value)| *value).collect::<Vec<f64>>());
    Line {
        series: (entity.to_owned(), measure.to_owned()),
        count: points.len() as u64,
        mean: values.mean().unwrap_or(f64::NAN),
        standard_deviation: values.std_dev().filter(|deviation| deviation.is_finite()),
        median: values.median(),
    }
}
