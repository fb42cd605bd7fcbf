//! Given a history, when an event is applied, then the state and the next step follow.

mod accepted_sha256;
pub(super) mod given;
mod inspection_spec;
mod open_rejection;
mod series_report;

use super::*;
use crate::time::Timestamp;
use RetryForm::{Corrected, Unchanged, UnchangedRecords};
use given::*;

#[test]
fn a_history_determines_the_state_and_the_next_step() {
    use UploadState as S;
    let rows: Vec<(&str, Vec<UploadEvent>, UploadState, Option<Step>)> = vec![
        ("issued", vec![issued()], S::Issued, Some(Step::Process)),
        ("object found", vec![UploadEvent::ObjectFound { origin: origin() }], S::Issued, Some(Step::Process)),
        ("received", vec![issued(), received()], S::Received, Some(Step::Process)),
        ("chunks being written", vec![issued(), received(), acceptance_began()], S::Received, Some(Step::Process)),
        ("waiting", vec![issued(), received(), waiting()], S::Waiting, Some(Step::Process)),
        ("waiting, then a duplicate", vec![issued(), received(), waiting(), duplicate()], S::Duplicate, None),
        (
            "waiting, then chunks being written",
            vec![issued(), received(), waiting(), acceptance_began()],
            S::Received,
            Some(Step::Process),
        ),
        (
            "failed while waiting",
            vec![issued(), received(), waiting(), delivery_failed()],
            S::Failed,
            Some(Step::Process),
        ),
        (
            "waiting after a failure",
            vec![issued(), received(), delivery_failed(), waiting()],
            S::Waiting,
            Some(Step::Process),
        ),
        (
            "failed while chunks were being written",
            vec![issued(), received(), acceptance_began(), delivery_failed()],
            S::Failed,
            Some(Step::RollBack),
        ),
        (
            "rolled back after a failure",
            vec![issued(), received(), acceptance_began(), delivery_failed(), UploadEvent::RolledBack],
            S::Failed,
            Some(Step::Process),
        ),
        (
            "chunks being written again",
            vec![
                issued(),
                received(),
                acceptance_began(),
                delivery_failed(),
                UploadEvent::RolledBack,
                acceptance_began(),
            ],
            S::Received,
            Some(Step::Process),
        ),
        ("accepted", vec![issued(), received(), accepted(None)], S::Accepted, None),
        (
            "partially accepted",
            vec![issued(), received(), accepted(Some(rejection()))],
            S::PartiallyAccepted,
            Some(Step::Quarantine),
        ),
        ("rejected", vec![issued(), received(), rejected()], S::Quarantined, Some(Step::Quarantine)),
        (
            "quarantined",
            vec![issued(), received(), rejected(), quarantined()],
            S::Quarantined,
            Some(Step::RecordOccurrence),
        ),
        ("recorded", vec![issued(), received(), rejected(), quarantined(), recorded()], S::Quarantined, None),
        (
            "rejected while chunks were being written",
            vec![issued(), received(), acceptance_began(), delivery_failed(), rejected()],
            S::Quarantined,
            Some(Step::RollBack),
        ),
        (
            "rolled back",
            vec![issued(), received(), acceptance_began(), delivery_failed(), rejected(), UploadEvent::RolledBack],
            S::Quarantined,
            Some(Step::Quarantine),
        ),
        ("duplicate", vec![issued(), received(), duplicate()], S::Duplicate, None),
        ("failed", vec![issued(), received(), delivery_failed()], S::Failed, Some(Step::Process)),
        ("failed, then accepted", vec![issued(), received(), delivery_failed(), accepted(None)], S::Accepted, None),
        (
            "failed to record",
            vec![issued(), received(), rejected(), quarantined(), delivery_failed()],
            S::Failed,
            Some(Step::RecordOccurrence),
        ),
        (
            "recorded after a failure",
            vec![issued(), received(), rejected(), quarantined(), delivery_failed(), recorded()],
            S::Quarantined,
            None,
        ),
    ];
    for (name, events, state, next) in rows {
        let upload = Upload::fold(id(), &history(events)).unwrap();
        assert_eq!((upload.state(), upload.next_step()), (state, next), "{name}");
    }
}

#[test]
fn a_second_version_is_late_and_a_repeated_version_is_current() {
    let mut upload = Upload::fold(id(), &history(vec![issued()])).unwrap();
    assert_eq!(upload.arrival(&object("v1")), Arrival::Current);
    upload.apply(&RecordedEvent::new(Timestamp::from_micros(9), received()));
    assert_eq!((upload.arrival(&object("v1")), upload.arrival(&object("v2"))), (Arrival::Current, Arrival::Late));
}

#[test]
fn a_retry_adds_an_attempt_and_accepted_records_stay_accepted() {
    use QuarantineStatus as Q;
    use UploadState as S;
    let whole = |more: Vec<UploadEvent>| [in_quarantine(), more].concat();
    let part = |more: Vec<UploadEvent>| [partly_in_quarantine(), more].concat();
    let again = || vec![retry_requested(Corrected), retry_received(Corrected)];
    type Row = (&'static str, Vec<UploadEvent>, UploadState, Q, u64, Option<Step>);
    let rows: Vec<Row> = vec![
        ("rejected", whole(vec![]), S::Quarantined, Q::Open, 0, None),
        ("retry requested", whole(vec![retry_requested(RetryForm::Unchanged)]), S::Quarantined, Q::Retrying, 0, None),
        ("retry arrived", whole(again()), S::Received, Q::Retrying, 0, Some(Step::Process)),
        (
            "retry accepted",
            whole([again(), vec![accepted(None)]].concat()),
            S::Accepted,
            Q::Resolved,
            3,
            Some(Step::RecordOccurrence),
        ),
        (
            "retry accepted and recorded",
            whole([again(), vec![accepted(None), recorded()]].concat()),
            S::Accepted,
            Q::Resolved,
            3,
            None,
        ),
        (
            "retry rejected",
            whole([again(), vec![rejected(), quarantined(), recorded()]].concat()),
            S::Quarantined,
            Q::Open,
            0,
            None,
        ),
        (
            "retry rejected, moving into quarantine",
            whole([again(), vec![rejected()]].concat()),
            S::Quarantined,
            Q::Retrying,
            0,
            Some(Step::Quarantine),
        ),
        ("discarded", whole(vec![discarded()]), S::Discarded, Q::Discarded, 0, None),
        ("partially accepted", part(vec![]), S::PartiallyAccepted, Q::Open, 3, None),
        (
            "retry of the rest accepted",
            part([again(), vec![accepted(None)]].concat()),
            S::Accepted,
            Q::Resolved,
            6,
            Some(Step::RecordOccurrence),
        ),
        (
            "retry of the rest rejected",
            part([again(), vec![rejected(), quarantined(), recorded()]].concat()),
            S::PartiallyAccepted,
            Q::Open,
            3,
            None,
        ),
        (
            "retry of the rest is a duplicate",
            part([again(), vec![duplicate()]].concat()),
            S::Accepted,
            Q::Resolved,
            3,
            Some(Step::RecordOccurrence),
        ),
        (
            "unchanged retry of the rest accepted",
            part(vec![retry_requested(UnchangedRecords), retry_received(UnchangedRecords), accepted(None), recorded()]),
            S::Accepted,
            Q::Resolved,
            6,
            None,
        ),
        ("rest discarded", part(vec![discarded()]), S::PartiallyAccepted, Q::Discarded, 3, None),
        ("withdrawn", part(vec![withdrawal_requested(), UploadEvent::Withdrawn]), S::Withdrawn, Q::Withdrawn, 3, None),
    ];
    for (name, events, state, status, accepted, next) in rows {
        let upload = upload(events);
        let now = at(20);
        let actual = (upload.state_at(now), upload.quarantine_status(now), upload.accepted(), upload.next_step());
        assert_eq!(actual, (state, Some(status), accepted, next), "{name}");
    }
}

#[test]
fn rejected_data_has_no_status_until_it_is_in_quarantine() {
    let now = at(20);
    for (events, expected) in [
        (vec![issued(), received(), rejected()], None),
        (vec![issued(), received(), rejected(), quarantined()], None),
        (vec![issued(), received(), rejected(), quarantined(), delivery_failed()], Some(QuarantineStatus::Open)),
        (in_quarantine(), Some(QuarantineStatus::Open)),
    ] {
        assert_eq!(upload(events.clone()).quarantine_status(now), expected, "{events:?}");
    }
}

#[test]
fn a_retry_request_lapses_when_no_object_arrives() {
    let upload = upload([in_quarantine(), vec![retry_requested(Corrected)]].concat());
    let status = |second: i64| upload.quarantine_status(at(second));
    assert_eq!((status(59), status(60)), (Some(QuarantineStatus::Retrying), Some(QuarantineStatus::Open)));
}

#[test]
fn only_the_object_of_the_latest_requested_retry_is_processed() {
    let requested = upload([in_quarantine(), vec![retry_requested(Corrected)]].concat());
    let under = |key: &str, version: &str| ObjectVersion { key: key.into(), ..object(version) };
    let key = format!("uploads/{}/{RETRY}", id());
    assert!(requested.has_key(&key) && requested.has_key("uploads/x/a.json"));
    for foreign in ["retry-2/a.json", "retry-/a.json", "retry-1", "other.json"] {
        assert!(!requested.has_key(&format!("uploads/{}/{foreign}", id())), "{foreign}");
    }
    assert_eq!(requested.arrival(&under(&key, "v2")), Arrival::Current);
    assert_eq!(requested.arrival(&under("uploads/x/a.json", "v2")), Arrival::Late, "the first key has its object");
    let arrived = upload([in_quarantine(), vec![retry_requested(Corrected), retry_received(Corrected)]].concat());
    assert_eq!(arrived.arrival(&under(&key, "v2")), Arrival::Current, "the same version again");
    assert_eq!(arrived.arrival(&under(&key, "v3")), Arrival::Late);
    assert_eq!(arrived.arrival(&object("v1")), Arrival::AlreadyProcessed, "its accepted records need the object");
    assert_eq!(arrived.arrival(&object("v9")), Arrival::Late);
    let discarded = upload([in_quarantine(), vec![retry_requested(Corrected), discarded()]].concat());
    assert_eq!(discarded.arrival(&under(&key, "v2")), Arrival::Late);
}

#[test]
fn an_issued_upload_expires_with_its_url() {
    let origin = Origin { expires_at: Some(Timestamp::from_micros(5)), ..origin() };
    let upload = upload(vec![UploadEvent::Issued { origin }]);
    let state = |micros| upload.state_at(Timestamp::from_micros(micros));
    assert_eq!((state(4), state(5)), (UploadState::Issued, UploadState::Expired));
}

#[test]
fn events_survive_a_round_trip_through_json() {
    let events = vec![
        issued(),
        received(),
        delivery_failed(),
        accepted(Some(rejection())),
        quarantined(),
        recorded(),
        retry_requested(UnchangedRecords),
        retry_received(UnchangedRecords),
        waiting(),
        acceptance_began(),
        UploadEvent::RolledBack,
        UploadEvent::Withdrawn,
        discarded(),
        withdrawal_requested(),
    ];
    for event in history(events) {
        let stored = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<RecordedEvent>(&stored).unwrap(), event, "{stored}");
    }
}

#[test]
fn the_revision_counts_events() {
    let history = history(vec![issued(), received(), delivery_failed()]);
    assert_eq!(Upload::fold(id(), &history).unwrap().revision, 3);
}

#[test]
fn a_history_without_an_origin_is_invalid() {
    for events in [vec![], vec![received()]] {
        assert!(Upload::fold(id(), &history(events)).is_err());
    }
}
