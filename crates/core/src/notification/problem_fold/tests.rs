use std::time::Duration;

use super::super::closing::{ClosedOfProblem, ClosedTotals};
use super::super::open_records::Amount;
use super::super::problem::ProblemStatus;
use super::*;
use crate::id::UploadId;
use crate::intake::failure::FailureCode;
use crate::intake::fingerprint::FailureAt;

mod over_time;

const KIND: &str = "orders/1";
const DAY: Duration = Duration::from_secs(86_400);
const POLICY: Policy = Policy { digest_interval: Duration::from_secs(3_600), quiet_period: DAY, retention_days: 90 };

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

fn minute(minute: i64) -> Timestamp {
    at(minute * 60)
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

fn source(name: &str) -> Source {
    Source::of_file(&format!("source {name}"))
}

fn occurrence(at: Timestamp, kind: OccurrenceKind) -> Occurrence {
    Occurrence { at, upload_id: UploadId::new(at, [7; 10]), revision: 4, kind }
}

/// An upload of a source that was rejected, with two records for a failure at each pointer.
fn rejected(at: Timestamp, pointers: &[&str], from: &str) -> Occurrence {
    let fingerprints = pointers.iter().map(|pointer| fingerprint(KIND, pointer, 2)).collect();
    let rejected = RejectedUpload { fingerprints, source: Some(source(from)), retried: None };
    occurrence(at, OccurrenceKind::Rejected(rejected))
}

fn passed(at: Timestamp, kind: &str, from: &str) -> Occurrence {
    let kind = PassedKind { kind_of_upload: kind.to_owned(), sources: vec![source(from)] };
    occurrence(at, OccurrenceKind::Passed(vec![kind]))
}

/// The two records of a problem that were rejected at `opened_at`.
fn records(opened_at: Timestamp, pointer: &str) -> ClosedRecords {
    let Fingerprint { id, kind_of_upload, records, .. } = fingerprint(KIND, pointer, 2);
    ClosedRecords { opened_at, problems: vec![ClosedOfProblem { id, kind_of_upload, records }] }
}

fn closed(at: Timestamp, opened_at: Timestamp, pointer: &str, cause: ClosingCause) -> Occurrence {
    occurrence(at, OccurrenceKind::Closed { closed: records(opened_at, pointer), cause })
}

/// A retry of the records of `/a` that was rejected again: `records` of them for a failure at `pointer`.
fn retried(at: Timestamp, opened_at: Timestamp, pointer: &str, again: u64) -> Occurrence {
    let retried = Some(records(opened_at, "/a"));
    let rejected = RejectedUpload { fingerprints: vec![fingerprint(KIND, pointer, again)], source: None, retried };
    occurrence(at, OccurrenceKind::Rejected(rejected))
}

fn new_fold() -> ProblemFold {
    ProblemFold::new(Vec::new(), BTreeMap::new(), POLICY)
}

fn fold_in(fold: &mut ProblemFold, occurrence: &Occurrence) {
    assert_eq!(fold.fold(occurrence, 10), Progress::Complete, "{occurrence:?}");
}

fn folded(occurrences: &[Occurrence]) -> ProblemFold {
    let mut fold = new_fold();
    occurrences.iter().for_each(|occurrence| fold_in(&mut fold, occurrence));
    fold
}

/// Returns a step of a history: `F/a` (rejected for a failure at `/a`), `P` (passed), `X` (another source passed), `D0`,
/// `C0`, `W0` (the records of the step 0 were discarded, corrected, withdrawn), `R0/b` (retried and rejected for `/b`).
fn step(number: i64, step: &str) -> Occurrence {
    let (now, rest) = (minute(number), &step[1..]);
    let opened_at = || minute(rest[..1].parse().unwrap());
    match &step[..1] {
        "F" => rejected(now, &[rest], "s"),
        "P" => passed(now, KIND, "s"),
        "X" => passed(now, KIND, "another"),
        "D" => closed(now, opened_at(), "/a", ClosingCause::Discarded),
        "C" => closed(now, opened_at(), "/a", ClosingCause::Corrected),
        "W" => closed(now, opened_at(), "/a", ClosingCause::Withdrawn),
        _ => retried(now, opened_at(), &rest[1..], 1),
    }
}

/// Folds steps, each a minute after the one before.
fn folded_steps(steps: &[&str]) -> ProblemFold {
    folded(&(0..).zip(steps).map(|(number, text)| step(number, text)).collect::<Vec<_>>())
}

fn notices(fold: &ProblemFold) -> Vec<(NoticeKind, i64)> {
    fold.pending_notices().iter().map(|notice| (notice.kind, notice.at.as_micros() / 60_000_000)).collect()
}

fn counts(fold: &ProblemFold) -> Vec<[u64; 5]> {
    let numbers = |counts: &ProblemCounts| {
        [counts.uploads, counts.records, counts.regressions, counts.quiet_periods, counts.resolutions]
    };
    fold.changed_counts().map(|(_, counts)| numbers(counts)).collect()
}

fn problem<'f>(fold: &'f ProblemFold, pointer: &str) -> &'f Problem {
    let id = fingerprint(KIND, pointer, 0).id;
    fold.problems.get(&id).unwrap()
}

#[test]
fn occurrences_make_notices_and_counts() {
    use NoticeKind::{New, Regressed, Resolved};
    type Row = (&'static str, &'static [&'static str], &'static [(NoticeKind, i64)], &'static [[u64; 5]]);
    let rows: [Row; 14] = [
        ("new", &["F/a"], &[(New, 0)], &[]),
        ("repeating", &["F/a", "F/a", "F/a"], &[(New, 0)], &[[2, 4, 0, 0, 0]]),
        ("a pass resolves nothing", &["P", "F/a", "P", "P"], &[(New, 1)], &[]),
        ("a pass of another source resolves nothing", &["F/a", "X", "X"], &[(New, 0)], &[]),
        ("discarded", &["F/a", "D0"], &[(New, 0), (Resolved, 1)], &[]),
        ("corrected", &["F/a", "P", "C0"], &[(New, 0), (Resolved, 2)], &[]),
        ("withdrawn", &["F/a", "W0"], &[(New, 0), (Resolved, 1)], &[]),
        ("one of two uploads is handled", &["F/a", "F/a", "D0"], &[(New, 0)], &[[1, 2, 0, 0, 0]]),
        ("both uploads are handled", &["F/a", "F/a", "D0", "C1"], &[(New, 0), (Resolved, 3)], &[[1, 2, 0, 0, 0]]),
        ("retried, rejected for the same reason", &["F/a", "R0/a"], &[(New, 0)], &[[1, 1, 0, 0, 0]]),
        ("retried, rejected for another reason", &["F/a", "R0/b"], &[(New, 0), (New, 1), (Resolved, 1)], &[]),
        ("regressed", &["F/a", "D0", "F/a", "F/a"], &[(New, 0), (Resolved, 1), (Regressed, 2)], &[[1, 2, 0, 0, 0]]),
        (
            "flapping: one notice of each kind, the rest in the digest",
            &["F/a", "D0", "F/a", "D2", "F/a", "D4", "F/a"],
            &[(New, 0), (Resolved, 1), (Regressed, 2)],
            &[[2, 4, 2, 0, 2]],
        ),
        (
            "two problems, interleaved",
            &["F/a", "D0", "F/b", "F/a"],
            &[(New, 0), (Resolved, 1), (New, 2), (Regressed, 3)],
            &[],
        ),
    ];
    for (name, steps, expected_notices, expected_counts) in rows {
        let fold = folded_steps(steps);
        assert_eq!(notices(&fold), expected_notices, "{name}");
        assert_eq!(counts(&fold), expected_counts, "{name}");
    }
}

#[test]
fn a_resolved_problem_knows_the_outcome_of_its_records() {
    let amount = |uploads, records| Amount { uploads, records };
    let none = ClosedTotals::default();
    let rows: [(&str, &[&str], ClosedTotals); 5] = [
        ("corrected", &["F/a", "C0"], ClosedTotals { corrected: amount(1, 2), ..none }),
        (
            "discarded and withdrawn",
            &["F/a", "F/a", "D0", "W1"],
            ClosedTotals { discarded: amount(1, 2), withdrawn: amount(1, 2), ..none },
        ),
        (
            "one of two records is corrected, the other discarded",
            &["F/a", "R0/a", "C1"],
            ClosedTotals { retried: amount(0, 1), corrected: amount(1, 1), ..none },
        ),
        ("the rest has other failures", &["F/a", "R0/b"], ClosedTotals { retried: amount(1, 2), ..none }),
        ("only since it came back", &["F/a", "C0", "F/a", "D2"], ClosedTotals { discarded: amount(1, 2), ..none }),
    ];
    for (name, steps, expected) in rows {
        let fold = folded_steps(steps);
        let problem = problem(&fold, "/a");
        assert_eq!((problem.status, problem.closed), (ProblemStatus::Resolved, expected), "{name}");
        assert_eq!(problem.open.total(), amount(0, 0), "{name}");
    }
}

#[test]
fn an_upload_with_several_problems_closes_all_of_them() {
    let mut fold = folded(&[rejected(minute(0), &["/a", "/b"], "s")]);
    let (mut all, of_b) = (records(minute(0), "/a"), records(minute(0), "/b"));
    all.problems.extend(of_b.problems);
    fold_in(&mut fold, &occurrence(minute(1), OccurrenceKind::Closed { closed: all, cause: ClosingCause::Withdrawn }));
    use NoticeKind::{New, Resolved};
    assert_eq!(notices(&fold), [(New, 0), (New, 0), (Resolved, 1), (Resolved, 1)]);
}

#[test]
fn records_of_unknown_problems_are_ignored() {
    let fold = folded_steps(&["D0", "F/b", "D0"]);
    assert_eq!(notices(&fold), [(NoticeKind::New, 1)]);
    assert_eq!(problem(&fold, "/b").open.total(), Amount { uploads: 1, records: 2 });
}

#[test]
fn a_flapping_problem_is_reported_again_after_its_notice_interval() {
    let mut fold = folded_steps(&["F/a", "D0", "F/a", "D2"]);
    let mut repeat = |hour: i64| {
        let (before, now) = (fold.pending_notices().len(), minute(60 * hour));
        fold_in(&mut fold, &rejected(now, &["/a"], "s"));
        fold_in(&mut fold, &closed(now + Duration::from_secs(60), now, "/a", ClosingCause::Discarded));
        fold.pending_notices().iter().skip(before).map(|notice| notice.kind).collect::<Vec<_>>()
    };
    assert_eq!(repeat(2), [], "after two regressions in succession, an hour is too soon");
    assert_eq!(repeat(12), [NoticeKind::Regressed, NoticeKind::Resolved]);
    assert_eq!(repeat(13), [], "still flapping: digests report it");
    assert_eq!(repeat(300), [NoticeKind::Regressed, NoticeKind::Resolved], "it was resolved for long");
    let problem = fold.changed_problems().next().unwrap();
    assert_eq!(
        (problem.uploads, problem.regressions, problem.consecutive_regressions, problem.status),
        (6, 5, 1, ProblemStatus::Resolved)
    );
}

#[test]
fn counts_of_a_resolution_take_the_times_of_later_rejections() {
    let mut fold = folded_steps(&["F/a", "D0", "F/a", "D2"]); // the last resolution starts the counts
    let rejected = rejected(at(600), &["/a"], "s");
    fold_in(&mut fold, &rejected);
    let (_, counts) = fold.changed_counts().next().unwrap();
    let last = counts.last_upload_id.as_ref();
    assert_eq!((counts.first_seen, counts.last_seen, last), (at(600), at(600), Some(&rejected.upload_id)));
}

/// Records that are open keep a problem open, even if their rejection is older than the resolution.
#[test]
fn a_rejection_that_is_recorded_late_reopens_a_resolved_problem() {
    let mut fold = folded_steps(&["F/a", "D0"]);
    fold_in(&mut fold, &rejected(at(30), &["/a"], "s"));
    assert_eq!(problem(&fold, "/a").status, ProblemStatus::Open);
    assert_eq!(notices(&fold).last(), Some(&(NoticeKind::Regressed, 0)));
}

#[test]
fn each_synthetic_check_makes_a_notice_and_nothing_is_due_later() {
    let mut fold = new_fold();
    for second in [0, 300] {
        let check = OccurrenceKind::SyntheticCheck(vec![fingerprint("reading/1", "/value", 1)]);
        fold_in(&mut fold, &occurrence(at(second), check));
    }
    let kinds: Vec<NoticeKind> = fold.pending_notices().iter().map(|notice| notice.kind).collect();
    assert_eq!(kinds, [NoticeKind::SyntheticCheck; 2]);
    assert_eq!(fold.changed_counts().count(), 0);
    assert_eq!(fold.changed_problems().next().unwrap().due_at(&POLICY), None);
}

#[test]
fn fold_all_stops_before_the_limit_of_writes() {
    let occurrences: Vec<Occurrence> =
        (0..10).map(|number| rejected(at(number), &[&format!("/{number}")], "s")).collect();
    for (name, max_writes, folded) in [
        ("no room", 2, 0),
        ("one: its problem, its notice and its deletion", 3, 1),
        ("two", 6, 2),
        ("room for all", 30, 10),
    ] {
        let mut fold = new_fold();
        assert_eq!(fold.fold_all(&occurrences, max_writes), folded, "{name}");
        assert!(fold.writes() + folded <= max_writes, "{name}");
    }
    let mut fold = folded(&occurrences[..1]);
    let retry = retried(minute(1), at(0), "/b", 2);
    let left = fold.writes() + 1;
    assert_eq!(fold.fold_all([&retry], left + 3), 0, "a retry changes the problems before and after it");
    assert_eq!(fold.fold_all([&retry], left + 4), 1);
}

#[test]
fn a_pass_of_many_problems_is_folded_in_parts() {
    let pointers: Vec<String> = (0..25).map(|number| format!("/{number}x")).collect();
    let mut fold = new_fold();
    for (pointer, second) in pointers.iter().zip(0..) {
        fold_in(&mut fold, &rejected(at(second), &[pointer], "s"));
    }
    let pass = passed(minute(60), KIND, "s");
    assert_eq!([0, 1, 2].map(|_| fold.fold(&pass, 10)), [Progress::Partial, Progress::Partial, Progress::Complete]);
    assert!(fold.awaited(KIND).is_empty());
}

#[test]
fn fold_all_keeps_a_pass_that_changes_more_than_the_limit() {
    let occurrences: Vec<Occurrence> =
        (0..5).map(|number| rejected(at(number), &[&format!("/{number}x")], "s")).collect();
    let problems: Vec<Problem> = folded(&occurrences).changed_problems().cloned().collect();
    let pass = passed(at(9_000), KIND, "s");
    let mut fold = ProblemFold::new(problems, BTreeMap::new(), POLICY);
    assert_eq!((fold.fold_all([&pass], 7), fold.writes()), (0, 3));
    assert_eq!(fold.awaited(KIND), BTreeSet::from([&source("s")]));
    assert_eq!(fold.fold_all([&pass], 100), 1);
    assert!(fold.awaited(KIND).is_empty());
}

#[test]
fn a_pass_without_problems_that_await_it_changes_nothing() {
    for (name, pass) in [
        ("another kind", passed(minute(1), "orders/2", "s")),
        ("another source", passed(minute(1), KIND, "another")),
        ("before the rejection", passed(at(-60), KIND, "s")),
    ] {
        let problems = folded_steps(&["F/a"]).changed_problems().cloned().collect();
        let mut fold = ProblemFold::new(problems, BTreeMap::new(), POLICY);
        fold_in(&mut fold, &pass);
        assert_eq!(fold.writes(), 0, "{name}");
        assert_eq!(fold.awaited(KIND), BTreeSet::from([&source("s")]), "{name}");
    }
}
