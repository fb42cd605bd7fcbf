//! EventPulse's pipeline, without AWS: what the function does between the object and the table.

use std::collections::BTreeMap;

use eventpulse_core::id::UploadId;
use eventpulse_core::intake::inspection::{InputForm, Inspection, InspectionSpec, Inspector, Retention};
use eventpulse_core::intake::reader::{Format, Limits, Media};
use eventpulse_core::intake::schema::{Catalog, SchemaRef};
use eventpulse_core::statistics::answer::{Answer, Pass};
use eventpulse_core::statistics::chunk::Chunk;
use eventpulse_core::statistics::series::Series;

use crate::Failed;
use crate::inputs::Push;

/// Objects come in pieces of about this size.
pub(crate) const PIECE_BYTES: usize = 64 << 10;

/// The statistics of one series.
pub(crate) struct Line {
    pub(crate) series: (String, String),
    pub(crate) count: u64,
    pub(crate) mean: f64,
    pub(crate) median: f64,
    pub(crate) standard_deviation: Option<f64>,
}

/// Those of all series, in the order of their names.
pub(crate) type Tally = Vec<Line>;

/// The pipeline, made once as at a cold start.
pub(crate) struct Ours {
    catalog: Catalog,
    terms: InspectionSpec,
}

impl Ours {
    /// For records that name no schema.
    pub(crate) fn new(schema: &str, format: Format) -> Result<Ours, Failed> {
        let terms = InspectionSpec {
            owner: "2f1c7a52-0b0e-4f5e-9a50-6f0f3a1f7a11".parse()?,
            upload_id: UploadId::of_object("bucket", "key", "version"),
            attempt: 0,
            input: InputForm::Records,
            media: Media { format, compression: None },
            schema: None,
            default_schema: SchemaRef::parse(schema)?,
            max_rejected: None,
            limits: Limits::default(),
        };
        Ok(Ours { catalog: Catalog::bundled()?, terms })
    }

    pub(crate) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Examines an upload that lies in memory.
    pub(crate) fn examine(&self, input: &[u8]) -> Inspection {
        let mut inspector = Inspector::new(&self.catalog, self.terms.clone(), Retention::Bounded);
        for piece in input.chunks(PIECE_BYTES) {
            if !inspector.push(&mut &piece[..]) {
                return inspector.inspection();
            }
        }
        inspector.finish();
        inspector.inspection()
    }

    /// Examines an upload, then answers for each of its series.
    pub(crate) fn answer(&self, input: &[u8]) -> Result<Tally, Failed> {
        let chunks = self.examine(input).chunks.ok_or("more chunks than are retained")?;
        let mut by_series: BTreeMap<&Series, Vec<&Chunk>> = BTreeMap::new();
        for chunk in &chunks {
            by_series.entry(chunk.series()).or_default().push(chunk);
        }
        by_series.into_iter().map(|(series, chunks)| line(series, &chunks)).collect()
    }

    /// Examines an upload of any size as the shell does: a second time, when there is more than is kept. The pieces come
    /// from `feed`, which hands each to its argument until that says `false`. Returns how many records count and how
    /// many do not.
    pub(crate) fn stream(&self, feed: &dyn Fn(Push<'_>)) -> (u64, u64) {
        let mut inspector = Inspector::new(&self.catalog, self.terms.clone(), Retention::Bounded);
        feed(&mut |piece| inspector.push(&mut &piece[..]));
        inspector.finish();
        let first = inspector.inspection();
        let again =
            [(Retention::Chunks, first.chunks.is_none()), (Retention::Rejected, first.rejected_records.is_none())];
        for (keep, _) in again.into_iter().filter(|(_, wanted)| *wanted) {
            let mut inspector = Inspector::new(&self.catalog, self.terms.clone(), keep);
            feed(&mut |mut piece| {
                while inspector.push(&mut piece) {
                    if !inspector.is_full() {
                        return true;
                    }
                    drop((inspector.drain_chunks(), inspector.drain_rejected()));
                }
                false
            });
            inspector.finish();
        }
        (first.accepted, first.rejections.rejected())
    }
}

fn line(series: &Series, chunks: &[&Chunk]) -> Result<Line, Failed> {
    let mut answer = Answer::new(None, None);
    loop {
        for chunk in chunks {
            answer.add(chunk)?;
        }
        let Pass::Complete(statistics) = answer.end_pass()? else { continue };
        let statistics = statistics.ok_or("a series without points")?;
        return Ok(Line {
            series: (series.entity.clone(), series.measure.clone()),
            count: statistics.count,
            mean: statistics.mean,
            median: statistics.median,
            standard_deviation: statistics.standard_deviation,
        });
    }
}
