//! EventPulse's pipeline without AWS: the steps of the function between the object and the table.

use std::collections::BTreeMap;

use eventpulse_core::id::UploadId;
use eventpulse_core::intake::digest::Sha256Digest;
use eventpulse_core::intake::inspection::{Bounds, InputForm, Inspection, InspectionSpec, Inspector, Retention};
use eventpulse_core::intake::reader::{Limits, Media};
use eventpulse_core::intake::schema::{Catalog, SchemaRef};
use eventpulse_core::statistics::answer::{Answer, Pass};
use eventpulse_core::statistics::chunk::Chunk;
use eventpulse_core::statistics::series::Series;

use crate::Failed;
use crate::inputs::Push;

/// The approximate size of the pieces in which S3 returns an object, in bytes.
pub(crate) const PIECE_BYTES: usize = 64 << 10;

/// The statistics of one series.
pub(crate) struct Line {
    pub(crate) series: (String, String),
    pub(crate) count: u64,
    pub(crate) mean: f64,
    pub(crate) median: f64,
    pub(crate) standard_deviation: Option<f64>,
}

/// The statistics of all series, in the order of their names.
pub(crate) type Tally = Vec<Line>;

/// The pipeline, created once, as at a cold start.
pub(crate) struct Ours {
    catalog: Catalog,
    spec: InspectionSpec,
}

impl Ours {
    /// Creates the pipeline, with the schema for records that name none.
    pub(crate) fn new(schema: &str, media: Media) -> Result<Ours, Failed> {
        let spec = InspectionSpec {
            owner: "2f1c7a52-0b0e-4f5e-9a50-6f0f3a1f7a11".parse()?,
            upload_id: UploadId::of_object("bucket", "key", "version"),
            attempt: 0,
            input: InputForm::Records,
            media,
            schema: None,
            default_schema: SchemaRef::parse(schema)?,
            max_rejected: None,
            known_sha256: None,
            limits: Limits::default(),
            bounds: Bounds::UPLOAD,
        };
        Ok(Ours { catalog: Catalog::bundled()?, spec })
    }

    /// Takes the SHA-256 of an input as known, as if S3 had verified it.
    pub(crate) fn with_digest_of(mut self, input: &[u8]) -> Ours {
        self.spec.known_sha256 = Some(Sha256Digest::of(input));
        self
    }

    pub(crate) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Inspects an upload in memory.
    pub(crate) fn inspect(&self, input: &[u8]) -> Inspection {
        let mut inspector = Inspector::new(&self.catalog, self.spec.clone(), Retention::Bounded);
        for piece in input.chunks(PIECE_BYTES) {
            if !inspector.push(&mut &piece[..]) {
                return inspector.inspection();
            }
        }
        inspector.finish();
        inspector.inspection()
    }

    /// Inspects an upload and returns the statistics of each of its series.
    pub(crate) fn answer(&self, input: &[u8]) -> Result<Tally, Failed> {
        let chunks = self.inspect(input).chunks.ok_or("more chunks than are retained")?;
        let mut by_series: BTreeMap<&Series, Vec<&Chunk>> = BTreeMap::new();
        for chunk in &chunks {
            by_series.entry(chunk.series()).or_default().push(chunk);
        }
        by_series.into_iter().map(|(series, chunks)| line(series, &chunks)).collect()
    }

    /// Inspects an upload of any size as the function does: again, if the inspector does not retain all chunks or
    /// rejected records. `feed` passes each piece to its argument until that returns `false`. Returns the numbers of
    /// accepted and of rejected records.
    pub(crate) fn stream(&self, feed: &dyn Fn(Push<'_>)) -> (u64, u64) {
        let mut inspector = Inspector::new(&self.catalog, self.spec.clone(), Retention::Bounded);
        feed(&mut |piece| inspector.push(&mut &piece[..]));
        inspector.finish();
        let first = inspector.inspection();
        let again =
            [(Retention::Chunks, first.chunks.is_none()), (Retention::Rejected, first.rejected_records.is_none())];
        for (keep, _) in again.into_iter().filter(|(_, wanted)| *wanted) {
            let mut inspector = Inspector::new(&self.catalog, self.spec.clone(), keep);
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
