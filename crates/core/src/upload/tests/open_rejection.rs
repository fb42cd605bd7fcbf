//! The open rejection: the rejected records that the owner's notices count.

use super::*;

#[test]
fn a_recorded_rejection_is_open_until_a_retry_or_a_command_closes_it() {
    let in_quarantine_and = |more: Vec<UploadEvent>| [in_quarantine(), more].concat();
    let again = |decided: UploadEvent| vec![retry_requested(Corrected), retry_received(Corrected), decided];
    let first = Some(at(3));
    let rows: Vec<(&str, Vec<UploadEvent>, Option<Timestamp>)> = vec![
        ("not recorded", vec![issued(), received(), rejected(), quarantined()], None),
        ("recorded", in_quarantine(), first),
        ("a pending retry", in_quarantine_and(vec![retry_requested(Corrected)]), first),
        ("a retry, not recorded", in_quarantine_and(again(accepted(None))), first),
        ("a retry, recorded", in_quarantine_and([again(accepted(None)), vec![recorded()]].concat()), None),
        ("rejected again, not recorded", in_quarantine_and([again(rejected()), vec![quarantined()]].concat()), first),
        (
            "rejected again, recorded",
            in_quarantine_and([again(rejected()), vec![quarantined(), recorded()]].concat()),
            Some(at(8)),
        ),
        ("discarded", in_quarantine_and(vec![discarded()]), None),
        ("discarded during a pending retry", in_quarantine_and(vec![retry_requested(Corrected), discarded()]), None),
        ("withdrawn", [partly_in_quarantine(), vec![withdrawal_requested()]].concat(), None),
    ];
    for (name, events, expected) in rows {
        let upload = upload(events);
        assert_eq!(upload.open_rejection().map(|open| open.decided_at), expected, "{name}");
    }
}
