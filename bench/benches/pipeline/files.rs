//! Writes the inputs to files, for the same work in other languages.

use std::fs;
use std::path::Path;

use eventpulse_core::intake::reader::Format;
use eventpulse_core::intake::schema::SchemaRef;
use serde_json::{Value, json};

use crate::Failed;
use crate::ours::Ours;
use crate::rows::{Row, Sizes, rows};

/// Writes each uncompressed input and its schema, and `inputs.json`, which lists them with the expected sums over all
/// series.
pub(crate) fn write_inputs(directory: &Path, sizes: Sizes) -> Result<(), Failed> {
    fs::create_dir_all(directory)?;
    let mut inputs = Vec::new();
    let differs = |row: &Row| row.media.compression.is_none() && !row.digest_is_known;
    for (number, row) in rows(sizes)?.into_iter().filter(differs).enumerate() {
        let ndjson = row.media.format == Format::Ndjson;
        let (file, schema) =
            (format!("{number}.{}", if ndjson { "ndjson" } else { "json" }), format!("{number}.schema"));
        let ours = Ours::new(row.schema, row.media)?;
        let id = ours.catalog().applied(&SchemaRef::parse(row.schema)?).ok_or("no such schema")?;
        fs::write(directory.join(&schema), ours.catalog().schema(id).ok_or("no such schema")?.to_string())?;
        fs::write(directory.join(&file), &row.input)?;
        let tally = ours.answer(&row.input)?;
        let sum = |number: &dyn Fn(&crate::ours::Line) -> f64| Value::from(tally.iter().map(number).sum::<f64>());
        inputs.push(json!({
            "name": row.name,
            "file": file,
            "schema": schema,
            "ndjson": ndjson,
            "records": row.records,
            "expected": {
                "count": tally.iter().map(|line| line.count).sum::<u64>(),
                "mean": sum(&|line| line.mean),
                "median": sum(&|line| line.median),
                "deviation": sum(&|line| line.standard_deviation.unwrap_or(0.0)),
            },
        }));
    }
    fs::write(directory.join("inputs.json"), serde_json::to_string_pretty(&inputs)?)?;
    Ok(())
}
