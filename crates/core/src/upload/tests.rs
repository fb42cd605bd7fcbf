//! Given a history, when something more happens, then this is the state and this is owed.

use super::*;
use crate::failure::{Code, Failure};

fn intake() -> Intake {
    Intake {
        owner: "u1".to_owned(),
        key: "uploads/x/a.json".to_owned(),
        file_name: "a.json".to_owned(),
        schema: None,
        max_rejected: None,
        expires_at: None,
    }
}

fn object(version_id: &str) -> ObjectVersion {
    ObjectVersion { bucket: "b".into(), key: "uploads/x/a.json".into(), version_id: version_id.into(), size: 7 }
}

fn issued() -> Fact {
    Fact::Issued { intake: intake() }
}

fn received() -> Fact {
    Fact::Received { object: object("v1"), correlation_id: "c1".into() }
}

fn rejection() -> Rejection {
    Rejection::of_upload(Failure::new(Code::NotJson, "", "no"))
}

fn accepted(rejection: Option<Rejection>) -> Fact {
    let decision =
        Decision::Accepted { sha256: "00".into(), accepted: 3, series: Vec::new(), series_omitted: 0, rejection };
    Fact::Decided { decision }
}

fn rejected() -> Fact {
    Fact::Decided { decision: Decision::Rejected { rejection: rejection() } }
}

fn began() -> Fact {
    Fact::AcceptanceBegan { sha256: "00".into() }
}

fn duplicate() -> Fact {
    Fact::Decided { decision: Decision::Duplicate { of: id() } }
}

fn quarantined() -> Fact {
    Fact::Quarantined { quarantined: Quarantined { bucket: "q".into(), key: None, report_key: "r".into() } }
}

fn notified() -> Fact {
    Fact::Notified { message_id: "m".into() }
}

fn failed() -> Fact {
    Fact::Failed { reason: "timed out".into(), correlation_id: "c1".into() }
}

fn id() -> UploadId {
    UploadId::of_object("b", "k", "v")
}

fn history(facts: Vec<Fact>) -> Vec<Event> {
    facts
        .into_iter()
        .zip(1..)
        .map(|(fact, second)| Event::new(Timestamp::from_micros(second * 1_000_000), fact))
        .collect()
}

#[test]
fn the_state_and_the_step_that_is_owed() {
    use State as S;
    let rows: Vec<(&str, Vec<Fact>, State, Option<Step>)> = vec![
        ("issued", vec![issued()], S::Issued, Some(Step::Process)),
        ("found", vec![Fact::Found { intake: intake() }], S::Issued, Some(Step::Process)),
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
        ("moved", vec![issued(), received(), rejected(), quarantined()], S::Quarantined, Some(Step::Notify)),
        ("told", vec![issued(), received(), rejected(), quarantined(), notified()], S::Quarantined, None),
        (
            "rejected while its chunks were being written",
            vec![issued(), received(), began(), failed(), rejected()],
            S::Quarantined,
            Some(Step::Withdraw),
        ),
        (
            "and withdrawn",
            vec![issued(), received(), began(), failed(), rejected(), Fact::Withdrawn],
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
            Some(Step::Notify),
        ),
        (
            "told at last",
            vec![issued(), received(), rejected(), quarantined(), failed(), notified()],
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
    assert_eq!(upload.arrival("v1"), Arrival::Mine);
    upload.apply(&Event::new(Timestamp::from_micros(9), received()));
    assert_eq!((upload.arrival("v1"), upload.arrival("v2")), (Arrival::Mine, Arrival::Late));
}

#[test]
fn a_history_survives_its_stored_form() {
    let facts = vec![
        issued(),
        received(),
        failed(),
        accepted(Some(rejection())),
        quarantined(),
        notified(),
        Fact::LateVersionRemoved { version_id: "v2".into() },
    ];
    for event in history(facts) {
        let stored = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&stored).unwrap(), event, "{stored}");
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

#[test]
fn how_many_rejected_are_too_many() {
    let rows = [
        (MaxRejected::Count(0), 0, 10, false),
        (MaxRejected::Count(0), 1, 10, true),
        (MaxRejected::Ratio(0.1), 1, 10, false),
        (MaxRejected::Ratio(0.1), 2, 10, true),
        (MaxRejected::Ratio(0.29), 29, 100, false),
        (MaxRejected::Ratio(0.0), 0, 0, false),
    ];
    for (most, rejected, total, exceeded) in rows {
        assert_eq!(most.exceeded(rejected, total), exceeded, "{most:?} {rejected} of {total}");
    }
}
