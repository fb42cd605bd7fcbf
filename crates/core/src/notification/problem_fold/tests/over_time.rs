//! Changes without an occurrence: problems become quiet, and records expire. Fleets that fail now and then.

use super::*;

const HOUR: i64 = 60;
const DAYS: i64 = 24 * HOUR;

/// Folds `F` (rejected), `P` (passed) and `R` (a retry of the first rejection that is rejected again) of a source at a
/// minute, `D` (the first rejection is discarded), and evaluates at `E`.
fn folded_at(steps: &[(char, &str, i64)]) -> ProblemFold {
    let mut fold = new_fold();
    let opened_at = minute(steps[0].2);
    for (step, from, now) in steps {
        let now = minute(*now);
        match step {
            'F' => fold_in(&mut fold, &rejected(now, &["/a"], from)),
            'P' => fold_in(&mut fold, &passed(now, KIND, from)),
            'R' => fold_in(&mut fold, &retried(now, opened_at, "/a", 2)),
            'D' => fold_in(&mut fold, &closed(now, opened_at, "/a", ClosingCause::Discarded)),
            _ => fold.evaluate(now, 10),
        }
    }
    fold
}

#[test]
fn a_problem_is_quiet_if_all_its_sources_pass_for_a_period() {
    use NoticeKind::{New, Quiet, Regressed, Resolved};
    type Row = (&'static str, &'static [(char, &'static str, i64)], &'static [(NoticeKind, i64)], ProblemStatus);
    let rows: [Row; 13] = [
        ("too early", &[('F', "s", 0), ('P', "s", 1), ('E', "", DAYS - 1)], &[(New, 0)], ProblemStatus::Open),
        (
            "after a day",
            &[('F', "s", 0), ('P', "s", 1), ('E', "", DAYS)],
            &[(New, 0), (Quiet, DAYS)],
            ProblemStatus::Quiet,
        ),
        ("no upload passed", &[('F', "s", 0), ('E', "", 9 * DAYS)], &[(New, 0)], ProblemStatus::Open),
        (
            "only another source passed",
            &[('F', "s", 0), ('P', "t", 1), ('E', "", 9 * DAYS)],
            &[(New, 0)],
            ProblemStatus::Open,
        ),
        (
            "one of two sources passed",
            &[('F', "s", 0), ('F', "t", 0), ('P', "t", 1), ('E', "", 9 * DAYS)],
            &[(New, 0)],
            ProblemStatus::Open,
        ),
        (
            "it occurred again within the day",
            &[('F', "s", 0), ('P', "s", 1), ('F', "s", 12 * HOUR), ('P', "s", 13 * HOUR), ('E', "", DAYS)],
            &[(New, 0)],
            ProblemStatus::Open,
        ),
        (
            "it is quiet once",
            &[('F', "s", 0), ('P', "s", 1), ('E', "", DAYS), ('P', "s", DAYS + 1), ('E', "", 9 * DAYS)],
            &[(New, 0), (Quiet, DAYS)],
            ProblemStatus::Quiet,
        ),
        (
            "it came back",
            &[('F', "s", 0), ('P', "s", 1), ('E', "", DAYS), ('F', "s", 2 * DAYS)],
            &[(New, 0), (Quiet, DAYS), (Regressed, 2 * DAYS)],
            ProblemStatus::Open,
        ),
        (
            "after it came back, the period is two days",
            &[
                ('F', "s", 0),
                ('P', "s", 1),
                ('E', "", DAYS),
                ('F', "s", 2 * DAYS),
                ('P', "s", 2 * DAYS + 1),
                ('E', "", 4 * DAYS - 1),
                ('E', "", 4 * DAYS),
            ],
            &[(New, 0), (Quiet, DAYS), (Regressed, 2 * DAYS), (Quiet, 4 * DAYS)],
            ProblemStatus::Quiet,
        ),
        (
            "a retry does not end it",
            &[('F', "s", 0), ('P', "s", 1), ('E', "", DAYS), ('R', "", 2 * DAYS)],
            &[(New, 0), (Quiet, DAYS)],
            ProblemStatus::Quiet,
        ),
        (
            "a retry does not delay it",
            &[('F', "s", 0), ('P', "s", 1), ('R', "", 12 * HOUR), ('E', "", DAYS)],
            &[(New, 0), (Quiet, DAYS)],
            ProblemStatus::Quiet,
        ),
        (
            "a quiet problem is resolved when its records are handled",
            &[('F', "s", 0), ('P', "s", 1), ('E', "", DAYS), ('D', "", 2 * DAYS)],
            &[(New, 0), (Quiet, DAYS), (Resolved, 2 * DAYS)],
            ProblemStatus::Resolved,
        ),
        (
            "a resolved problem is not quiet",
            &[('F', "s", 0), ('D', "", 1), ('P', "s", 2), ('E', "", 9 * DAYS)],
            &[(New, 0), (Resolved, 1)],
            ProblemStatus::Resolved,
        ),
    ];
    for (name, steps, expected, status) in rows {
        let fold = folded_at(steps);
        assert_eq!((notices(&fold).as_slice(), problem(&fold, "/a").status), (expected, status), "{name}");
    }
}

#[test]
fn records_expire_with_quarantine() {
    let two = [('F', "s", 0), ('F', "s", 5 * DAYS)];
    let at_92 = folded_at(&[two[0], two[1], ('E', "", 92 * DAYS)]);
    let open = problem(&at_92, "/a").open.total();
    assert_eq!((notices(&at_92).len(), open), (1, Amount { uploads: 1, records: 2 }), "one of two");
    let all = folded_at(&[two[0], two[1], ('E', "", 92 * DAYS), ('E', "", 97 * DAYS)]);
    assert_eq!(notices(&all), [(NoticeKind::New, 0), (NoticeKind::Resolved, 97 * DAYS)]);
    let expired = ClosedTotals { expired: Amount { uploads: 2, records: 4 }, ..ClosedTotals::default() };
    assert_eq!(problem(&all, "/a").closed, expired);
    assert_eq!(problem(&all, "/a").due_at(&POLICY), None);
    let late = folded_at(&[two[0], two[1], ('E', "", 92 * DAYS), ('D', "", 93 * DAYS)]);
    assert_eq!(problem(&late, "/a").open.total().uploads, 1, "a discard after the expiry closes nothing");
}

#[test]
fn a_problem_is_due_when_it_becomes_quiet_or_its_records_expire() {
    for (name, steps, expected) in [
        ("no upload passed: the expiry", vec![('F', "s", 0)], Some(92 * DAYS)),
        ("the end of the quiet period", vec![('F', "s", 0), ('P', "s", 1)], Some(DAYS)),
        ("quiet: the expiry", vec![('F', "s", 0), ('P', "s", 1), ('E', "", DAYS)], Some(92 * DAYS)),
        ("resolved: never", vec![('F', "s", 0), ('P', "s", 1), ('D', "", 2)], None),
    ] {
        let fold = folded_at(&steps);
        assert_eq!(problem(&fold, "/a").due_at(&POLICY), expected.map(minute), "{name}");
        assert!(problem(&fold, "/a").keep_until(&POLICY) > minute(92 * DAYS), "{name}");
    }
}

#[test]
fn evaluate_changes_at_most_the_limit() {
    let pointers: Vec<String> = (0..5).map(|number| format!("/{number}x")).collect();
    let pointers: Vec<&str> = pointers.iter().map(String::as_str).collect();
    let mut fold = folded(&[rejected(minute(0), &pointers, "s"), passed(minute(1), KIND, "s")]);
    for expected in [2, 4, 5, 5] {
        fold.evaluate(minute(DAYS), 2);
        let quiet = fold.pending_notices().iter().filter(|notice| notice.kind == NoticeKind::Quiet);
        assert_eq!(quiet.count(), expected);
    }
    assert!(fold.pending_notices().iter().all(|notice| (notice.kind == NoticeKind::New) == notice.upload_id.is_some()));
}

/// Simulates 10,000 uploads of a fleet, of which 2 % have bad records. Returns the number of notices of each kind.
fn simulate(sources: u64, minutes_between: i64) -> BTreeMap<NoticeKind, usize> {
    let mut fold = new_fold();
    let mut random: u64 = 42;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    for upload in 0..10_000 {
        let now = minute(upload * minutes_between);
        let from = format!("s{}e", next(sources));
        if next(100) < 2 {
            fold_in(&mut fold, &rejected(now, &["/a"], &from));
        } else {
            fold_in(&mut fold, &passed(now, KIND, &from));
        }
        fold.evaluate(now, 10);
    }
    let mut kinds = BTreeMap::new();
    for notice in fold.pending_notices() {
        *kinds.entry(notice.kind).or_default() += 1;
    }
    kinds
}

#[test]
fn a_fleet_with_two_percent_bad_records_does_not_flap() {
    let new = BTreeMap::from([(NoticeKind::New, 1)]);
    assert_eq!(simulate(100, 1), new, "a hundred sources, an upload per minute, a week");
    assert_eq!(simulate(5, 1), new, "five sources, an upload per minute, a week");
    let few = simulate(1, HOUR);
    assert!(few.values().sum::<usize>() <= 20, "one source, an upload per hour, more than a year: {few:?}");
}
