//! Given a history, when something more happens, then this is the state and this is owed.

use super::*;
use crate::intake::failure::{Failure, FailureCode};

fn origin() -> Origin {
    Origin {
        owner: "u1".parse().unwrap(),
        key: "uploads/x/a.json".to_owned(),
        file_name: "a.json".to_owned(),
        schema: None,
        max_rejected: None,
        expires_at: None,
    }
}

fn object(version_id: &str) -> ObjectVersion {
    ObjectVersion {
        bucket: "b".into(),
        key: "uploads/x/a.json".into(),
        version_id: version_id.into(),
        size: 7,
        line: None,
    }
}

fn issued() -> UploadEvent {
    UploadEvent::Issued { origin: origin() }
}

fn received() -> UploadEvent {
    UploadEvent::Received { object: object("v1"), correlation_id: "c1".into() }
}

fn rejection() -> Rejection {
    Rejection::of_upload(Failure::new(FailureCode::NotJson, "", "no"), "reading/1.0")
}

fn accepted(rejection: Option<Rejection>) -> UploadEvent {
    accepted_in_round(rejection, Vec::new())
}

fn accepted_in_round(rejection: Option<Rejection>, series: Vec<SeriesStatistics>) -> UploadEvent {
    let decision = Decision::Accepted {
        sha256: "00".into(),
        accepted: 3,
        chunks: 2,
        shared: Vec::new(),
        series,
        series_omitted: 0,
        rejection,
    };
    UploadEvent::Decided { decision }
}

const RETRY: &str = "retry-1/a.json";

fn retry_requested(form: RetryForm) -> UploadEvent {
    let expires_at = Timestamp::from_micros(60_000_000);
    UploadEvent::RetryRequested {
        by: "u1".parse().unwrap(),
        key: format!("uploads/{}/{RETRY}", id()),
        form,
        expires_at,
    }
}

fn retry_received() -> UploadEvent {
    let key = format!("uploads/{}/{RETRY}", id());
    UploadEvent::Received { object: ObjectVersion { key, ..object("v2") }, correlation_id: "c2".into() }
}

fn rejected() -> UploadEvent {
    UploadEvent::Decided { decision: Decision::Rejected { rejection: rejection() } }
}

fn began() -> UploadEvent {
    UploadEvent::AcceptanceBegan { sha256: "00".into() }
}

fn duplicate() -> UploadEvent {
    UploadEvent::Decided { decision: Decision::Duplicate { of: id() } }
}

fn quarantined() -> UploadEvent {
    UploadEvent::Quarantined {
        quarantined: QuarantineLocation { bucket: "q".into(), key: None, records: false, report_key: "r".into() },
    }
}

fn noted() -> UploadEvent {
    UploadEvent::OccurrenceRecorded { problems: Vec::new() }
}

fn failed() -> UploadEvent {
    UploadEvent::DeliveryFailed { reason: "timed out".into(), correlation_id: "c1".into() }
}

fn id() -> UploadId {
    UploadId::of_object("b", "k", "v")
}

fn history(facts: Vec<UploadEvent>) -> Vec<RecordedEvent> {
    facts
        .into_iter()
        .zip(1..)
        .map(|(fact, second)| RecordedEvent::new(Timestamp::from_micros(second * 1_000_000), fact))
        .collect()
}

#[test]
fn the_state_and_the_step_that_is_owed() {
    use UploadState as S;
    let rows: Vec<(&str, Vec<UploadEvent>, UploadState, Option<Step>)> = vec![
        ("issued", vec![issued()], S::Issued, Some(Step::Process)),
        ("found", vec![UploadEvent::ObjectFound { origin: origin() }], S::Issued, Some(Step::Process)),
        ("received", vec![issued(), received()], S::Received, Some(Step::Process)),
        ("writing", vec![issued(), received(), began()], S::Received, Some(Step::Process)),
        ("accepted", vec![issued(), received(), accepted(None)], S::Accepted, None),
        (
            "partly",
            vec![issued(), received(), accepted(Some(rejection()))],
            S::PartiallyAccepted,
            Some(Step::Quarantine),
        ),
        ("rejected", vec![issued(), received(), rejected()], S::Quarantined, Some(Step::Quarantine)),
        ("moved", vec![issued(), received(), rejected(), quarantined()], S::Quarantined, Some(Step::RecordOccurrence)),
        ("told", vec![issued(), received(), rejected(), quarantined(), noted()], S::Quarantined, None),
        (
            "rejected while its chunks were being written",
            vec![issued(), received(), began(), failed(), rejected()],
            S::Quarantined,
            Some(Step::RollBack),
        ),
        (
            "and rolled back",
            vec![issued(), received(), began(), failed(), rejected(), UploadEvent::RolledBack],
            S::Quarantined,
            Some(Step::Quarantine),
        ),
        ("duplicate", vec![issued(), received(), duplicate()], S::Duplicate, None),
        ("failed", vec![issued(), received(), failed()], S::Failed, Some(Step::Process)),
        ("failed, then accepted", vec![issued(), received(), failed(), accepted(None)], S::Accepted, None),
        (
            "failed to tell",
            vec![issued(), received(), rejected(), quarantined(), failed()],
            S::Failed,
            Some(Step::RecordOccurrence),
        ),
        (
            "told at last",
            vec![issued(), received(), rejected(), quarantined(), failed(), noted()],
            S::Quarantined,
            None,
        ),
    ];
    for (name, facts, state, next) in rows {
        let upload = Upload::fold(id(), &history(facts)).unwrap();
        assert_eq!((upload.state(), upload.next()), (state, next), "{name}");
    }
}

#[test]
fn a_later_version_is_late_and_a_repeated_one_is_not() {
    let mut upload = Upload::fold(id(), &history(vec![issued()])).unwrap();
    assert_eq!(upload.arrival(&object("v1")), Arrival::Current);
    upload.apply(&RecordedEvent::new(Timestamp::from_micros(9), received()));
    assert_eq!((upload.arrival(&object("v1")), upload.arrival(&object("v2"))), (Arrival::Current, Arrival::Late));
}

fn after(facts: Vec<UploadEvent>) -> Upload {
    Upload::fold(id(), &history(facts)).unwrap()
}

fn in_quarantine() -> Vec<UploadEvent> {
    vec![issued(), received(), rejected(), quarantined(), noted()]
}

fn in_quarantine_in_part() -> Vec<UploadEvent> {
    vec![issued(), received(), accepted(Some(rejection())), quarantined(), noted()]
}

#[test]
fn a_retry_is_one_round_more_and_what_counted_goes_on_counting() {
    use QuarantineStatus as Q;
    use RetryForm::{Corrected, Unchanged, UnchangedRecords};
    use UploadState as S;
    let whole = |more: Vec<UploadEvent>| [in_quarantine(), more].concat();
    let part = |more: Vec<UploadEvent>| [in_quarantine_in_part(), more].concat();
    let again = || vec![retry_requested(Corrected), retry_received()];
    type Row = (&'static str, Vec<UploadEvent>, UploadState, Q, u64, Option<Step>);
    let rows: Vec<Row> = vec![
        ("whole", whole(vec![]), S::Quarantined, Q::Open, 0, None),
        ("asked for", whole(vec![retry_requested(Unchanged)]), S::Quarantined, Q::Retrying, 0, None),
        ("arrived", whole(again()), S::Received, Q::Retrying, 0, Some(Step::Process)),
        ("passes", whole([again(), vec![accepted(None)]].concat()), S::Accepted, Q::Resolved, 3, None),
        (
            "fails again",
            whole([again(), vec![rejected(), quarantined(), noted()]].concat()),
            S::Quarantined,
            Q::Open,
            0,
            None,
        ),
        (
            "fails again, not moved yet",
            whole([again(), vec![rejected()]].concat()),
            S::Quarantined,
            Q::Retrying,
            0,
            Some(Step::Quarantine),
        ),
        (
            "discarded",
            whole(vec![UploadEvent::Discarded { by: "u1".parse().unwrap() }]),
            S::Discarded,
            Q::Discarded,
            0,
            None,
        ),
        ("part", part(vec![]), S::PartiallyAccepted, Q::Open, 3, None),
        ("its rest passes", part([again(), vec![accepted(None)]].concat()), S::Accepted, Q::Resolved, 6, None),
        (
            "its rest fails again",
            part([again(), vec![rejected(), quarantined(), noted()]].concat()),
            S::PartiallyAccepted,
            Q::Open,
            3,
            None,
        ),
        ("its rest counts already", part([again(), vec![duplicate()]].concat()), S::Accepted, Q::Resolved, 3, None),
        (
            "its rest as it is",
            part(vec![retry_requested(UnchangedRecords), retry_received(), accepted(None)]),
            S::Accepted,
            Q::Resolved,
            6,
            None,
        ),
        (
            "its rest discarded",
            part(vec![UploadEvent::Discarded { by: "u1".parse().unwrap() }]),
            S::PartiallyAccepted,
            Q::Discarded,
            3,
            None,
        ),
        (
            "taken back",
            part(vec![UploadEvent::WithdrawalRequested { by: "u1".parse().unwrap() }, UploadEvent::Withdrawn]),
            S::Withdrawn,
            Q::Withdrawn,
            3,
            None,
        ),
    ];
    for (name, facts, state, status, accepted, next) in rows {
        let upload = after(facts);
        let now = Timestamp::from_micros(20_000_000);
        let told = (upload.state_at(now), upload.quarantine_status(now), upload.accepted(), upload.next());
        assert_eq!(told, (state, Some(status), accepted, next), "{name}");
    }
}

#[test]
fn what_is_on_its_way_into_quarantine_does_not_wait_there_yet() {
    let now = Timestamp::from_micros(20_000_000);
    for (facts, expected) in [
        (vec![issued(), received(), rejected()], None),
        (vec![issued(), received(), rejected(), quarantined()], None),
        (vec![issued(), received(), rejected(), quarantined(), failed()], Some(QuarantineStatus::Open)),
        (in_quarantine(), Some(QuarantineStatus::Open)),
    ] {
        assert_eq!(after(facts.clone()).quarantine_status(now), expected, "{facts:?}");
    }
}

#[test]
fn a_retry_that_never_arrives_lapses() {
    let upload = after([in_quarantine(), vec![retry_requested(RetryForm::Corrected)]].concat());
    let status = |second: i64| upload.quarantine_status(Timestamp::from_micros(second * 1_000_000));
    assert_eq!((status(59), status(60)), (Some(QuarantineStatus::Retrying), Some(QuarantineStatus::Open)));
}

#[test]
fn only_the_object_of_the_retry_that_was_asked_for_last_is_processed() {
    let asked = after([in_quarantine(), vec![retry_requested(RetryForm::Corrected)]].concat());
    let under = |key: &str, version: &str| ObjectVersion { key: key.into(), ..object(version) };
    let key = format!("uploads/{}/{RETRY}", id());
    assert!(asked.has_key(&key) && asked.has_key("uploads/x/a.json"));
    for foreign in ["retry-2/a.json", "retry-/a.json", "retry-1", "other.json"] {
        assert!(!asked.has_key(&format!("uploads/{}/{foreign}", id())), "{foreign}");
    }
    assert_eq!(asked.arrival(&under(&key, "v2")), Arrival::Current);
    assert_eq!(asked.arrival(&under("uploads/x/a.json", "v2")), Arrival::Late, "the first URL is used up");
    let arrived = after([in_quarantine(), vec![retry_requested(RetryForm::Corrected), retry_received()]].concat());
    assert_eq!(arrived.arrival(&under(&key, "v2")), Arrival::Current, "once more the same");
    assert_eq!(arrived.arrival(&under(&key, "v3")), Arrival::Late);
    assert_eq!(arrived.arrival(&object("v1")), Arrival::AlreadyProcessed, "what counts in part stays where it is");
    assert_eq!(arrived.arrival(&object("v9")), Arrival::Late);
    let discarded = after(
        [
            in_quarantine(),
            vec![retry_requested(RetryForm::Corrected), UploadEvent::Discarded { by: "u1".parse().unwrap() }],
        ]
        .concat(),
    );
    assert_eq!(discarded.arrival(&under(&key, "v2")), Arrival::Late);
}

#[test]
fn what_two_rounds_gave_a_series_is_told_together() {
    let points = |values: &[f64]| -> Vec<crate::statistics::series::Point> {
        values
            .iter()
            .map(|value| crate::statistics::series::Point { time: Timestamp::from_micros(0), value: *value })
            .collect()
    };
    let features = |values: &[f64]| {
        let summary = crate::statistics::summary::Summary::of(&points(values)).unwrap();
        vec![SeriesStatistics::new(("d".into(), "value".into()), &summary, Some(values[0]))]
    };
    let upload = after(
        [
            vec![issued(), received(), accepted_in_round(Some(rejection()), features(&[35.0])), quarantined(), noted()],
            vec![retry_requested(RetryForm::Corrected), retry_received()],
            vec![accepted_in_round(None, features(&[40.0, 123.0]))],
        ]
        .concat(),
    );
    let (told, _) = upload.features();
    let expected = crate::statistics::summary::Summary::of(&points(&[35.0, 40.0, 123.0])).unwrap();
    assert_eq!((told.len(), told[0].count, told[0].median), (1, 3, None));
    assert!((told[0].mean - 66.0).abs() < 1e-9);
    assert!((told[0].standard_deviation.unwrap() - expected.standard_deviation().unwrap()).abs() < 1e-9);
    assert_eq!(upload.chunk_count(), 4);
}

#[test]
fn nothing_arrived_before_the_url_expired() {
    let origin = Origin { expires_at: Some(Timestamp::from_micros(5)), ..origin() };
    let upload = after(vec![UploadEvent::Issued { origin }]);
    let state = |micros| upload.state_at(Timestamp::from_micros(micros));
    assert_eq!((state(4), state(5)), (UploadState::Issued, UploadState::Expired));
}

#[test]
fn a_history_survives_its_stored_form() {
    let facts = vec![
        issued(),
        received(),
        failed(),
        accepted(Some(rejection())),
        quarantined(),
        noted(),
        UploadEvent::LateVersionRemoved { version_id: "v2".into() },
        retry_requested(RetryForm::UnchangedRecords),
        UploadEvent::Discarded { by: "u1".parse().unwrap() },
        UploadEvent::WithdrawalRequested { by: "u1".parse().unwrap() },
    ];
    for event in history(facts) {
        let stored = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<RecordedEvent>(&stored).unwrap(), event, "{stored}");
    }
}

#[test]
fn the_revision_counts_events() {
    let history = history(vec![issued(), received(), failed()]);
    assert_eq!(Upload::fold(id(), &history).unwrap().revision, 3);
}

#[test]
fn a_history_that_begins_in_the_middle_is_none() {
    for facts in [vec![], vec![received()]] {
        assert!(Upload::fold(id(), &history(facts)).is_err());
    }
}
