use super::*;
use crate::intake::failure::FailureCode;
use crate::intake::fingerprint::FailureAt;

const HOUR: u32 = 3_600;

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

fn fingerprint(kind: &str, pointer: &str, records: u64) -> Fingerprint {
    let failures = vec![FailureAt { code: FailureCode::Type, pointer: pointer.to_owned() }];
    let id = ProblemId::of(kind, &failures);
    Fingerprint { id, kind: kind.to_owned(), schema: format!("{kind}.0"), failures, failures_omitted: 0, records }
}

fn occurrence(second: i64, seen: Outcome) -> Occurrence {
    let upload_id = UploadId::new(at(second), [7; 10]);
    Occurrence { at: at(second), upload_id, revision: 4, seen }
}

/// `F/a`: fails at `/a`; `P`: passes. Each a minute after the one before.
fn fold(steps: &[&str]) -> ProblemFold {
    let mut ledger = ProblemFold::new(Vec::new(), BTreeMap::new(), HOUR);
    for (minute, step) in (0..).zip(steps) {
        let seen = match step.strip_prefix('F') {
            Some(pointer) => Outcome::Failed(vec![fingerprint("orders/1", pointer, 2)]),
            None => Outcome::Passed(vec!["orders/1".to_owned()]),
        };
        assert!(ledger.take(&occurrence(minute * 60, seen), 10), "{step}");
    }
    ledger
}

fn told(ledger: &ProblemFold) -> Vec<(NoticeKind, i64)> {
    ledger.tells().iter().map(|tell| (tell.kind, tell.at.as_micros() / 60_000_000)).collect()
}

fn tallied(ledger: &ProblemFold) -> Vec<(u64, u64, u64, u64)> {
    ledger.tallied().map(|(_, tally)| (tally.uploads, tally.records, tally.came_back, tally.resolved)).collect()
}

#[test]
fn the_life_of_a_group() {
    use NoticeKind::{New, Regressed, Resolved};
    type Row = (&'static str, &'static [&'static str], &'static [(NoticeKind, i64)], &'static [(u64, u64, u64, u64)]);
    let rows: [Row; 8] = [
        ("new", &["F/a"], &[(New, 0)], &[]),
        ("repeating", &["F/a", "F/a", "F/a"], &[(New, 0)], &[(2, 4, 0, 0)]),
        ("resolved", &["F/a", "P"], &[(New, 0), (Resolved, 1)], &[]),
        ("what passes on is no news", &["P", "F/a", "P", "P"], &[(New, 1), (Resolved, 2)], &[]),
        ("regressed", &["F/a", "P", "F/a", "F/a"], &[(New, 0), (Resolved, 1), (Regressed, 2)], &[(1, 2, 0, 0)]),
        (
            "by turns: once each at once, the rest in the digest",
            &["F/a", "P", "F/a", "P", "F/a", "P", "F/a"],
            &[(New, 0), (Resolved, 1), (Regressed, 2)],
            &[(2, 4, 2, 2)],
        ),
        (
            "two groups of a kind, one pass resolves both",
            &["F/a", "F/b", "F/a", "P"],
            &[(New, 0), (New, 1), (Resolved, 3), (Resolved, 3)],
            &[(1, 2, 0, 0)],
        ),
        (
            "two groups, interleaved",
            &["F/a", "P", "F/b", "F/a"],
            &[(New, 0), (Resolved, 1), (New, 2), (Regressed, 3)],
            &[],
        ),
    ];
    for (name, steps, tells, tallies) in rows {
        let ledger = fold(steps);
        assert_eq!(told(&ledger), tells, "{name}");
        assert_eq!(tallied(&ledger), tallies, "{name}");
    }
}

#[test]
fn after_the_time_of_a_digest_all_is_told_at_once_again() {
    let mut ledger = fold(&["F/a", "P", "F/a", "P"]);
    let seen = |failed| {
        if failed {
            Outcome::Failed(vec![fingerprint("orders/1", "/a", 1)])
        } else {
            Outcome::Passed(vec!["orders/1".into()])
        }
    };
    let mut told_again = |second| {
        let before = ledger.tells().len();
        ledger.take(&occurrence(second, seen(true)), 10);
        ledger.take(&occurrence(second + 60, seen(false)), 10);
        ledger.tells().iter().skip(before).map(|tell| tell.kind).collect::<Vec<_>>()
    };
    let hour = 3_600;
    assert_eq!(told_again(2 * hour), [], "the second time in a row, an hour is too soon");
    assert_eq!(told_again(12 * hour), [NoticeKind::Regressed, NoticeKind::Resolved]);
    assert_eq!(told_again(13 * hour), [], "by turns, for ever: it is in the digests");
    assert_eq!(told_again(72 * hour), [NoticeKind::Regressed, NoticeKind::Resolved], "it was over for long");
    let group = ledger.changed().next().unwrap();
    assert_eq!((group.uploads, group.returns, group.returns_in_a_row, group.life), (6, 5, 1, ProblemStatus::Resolved));
}

#[test]
fn a_digest_tells_failures_and_when_they_were() {
    let mut ledger = fold(&["F/a", "P", "F/a", "P"]); // the last pass begins the tally
    let failed = occurrence(600, Outcome::Failed(vec![fingerprint("orders/1", "/a", 1)]));
    ledger.take(&failed, 10);
    let (_, tally) = ledger.tallied().next().unwrap();
    assert_eq!((tally.first_seen, tally.last_seen, &tally.upload_id), (at(600), at(600), &failed.upload_id));
}

#[test]
fn out_of_order() {
    // The pass was decided before the failure: it does not resolve it.
    let mut ledger = fold(&["F/a"]);
    ledger.take(&occurrence(-60, Outcome::Passed(vec!["orders/1".into()])), 10);
    assert_eq!(told(&ledger), [(NoticeKind::New, 0)]);
    // A failure from before the resolution, heard of after it, opens nothing.
    let mut ledger = fold(&["F/a", "P"]);
    ledger.take(&occurrence(30, Outcome::Failed(vec![fingerprint("orders/1", "/a", 1)])), 10);
    assert_eq!(told(&ledger), [(NoticeKind::New, 0), (NoticeKind::Resolved, 1)]);
    assert_eq!(tallied(&ledger), [(1, 1, 0, 0)]);
    assert_eq!(ledger.changed().next().map(|group| group.life), Some(ProblemStatus::Resolved));
}

#[test]
fn another_kind_that_passes_resolves_nothing() {
    let mut ledger = fold(&["F/a"]);
    ledger.take(&occurrence(60, Outcome::Passed(vec!["orders/2".into(), "reading/1".into()])), 10);
    assert!(ledger.has_open("orders/1"));
    assert_eq!(told(&ledger).len(), 1);
}

#[test]
fn many_groups_are_resolved_part_by_part() {
    let steps: Vec<String> = (0..25).map(|number| format!("F/{number}x")).collect();
    let mut ledger = fold(&steps.iter().map(String::as_str).collect::<Vec<_>>());
    let pass = occurrence(90_000, Outcome::Passed(vec!["orders/1".into()]));
    assert_eq!([0, 1, 2].map(|_| ledger.take(&pass, 10)), [false, false, true]);
    assert_eq!(ledger.tells().iter().filter(|tell| tell.kind == NoticeKind::Resolved).count(), 25);
    assert!(!ledger.has_open("orders/1"));
}

#[test]
fn the_self_test_is_told_each_time() {
    let mut ledger = ProblemFold::new(Vec::new(), BTreeMap::new(), HOUR);
    for second in [0, 300] {
        ledger.take(&occurrence(second, Outcome::Tested(vec![fingerprint("reading/1", "/value", 1)])), 10);
    }
    assert_eq!(ledger.tells().iter().map(|tell| tell.kind).collect::<Vec<_>>(), [NoticeKind::SelfTest; 2]);
    assert_eq!(ledger.tallied().count(), 0);
}
