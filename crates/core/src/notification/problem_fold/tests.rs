use super::*;
use crate::id::UploadId;
use crate::intake::failure::FailureCode;
use crate::intake::fingerprint::FailureAt;

const HOUR: Duration = Duration::from_secs(3_600);

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

fn fingerprint(kind: &str, pointer: &str, records: u64) -> Fingerprint {
    let failures = vec![FailureAt { code: FailureCode::Type, pointer: pointer.to_owned() }];
    let id = ProblemId::of(kind, &failures);
    Fingerprint {
        id,
        kind_of_upload: kind.to_owned(),
        schema: format!("{kind}.0"),
        failures,
        failures_omitted: 0,
        records,
    }
}

fn occurrence(second: i64, kind: OccurrenceKind) -> Occurrence {
    let upload_id = UploadId::new(at(second), [7; 10]);
    Occurrence { at: at(second), upload_id, revision: 4, kind }
}

/// Folds `F/a` (rejected for a failure at `/a`) and `P` (passed), each a minute after the one before.
fn folded(steps: &[&str]) -> ProblemFold {
    let mut fold = ProblemFold::new(Vec::new(), BTreeMap::new(), HOUR);
    for (minute, step) in (0..).zip(steps) {
        let kind = match step.strip_prefix('F') {
            Some(pointer) => OccurrenceKind::Rejected(vec![fingerprint("orders/1", pointer, 2)]),
            None => OccurrenceKind::Passed(vec!["orders/1".to_owned()]),
        };
        assert!(fold.fold(&occurrence(minute * 60, kind), 10) == Progress::Complete, "{step}");
    }
    fold
}

fn notices(fold: &ProblemFold) -> Vec<(NoticeKind, i64)> {
    fold.pending_notices().iter().map(|notice| (notice.kind, notice.at.as_micros() / 60_000_000)).collect()
}

fn counts(fold: &ProblemFold) -> Vec<(u64, u64, u64, u64)> {
    fold.changed_counts()
        .map(|(_, counts)| (counts.uploads, counts.records, counts.regressions, counts.resolutions))
        .collect()
}

#[test]
fn occurrences_make_notices_and_counts() {
    use NoticeKind::{New, Regressed, Resolved};
    type Row = (&'static str, &'static [&'static str], &'static [(NoticeKind, i64)], &'static [(u64, u64, u64, u64)]);
    let rows: [Row; 8] = [
        ("new", &["F/a"], &[(New, 0)], &[]),
        ("repeating", &["F/a", "F/a", "F/a"], &[(New, 0)], &[(2, 4, 0, 0)]),
        ("resolved", &["F/a", "P"], &[(New, 0), (Resolved, 1)], &[]),
        ("further passed uploads make no notice", &["P", "F/a", "P", "P"], &[(New, 1), (Resolved, 2)], &[]),
        ("regressed", &["F/a", "P", "F/a", "F/a"], &[(New, 0), (Resolved, 1), (Regressed, 2)], &[(1, 2, 0, 0)]),
        (
            "flapping: one notice of each kind, the rest in the digest",
            &["F/a", "P", "F/a", "P", "F/a", "P", "F/a"],
            &[(New, 0), (Resolved, 1), (Regressed, 2)],
            &[(2, 4, 2, 2)],
        ),
        (
            "two problems of one kind, resolved by one upload",
            &["F/a", "F/b", "F/a", "P"],
            &[(New, 0), (New, 1), (Resolved, 3), (Resolved, 3)],
            &[(1, 2, 0, 0)],
        ),
        (
            "two problems, interleaved",
            &["F/a", "P", "F/b", "F/a"],
            &[(New, 0), (Resolved, 1), (New, 2), (Regressed, 3)],
            &[],
        ),
    ];
    for (name, steps, expected_notices, expected_counts) in rows {
        let fold = folded(steps);
        assert_eq!(notices(&fold), expected_notices, "{name}");
        assert_eq!(counts(&fold), expected_counts, "{name}");
    }
}

#[test]
fn a_flapping_problem_is_reported_again_after_its_quiet_time() {
    let mut fold = folded(&["F/a", "P", "F/a", "P"]);
    let kind = |is_rejected| {
        if is_rejected {
            OccurrenceKind::Rejected(vec![fingerprint("orders/1", "/a", 1)])
        } else {
            OccurrenceKind::Passed(vec!["orders/1".into()])
        }
    };
    let mut repeat = |second| {
        let before = fold.pending_notices().len();
        assert_eq!(fold.fold(&occurrence(second, kind(true)), 10), Progress::Complete);
        assert_eq!(fold.fold(&occurrence(second + 60, kind(false)), 10), Progress::Complete);
        fold.pending_notices().iter().skip(before).map(|notice| notice.kind).collect::<Vec<_>>()
    };
    let hour = 3_600;
    assert_eq!(repeat(2 * hour), [], "after two regressions in succession, an hour is too soon");
    assert_eq!(repeat(12 * hour), [NoticeKind::Regressed, NoticeKind::Resolved]);
    assert_eq!(repeat(13 * hour), [], "still flapping: digests report it");
    assert_eq!(repeat(72 * hour), [NoticeKind::Regressed, NoticeKind::Resolved], "it was resolved for long");
    let problem = fold.changed_problems().next().unwrap();
    assert_eq!(
        (problem.uploads, problem.regressions, problem.consecutive_regressions, problem.status),
        (6, 5, 1, ProblemStatus::Resolved)
    );
}

#[test]
fn counts_of_a_resolution_take_the_times_of_later_rejections() {
    let mut fold = folded(&["F/a", "P", "F/a", "P"]); // the last resolution starts the counts
    let rejected = occurrence(600, OccurrenceKind::Rejected(vec![fingerprint("orders/1", "/a", 1)]));
    assert_eq!(fold.fold(&rejected, 10), Progress::Complete);
    let (_, counts) = fold.changed_counts().next().unwrap();
    assert_eq!((counts.first_seen, counts.last_seen, &counts.last_upload_id), (at(600), at(600), &rejected.upload_id));
}

#[test]
fn occurrences_out_of_order_change_no_status() {
    // An upload that passed before the rejection does not resolve the problem.
    let mut fold = folded(&["F/a"]);
    assert_eq!(fold.fold(&occurrence(-60, OccurrenceKind::Passed(vec!["orders/1".into()])), 10), Progress::Complete);
    assert_eq!(notices(&fold), [(NoticeKind::New, 0)]);
    // A rejection from before the resolution, recorded after it, does not reopen the problem.
    let mut fold = folded(&["F/a", "P"]);
    assert_eq!(
        fold.fold(&occurrence(30, OccurrenceKind::Rejected(vec![fingerprint("orders/1", "/a", 1)])), 10),
        Progress::Complete
    );
    assert_eq!(notices(&fold), [(NoticeKind::New, 0), (NoticeKind::Resolved, 1)]);
    assert_eq!(counts(&fold), [(1, 1, 0, 0)]);
    assert_eq!(fold.changed_problems().next().map(|problem| problem.status), Some(ProblemStatus::Resolved));
}

#[test]
fn a_passed_upload_of_another_kind_resolves_nothing() {
    let mut fold = folded(&["F/a"]);
    assert_eq!(
        fold.fold(&occurrence(60, OccurrenceKind::Passed(vec!["orders/2".into(), "reading/1".into()])), 10),
        Progress::Complete
    );
    assert!(fold.has_open("orders/1"));
    assert_eq!(notices(&fold).len(), 1);
}

#[test]
fn many_problems_are_resolved_in_parts() {
    let steps: Vec<String> = (0..25).map(|number| format!("F/{number}x")).collect();
    let mut fold = folded(&steps.iter().map(String::as_str).collect::<Vec<_>>());
    let pass = occurrence(90_000, OccurrenceKind::Passed(vec!["orders/1".into()]));
    assert_eq!([0, 1, 2].map(|_| fold.fold(&pass, 10)), [Progress::Partial, Progress::Partial, Progress::Complete]);
    assert_eq!(fold.pending_notices().iter().filter(|notice| notice.kind == NoticeKind::Resolved).count(), 25);
    assert!(!fold.has_open("orders/1"));
}

#[test]
fn each_synthetic_check_makes_a_notice() {
    let mut fold = ProblemFold::new(Vec::new(), BTreeMap::new(), HOUR);
    for second in [0, 300] {
        assert_eq!(
            fold.fold(
                &occurrence(second, OccurrenceKind::SyntheticCheck(vec![fingerprint("reading/1", "/value", 1)])),
                10
            ),
            Progress::Complete
        );
    }
    assert_eq!(
        fold.pending_notices().iter().map(|notice| notice.kind).collect::<Vec<_>>(),
        [NoticeKind::SyntheticCheck; 2]
    );
    assert_eq!(fold.changed_counts().count(), 0);
}

#[test]
fn fold_all_stops_before_the_limit_of_writes() {
    let rejected = |number: i64| {
        occurrence(number, OccurrenceKind::Rejected(vec![fingerprint("orders/1", &format!("/{number}"), 1)]))
    };
    let occurrences: Vec<Occurrence> = (0..10).map(rejected).collect();
    for (name, max_writes, folded) in [
        ("no room", 2, 0),
        ("one: its problem, its notice and its deletion", 3, 1),
        ("two", 6, 2),
        ("room for all", 30, 10),
    ] {
        let mut fold = ProblemFold::new(Vec::new(), BTreeMap::new(), HOUR);
        assert_eq!(fold.fold_all(&occurrences, max_writes), folded, "{name}");
        assert!(fold.writes() + folded <= max_writes, "{name}");
    }
}

#[test]
fn fold_all_keeps_an_occurrence_that_resolves_more_than_the_limit() {
    let names: Vec<String> = (0..5).map(|number| format!("F/{number}x")).collect();
    let open = folded(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let problems: Vec<Problem> = open.changed_problems().cloned().collect();
    let pass = occurrence(9_000, OccurrenceKind::Passed(vec!["orders/1".into()]));
    let mut fold = ProblemFold::new(problems, BTreeMap::new(), HOUR);
    assert_eq!(fold.fold_all([&pass], 7), 0);
    assert_eq!((fold.pending_notices().len(), fold.writes()), (3, 6));
    assert!(!fold.can_mark_closed("orders/1", []));
    assert_eq!(fold.fold_all([&pass], 100), 1);
    assert!(fold.can_mark_closed("orders/1", [&pass]));
}

#[test]
fn a_rejection_of_the_kind_keeps_the_open_mark() {
    let rejected = occurrence(0, OccurrenceKind::Rejected(vec![fingerprint("orders/1", "/a", 1)]));
    let pass = occurrence(60, OccurrenceKind::Passed(vec!["orders/1".into()]));
    let mut fold = ProblemFold::new(Vec::new(), BTreeMap::new(), HOUR);
    assert_eq!(fold.fold_all([&rejected, &pass], 100), 2);
    assert!(!fold.has_open("orders/1"));
    assert!(!fold.can_mark_closed("orders/1", [&rejected, &pass]));
    assert!(fold.can_mark_closed("orders/2", [&rejected, &pass]));
}
