use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_secs(1_740_744_000 + second)
}

/// A tally of messages with so many good and bad records, `up_0` and on, acknowledged in 1 ms, 2 ms and on.
fn tally(messages: &[(u64, u64)]) -> RunCounts {
    let mut tally = RunCounts { sent: messages.len() as u64, ..RunCounts::default() };
    for (n, &message) in messages.iter().enumerate() {
        tally.acknowledged(&format!("up_{n}"), message, at(n as i64), Duration::from_millis(n as u64 + 1));
    }
    tally
}

fn item(id: &str, state: &str, accepted: u64, rejected: u64) -> Value {
    json!({ "upload_id": id, "state": state, "accepted": accepted, "rejected": rejected })
}

#[test]
fn run_succeeds_only_if_every_outcome_is_expected() {
    for (name, message, outcome, expected) in [
        ("good", (1, 0), Some(item("up_0", "accepted", 1, 0)), true),
        ("bad", (0, 1), Some(item("up_0", "quarantined", 0, 1)), true),
        ("mixed", (2, 1), Some(item("up_0", "partially_accepted", 2, 1)), true),
        ("sent once, and a duplicate", (1, 0), Some(item("up_0", "duplicate", 0, 0)), false),
        ("good, and rejected", (1, 0), Some(item("up_0", "quarantined", 0, 1)), false),
        ("bad, and accepted", (0, 1), Some(item("up_0", "accepted", 1, 0)), false),
        ("mixed, one lost", (2, 1), Some(item("up_0", "partially_accepted", 1, 1)), false),
        ("failed", (1, 0), Some(item("up_0", "failed", 0, 0)), false),
        ("under way", (1, 0), Some(item("up_0", "received", 0, 0)), false),
        ("another's", (1, 0), Some(item("up_1", "accepted", 1, 0)), false),
        ("none", (1, 0), None, false),
    ] {
        let mut tally = tally(&[message]);
        tally.settle(&Vec::from_iter(outcome));
        assert_eq!(tally.is_well(), expected, "{name}: {}", tally.document());
    }
    let mut tally = tally(&[(1, 0)]);
    tally.failed_tries = 1;
    tally.settle(&[item("up_0", "duplicate", 0, 0)]);
    assert!(tally.is_well(), "sent again, because the answer was lost");
}

#[test]
fn refused_or_unanswered_message_fails_the_run() {
    assert!(!RunCounts { sent: 1, ..RunCounts::default() }.is_well());
    let mut tally = RunCounts { sent: 1, ..RunCounts::default() };
    tally.refused("Forbidden (403)".to_owned());
    assert!(!tally.is_well());
}

#[test]
fn repeated_outcome_is_counted_once() {
    let mut tally = tally(&[(1, 0), (1, 0), (1, 0)]);
    assert_eq!((tally.unsettled(), tally.oldest_unsettled()), (3, Some(at(0))));
    for _ in 0..2 {
        tally.settle(&[item("up_0", "accepted", 1, 0), item("up_2", "accepted", 1, 0), json!({ "state": 5 })]);
        assert_eq!((tally.unsettled(), tally.oldest_unsettled()), (1, Some(at(1))));
    }
    tally.settle(&[item("up_1", "accepted", 1, 0)]);
    assert_eq!((tally.unsettled(), tally.oldest_unsettled(), tally.is_well()), (0, None, true));
}

#[test]
fn two_messages_with_one_id_fail_the_run() {
    let mut tally = tally(&[(1, 0)]);
    tally.acknowledged("up_0", (1, 0), at(1), Duration::ZERO);
    tally.settle(&[item("up_0", "accepted", 1, 0)]);
    assert_eq!((tally.unsettled(), tally.is_well()), (0, false));
}

#[test]
fn reasons_are_counted_in_bounded_memory() {
    let mut tally = RunCounts::default();
    for n in 0..1000 {
        tally.refused(format!("reason {n}"));
        tally.refused("reason 0".to_owned());
    }
    let refusals = tally.document()["refusals"].clone();
    assert_eq!(refusals.as_array().unwrap().len(), REASONS + 1);
    assert_eq!(refusals.as_array().unwrap().iter().map(|it| it["count"].as_u64().unwrap()).sum::<u64>(), 2000);
}

#[test]
fn percentiles_use_the_nearest_rank() {
    for (messages, expected) in
        [(0, (0.0, 0.0)), (1, (1.0, 1.0)), (2, (1.0, 2.0)), (100, (50.0, 99.0)), (200, (100.0, 198.0))]
    {
        assert_eq!(tally(&vec![(1, 0); messages]).percentiles(), expected, "{messages}");
    }
}

#[test]
fn summary_adds_up_and_names_missing_messages() {
    let mut tally = tally(&[(1, 0); 10]);
    tally.sent = 12;
    tally.throttled = 3;
    tally.refused("Content Too Large (413)".to_owned());
    tally.settle(&[item("up_0", "accepted", 1, 0), item("up_1", "quarantined", 0, 1), item("up_2", "duplicate", 0, 0)]);
    let expected = "\
10 acknowledged = 1 accepted + 1 quarantined + 1 duplicate + 7 missing
12 sent, 1 refused, 1 without an answer, throttled 3 times; acknowledged in 5 ms (p50), 10 ms (p99)
records: 1 of 10 valid accepted, 1 of 0 invalid rejected
  refused 1 times: Content Too Large (413)
  missing: up_3
  missing: up_4
  missing: up_5
  missing: up_6
  missing: up_7
  ... and 2 more
  not as sent: up_1
";
    assert_eq!(text(&tally.document()), expected);
    assert_eq!(tally.line(), "sent 12  ack. 10  throttled 3  refused 1  settled 1/1  p50/p99 5/10 ms");
}
