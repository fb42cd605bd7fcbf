//! Occurrences: the events of uploads that concern notices.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::closing::{ClosedRecords, ClosingCause};
use super::source::Source;
use crate::id::UploadId;
use crate::intake::fingerprint::{Fingerprint, KindOfUpload};
use crate::time::Timestamp;
use crate::upload::Upload;

/// An event of one upload. It is stored once, in the transaction that records it in the history of the upload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Occurrence {
    /// The time of the decision on the upload, or of the command that closed its rejected records.
    pub at: Timestamp,
    /// The upload.
    pub upload_id: UploadId,
    /// The number of events in its history at that time. A notice describes that state.
    pub revision: usize,
    /// The kind.
    #[serde(flatten)]
    pub kind: OccurrenceKind,
}

/// The kind of an occurrence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OccurrenceKind {
    /// The upload, or a part of it, was rejected and quarantined.
    Rejected(RejectedUpload),
    /// The upload was accepted without rejected records. It has records of these kinds.
    Passed(Vec<PassedKind>),
    /// The rejected records of the upload are not open in quarantine any more.
    Closed {
        /// The records.
        closed: ClosedRecords,
        /// The cause.
        cause: ClosingCause,
    },
    /// The synthetic check was rejected, as it has to be. See
    /// [`NoticeKind::SyntheticCheck`](super::kind::NoticeKind::SyntheticCheck).
    SyntheticCheck(Vec<Fingerprint>),
}

/// A rejected upload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RejectedUpload {
    /// The fingerprints of its failures.
    pub fingerprints: Vec<Fingerprint>,
    /// Its source; `None` for a retry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// For a retry: the records that it retried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retried: Option<ClosedRecords>,
}

/// A kind of upload that passed, with the sources of its uploads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedKind {
    /// The kind of upload.
    pub kind_of_upload: KindOfUpload,
    /// The sources.
    pub sources: Vec<Source>,
}

impl Occurrence {
    /// Returns the occurrence for an upload that was rejected, at least in part. Returns `None` for any other upload.
    #[must_use]
    pub fn of_rejection(upload: &Upload) -> Option<Self> {
        let (at, fingerprints) = (upload.decided_at()?, upload.rejection()?.fingerprints.clone());
        let kind = if upload.origin().owner.is_synthetic_check() {
            OccurrenceKind::SyntheticCheck(fingerprints)
        } else {
            let retried = ClosedRecords::of(upload).filter(|_| upload.attempt() > 0);
            OccurrenceKind::Rejected(RejectedUpload { fingerprints, source: Source::of(upload), retried })
        };
        Some(Self { at, upload_id: upload.id().clone(), revision: upload.revision(), kind })
    }

    /// Returns the occurrence for an upload that passed. `kinds` are its kinds and sources that open problems await.
    #[must_use]
    pub fn of_pass(upload: &Upload, kinds: Vec<PassedKind>, now: Timestamp) -> Self {
        let at = upload.decided_at().unwrap_or(now);
        Self { at, upload_id: upload.id().clone(), revision: upload.revision(), kind: OccurrenceKind::Passed(kinds) }
    }

    /// Returns the occurrence for an upload whose retry was accepted without rejected records. Returns `None` if no
    /// records of it are open.
    #[must_use]
    pub fn of_correction(upload: &Upload) -> Option<Self> {
        let closed = ClosedRecords::of(upload).filter(|_| upload.rejection().is_none())?;
        Some(Self::of_closing(upload, closed, ClosingCause::Corrected, upload.decided_at()?))
    }

    /// Returns the occurrence for an upload whose owner discarded or withdrew it: `before` and `after` the command.
    /// Returns `None` if the command closed no records.
    #[must_use]
    pub fn of_command(before: &Upload, after: &Upload, now: Timestamp) -> Option<Self> {
        let closed = ClosedRecords::of(before).filter(|_| after.open_rejection().is_none())?;
        let cause = if after.is_withdrawal_requested() { ClosingCause::Withdrawn } else { ClosingCause::Discarded };
        Some(Self::of_closing(after, closed, cause, now))
    }

    fn of_closing(upload: &Upload, closed: ClosedRecords, cause: ClosingCause, at: Timestamp) -> Self {
        // Occurrences are folded in the order of their times, and the clocks of two machines may differ.
        let at = at.max(closed.opened_at + Duration::from_micros(1));
        let kind = OccurrenceKind::Closed { closed, cause };
        Self { at, upload_id: upload.id().clone(), revision: upload.revision(), kind }
    }

    /// Returns the fingerprints of a rejected upload.
    pub fn fingerprints(&self) -> &[Fingerprint] {
        match &self.kind {
            OccurrenceKind::Rejected(RejectedUpload { fingerprints, .. })
            | OccurrenceKind::SyntheticCheck(fingerprints) => fingerprints,
            OccurrenceKind::Passed(_) | OccurrenceKind::Closed { .. } => &[],
        }
    }

    /// Returns the source of a rejected upload; `None` for a retry, and for any other occurrence.
    #[must_use]
    pub fn failed_source(&self) -> Option<&Source> {
        match &self.kind {
            OccurrenceKind::Rejected(rejected) => rejected.source.as_ref(),
            _ => None,
        }
    }

    /// Returns the rejected records that are closed.
    #[must_use]
    pub fn closed(&self) -> Option<&ClosedRecords> {
        match &self.kind {
            OccurrenceKind::Rejected(rejected) => rejected.retried.as_ref(),
            OccurrenceKind::Closed { closed, .. } => Some(closed),
            OccurrenceKind::Passed(_) | OccurrenceKind::SyntheticCheck(_) => None,
        }
    }

    /// Returns the kinds of upload that passed.
    pub fn passed(&self) -> &[PassedKind] {
        match &self.kind {
            OccurrenceKind::Passed(kinds) => kinds,
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::digest::Sha256Source;
    use crate::intake::failure::{Failure, FailureCode};
    use crate::intake::rejection::Rejection;
    use crate::upload::{
        Decision, ObjectVersion, Origin, QuarantineLocation, RecordedEvent, RetryForm, UploadEvent, retry_key,
    };

    const OWNER: &str = "u1";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_secs(second)
    }

    fn id() -> UploadId {
        UploadId::new(at(0), [7; 10])
    }

    fn rejection(code: FailureCode) -> Rejection {
        Rejection::of_upload(Failure::new(code, "", "no"), "reading/1.0")
    }

    fn decided(rejection: Rejection) -> UploadEvent {
        UploadEvent::Decided { decision: Decision::Rejected { rejection, rules: None }, claim: None }
    }

    fn accepted(rejection: Option<Rejection>) -> UploadEvent {
        let decision = Decision::Accepted {
            sha256: "00".to_owned(),
            sha256_source: Sha256Source::Computed,
            accepted: 3,
            chunks: 1,
            shared_chunks: Vec::new(),
            series: Box::default(),
            rejection,
            rules: None,
        };
        UploadEvent::Decided { decision, claim: None }
    }

    fn received(key: String, retry_form: Option<RetryForm>) -> UploadEvent {
        let object = ObjectVersion { bucket: "b".to_owned(), key, version_id: "v".to_owned(), size: 7, line: None };
        UploadEvent::Received { object, correlation_id: "c".to_owned(), retry_form }
    }

    fn requested() -> UploadEvent {
        let (key, form) = (retry_key(&id(), 1, "a.json"), RetryForm::Corrected);
        UploadEvent::RetryRequested { by: OWNER.parse().unwrap(), key, form, expires_at: at(99) }
    }

    fn quarantined() -> UploadEvent {
        let location =
            QuarantineLocation { bucket: "q".to_owned(), key: None, records: false, report_key: "r".to_owned() };
        UploadEvent::Quarantined { location }
    }

    /// An upload that is decided at second 2 and, if it is rejected, in quarantine; then the events `more`.
    fn upload(decision: UploadEvent, more: Vec<UploadEvent>) -> Upload {
        let origin = Origin {
            owner: OWNER.parse().unwrap(),
            key: "uploads/x/meter-1.json".to_owned(),
            file_name: "meter-1.json".to_owned(),
            schema: None,
            max_rejected: None,
            expires_at: None,
        };
        let first = vec![
            UploadEvent::ObjectFound { origin: origin.clone() },
            received(origin.key, None),
            decision,
            quarantined(),
            UploadEvent::OccurrenceRecorded { problems: Vec::new() },
        ];
        let events = first.into_iter().chain(more).zip(0..);
        let history: Vec<RecordedEvent> = events.map(|(event, second)| RecordedEvent::new(at(second), event)).collect();
        Upload::fold(id(), &history).unwrap()
    }

    fn rejected_and(more: Vec<UploadEvent>) -> Upload {
        upload(decided(rejection(FailureCode::NotJson)), more)
    }

    /// A retry that arrives at second 6 and is decided at second 7.
    fn retried(decision: UploadEvent) -> Vec<UploadEvent> {
        vec![requested(), received(retry_key(&id(), 1, "a.json"), Some(RetryForm::Corrected)), decision]
    }

    #[test]
    fn a_rejected_retry_closes_the_records_that_it_retried() {
        let first = Occurrence::of_rejection(&rejected_and(Vec::new())).unwrap();
        assert_eq!(first.failed_source(), Some(&Source::of_file("meter-9.json")));
        assert_eq!((first.at, first.closed()), (at(2), None));

        let again = [retried(decided(rejection(FailureCode::Truncated))), vec![quarantined()]].concat();
        let again = Occurrence::of_rejection(&rejected_and(again)).unwrap();
        assert_eq!((again.at, again.failed_source()), (at(7), None), "a retry has no source");
        let closed = again.closed().unwrap();
        assert_eq!(closed.opened_at, at(2));
        assert_eq!(closed.problems[0].id, first.fingerprints()[0].id);
        assert_ne!(closed.problems[0].id, again.fingerprints()[0].id);
    }

    #[test]
    fn an_accepted_retry_closes_the_records_that_it_retried() {
        let duplicate = UploadEvent::Decided { decision: Decision::Duplicate { of: id() }, claim: None };
        for (name, upload, expected) in [
            ("accepted", rejected_and(retried(accepted(None))), Some(at(7))),
            ("accepted already", rejected_and(retried(duplicate)), Some(at(7))),
            ("accepted in part", rejected_and(retried(accepted(Some(rejection(FailureCode::NotJson))))), None),
            ("no retry", upload(accepted(None), Vec::new()), None),
        ] {
            let occurrence = Occurrence::of_correction(&upload);
            assert_eq!(occurrence.as_ref().map(|occurrence| occurrence.at), expected, "{name}");
            let Some(Occurrence { kind, .. }) = occurrence else { continue };
            let OccurrenceKind::Closed { closed, cause } = kind else { panic!("{name}: {kind:?}") };
            assert_eq!((closed.opened_at, cause), (at(2), ClosingCause::Corrected), "{name}");
        }
    }

    #[test]
    fn commands_close_records_once() {
        use ClosingCause::{Discarded, Withdrawn};
        let by = || OWNER.parse().unwrap();
        let discarded = || UploadEvent::Discarded { by: by() };
        let withdrawal_requested = || UploadEvent::WithdrawalRequested { by: by() };
        let partly = |more| upload(accepted(Some(rejection(FailureCode::NotJson))), more);
        type Row = (&'static str, Upload, UploadEvent, Option<ClosingCause>);
        let rows: [Row; 6] = [
            ("discard", rejected_and(Vec::new()), discarded(), Some(Discarded)),
            ("discard during a pending retry", rejected_and(vec![requested()]), discarded(), Some(Discarded)),
            ("withdraw", partly(Vec::new()), withdrawal_requested(), Some(Withdrawn)),
            ("withdraw after a discard", partly(vec![discarded()]), withdrawal_requested(), None),
            ("withdraw, completed", partly(vec![withdrawal_requested()]), UploadEvent::Withdrawn, None),
            ("request a retry", rejected_and(Vec::new()), requested(), None),
        ];
        for (name, before, event, expected) in rows {
            let mut after = before.clone();
            after.apply(&RecordedEvent::new(at(9), event));
            // The clock of this machine is behind that of the one that decided.
            let occurrence = Occurrence::of_command(&before, &after, at(1));
            let cause = occurrence.as_ref().map(|occurrence| match occurrence.kind {
                OccurrenceKind::Closed { cause, .. } => cause,
                _ => panic!("{name}"),
            });
            assert_eq!(cause, expected, "{name}");
            assert!(occurrence.is_none_or(|occurrence| occurrence.at > at(2)), "{name}: after the rejection");
        }
    }
}
