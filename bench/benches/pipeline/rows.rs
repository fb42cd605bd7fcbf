//! The rows of the table of times: their inputs and targets.

use std::borrow::Cow;
use std::io::{self, Read as _, Write as _};

use eventpulse_core::intake::reader::{Compression, Format, Media};

use crate::grouped;
use crate::inputs::{self, Events};
use crate::timing::Effort;

pub(crate) const JSON: Media = Media { format: Format::Json, compression: None };
pub(crate) const NDJSON: Media = Media { format: Format::Ndjson, compression: None };

/// The sizes of the inputs.
#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) quick: bool,
    pub(crate) readings: usize,
    /// The number of events of the longest NDJSON.
    pub(crate) events: u64,
    /// The number of records of the other inputs.
    pub(crate) records: u64,
    pub(crate) devices: u64,
    pub(crate) stream_bytes: u64,
    pub(crate) record_bytes: usize,
}

impl Sizes {
    pub(crate) const FULL: Sizes = Sizes {
        quick: false,
        readings: 10_000,
        events: 1_000_000,
        records: 200_000,
        devices: 1_000,
        stream_bytes: 1 << 30,
        record_bytes: 16 << 20,
    };
    pub(crate) const QUICK: Sizes = Sizes {
        quick: true,
        readings: 300,
        events: 3_000,
        records: 1_000,
        devices: 100,
        stream_bytes: 1 << 20,
        record_bytes: 256 << 10,
    };
}

/// One line of the table.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) schema: &'static str,
    pub(crate) media: Media,
    pub(crate) input: Vec<u8>,
    /// Whether S3 has verified the SHA-256 of the input.
    pub(crate) digest_is_known: bool,
    /// The number of records, or of readings in a batch.
    pub(crate) records: u64,
    /// The number of values in all records.
    pub(crate) points: u64,
    pub(crate) effort: Effort,
    pub(crate) target: Target,
}

/// The largest time of EventPulse, in proportion to another one.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    None,
    /// To parsing by sonic-rs.
    Sonic(f64),
    /// To the plain pipeline.
    Plain(f64),
    /// To the sum of decompression and EventPulse's time for the decompressed text.
    Decompressed(f64),
}

impl Row {
    /// Returns the decompressed input.
    pub(crate) fn text(&self) -> io::Result<Cow<'_, [u8]>> {
        if self.media.compression.is_none() {
            return Ok(Cow::Borrowed(&self.input));
        }
        let mut text = Vec::new();
        flate2::read::MultiGzDecoder::new(self.input.as_slice()).read_to_end(&mut text)?;
        Ok(Cow::Owned(text))
    }
}

/// Returns the rows.
pub(crate) fn rows(sizes: Sizes) -> io::Result<Vec<Row>> {
    let effort = |samples, sample_ms| {
        if sizes.quick { Effort { samples: 2, sample_ms: 0 } } else { Effort { samples, sample_ms } }
    };
    let Sizes { readings, events, records, devices, .. } = sizes;
    let lines = Events::new(records, devices).collect();
    let row = |name: &str, schema, media, input, records, target| Row {
        name: name.to_owned(),
        schema,
        media,
        input,
        digest_is_known: false,
        records,
        points: if schema == "weather/1.0" { 4 * records } else { records },
        effort: effort(9, 0),
        target,
    };
    let small = |row: Row| Row { effort: effort(31, 30), ..row };
    let gzip = Media { format: Format::Ndjson, compression: Some(Compression::Gzip) };
    let name = |what: &str, number: u64, of: &str| format!("{what} of {} {of}", grouped(number));
    let all_events = Events::new(events, devices).collect();
    let known = row("the same, digest from S3", "reading/1.0", NDJSON, all_events.clone(), events, Target::Sonic(0.55));
    let long = Events::new(records, devices).with_long_values().collect();
    let weather = inputs::weather(records, devices);
    let batch = inputs::batch(readings);
    Ok(vec![
        small(row("one small event", "reading/1.0", JSON, inputs::EVENT.to_vec(), 1, Target::Plain(0.8))),
        row(&name("NDJSON", events, "events"), "reading/1.0", NDJSON, all_events, events, Target::Sonic(0.9)),
        Row { digest_is_known: true, ..known },
        row(&name("NDJSON", records, "events, 17 digits"), "reading/1.0", NDJSON, long, records, Target::None),
        row(&name("NDJSON", records, "weather records"), "weather/1.0", NDJSON, weather, records, Target::Sonic(1.4)),
        row(
            &name("a JSON array", records, "events"),
            "reading/1.0",
            JSON,
            inputs::array(&lines),
            records,
            Target::Sonic(2.2),
        ),
        small(row(
            &name("a batch", readings as u64, "readings"),
            "batch/1.0",
            JSON,
            batch,
            readings as u64,
            Target::Sonic(2.2),
        )),
        row(
            &name("gzip of NDJSON", records, "events"),
            "reading/1.0",
            gzip,
            compressed(&lines)?,
            records,
            Target::Decompressed(1.15),
        ),
    ])
}

fn compressed(text: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text)?;
    encoder.finish()
}
