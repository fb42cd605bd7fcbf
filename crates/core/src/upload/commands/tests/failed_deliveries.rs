//! Given a history, when a delivery fails for good, then it is recorded, or the object is rejected.

use super::MINUTE;
use crate::intake::failure::{Failure, FailureCode};
use crate::upload::commands::*;
use crate::upload::tests::given::*;
use crate::upload::{Decision, RecordedEvent, UploadEvent, UploadState};

fn poison() -> Vec<UploadEvent> {
    let failure = Failure::new(FailureCode::ProcessingFailed, "", "it kills the worker");
    reject(&upload(vec![issued(), received()]), failure, "reading/1.0")
}

#[test]
fn a_full_history_refuses_commands_and_needs_no_step() {
    for (name, events) in [
        ("received", vec![issued(), received()]),
        ("moving into quarantine", vec![issued(), received(), rejected()]),
        ("in quarantine", in_quarantine()),
        ("partially accepted", partly_in_quarantine()),
    ] {
        let full = upload(events).with_full_history();
        assert_eq!((full.state(), full.next_step()), (UploadState::Failed, None), "{name}");
        assert!(full.failure_reason().is_some_and(|reason| reason.contains("new upload")), "{name}");
        assert_eq!(request_correction(&full, "application/json", MINUTE, at(20)), Err(Refusal::HistoryFull), "{name}");
        assert_eq!(discard(&full, at(20)), Err(Refusal::HistoryFull), "{name}");
        assert_eq!(request_withdrawal(&full, at(20)), Err(Refusal::HistoryFull), "{name}");
        let report = FailedDeliveryReport { reason: "timed out", correlation_id: "c1", deaths: 3 };
        let action = on_failed_delivery(&full, &report, "reading/1.0");
        assert_eq!(action, FailedDeliveryAction::Nothing, "{name}");
    }
}

#[test]
fn a_failed_upload_records_a_bounded_number_of_failures() {
    let mut run = upload(vec![issued(), received()]);
    for number in 0..20 {
        let (correlation_id, now) = (format!("c{number}"), at(30 + number));
        let report = FailedDeliveryReport { reason: "denied", correlation_id: &correlation_id, deaths: 0 };
        if let FailedDeliveryAction::Record(events) = on_failed_delivery(&run, &report, "reading/1.0") {
            events.into_iter().for_each(|event| run.apply(&RecordedEvent::new(now, event)));
        }
    }
    assert_eq!((run.failed_deliveries(), run.revision()), (5, 7));
    assert_eq!(run.state(), UploadState::Failed);
}

#[test]
fn a_failed_delivery_is_recorded_once_and_a_poison_is_rejected() {
    use FailedDeliveryAction::{Finish, Nothing, Record};
    let failed = || Record(vec![delivery_failed()]); // "timed out", of the delivery "c1"
    let rows: Vec<(&str, Vec<UploadEvent>, u32, FailedDeliveryAction)> = vec![
        ("received", vec![issued(), received()], 0, failed()),
        ("two deaths", vec![issued(), received()], 2, failed()),
        ("recorded", vec![issued(), received(), delivery_failed()], 0, Nothing),
        ("accepted", vec![issued(), received(), accepted(None)], 3, Nothing),
        ("in quarantine", in_quarantine(), 3, Nothing),
        ("rejected, not quarantined", vec![issued(), received(), rejected()], 3, failed()),
        ("occurrence not recorded", vec![issued(), received(), rejected(), quarantined()], 0, failed()),
        ("rejected as a poison", [vec![issued(), received()], poison()].concat(), 3, Finish(vec![])),
        ("rejected as a poison, then an error", [vec![issued(), received()], poison()].concat(), 0, failed()),
        ("discarded", [in_quarantine(), vec![discarded()]].concat(), 3, Nothing),
    ];
    for (name, events, deaths, expected) in rows {
        let report = FailedDeliveryReport { reason: "timed out", correlation_id: "c1", deaths };
        assert_eq!(on_failed_delivery(&upload(events), &report, "reading/1.0"), expected, "{name}");
    }
    let other = FailedDeliveryReport { reason: "denied", correlation_id: "c1", deaths: 0 };
    let again = on_failed_delivery(&upload(vec![issued(), received(), delivery_failed()]), &other, "reading/1.0");
    assert!(matches!(again, Record(_)), "another reason is recorded: {again:?}");
}

#[test]
fn three_deaths_reject_an_undecided_object() {
    for (name, events) in [
        ("received", vec![issued(), received()]),
        ("chunks being written", vec![issued(), received(), acceptance_began()]),
        ("failed", vec![issued(), received(), delivery_failed()]),
    ] {
        let report = FailedDeliveryReport { reason: "timed out", correlation_id: "c1", deaths: 3 };
        let action = on_failed_delivery(&upload(events), &report, "reading/1.0");
        let FailedDeliveryAction::Finish(events) = action else { panic!("{name}: {action:?}") };
        let [UploadEvent::Decided { decision: Decision::Rejected { rejection, .. }, claim: None }] = &events[..] else {
            panic!("{name}: {events:?}")
        };
        let failure = rejection.primary_failure().unwrap();
        assert_eq!(failure.code, FailureCode::ProcessingFailed, "{name}");
        assert!(failure.message.contains("3 times") && failure.message.contains("timed out"), "{}", failure.message);
        assert_eq!(rejection.fingerprints[0].kind_of_upload, "reading/1", "{name}");
    }
}
