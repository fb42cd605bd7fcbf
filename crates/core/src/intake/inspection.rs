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

mod chunk_collector;
mod rejection_collector;
mod retry_records;
mod spec;

use sha2::{Digest, Sha256};

use crate::intake::failure::{Failure, FailureCode};
use crate::intake::reader::{Frame, Reader};
use crate::intake::rejection::{RejectedRecord, Rejections};
use crate::intake::schema::Catalog;
use crate::intake::shape::Shape;
use crate::intake::validation::{AppliedSchema, Validator, Verdict};
use crate::statistics::chunk::{Chunk, ChunkBuilder};
use crate::statistics::series_statistics::SeriesStatistics;
use chunk_collector::{ChunkCollector, Collection};
use rejection_collector::RejectionCollector;
use retry_records::RetryRecord;
pub use spec::{InputForm, InspectionSpec, MaxRejected, Retention};

/// An inspector is full when its undrained findings exceed this size.
const FULL_BYTES: usize = 4 << 20;

/// Inspects one upload.
///
/// ```
/// use eventpulse_core::id::{OwnerId, UploadId};
/// use eventpulse_core::intake::inspection::{InputForm, InspectionSpec, Inspector, Retention};
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
///     limits: Limits::default(),
/// };
/// let mut inspector = Inspector::new(&catalog, spec, Retention::Bounded);
/// inspector.push(&mut &br#"{"device_id": "12345", "timestamp": "2025-02-28T12:00:00Z", "value": 22.5}"#[..]);
/// inspector.push(&mut &b"\n{}\n"[..]);
/// inspector.finish();
/// let inspection = inspector.inspection();
/// assert_eq!((inspection.accepted, inspection.rejections.rejected()), (1, 1));
/// assert_eq!(inspection.series[0].mean, 22.5);
/// ```
pub struct Inspector<'c> {
    reader: Reader,
    digest: Sha256,
    records: RecordInspector<'c>,
}

/// The result of an inspection.
#[derive(Debug)]
pub struct Inspection {
    /// The SHA-256 of the object's bytes in lower-case hexadecimal. Meaningless if the upload failed as a whole, because
    /// reading ended early.
    pub sha256: String,
    /// The number of accepted records.
    pub accepted: u64,
    /// The rejected records and the failure of the upload as a whole, if any.
    pub rejections: Rejections,
    /// The chunks to store; none if there are more than the inspector retains.
    pub chunks: Option<Vec<Chunk>>,
    /// The rejected records as NDJSON; none if there are more than the inspector retains.
    pub rejected_records: Option<Vec<u8>>,
    /// The number of chunks, retained or not.
    pub chunk_count: u64,
    /// The statistics of each series, largest first, at most 100.
    pub series: Vec<SeriesStatistics>,
    /// The number of further series.
    pub series_omitted: u64,
    /// The member types of the accepted records, by kind.
    pub shapes: Vec<Shape>,
}

impl<'c> Inspector<'c> {
    /// Returns an inspector for one upload.
    #[must_use]
    pub fn new(catalog: &'c Catalog, spec: InspectionSpec, retention: Retention) -> Self {
        let reader = Reader::new(spec.media, spec.limits);
        Self { reader, digest: Sha256::new(), records: RecordInspector::new(catalog, spec, retention) }
    }

    /// Takes bytes of the object off the front of `bytes`, until there are no more or the inspector
    /// [is full](Inspector::is_full). Returns `false` if the upload has failed as a whole; further bytes change nothing.
    pub fn push(&mut self, bytes: &mut &[u8]) -> bool {
        let before = *bytes;
        let inspected = self.inspect(bytes);
        self.digest.update(before.get(..before.len() - bytes.len()).unwrap_or_default());
        self.records.succeeded(inspected)
    }

    /// Returns the number of records inspected so far.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records.accepted + self.records.rejections.rejections().rejected()
    }

    /// Returns whether the findings must be drained before the rest of the bytes is pushed.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.records.is_full()
    }

    /// Ends the input; call it before the last drain. Returns `false` if the upload has failed as a whole.
    pub fn finish(&mut self) -> bool {
        if self.records.rejections.rejections().upload_failure().is_some() {
            return false;
        }
        let inspected = self.inspect_rest();
        let succeeded = self.records.succeeded(inspected);
        self.records.finish();
        succeeded
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
        let Collection { chunks, count, series, series_omitted } = records.chunks.finish();
        let (rejections, rejected_records) = records.rejections.finish();
        Inspection {
            sha256: hex::encode(digest.finalize()),
            accepted: records.accepted,
            rejections,
            chunks,
            rejected_records,
            chunk_count: count,
            series,
            series_omitted,
            shapes: records.validator.shapes(),
        }
    }

    fn inspect(&mut self, input: &mut &[u8]) -> Result<(), Failure> {
        while !self.records.is_full() {
            let Some(frame) = self.reader.next_frame(input)? else { break };
            self.records.inspect(frame)?;
        }
        Ok(())
    }

    fn inspect_rest(&mut self) -> Result<(), Failure> {
        while let Some(frame) = self.reader.next_frame_at_end()? {
            self.records.inspect(frame)?;
        }
        Ok(())
    }
}

impl Inspection {
    /// Returns the inspection of an upload that was rejected unread.
    #[must_use]
    pub fn failed(rejections: Rejections) -> Self {
        Self {
            sha256: String::new(),
            accepted: 0,
            rejections,
            chunks: Some(Vec::new()),
            rejected_records: Some(Vec::new()),
            chunk_count: 0,
            series: Vec::new(),
            series_omitted: 0,
            shapes: Vec::new(),
        }
    }
}

/// Turns frames into verdicts and collects points and failures.
struct RecordInspector<'c> {
    input: InputForm,
    max_record_bytes: usize,
    max_rejected: Option<MaxRejected>,
    validator: Validator<'c>,
    accepted: u64,
    chunks: ChunkCollector,
    rejections: RejectionCollector,
    retention: Retention,
}

impl<'c> RecordInspector<'c> {
    fn new(catalog: &'c Catalog, spec: InspectionSpec, retention: Retention) -> Self {
        let InspectionSpec { owner, upload_id, attempt, input, schema, default_schema, max_rejected, limits, .. } =
            spec;
        let rejections = Rejections::for_schema(catalog.resolve(schema.as_ref(), &default_schema));
        let builder = ChunkBuilder::new(&owner, upload_id.as_str(), attempt);
        Self {
            input,
            max_record_bytes: limits.record_bytes,
            max_rejected,
            validator: Validator::new(catalog, schema, default_schema),
            accepted: 0,
            chunks: ChunkCollector::new(builder, retention),
            rejections: RejectionCollector::new(retention, rejections),
            retention,
        }
    }

    fn is_full(&self) -> bool {
        self.retention != Retention::Bounded && self.chunks.size_bytes() + self.rejections.size_bytes() > FULL_BYTES
    }

    fn inspect(&mut self, frame: Frame<'_>) -> Result<(), Failure> {
        let frame = match self.input {
            InputForm::Records => frame,
            InputForm::RejectedRecordLines => match retry_records::parse(&frame)? {
                RetryRecord::Readable(record) => record,
                RetryRecord::Unreadable(record, text) => {
                    self.rejections.add(record, text.as_deref().map(str::as_bytes));
                    return Ok(());
                }
            },
        };
        let Some(bytes) = frame.bytes else {
            self.rejections.add(too_large(&frame, self.max_record_bytes), None);
            return Ok(());
        };
        match self.validator.check(bytes) {
            Verdict::Accepted { points, .. } => {
                self.accepted += 1;
                points.for_each(|point| self.chunks.add(point));
            }
            Verdict::Rejected { schema, mut failures, omitted } => {
                failures.iter_mut().for_each(|failure| move_into_upload(failure, &frame));
                if let Some(failure) = failure_of_upload(&frame, &failures) {
                    return Err(failure);
                }
                self.rejections.add(rejected_record(&frame, schema.as_deref(), failures, omitted), Some(bytes));
            }
        }
        Ok(())
    }

    /// Completes the chunks and decides about the upload as a whole.
    fn finish(&mut self) {
        self.chunks.flush();
        let rejections = self.rejections.rejections_mut();
        let rejected = rejections.rejected();
        let total = self.accepted + rejected;
        if total == 0 {
            rejections.fail_upload(Failure::new(FailureCode::EmptyUpload, "", "there is no record in it"));
        }
        if self.max_rejected.is_some_and(|most| most.exceeded(rejected, total)) {
            let message = format!("{rejected} of {total} records are wrong, more than max_rejected allows");
            rejections.fail_upload(Failure::new(FailureCode::TooManyRejected, "", message));
        }
    }

    fn succeeded(&mut self, result: Result<(), Failure>) -> bool {
        let Err(failure) = result else { return true };
        self.rejections.rejections_mut().fail_upload(failure);
        false
    }
}

fn too_large(frame: &Frame<'_>, most: usize) -> RejectedRecord {
    let message = format!("the record has {} bytes, at most {most} are allowed", frame.byte_length);
    let failure = Failure::at(FailureCode::RecordTooLarge, message, frame.position.line, frame.position.byte_offset);
    rejected_record(frame, None, vec![failure], 0)
}

/// Makes the position of a failure within its record that within the upload.
fn move_into_upload(failure: &mut Failure, frame: &Frame<'_>) {
    let (line, byte_offset) = (failure.line.unwrap_or(1), failure.byte_offset.unwrap_or(0));
    failure.line = Some(frame.position.line + line - 1);
    failure.byte_offset = Some(frame.position.byte_offset + byte_offset);
}

/// Returns the failure of an upload that is not JSON because this record is not: its further records are guesses. The upload
/// goes on, so it is not truncated.
fn failure_of_upload(frame: &Frame<'_>, failures: &[Failure]) -> Option<Failure> {
    use FailureCode::{ByteOrderMark, NotJson, NotUtf8, Truncated};
    let is_fatal = |failure: &&Failure| matches!(failure.code, NotJson | Truncated | NotUtf8 | ByteOrderMark);
    let failure = failures.iter().find(is_fatal).filter(|_| frame.decides_upload)?;
    let code = if failure.code == Truncated { NotJson } else { failure.code };
    Some(Failure { code, ..failure.clone() })
}

fn rejected_record(
    frame: &Frame<'_>,
    schema: Option<&AppliedSchema>,
    failures: Vec<Failure>,
    failures_omitted: u64,
) -> RejectedRecord {
    RejectedRecord {
        index: frame.index,
        line: frame.position.line,
        byte_offset: frame.position.byte_offset,
        byte_length: frame.byte_length,
        schema_requested: schema.and_then(|schema| schema.requested.clone()),
        schema_applied: schema.map(|schema| schema.applied.to_string()),
        failures,
        failures_omitted,
    }
}
