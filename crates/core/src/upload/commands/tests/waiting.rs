//! Given a holder of a claim and an upload of the same bytes, then the latter waits, and its wait ends.

use crate::intake::failure::FailureCode;
use crate::time::Timestamp;
use crate::upload::commands::*;
use crate::upload::tests::given::*;
use crate::upload::{Decision, RecordedEvent, RetryForm, Step, Upload, UploadEvent, UploadState};

/// The last second of the holder's history, and a second at which a claim that was idle since then has lapsed.
const LATE: i64 = 5_000;

fn holding() -> Vec<UploadEvent> {
    vec![issued(), received(), acceptance_began()]
}

#[test]
fn the_holder_determines_the_status_of_its_claim() {
    use ClaimStatus::{Accepted, Lapsed, Pending, Released};
    let with = |more: Vec<UploadEvent>| [holding(), more].concat();
    let retry = RetryForm::Corrected;
    let retrying = [in_quarantine(), vec![retry_requested(retry), retry_received(retry), acceptance_began()]].concat();
    let withdrawing = [partly_in_quarantine(), vec![withdrawal_requested()]].concat();
    let withdrawn = [withdrawing.clone(), vec![UploadEvent::Withdrawn]].concat();
    // The history of the holder, the status at once, and the status after more than an hour without an event.
    let rows: Vec<(&str, Vec<UploadEvent>, ClaimStatus, ClaimStatus)> = vec![
        ("chunks being written", holding(), Pending, Lapsed),
        ("a retry's chunks being written", retrying, Pending, Lapsed),
        ("failed, not rolled back", with(vec![delivery_failed()]), Pending, Lapsed),
        ("rejected, not rolled back", with(vec![rejected()]), Pending, Lapsed),
        ("accepted", with(vec![accepted(None)]), Accepted, Accepted),
        ("partially accepted", partly_in_quarantine(), Accepted, Accepted),
        ("rolled back after a failure", with(vec![delivery_failed(), UploadEvent::RolledBack]), Released, Released),
        ("rolled back after a rejection", with(vec![rejected(), UploadEvent::RolledBack]), Released, Released),
        ("being withdrawn", withdrawing, Pending, Lapsed),
        ("withdrawn", withdrawn, Released, Released),
        ("waits itself", vec![issued(), received(), waiting()], Released, Released),
    ];
    for (name, events, at_once, later) in rows {
        let holder = upload(events);
        assert_eq!(claim_status(Some(&holder), "00", at(20)), at_once, "{name}");
        assert_eq!(claim_status(Some(&holder), "00", at(LATE)), later, "{name}, after an hour");
        assert_ne!(claim_status(Some(&holder), "01", at(20)), Accepted, "{name}: other bytes");
    }
    assert_eq!(claim_status(None, "00", at(20)), Lapsed, "the holder is gone");
}

#[test]
fn a_claim_lapses_an_hour_after_the_last_event_of_its_holder() {
    let holder = upload(holding()); // the last event is at second 3
    for (second, expected) in [(3_602, ClaimStatus::Pending), (3_603, ClaimStatus::Lapsed)] {
        assert_eq!(claim_status(Some(&holder), "00", at(second)), expected, "{second}");
    }
}

#[test]
fn a_waiting_upload_looks_less_often_the_longer_it_waits() {
    let upload = upload(vec![issued(), received(), waiting()]); // waits from second 3
    let pause = |second, random| look_again_after(&upload, at(second), random).as_secs_f64();
    for (second, expected) in [(3, 5.0), (13, 5.0), (23, 10.0), (123, 60.0), (90_000, 60.0)] {
        assert!((pause(second, 0) - expected).abs() < 1e-9, "{second}");
        assert!((expected..expected * 1.25).contains(&pause(second, 255)), "{second}");
    }
}

#[test]
fn an_upload_begins_to_wait_once() {
    let begin = |events| wait(&upload(events), "00", &id());
    let began = UploadEvent::WaitingBegan { claim: "00".into(), holder: id() };
    for (name, events, expected) in [
        ("received", vec![issued(), received()], vec![began.clone()]),
        ("waiting", vec![issued(), received(), waiting()], vec![]),
        ("failed while waiting", vec![issued(), received(), waiting(), delivery_failed()], vec![began.clone()]),
        (
            "retry arrived",
            [in_quarantine(), vec![retry_requested(RetryForm::Corrected), retry_received(RetryForm::Corrected)]]
                .concat(),
            vec![began],
        ),
    ] {
        assert_eq!(begin(events), expected, "{name}");
    }
    let failed_often = [vec![issued(), received()], vec![delivery_failed(); 5]].concat();
    assert_eq!(begin(failed_often), [], "it stays failed");
}

/// Applies what a failed delivery calls for.
fn fail(upload: &mut Upload, now: Timestamp, number: usize) {
    let correlation_id = format!("c{number}");
    let report = FailedDeliveryReport { reason: "denied", correlation_id: &correlation_id, deaths: 0 };
    match on_failed_delivery(upload, &report, "reading/1.0") {
        FailedDeliveryAction::Record(events) | FailedDeliveryAction::Finish(events) => {
            events.into_iter().for_each(|event| upload.apply(&RecordedEvent::new(now, event)));
        }
        FailedDeliveryAction::Nothing => panic!("failure {number} is not recorded"),
    }
}

#[test]
fn a_failure_while_chunks_are_written_is_rolled_back_and_the_last_one_is_final() {
    let mut upload = upload(vec![issued(), received()]);
    for number in 0..5 {
        assert_eq!(upload.write_number(), u32::try_from(number).unwrap(), "each roll back takes a new number");
        upload.apply(&RecordedEvent::new(at(30), acceptance_began()));
        assert_eq!(upload.state(), UploadState::Received);
        fail(&mut upload, at(31), number);
        assert_eq!((upload.state(), upload.next_step()), (UploadState::Failed, Some(Step::RollBack)));
        assert!(!upload.keeps_chunks_of(upload.write_number()), "a worker that is late removes its chunks");
        upload.apply(&RecordedEvent::new(at(32), UploadEvent::RolledBack));
        assert_eq!(upload.next_step(), Some(Step::Process));
    }
    assert_eq!(upload.rolled_back_numbers(), 0..5);
    upload.apply(&RecordedEvent::new(at(33), acceptance_began()));
    fail(&mut upload, at(34), 5);
    let failure = upload.rejection().and_then(|rejection| rejection.primary_failure());
    assert_eq!(failure.map(|failure| failure.code), Some(FailureCode::ProcessingFailed));
    assert_eq!(upload.next_step(), Some(Step::RollBack));
}

#[test]
fn chunks_are_kept_of_the_number_that_counts() {
    let rolled_back = || [holding(), vec![delivery_failed(), UploadEvent::RolledBack]].concat();
    let retry = || vec![retry_requested(RetryForm::Corrected), retry_received(RetryForm::Corrected)];
    let rows: Vec<(&str, Vec<UploadEvent>, [bool; 3])> = vec![
        ("being written", holding(), [true, false, false]),
        ("accepted", [holding(), vec![accepted(None)]].concat(), [true, false, false]),
        ("rejected", [holding(), vec![rejected()]].concat(), [false, false, false]),
        ("failed", [holding(), vec![delivery_failed()]].concat(), [false, false, false]),
        ("rolled back", rolled_back(), [false, false, false]),
        ("being written again", [rolled_back(), vec![acceptance_began()]].concat(), [false, true, false]),
        ("a duplicate of the one that took over", [rolled_back(), vec![duplicate()]].concat(), [false, false, false]),
        (
            "retry being written",
            [partly_in_quarantine(), retry(), vec![acceptance_began()]].concat(),
            [true, true, false],
        ),
    ];
    for (name, events, expected) in rows {
        let upload = upload(events);
        assert_eq!([0, 1, 2].map(|number| upload.keeps_chunks_of(number)), expected, "{name}");
    }
}

#[test]
fn a_waiting_upload_becomes_a_duplicate_or_is_accepted() {
    for (name, events, state, accepted_records) in [
        ("the holder accepted", vec![issued(), received(), waiting(), duplicate()], UploadState::Duplicate, 0),
        ("the holder was rolled back", vec![issued(), received(), waiting(), accepted(None)], UploadState::Accepted, 3),
    ] {
        let upload = upload(events);
        assert_eq!((upload.state(), upload.accepted(), upload.next_step()), (state, accepted_records, None), "{name}");
        assert_eq!(upload.awaited_claim(), None, "{name}");
    }
    let decided = record_decision(&upload(vec![issued(), received(), waiting()]), Decision::Duplicate { of: id() });
    assert_eq!(decided, [duplicate()]);
}

#[test]
fn the_holder_of_a_lapsed_claim_fails_and_is_not_rejected() {
    let failed_often = || [vec![issued(), received()], vec![delivery_failed(); 5], vec![acceptance_began()]].concat();
    // The history of the holder, the number of events that end its claim, and its next step after the roll back.
    let rows: Vec<(&str, Vec<UploadEvent>, usize, Step)> = vec![
        ("chunks being written", holding(), 1, Step::Process),
        ("chunks being written, failed five times before", failed_often(), 1, Step::Process),
        ("failed, not rolled back", [holding(), vec![delivery_failed()]].concat(), 0, Step::Process),
        ("rejected, not rolled back", [holding(), vec![rejected()]].concat(), 1, Step::Quarantine),
    ];
    for (name, events, expected, step) in rows {
        let mut holder = upload(events);
        let ended = end_lapsed_claim(&holder, "c9");
        assert_eq!(ended.len(), expected, "{name}");
        ended.into_iter().for_each(|event| holder.apply(&RecordedEvent::new(at(LATE), event)));
        assert_eq!((holder.state(), holder.next_step()), (UploadState::Failed, Some(Step::RollBack)), "{name}");
        holder.apply(&RecordedEvent::new(at(LATE), UploadEvent::RolledBack));
        // It needs a delivery, and an operator sees that.
        assert_eq!((holder.state(), holder.next_step()), (UploadState::Failed, Some(step)), "{name}");
        assert_eq!(end_lapsed_claim(&holder, "c9"), [], "{name}, once");
    }
}
