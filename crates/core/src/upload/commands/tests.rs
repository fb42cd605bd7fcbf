//! Given a history, when a command is sent at a time, then it returns events or a refusal.

mod failed_deliveries;
mod waiting;

use std::time::Duration;

use super::*;
use crate::intake::failure::{Failure, FailureCode};
use crate::intake::position::ReadUntil;
use crate::intake::rejection::Rejection;
use crate::statistics::chunk::MAX_ATTEMPTS;
use crate::time::Timestamp;
use crate::upload::tests::given::*;
use crate::upload::{Decision, ObjectVersion, Origin, RecordedEvent, RetryForm, Upload, UploadEvent};

type Outcome = Result<Vec<UploadEvent>, Refusal>;

const MINUTE: Duration = Duration::from_secs(60);

fn withdrawn() -> Vec<UploadEvent> {
    [partly_in_quarantine(), vec![withdrawal_requested(), UploadEvent::Withdrawn]].concat()
}

fn retrying(more: Vec<UploadEvent>) -> Vec<UploadEvent> {
    [in_quarantine(), vec![retry_requested(RetryForm::Corrected)], more].concat()
}

fn retry_accepted() -> Vec<UploadEvent> {
    retrying(vec![retry_received(RetryForm::Corrected), accepted(None)])
}

fn requested(form: RetryForm, file_name: &str, number: u32, expires_at: Timestamp) -> Outcome {
    let key = format!("uploads/{}/retry-{number}/{file_name}", id());
    Ok(vec![UploadEvent::RetryRequested { by: "u1".parse().unwrap(), key, form, expires_at }])
}

/// Histories that refuse every retry, with the refusal at second 20.
fn not_retryable() -> Vec<(&'static str, Vec<UploadEvent>, Refusal)> {
    let mut too_many = in_quarantine();
    for _ in 1..MAX_ATTEMPTS {
        too_many.extend([retry_received(RetryForm::Corrected), rejected(), quarantined(), recorded()]);
    }
    vec![
        ("issued", vec![issued()], Refusal::NotInQuarantine),
        ("rejected, not quarantined", vec![issued(), received(), rejected()], Refusal::NotInQuarantine),
        ("accepted", vec![issued(), received(), accepted(None)], Refusal::NotInQuarantine),
        ("retry pending", retrying(vec![]), Refusal::RetryPending { expires_at: at(60) }),
        ("retry arrived", retrying(vec![retry_received(RetryForm::Corrected)]), Refusal::RetryInProgress),
        ("retry accepted", retry_accepted(), Refusal::Resolved),
        ("discarded", [in_quarantine(), vec![discarded()]].concat(), Refusal::Discarded),
        ("withdrawn", withdrawn(), Refusal::Withdrawn),
        ("attempts used up", too_many, Refusal::TooManyRetries { retries: 0 }),
    ]
}

#[test]
fn retry_unchanged_requests_the_quarantined_bytes() {
    let command = |events, from, second| retry_unchanged(&upload(events), &from, MINUTE, at(second));
    for (name, events, refusal) in not_retryable() {
        assert_eq!(command(events, location(false), 20), Err(refusal), "{name}");
    }
    let gone = crate::upload::QuarantineLocation { key: None, ..location(false) };
    let records = UploadEvent::Quarantined { location: location(true) };
    let partly = vec![issued(), received(), accepted(Some(rejection())), records, recorded()];
    let quarantined_gone = UploadEvent::Quarantined { location: gone.clone() };
    let without_bytes = vec![issued(), received(), rejected(), quarantined_gone, recorded()];
    for (name, outcome, expected) in [
        ("object", command(in_quarantine(), location(false), 20), requested(RetryForm::Unchanged, "a.json", 1, at(80))),
        ("records", command(partly, location(true), 20), requested(RetryForm::UnchangedRecords, "a.json", 1, at(80))),
        (
            "pending retry lapsed",
            command(retrying(vec![]), location(false), 60),
            requested(RetryForm::Unchanged, "a.json", 2, at(120)),
        ),
        ("moved meanwhile", command(in_quarantine(), location(true), 20), Err(Refusal::RetriedMeanwhile)),
        ("no bytes kept", command(without_bytes, gone, 20), Err(Refusal::NothingToRetry)),
    ] {
        assert_eq!(outcome, expected, "{name}");
    }
}

#[test]
fn request_correction_names_the_key_by_its_content_type() {
    for (name, events, refusal) in not_retryable() {
        let outcome = request_correction(&upload(events), "application/json", MINUTE, at(20));
        assert_eq!(outcome, Err(refusal), "{name}");
    }
    let failed_to_record = vec![issued(), received(), rejected(), quarantined(), delivery_failed()];
    for (name, events, content_type, second, file_name, number) in [
        ("JSON", in_quarantine(), "application/json", 20, "corrected.json", 1),
        ("NDJSON", in_quarantine(), "application/x-ndjson; charset=utf-8", 20, "corrected.ndjson", 1),
        ("unknown type", in_quarantine(), "text/plain", 20, "corrected.json", 1),
        ("partially accepted", partly_in_quarantine(), "application/json", 20, "corrected.json", 1),
        ("pending retry lapsed", retrying(vec![]), "application/json", 60, "corrected.json", 2),
        ("occurrence not recorded", failed_to_record, "application/json", 20, "corrected.json", 1),
    ] {
        let outcome = request_correction(&upload(events), content_type, MINUTE, at(second));
        let expected = requested(RetryForm::Corrected, file_name, number, at(second) + MINUTE);
        assert_eq!(outcome, expected, "{name}");
    }
}

#[test]
fn discard_needs_data_in_quarantine() {
    let arrived = || retrying(vec![retry_received(RetryForm::Corrected)]);
    let rows: Vec<(&str, Vec<UploadEvent>, Outcome)> = vec![
        ("issued", vec![issued()], Err(Refusal::NotInQuarantine)),
        ("moving into quarantine", vec![issued(), received(), rejected()], Err(Refusal::NotInQuarantine)),
        ("in quarantine", in_quarantine(), Ok(vec![discarded()])),
        ("partly in quarantine", partly_in_quarantine(), Ok(vec![discarded()])),
        ("retry pending", retrying(vec![]), Ok(vec![discarded()])),
        ("retry arrived", arrived(), Err(Refusal::RetryInProgress)),
        ("retry rejected", [arrived(), vec![rejected()]].concat(), Err(Refusal::RetryInProgress)),
        ("retry accepted", retry_accepted(), Err(Refusal::Resolved)),
        ("discarded", [in_quarantine(), vec![discarded()]].concat(), Ok(vec![])),
        ("withdrawn", withdrawn(), Err(Refusal::Withdrawn)),
    ];
    for (name, events, expected) in rows {
        assert_eq!(discard(&upload(events), at(20)), expected, "{name}");
    }
}

#[test]
fn request_withdrawal_needs_accepted_records() {
    let expiring = UploadEvent::Issued { origin: Origin { expires_at: Some(at(10)), ..origin() } };
    let retry_arrived = || vec![retry_requested(RetryForm::Corrected), retry_received(RetryForm::Corrected)];
    let rows: Vec<(&str, Vec<UploadEvent>, Outcome)> = vec![
        ("issued", vec![issued()], Err(Refusal::NotReceived)),
        ("expired", vec![expiring], Err(Refusal::Expired)),
        ("received", vec![issued(), received()], Err(Refusal::BeingProcessed)),
        ("waiting", vec![issued(), received(), waiting()], Err(Refusal::BeingProcessed)),
        ("failed", vec![issued(), received(), delivery_failed()], Err(Refusal::BeingProcessed)),
        ("accepted", vec![issued(), received(), accepted(None)], Ok(vec![withdrawal_requested()])),
        (
            "moving into quarantine",
            vec![issued(), received(), accepted(Some(rejection()))],
            Err(Refusal::BeingProcessed),
        ),
        ("partially accepted", partly_in_quarantine(), Ok(vec![withdrawal_requested()])),
        ("retry arrived", [partly_in_quarantine(), retry_arrived()].concat(), Err(Refusal::BeingProcessed)),
        ("duplicate", vec![issued(), received(), duplicate()], Err(Refusal::Duplicate { of: id() })),
        ("quarantined", in_quarantine(), Err(Refusal::NothingAccepted)),
        ("discarded", [in_quarantine(), vec![discarded()]].concat(), Err(Refusal::NothingLeft)),
        ("rest discarded", [partly_in_quarantine(), vec![discarded()]].concat(), Ok(vec![withdrawal_requested()])),
        ("requested", [partly_in_quarantine(), vec![withdrawal_requested()]].concat(), Ok(vec![])),
        ("withdrawn", withdrawn(), Ok(vec![])),
    ];
    for (name, events, expected) in rows {
        assert_eq!(request_withdrawal(&upload(events), at(20)), expected, "{name}");
    }
}

#[test]
fn complete_withdrawal_happens_once() {
    let requested = [partly_in_quarantine(), vec![withdrawal_requested()]].concat();
    assert_eq!(complete_withdrawal(&upload(partly_in_quarantine())), Err(Refusal::WithdrawalNotRequested));
    assert_eq!(complete_withdrawal(&upload(requested)), Ok(vec![UploadEvent::Withdrawn]));
    assert_eq!(complete_withdrawal(&upload(withdrawn())), Ok(vec![]));
}

#[test]
fn each_refusal_says_what_to_do() {
    assert_eq!(
        Refusal::NothingAccepted.to_string(),
        "none of the records is accepted: discard the upload with DELETE /quarantine/{upload_id}"
    );
    let refusal = Refusal::RetryPending { expires_at: at(60) };
    assert!(refusal.to_string().contains("until 1970-01-01T00:01:00Z"), "{refusal}");
    let refusal = Refusal::Duplicate { of: id() };
    assert!(refusal.to_string().contains(id().as_str()), "{refusal}");
}

#[test]
fn receive_takes_the_awaited_object_only() {
    let pending = || retrying(vec![]);
    let first = ObjectVersion { key: origin().key, ..object("v1") };
    type Row = (&'static str, Vec<UploadEvent>, ObjectVersion, Option<Option<RetryForm>>);
    let rows: Vec<Row> = vec![
        ("issued", vec![issued()], first.clone(), Some(None)),
        ("issued, other key", vec![issued()], retry_object("v1"), None),
        ("received", vec![issued(), received()], first.clone(), None),
        ("retry pending", pending(), retry_object("v2"), Some(Some(RetryForm::Corrected))),
        ("retry pending, first key", pending(), first, None),
        ("retry arrived", retrying(vec![retry_received(RetryForm::Corrected)]), retry_object("v2"), None),
        ("retry discarded", retrying(vec![discarded()]), retry_object("v2"), None),
    ];
    for (name, events, object, expected) in rows {
        let upload = upload(events);
        let expected = expected.map(|retry_form| UploadEvent::Received {
            object: object.clone(),
            correlation_id: "c9".to_owned(),
            retry_form,
        });
        assert_eq!(receive(&upload, &object, "c9"), Vec::from_iter(expected), "{name}");
    }
}

#[test]
fn only_accepted_bytes_are_claimed() {
    let by_digest = vec![issued(), received()];
    let of_records = || {
        let form = RetryForm::UnchangedRecords;
        [partly_in_quarantine(), vec![retry_requested(form), retry_received(form)]].concat()
    };
    let own_claim = format!("{}/1", id());
    for (name, events, event, expected) in [
        ("first object", by_digest.clone(), accepted(None), Some("00")),
        ("corrected", retrying(vec![retry_received(RetryForm::Corrected)]), accepted(None), Some("00")),
        ("unchanged records", of_records(), accepted(None), Some(own_claim.as_str())),
        ("rejected", by_digest.clone(), rejected(), None),
        ("duplicate", by_digest, duplicate(), None),
    ] {
        let UploadEvent::Decided { decision, .. } = event else { panic!("{name}") };
        let mut upload = upload(events);
        let decided = record_decision(&upload, decision.clone());
        assert_eq!(decided, [UploadEvent::Decided { decision, claim: expected.map(str::to_owned) }], "{name}");
        let claims = upload.claims().len();
        upload.apply(&RecordedEvent::new(at(30), decided[0].clone()));
        assert_eq!(upload.claims().get(claims).map(String::as_str), expected, "{name}");
    }
    let began = begin_acceptance(&upload(of_records()), "00");
    assert_eq!(began, [UploadEvent::AcceptanceBegan { claim: own_claim }]);
}

#[test]
fn work_is_taken_over_after_five_idle_seconds() {
    let unfinished = || vec![issued(), received()]; // changed at second 2
    for (name, events, now, expected) in [
        ("just changed", unfinished(), at(2), true),
        ("idle for less", unfinished(), Timestamp::from_micros(6_999_999), true),
        ("idle for five seconds", unfinished(), at(7), false),
        ("changed by a faster clock", unfinished(), at(1), true),
        ("finished", in_quarantine(), at(5), false),
    ] {
        assert_eq!(is_held_by_another_worker(&upload(events), now), expected, "{name}");
    }
}

#[test]
fn the_decision_determines_the_occurrence() {
    for (name, event, expected) in [
        ("accepted", accepted(None), Some(RecordableOccurrence::Pass)),
        ("partially accepted", accepted(Some(rejection())), Some(RecordableOccurrence::Rejection)),
        ("rejected", rejected(), Some(RecordableOccurrence::Rejection)),
        ("duplicate", duplicate(), None),
        ("undecided", delivery_failed(), None),
    ] {
        let upload: Upload = upload(vec![issued(), received(), event]);
        assert_eq!(recordable_occurrence(&upload), expected, "{name}");
    }
}

#[test]
fn an_occurrence_is_recorded_once_and_after_quarantine() {
    let problems: Vec<_> = rejection().fingerprints.into_iter().map(|fingerprint| fingerprint.id).collect();
    assert!(!problems.is_empty());
    let recorded = vec![UploadEvent::OccurrenceRecorded { problems }];
    let recorded_again = recorded.clone();
    let retried = |decided: UploadEvent| {
        let form = RetryForm::Corrected;
        [in_quarantine(), vec![retry_requested(form), retry_received(form), decided]].concat()
    };
    for (name, events, expected) in [
        ("accepted", vec![issued(), received(), accepted(None)], vec![]),
        ("not quarantined", vec![issued(), received(), rejected()], vec![]),
        ("quarantined", vec![issued(), received(), rejected(), quarantined()], recorded),
        ("recorded", in_quarantine(), vec![]),
        ("a retry, accepted", retried(accepted(None)), recorded_again.clone()),
        ("a retry of bytes that are accepted already", retried(duplicate()), recorded_again.clone()),
        ("a retry, rejected and not quarantined", retried(rejected()), vec![]),
        ("a retry, recorded", [retried(accepted(None)), recorded_again].concat(), vec![]),
    ] {
        assert_eq!(record_occurrence(&upload(events)), expected, "{name}");
    }
}

fn decided(decision: Decision) -> UploadEvent {
    UploadEvent::Decided { decision, claim: None }
}

fn upload_failed(code: FailureCode) -> UploadEvent {
    decided(Decision::Rejected {
        rejection: Rejection::of_upload(Failure::new(code, "", "no"), "reading/1.0"),
        rules: None,
    })
}

fn records_rejected() -> UploadEvent {
    let rejection = Rejection { upload_failure: None, ..rejection() };
    decided(Decision::Rejected { rejection, rules: None })
}

fn some_records_read() -> UploadEvent {
    let read_until = Some(ReadUntil { records: 10_000, line: 10_000, byte_offset: 29_997 });
    decided(Decision::Rejected {
        rejection: Rejection { upload_failure: None, read_until, ..rejection() },
        rules: None,
    })
}

#[test]
fn the_rejection_determines_the_way_into_quarantine() {
    use QuarantineAction::{MoveObject, ReplaceRecords, WriteRecords};
    let first = |event| vec![issued(), received(), event];
    let retry =
        |form, event| [partly_in_quarantine(), vec![retry_requested(form), retry_received(form), event]].concat();
    let partly = || accepted(Some(Rejection { upload_failure: None, ..rejection() }));
    let plan = |action, records, is_reason_in_object| QuarantinePlan { action, records, is_reason_in_object };
    for (name, events, expected) in [
        ("records rejected", first(partly()), plan(WriteRecords, true, true)),
        ("all records rejected", first(records_rejected()), plan(MoveObject, false, true)),
        ("not JSON", first(upload_failed(FailureCode::NotJson)), plan(MoveObject, false, true)),
        ("kills the worker", first(upload_failed(FailureCode::ProcessingFailed)), plan(MoveObject, false, false)),
        ("key reused", first(upload_failed(FailureCode::IdempotencyKeyReused)), plan(MoveObject, false, false)),
        ("large message", first(upload_failed(FailureCode::TooManyRecords)), plan(MoveObject, false, false)),
        (
            "large correction",
            retry(RetryForm::Corrected, upload_failed(FailureCode::TooManyRecords)),
            plan(MoveObject, false, true),
        ),
        (
            "unchanged records partly rejected",
            retry(RetryForm::UnchangedRecords, partly()),
            plan(WriteRecords, true, true),
        ),
        (
            "unchanged records all rejected",
            retry(RetryForm::UnchangedRecords, records_rejected()),
            plan(ReplaceRecords, true, true),
        ),
        (
            "unchanged records, not all read",
            retry(RetryForm::UnchangedRecords, some_records_read()),
            plan(MoveObject, true, true),
        ),
        (
            "unchanged records kill the worker",
            retry(RetryForm::UnchangedRecords, upload_failed(FailureCode::ProcessingFailed)),
            plan(MoveObject, true, false),
        ),
        ("correction all rejected", retry(RetryForm::Corrected, records_rejected()), plan(MoveObject, false, true)),
    ] {
        assert_eq!(plan_quarantine(&upload(events)), expected, "{name}");
    }
}

#[test]
fn accepted_bytes_are_held_until_withdrawal() {
    let accepted_twice = || retrying(vec![retry_received(RetryForm::Corrected), accepted(None)]);
    for (name, events, claim, expected) in [
        ("received", vec![issued(), received()], "00", false),
        ("chunks being written", vec![issued(), received(), acceptance_began()], "00", false),
        ("accepted", vec![issued(), received(), accepted(None)], "00", true),
        ("accepted, other bytes", vec![issued(), received(), accepted(None)], "01", false),
        ("retry accepted", accepted_twice(), "00", true),
        ("retry pending", [partly_in_quarantine(), vec![retry_requested(RetryForm::Corrected)]].concat(), "00", true),
        ("withdrawal requested", [partly_in_quarantine(), vec![withdrawal_requested()]].concat(), "00", false),
        ("withdrawn", withdrawn(), "00", false),
    ] {
        assert_eq!(upload(events).has_accepted(claim), expected, "{name}");
    }
}
