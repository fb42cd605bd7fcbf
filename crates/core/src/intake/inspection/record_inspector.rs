//! The inspection of records: their verdicts, and the decision whether the next record matters.

use std::sync::Arc;

use super::bounds::{Bounds, MaxRecords, RejectionMeter, too_many_chunks};
use super::chunk_collector::ChunkCollector;
use super::rejected::{KnownRecord, RecordPlace, Rejected};
use super::rejection_collector::RejectionCollector;
use super::retry_records::{self, RetryRecord};
use super::spec::{InputForm, InspectionSpec, MaxRejected, Retention};
use crate::intake::failure::{Failure, FailureCode};
use crate::intake::position::ReadUntil;
use crate::intake::program::WhiteSpace;
use crate::intake::reader::{Between, Frame, Part, Recognizer, Taken};
use crate::intake::rejection::{RejectedRecord, Rejections};
use crate::intake::rules::AppliedRules;
use crate::intake::schema::Catalog;
use crate::intake::shape::Shape;
use crate::intake::validation::{Accepted, AppliedSchema, Failures, Validator, Verdict};
use crate::statistics::chunk::ChunkBuilder;

/// An inspector is full when its undrained findings exceed this size.
const FULL_BYTES: usize = 4 << 20;

/// Turns frames into verdicts and collects points and failures.
pub(super) struct RecordInspector<'c> {
    input: InputForm,
    max_record_bytes: usize,
    max_rejected: Option<MaxRejected>,
    validator: Validator<'c>,
    /// The record that was found last.
    found: Option<Accepted<'c>>,
    pub(super) accepted: u64,
    pub(super) chunks: ChunkCollector,
    pub(super) rejections: RejectionCollector,
    retention: Retention,
    bounds: Bounds,
    meter: RejectionMeter,
    /// The last record.
    read: Option<ReadUntil>,
    content_bytes: u64,
    decided: bool,
}

/// Whether the upload has to be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// The next record matters.
    GoesOn,
    /// The verdict on the upload is known.
    Decided,
}

impl<'c> RecordInspector<'c> {
    pub(super) fn new(catalog: &'c Catalog, spec: InspectionSpec, retention: Retention) -> Self {
        let InspectionSpec {
            owner,
            upload_id,
            attempt,
            input,
            schema,
            default_schema,
            max_rejected,
            limits,
            bounds,
            ..
        } = spec;
        let rejections = Rejections::for_schema(catalog.resolve(schema.as_ref(), &default_schema));
        let builder = ChunkBuilder::new(&owner, upload_id.as_str(), attempt);
        Self {
            input,
            max_record_bytes: limits.record_bytes,
            max_rejected,
            validator: Validator::new(catalog, schema, default_schema),
            found: None,
            accepted: 0,
            chunks: ChunkCollector::new(builder, retention),
            rejections: RejectionCollector::new(retention, rejections),
            retention,
            bounds,
            meter: RejectionMeter::default(),
            read: None,
            content_bytes: 0,
            decided: false,
        }
    }

    /// Returns the number of records inspected so far.
    pub(super) fn records(&self) -> u64 {
        self.accepted + self.rejections.rejections().rejected()
    }

    /// Returns the number of records accepted in one pass.
    pub(super) fn accepted_in_one_pass(&self) -> u64 {
        self.validator.accepted_in_one_pass()
    }

    /// Returns the number of bytes up to the end of the last record.
    pub(super) fn content_bytes(&self) -> u64 {
        self.content_bytes
    }

    /// Returns whether the verdict on the upload is known before its end.
    pub(super) fn is_decided(&self) -> bool {
        self.decided
    }

    /// Returns the rules that were applied to the records.
    pub(super) fn rules(&self) -> AppliedRules {
        self.validator.rules()
    }

    pub(super) fn shapes(&self) -> Vec<Shape> {
        self.validator.shapes()
    }

    pub(super) fn is_full(&self) -> bool {
        self.retention != Retention::Bounded && self.chunks.size_bytes() + self.rejections.size_bytes() > FULL_BYTES
    }

    /// Parses and validates every record.
    pub(super) fn without_one_pass(self) -> Self {
        Self { validator: self.validator.without_one_pass(), ..self }
    }

    /// Inspects one record, or ends the inspection of records that were taken.
    ///
    /// # Errors
    /// Returns the failure of the upload as a whole.
    pub(super) fn inspect(&mut self, part: Part<'_>) -> Result<Progress, Failure> {
        match part {
            Part::Taken(Taken { last, end, .. }) => {
                self.content_bytes = end;
                self.mark_read(self.records(), last.line, last.byte_offset);
                self.check_chunks()
            }
            Part::Record(frame) => self.inspect_record(frame),
        }
    }

    fn inspect_record(&mut self, frame: Frame<'_>) -> Result<Progress, Failure> {
        if let Some(most) = self.full_bound() {
            return self.stop(Some(most.exceeded()));
        }
        self.content_bytes = frame.position.byte_offset + frame.byte_length;
        let frame = match self.input {
            InputForm::Records => frame,
            InputForm::RejectedRecordLines => match retry_records::parse(&frame)? {
                RetryRecord::Readable(record) => record,
                RetryRecord::Unreadable(record, text) => {
                    self.mark_read(self.records() + 1, record.line, record.byte_offset);
                    return self.reject(record, text.as_deref().map(str::as_bytes));
                }
            },
        };
        self.mark_read(self.records() + 1, frame.position.line, frame.position.byte_offset);
        let Some(bytes) = frame.bytes else {
            return self.reject(too_large(&frame, self.max_record_bytes), None);
        };
        let verdict =
            if frame.was_refused { self.validator.check_document(bytes) } else { self.validator.check(bytes) };
        match verdict {
            Verdict::Accepted { points, .. } => {
                self.accepted += 1;
                self.chunks.add(points);
                self.check_chunks()
            }
            Verdict::Rejected { schema, failures } => {
                let record = rejected(&frame, schema, failures)?;
                self.meter.add(&record);
                self.rejections.add(record, Some(bytes));
                self.go_on_after_rejection()
            }
        }
    }

    /// Returns the bound of the number of records, if there may be no more of them.
    #[inline]
    fn full_bound(&self) -> Option<MaxRecords> {
        self.bounds.records.filter(|most| self.records() >= most.most())
    }

    /// Adds a rejected record.
    fn reject(&mut self, record: RejectedRecord, bytes: Option<&[u8]>) -> Result<Progress, Failure> {
        let record = Rejected::Described(record);
        self.meter.add(&record);
        self.rejections.add(record, bytes);
        self.go_on_after_rejection()
    }

    /// Decides whether more rejected records could change anything.
    fn go_on_after_rejection(&mut self) -> Result<Progress, Failure> {
        if let Some(failure) = self.meter.exceeded(&self.bounds) {
            return self.stop(Some(failure));
        }
        let rejected = self.rejections.rejections().rejected();
        if matches!(self.max_rejected, Some(MaxRejected::Count(most)) if rejected > most) {
            // A report with room for more rejected records lists them: their sender corrects them with the others.
            if self.rejections.rejections().is_report_full() {
                let of = format!("the first {}", self.records());
                return self.stop(Some(too_many_rejected(rejected, &of)));
            }
        } else if self.accepted == 0 && self.meter.is_one_reason() {
            return self.stop(None);
        }
        Ok(Progress::GoesOn)
    }

    fn check_chunks(&mut self) -> Result<Progress, Failure> {
        if self.chunks.count() > self.bounds.chunks {
            return self.stop(Some(too_many_chunks(self.bounds.chunks)));
        }
        Ok(Progress::GoesOn)
    }

    fn mark_read(&mut self, records: u64, line: u64, byte_offset: u64) {
        self.read = Some(ReadUntil { records, line, byte_offset });
    }

    /// Ends the inspection before the end of the upload.
    fn stop(&mut self, failure: Option<Failure>) -> Result<Progress, Failure> {
        self.decided = true;
        self.rejections.rejections_mut().stop_reading(self.read);
        failure.map_or(Ok(Progress::Decided), Err)
    }

    /// Completes the chunks and decides about the upload as a whole. Returns `false` if it is full before all chunks are complete.
    pub(super) fn finish(&mut self) -> bool {
        while self.chunks.flush_next() {
            if self.is_full() {
                return false;
            }
        }
        let total = self.records();
        let rejections = self.rejections.rejections_mut();
        let rejected = rejections.rejected();
        if total == 0 {
            rejections.fail_upload(Failure::new(FailureCode::EmptyUpload, "", "there is no record in it"));
        }
        if self.max_rejected.is_some_and(|most| most.exceeded(rejected, total)) {
            rejections.fail_upload(too_many_rejected(rejected, &total.to_string()));
        }
        if self.chunks.count() > self.bounds.chunks {
            rejections.fail_upload(too_many_chunks(self.bounds.chunks));
        }
        true
    }

    /// Returns whether the rest of the upload matters. Records the failure of the upload as a whole.
    pub(super) fn goes_on(&mut self, result: Result<(), Failure>) -> bool {
        if let Err(failure) = result {
            if failure.code == FailureCode::DecompressedTooLarge {
                self.rejections.rejections_mut().stop_reading(self.read);
            }
            self.rejections.rejections_mut().fail_upload(failure);
            self.decided = true;
        }
        !self.decided
    }
}

impl Recognizer for RecordInspector<'_> {
    fn is_active(&self) -> bool {
        self.input == InputForm::Records && self.validator.has_one_pass()
    }

    #[inline]
    fn find(&mut self, content: &[u8], between: Between) -> Option<usize> {
        if self.input != InputForm::Records || self.full_bound().is_some() {
            return None;
        }
        let white_space = if between == Between::LineFeed { WhiteSpace::WithinLine } else { WhiteSpace::Json };
        self.found = self.validator.find_accepted(content, white_space);
        self.found.map(|accepted| accepted.length)
    }

    #[inline]
    fn take(&mut self, record: &[u8]) -> bool {
        if let Some(accepted) = &self.found {
            self.accepted += 1;
            self.chunks.add(self.validator.take_accepted(accepted, record));
        }
        self.chunks.count() <= self.bounds.chunks && !self.is_full()
    }
}

fn too_many_rejected(rejected: u64, of: &str) -> Failure {
    let message = format!("{rejected} of {of} records are wrong, more than max_rejected allows");
    Failure::new(FailureCode::TooManyRejected, "", message)
}

fn too_large(frame: &Frame<'_>, most: usize) -> RejectedRecord {
    let message = format!("the record has {} bytes, at most {most} are allowed", frame.byte_length);
    let failure = Failure::at(FailureCode::RecordTooLarge, message, frame.position.line, frame.position.byte_offset);
    RecordPlace::of(frame, None).describe(vec![failure], 0)
}

/// Returns a rejected record with the positions of its failures in the upload; the failure of the upload if the record decides
/// it.
fn rejected<'a>(
    frame: &Frame<'_>,
    schema: Option<Arc<AppliedSchema>>,
    failures: Failures<'a>,
) -> Result<Rejected<'a>, Failure> {
    let omitted = failures.omitted();
    let failures = match failures.into_known() {
        Ok(failures) if !frame.decides_upload => {
            return Ok(Rejected::Known(KnownRecord { place: RecordPlace::of(frame, schema), failures }));
        }
        Ok(known) => known.describe(frame.position),
        Err(mut failures) => {
            failures.iter_mut().for_each(|failure| failure.move_within(frame.position));
            failures
        }
    };
    match failure_of_upload(frame, &failures) {
        Some(failure) => Err(failure),
        None => Ok(Rejected::Described(RecordPlace::of(frame, schema).describe(failures, omitted))),
    }
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
