//! The examination of one upload: every record read, validated and turned into points, within flat memory.
//!
//! The shell pushes bytes and, at the end, asks for the [`Inspection`]. What counts (chunks) and what does not
//! (rejected records) is kept up to a bound, enough for all but large uploads. Of a large one only the verdict is
//! kept: the shell then reads the object again, with [`Retention::Chunks`] or [`Retention::Rejected`], and drains them as they come. So nothing is
//! stored before the verdict on the whole upload is known.

mod found;
mod wrapped;

use sha2::{Digest, Sha256};

use crate::encoding::hexadecimal;
use crate::id::{OwnerId, UploadId};
use crate::intake::failure::{Failure, FailureCode};
use crate::intake::reader::{Frame, Limits, Media, Reader, Sink};
use crate::intake::rejection::{RejectedRecord, Rejections};
use crate::intake::schema::{Catalog, SchemaRef};
use crate::intake::shape::Shape;
use crate::intake::validation::{Parser, Verdict};
use crate::statistics::chunk::{Chunk, ChunkBuilder};
use crate::upload::{Decision, MaxRejected, RetryForm, SeriesStatistics};
use found::ChunkCollector;

/// How many bytes of rejected records are kept of one upload.
const MAX_REJECTED_BYTES_KEPT: usize = 8 << 20;
/// How many bytes of undrained findings make an examiner full.
const FULL_BYTES: usize = 4 << 20;
/// What an upload is examined against.
#[derive(Debug, Clone)]
pub struct InspectionSpec {
    /// The tenant.
    pub owner: OwnerId,
    /// The upload.
    pub upload_id: UploadId,
    /// Which of its rounds this is: 0, or the number of the retry.
    pub round: u32,
    /// What the retry brings, if it is one.
    pub form: Option<RetryForm>,
    /// What its headers say it is.
    pub media: Media,
    /// The schema for records that name none, if the client named one for the upload.
    pub schema: Option<SchemaRef>,
    /// The schema where neither does.
    pub default_schema: SchemaRef,
    /// How many records may be rejected before the whole upload is.
    pub max_rejected: Option<MaxRejected>,
    /// How much the upload may hold.
    pub limits: Limits,
}

/// What an examiner keeps of what it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// As much as a small function can hold; beyond that only the verdict.
    Bounded,
    /// The chunks, all of them, to be drained by the caller as they come.
    Chunks,
    /// The rejected records, all of them, to be drained by the caller as they come.
    Rejected,
}

/// Examines one upload.
pub struct Inspector<'c> {
    reader: Reader<Checker<'c>>,
    digest: Sha256,
}

/// What was found.
#[derive(Debug)]
pub struct Inspection {
    /// Lower-case hex SHA-256 of the object's bytes. Meaningless when the upload failed as a whole: reading ended early.
    pub sha256: String,
    /// How many records count.
    pub accepted: u64,
    /// What does not count, and why.
    pub rejections: Rejections,
    /// The chunks to store; none when they are more than was kept.
    pub chunks: Option<Vec<Chunk>>,
    /// The rejected records as NDJSON; none when they are more than was kept.
    pub rejected_records: Option<Vec<u8>>,
    /// How many chunks there are, kept or not.
    pub chunks_found: u64,
    /// What each series received, largest first, and how many series are not told.
    pub features: (Vec<SeriesStatistics>, u64),
    /// What the records that count look like, by kind.
    pub shapes: Vec<Shape>,
}

impl<'c> Inspector<'c> {
    /// An examiner for one upload.
    #[must_use]
    pub fn new(catalog: &'c Catalog, terms: InspectionSpec, keep: Retention) -> Self {
        let (media, limits) = (terms.media, terms.limits);
        let checker = Checker {
            catalog,
            parser: Parser::default(),
            builder: Some(ChunkBuilder::new(&terms.owner, terms.upload_id.as_str(), terms.round)),
            accepted: 0,
            rejections: Rejections::asking(catalog.asked(terms.schema.as_ref(), &terms.default_schema)),
            terms,
            found: ChunkCollector::new(keep),
            rejected: Vec::new(),
            rejected_dropped: keep == Retention::Chunks,
        };
        Self { reader: Reader::new(media, limits, checker), digest: Sha256::new() }
    }

    /// Takes bytes of the object off the front of `bytes`, until there are no more or the examiner
    /// [is full](Examiner::is_full). `false`: the upload has failed as a whole, more bytes change nothing.
    pub fn push(&mut self, bytes: &mut &[u8]) -> bool {
        let before = *bytes;
        let pushed = self.reader.push(bytes);
        self.digest.update(before.get(..before.len() - bytes.len()).unwrap_or_default());
        self.note(pushed)
    }

    /// How many records it has seen.
    pub fn records(&mut self) -> u64 {
        let checker = self.reader.sink();
        checker.accepted + checker.rejections.rejected()
    }

    /// Whether its findings are to be drained, and [`Inspector::push`] called again with what is left of the bytes.
    pub fn is_full(&mut self) -> bool {
        self.reader.sink().is_full()
    }

    /// Says that there are no more bytes. To be called before the last drain. `false` as with [`Inspector::push`].
    pub fn finish(&mut self) -> bool {
        if self.reader.sink().rejections.upload_failure().is_some() {
            return false;
        }
        let finished = self.reader.finish();
        let sound = self.note(finished);
        self.reader.sink().conclude();
        sound
    }

    /// The chunks found since the last call.
    pub fn drain_chunks(&mut self) -> Vec<Chunk> {
        let found = &mut self.reader.sink().found;
        found.chunk_bytes = 0;
        std::mem::take(&mut found.chunks)
    }

    /// The rejected records found since the last call, as NDJSON.
    pub fn drain_rejected(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.reader.sink().rejected)
    }

    /// What was found, after [`Inspector::finish`].
    #[must_use]
    pub fn inspection(mut self) -> Inspection {
        let sha256 = hexadecimal(&self.digest.finalize());
        let checker = self.reader.sink();
        let features = checker.found.features();
        Inspection {
            sha256,
            accepted: checker.accepted,
            rejections: std::mem::take(&mut checker.rejections),
            chunks_found: checker.found.count,
            chunks: (!checker.found.chunks_dropped).then(|| std::mem::take(&mut checker.found.chunks)),
            rejected_records: (!checker.rejected_dropped).then(|| std::mem::take(&mut checker.rejected)),
            features,
            shapes: checker.parser.shapes(),
        }
    }

    fn note(&mut self, result: Result<(), Failure>) -> bool {
        let Err(failure) = result else { return true };
        self.reader.sink().rejections.fail_upload(failure);
        false
    }
}

impl Inspection {
    /// The examination of an upload that was not worth reading.
    #[must_use]
    pub fn failed(rejections: Rejections) -> Self {
        Self {
            sha256: String::new(),
            accepted: 0,
            rejections,
            chunks: Some(Vec::new()),
            rejected_records: Some(Vec::new()),
            chunks_found: 0,
            features: (Vec::new(), 0),
            shapes: Vec::new(),
        }
    }

    /// What this comes to.
    #[must_use]
    pub fn decision(&self) -> Decision {
        let rejection = self.rejections.summary();
        if self.rejections.upload_failure().is_some() || self.accepted == 0 {
            return Decision::Rejected { rejection };
        }
        let (series, series_omitted) = self.features.clone();
        Decision::Accepted {
            sha256: self.sha256.clone(),
            accepted: self.accepted,
            chunks: self.chunks_found,
            shared: Vec::new(),
            series,
            series_omitted,
            rejection: (rejection.rejected > 0).then_some(rejection),
        }
    }
}

/// Validates each record and keeps what is found.
struct Checker<'c> {
    catalog: &'c Catalog,
    terms: InspectionSpec,
    parser: Parser,
    /// Until the last record.
    builder: Option<ChunkBuilder>,
    accepted: u64,
    rejections: Rejections,
    found: ChunkCollector,
    rejected: Vec<u8>,
    rejected_dropped: bool,
}

impl Sink for Checker<'_> {
    fn is_full(&self) -> bool {
        self.found.keep != Retention::Bounded && self.found.chunk_bytes + self.rejected.len() > FULL_BYTES
    }

    fn record(&mut self, frame: Frame<'_>) -> Result<(), Failure> {
        match self.terms.form {
            Some(RetryForm::UnchangedRecords) => self.rejected_line(frame),
            _ => self.check(frame),
        }
    }
}

impl Checker<'_> {
    /// A record.
    fn check(&mut self, frame: Frame<'_>) -> Result<(), Failure> {
        let Some(bytes) = frame.bytes else {
            let most = self.terms.limits.record_bytes;
            let message = format!("the record has {} bytes, at most {most} are allowed", frame.byte_length);
            let failure = Failure::at(FailureCode::RecordTooLarge, message, frame.line, frame.byte_offset);
            self.reject(&frame, (None, None), vec![failure], 0);
            return Ok(());
        };
        let (builder, found) = (&mut self.builder, &mut self.found);
        let mut on_point = |entity: &str, measure: &str, time, value| {
            if let Some(builder) = builder.as_mut().filter(|_| !found.chunks_dropped) {
                builder.add(entity, measure, time, value, |chunk| found.add(chunk));
            }
        };
        let terms = &self.terms;
        let verdict =
            self.catalog.check(&mut self.parser, bytes, terms.schema.as_ref(), &terms.default_schema, &mut on_point);
        match verdict {
            Verdict::Accepted { .. } => self.accepted += 1,
            Verdict::Rejected { schema, mut failures, omitted } => {
                for failure in &mut failures {
                    failure.line = Some(failure.line.map_or(frame.line, |line| frame.line + line - 1));
                    failure.byte_offset = Some(frame.byte_offset + failure.byte_offset.unwrap_or(0));
                }
                let fatal = |failure: &&Failure| {
                    matches!(failure.code, FailureCode::NotJson | FailureCode::Truncated | FailureCode::NotUtf8)
                };
                if frame.in_array
                    && let Some(failure) = failures.iter().find(fatal)
                {
                    // The array is no JSON, then, and its further bounds are guesses. It goes on, so it is not truncated.
                    let code = if failure.code == FailureCode::Truncated { FailureCode::NotJson } else { failure.code };
                    return Err(Failure { code, ..failure.clone() });
                }
                let schema =
                    schema.map_or((None, None), |schema| (schema.requested.clone(), Some(schema.applied.to_string())));
                self.reject(&frame, schema, failures, omitted);
            }
        }
        Ok(())
    }

    fn reject(
        &mut self,
        frame: &Frame<'_>,
        (schema_requested, schema_applied): (Option<String>, Option<String>),
        failures: Vec<Failure>,
        failures_omitted: u64,
    ) {
        let record = RejectedRecord {
            index: frame.index,
            line: frame.line,
            byte_offset: frame.byte_offset,
            byte_length: frame.byte_length,
            schema_requested,
            schema_applied,
            failures,
            failures_omitted,
        };
        self.keep_rejected(record, frame.bytes);
    }

    fn keep_rejected(&mut self, record: RejectedRecord, bytes: Option<&[u8]>) {
        if self.found.keep == Retention::Bounded
            && self.rejected.len() + bytes.map_or(0, <[u8]>::len) > MAX_REJECTED_BYTES_KEPT
        {
            self.rejected_dropped = true;
            self.rejected = Vec::new();
        }
        if !self.rejected_dropped {
            record.write_line(bytes, &mut self.rejected);
        }
        self.rejections.add(record);
    }

    /// After the last record: the points still in hand, and what concerns the upload as a whole.
    fn conclude(&mut self) {
        let found = &mut self.found;
        if let Some(builder) = self.builder.take().filter(|_| !found.chunks_dropped) {
            builder.finish(|chunk| found.add(chunk));
        }
        let (accepted, rejected) = (self.accepted, self.rejections.rejected());
        if accepted + rejected == 0 {
            let message = "there is no record in it";
            self.rejections.fail_upload(Failure::new(FailureCode::EmptyUpload, "", message));
        }
        if self.terms.max_rejected.is_some_and(|most| most.exceeded(rejected, accepted + rejected)) {
            let message =
                format!("{rejected} of {} records are wrong, more than max_rejected allows", accepted + rejected);
            self.rejections.fail_upload(Failure::new(FailureCode::TooManyRejected, "", message));
        }
    }
}
