//! The inspection of one upload: from its bytes to accepted chunks and rejected records, in flat memory.
//!
//! ```text
//! bytes ─▶ Reader ─▶ frames ─▶ Validator ─▶ verdicts ─┬─ accepted ─▶ points ─▶ ChunkCollector
//!                                                     └─ rejected ─▶ failures ─▶ RejectionCollector
//! ```
//! The caller pushes bytes and takes the [`Inspection`] at the end. The inspector retains chunks and rejected records up to a
//! limit, which is enough for all but large uploads. Of a large upload it keeps only the result; the caller then reads the
//! object again with [`Retention::Chunks`] or [`Retention::Rejected`] and drains the findings while it pushes. So nothing is
//! stored before the verdict on the whole upload is known.
//!
//! The work is bounded by [`Bounds`], which are checked with each record, however many a compressed byte holds. Reading also
//! stops when the rest of the upload cannot count.

mod bounds;
mod chunk_collector;
mod known_lines;
mod record_inspector;
mod rejected;
mod rejection_collector;
mod retained_records;
mod retry_records;
mod spec;
#[cfg(test)]
pub(crate) mod tests;

use crate::intake::digest::{BytesDigest, Sha256Source};
use crate::intake::failure::Failure;
use crate::intake::reader::Reader;
use crate::intake::rejection::Rejections;
use crate::intake::rules::AppliedRules;
use crate::intake::schema::Catalog;
use crate::intake::shape::Shape;
use crate::statistics::chunk::Chunk;
use crate::statistics::series_statistics::SeriesReport;
use crate::statistics::series_summaries::SeriesSummaries;
pub use bounds::{Bounds, MAX_SAME_REASON_RECORDS, MaxRecords};
use chunk_collector::Collection;
use record_inspector::{Progress, RecordInspector};
pub use retained_records::RetainedRecords;
pub use spec::{InputForm, InspectionSpec, MaxRejected, Retention};

/// Inspects one upload.
///
/// ```
/// use eventpulse_core::id::{OwnerId, UploadId};
/// use eventpulse_core::intake::inspection::{Bounds, InputForm, InspectionSpec, Inspector, Retention};
/// use eventpulse_core::intake::reader::{Limits, Media};
/// use eventpulse_core::intake::schema::{Catalog, SchemaRef};
///
/// let catalog = Catalog::bundled().unwrap();
/// let spec = InspectionSpec {
///     owner: OwnerId::parse("owner-1").unwrap(),
///     upload_id: UploadId::of_object("bucket", "key", "version"),
///     attempt: 0,
///     input: InputForm::Records,
///     media: Media::parse(Some("application/x-ndjson"), None, "readings").unwrap(),
///     schema: None,
///     default_schema: SchemaRef::parse("reading/1.0").unwrap(),
///     max_rejected: None,
///     known_sha256: None,
///     limits: Limits::default(),
///     bounds: Bounds::UPLOAD,
/// };
/// let mut inspector = Inspector::new(&catalog, spec, Retention::Bounded);
/// inspector.push(&mut &br#"{"device_id": "12345", "timestamp": "2025-02-28T12:00:00Z", "value": 22.5}"#[..]);
/// inspector.push(&mut &b"\n{}\n"[..]);
/// inspector.finish();
/// let inspection = inspector.inspection();
/// assert_eq!((inspection.accepted, inspection.rejections.rejected()), (1, 1));
/// assert_eq!(inspection.series.listed[0].summary.mean(), 22.5);
/// ```
pub struct Inspector<'c> {
    reader: Reader,
    digest: BytesDigest,
    records: RecordInspector<'c>,
    is_over: Option<Box<dyn Fn() -> bool + Send + 'c>>,
    interrupted: bool,
    /// Whether all records are inspected.
    ended: bool,
}

/// The result of an inspection.
#[derive(Debug)]
pub struct Inspection {
    /// The SHA-256 of the object's bytes in lower-case hexadecimal. If it is computed, it covers the bytes that were read,
    /// and is that of the object only if reading did not end early. Nothing of an upload is accepted if it did.
    pub sha256: String,
    /// The source of `sha256`.
    pub sha256_source: Sha256Source,
    /// The number of accepted records.
    pub accepted: u64,
    /// The rejected records and the failure of the upload as a whole, if any.
    pub rejections: Rejections,
    /// The chunks to store; none if there are more than the inspector retains.
    pub chunks: Option<Vec<Chunk>>,
    /// The rejected records; none if there are more than the inspector retains.
    pub rejected_records: Option<RetainedRecords>,
    /// The number of chunks, retained or not.
    pub chunk_count: u64,
    /// The statistics of the largest series. For a correction, the workflow extends them to the attempts before it.
    pub series: SeriesReport,
    /// The summaries of the series of this object.
    pub summaries: SeriesSummaries,
    /// The member types of the accepted records, by kind.
    pub shapes: Vec<Shape>,
    /// The rules that were applied to the records; `None` if the upload was rejected unread.
    pub rules: Option<AppliedRules>,
}

impl<'c> Inspector<'c> {
    /// Returns an inspector for one upload.
    #[must_use]
    pub fn new(catalog: &'c Catalog, spec: InspectionSpec, retention: Retention) -> Self {
        let reader = Reader::new(spec.media, spec.limits);
        let digest = BytesDigest::new(spec.known_sha256);
        let records = RecordInspector::new(catalog, spec, retention);
        Self { reader, digest, records, is_over: None, interrupted: false, ended: false }
    }

    /// Asks `is_over` again and again, at least once for each piece of the content, whether the time for the inspection is over,
    /// and then stops. An inspection that [was interrupted](Inspector::is_interrupted) has no result.
    #[must_use]
    pub fn interrupt_when(self, is_over: impl Fn() -> bool + Send + 'c) -> Self {
        Self { is_over: Some(Box::new(is_over)), ..self }
    }

    /// Parses and validates every record, also those that are otherwise accepted in one pass over their bytes. The inspection
    /// is the same, only slower.
    #[must_use]
    pub fn without_one_pass(self) -> Self {
        Self { records: self.records.without_one_pass(), ..self }
    }

    /// Takes bytes of the object off the front of `bytes`, until there are no more or the inspector
    /// [is full](Inspector::is_full). Returns `false` if the verdict on the upload is known, or the inspector was
    /// interrupted: further bytes change nothing.
    pub fn push(&mut self, bytes: &mut &[u8]) -> bool {
        if self.interrupted || self.records.is_decided() {
            return false;
        }
        let before = *bytes;
        let inspected = self.inspect(bytes);
        self.digest.update(before.get(..before.len() - bytes.len()).unwrap_or_default());
        self.records.goes_on(inspected) && !self.interrupted
    }

    /// Returns the number of records inspected so far.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records.records()
    }

    /// Returns the number of accepted records that were read in one pass over their bytes.
    #[must_use]
    pub fn accepted_in_one_pass(&self) -> u64 {
        self.records.accepted_in_one_pass()
    }

    /// Returns the number of bytes of content up to the end of the last record, after decompression.
    #[must_use]
    pub fn content_bytes(&self) -> u64 {
        self.records.content_bytes()
    }

    /// Returns whether the time for the inspection was over before its end.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.interrupted
    }

    /// Returns whether the findings must be drained before the rest of the bytes is pushed.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.records.is_full()
    }

    /// Ends the input. Returns `false` if the inspector [is full](Inspector::is_full) before all records are inspected and all
    /// chunks are complete: drain it, and call this again. It is never full with [`Retention::Bounded`]. The last drain follows.
    pub fn finish(&mut self) -> bool {
        if self.interrupted || self.records.is_decided() {
            return true;
        }
        if !self.ended {
            let inspected = self.inspect_rest();
            if !self.records.goes_on(inspected) || self.interrupted {
                return true;
            }
            if self.records.is_full() {
                return false;
            }
            self.ended = true;
        }
        self.records.finish()
    }

    /// Returns the chunks found since the last call.
    pub fn drain_chunks(&mut self) -> Vec<Chunk> {
        self.records.chunks.drain()
    }

    /// Returns the rejected records found since the last call, as NDJSON.
    pub fn drain_rejected(&mut self) -> Vec<u8> {
        self.records.rejections.drain()
    }

    /// Returns the result, after [`Inspector::finish`].
    #[must_use]
    pub fn inspection(self) -> Inspection {
        let Self { digest, records, .. } = self;
        let (sha256, sha256_source) = digest.finish();
        let (shapes, rules) = (records.shapes(), Some(records.rules()));
        let Collection { chunks, count, series, summaries } = records.chunks.finish();
        let (rejections, rejected_records) = records.rejections.finish();
        Inspection {
            sha256,
            sha256_source,
            accepted: records.accepted,
            rejections,
            chunks,
            rejected_records,
            chunk_count: count,
            series,
            summaries,
            shapes,
            rules,
        }
    }

    fn inspect(&mut self, input: &mut &[u8]) -> Result<(), Failure> {
        while !self.records.is_full() && !self.is_time_over() {
            let Some(part) = self.reader.next(input, &mut self.records)? else { break };
            if self.records.inspect(part)? == Progress::Decided {
                break;
            }
        }
        Ok(())
    }

    fn inspect_rest(&mut self) -> Result<(), Failure> {
        while !self.records.is_full() && !self.is_time_over() {
            let Some(part) = self.reader.next_at_end(&mut self.records)? else { break };
            if self.records.inspect(part)? == Progress::Decided {
                break;
            }
        }
        Ok(())
    }

    fn is_time_over(&mut self) -> bool {
        self.interrupted = self.interrupted || self.is_over.as_ref().is_some_and(|is_over| is_over());
        self.interrupted
    }
}

impl Inspection {
    /// Returns the inspection of an upload that was rejected unread.
    #[must_use]
    pub fn failed(rejections: Rejections) -> Self {
        Self {
            sha256: String::new(),
            sha256_source: Sha256Source::Computed,
            accepted: 0,
            rejections,
            chunks: Some(Vec::new()),
            rejected_records: Some(RetainedRecords::default()),
            chunk_count: 0,
            series: SeriesReport::default(),
            summaries: SeriesSummaries::default(),
            shapes: Vec::new(),
            rules: None,
        }
    }
}
