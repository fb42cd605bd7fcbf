//! Events and histories to begin a test with. The nth event of a history is at second n.

use crate::id::UploadId;
use crate::intake::digest::Sha256Source;
use crate::intake::failure::{Failure, FailureCode};
use crate::intake::rejection::Rejection;
use crate::time::Timestamp;
use crate::upload::{
    Decision, ObjectVersion, Origin, QuarantineLocation, RecordedEvent, RetryForm, SeriesReport, Upload, UploadEvent,
};

pub(in crate::upload) fn origin() -> Origin {
    Origin {
        owner: "u1".parse().unwrap(),
        key: "uploads/x/a.json".to_owned(),
        file_name: "a.json".to_owned(),
        schema: None,
        max_rejected: None,
        expires_at: None,
    }
}

pub(in crate::upload) fn object(version_id: &str) -> ObjectVersion {
    ObjectVersion {
        bucket: "b".into(),
        key: "uploads/x/a.json".into(),
        version_id: version_id.into(),
        size: 7,
        line: None,
    }
}

pub(in crate::upload) fn issued() -> UploadEvent {
    UploadEvent::Issued { origin: origin() }
}

pub(in crate::upload) fn received() -> UploadEvent {
    UploadEvent::Received { object: object("v1"), correlation_id: "c1".into(), retry_form: None }
}

pub(in crate::upload) fn rejection() -> Rejection {
    Rejection::of_upload(Failure::new(FailureCode::NotJson, "", "no"), "reading/1.0")
}

pub(in crate::upload) fn accepted(rejection: Option<Rejection>) -> UploadEvent {
    accepted_with(rejection, SeriesReport::default())
}

pub(in crate::upload) fn accepted_with(rejection: Option<Rejection>, series: SeriesReport) -> UploadEvent {
    let decision = Decision::Accepted {
        sha256: "00".into(),
        sha256_source: Sha256Source::Computed,
        accepted: 3,
        chunks: 2,
        shared_chunks: Vec::new(),
        series: Box::new(series),
        rejection,
        rules: None,
    };
    UploadEvent::Decided { decision, claim: Some("00".into()) }
}

pub(in crate::upload) const RETRY: &str = "retry-1/a.json";

pub(in crate::upload) fn retry_requested(form: RetryForm) -> UploadEvent {
    let expires_at = at(60);
    UploadEvent::RetryRequested {
        by: "u1".parse().unwrap(),
        key: format!("uploads/{}/{RETRY}", id()),
        form,
        expires_at,
    }
}

pub(in crate::upload) fn retry_received(form: RetryForm) -> UploadEvent {
    let object = retry_object("v2");
    UploadEvent::Received { object, correlation_id: "c2".into(), retry_form: Some(form) }
}

pub(in crate::upload) fn retry_object(version_id: &str) -> ObjectVersion {
    ObjectVersion { key: format!("uploads/{}/{RETRY}", id()), ..object(version_id) }
}

pub(in crate::upload) fn rejected() -> UploadEvent {
    UploadEvent::Decided { decision: Decision::Rejected { rejection: rejection(), rules: None }, claim: None }
}

pub(in crate::upload) fn acceptance_began() -> UploadEvent {
    UploadEvent::AcceptanceBegan { claim: "00".into() }
}

pub(in crate::upload) fn waiting() -> UploadEvent {
    UploadEvent::WaitingBegan { claim: "00".into(), holder: UploadId::of_object("b", "k", "holder") }
}

pub(in crate::upload) fn duplicate() -> UploadEvent {
    UploadEvent::Decided { decision: Decision::Duplicate { of: id() }, claim: None }
}

pub(in crate::upload) fn quarantined() -> UploadEvent {
    UploadEvent::Quarantined { location: location(false) }
}

pub(in crate::upload) fn location(records: bool) -> QuarantineLocation {
    QuarantineLocation { bucket: "q".into(), key: Some("u1/x/a.json".into()), records, report_key: "r".into() }
}

pub(in crate::upload) fn recorded() -> UploadEvent {
    UploadEvent::OccurrenceRecorded { problems: Vec::new() }
}

pub(in crate::upload) fn delivery_failed() -> UploadEvent {
    UploadEvent::DeliveryFailed { reason: "timed out".into(), correlation_id: "c1".into() }
}

pub(in crate::upload) fn id() -> UploadId {
    UploadId::of_object("b", "k", "v")
}

pub(in crate::upload) fn history(events: Vec<UploadEvent>) -> Vec<RecordedEvent> {
    events.into_iter().zip(1..).map(|(event, second)| RecordedEvent::new(at(second), event)).collect()
}

pub(in crate::upload) fn at(second: i64) -> Timestamp {
    Timestamp::from_secs(second)
}

pub(in crate::upload) fn upload(events: Vec<UploadEvent>) -> Upload {
    Upload::fold(id(), &history(events)).unwrap()
}

pub(in crate::upload) fn in_quarantine() -> Vec<UploadEvent> {
    vec![issued(), received(), rejected(), quarantined(), recorded()]
}

pub(in crate::upload) fn partly_in_quarantine() -> Vec<UploadEvent> {
    vec![issued(), received(), accepted(Some(rejection())), quarantined(), recorded()]
}

pub(in crate::upload) fn discarded() -> UploadEvent {
    UploadEvent::Discarded { by: "u1".parse().unwrap() }
}

pub(in crate::upload) fn withdrawal_requested() -> UploadEvent {
    UploadEvent::WithdrawalRequested { by: "u1".parse().unwrap() }
}
