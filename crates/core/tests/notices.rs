//! Compares rendered notices with `tests/golden/*.txt`, and checks their properties.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

#[path = "notices/check.rs"]
mod check;
#[path = "notices/examples.rs"]
mod examples;
#[path = "notices/hostile.rs"]
mod hostile;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use check::check;
use eventpulse_core::intake::failure::{Failure, FailureCode, MAX_POINTER_CHARS, MAX_TARGET_CHARS, MAX_TARGETS};
use eventpulse_core::intake::inspection::Inspection;
use eventpulse_core::intake::rejection::{RejectedRecord, Rejections};
use eventpulse_core::intake::shape::JsonType;
use eventpulse_core::notification::kind::NoticeKind;
use eventpulse_core::notification::problem::{Problem, ProblemStatus};
use eventpulse_core::notification::profile::Profile;
use eventpulse_core::notification::rendering::{
    ChangedProblem, DeploymentInfo, FeaturedProblem, MAX_PROBLEMS_IN_NOTICE, Notice, NoticeContents, OtherProblem,
    RemainderTotals, RepeatedProblem,
};
use examples::{as_large, digest, examples, missing, of_one_record, rejected_record, upload_of, with_others};
use support::notices::{self, failing, notice, problem, problem_of, profile, repeat, repeat_with, resolution};
use support::{inspect, sample, upload};

/// Writes the golden files instead if `UPDATE_GOLDEN` is set. Review the difference then.
#[test]
fn notices_equal_their_golden_files() {
    let mut changed = Vec::new();
    let mut known = Vec::new();
    #[expect(clippy::disallowed_methods, reason = "a switch of this test, not of the product")]
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    for (name, notice) in examples() {
        let read = format!("Subject: {}\n\n{}", notice.subject, notice.text);
        known.push(format!("{name}.txt"));
        let golden = golden().join(format!("{name}.txt"));
        if update {
            fs::write(&golden, &read).unwrap();
        }
        if fs::read_to_string(&golden).ok().as_ref() != Some(&read) {
            let actual = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.txt"));
            fs::write(&actual, &read).unwrap();
            changed.push(format!("\ndiff {} {}", golden.display(), actual.display()));
        }
        check(&notice);
    }
    for file in fs::read_dir(golden()).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(!name.ends_with(".txt") || known.contains(&name), "no notice has the name {name}");
    }
    assert!(
        changed.is_empty(),
        "notices differ from their golden files; set UPDATE_GOLDEN=1 to write them:{}",
        changed.concat()
    );
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

#[test]
fn only_rejected_samples_have_notices() {
    for sample in support::samples() {
        let notice = notice(&upload_of(&sample));
        let has_notice = matches!(sample.expected.outcome.as_str(), "quarantined" | "partially_accepted");
        assert_eq!(notice.is_some(), has_notice, "{}", sample.name);
        let Some(notice) = notice else { continue };
        check(&notice);
        assert_eq!(notice.kind, NoticeKind::New);
        let code = sample.expected.failures[0].code.as_str();
        assert!(notice.subject.contains(code), "{}", notice.subject);
        assert!(notice.codes.iter().any(|other| other == code), "{:?}", notice.codes);
    }
    assert_eq!(notices::of(&NoticeContents::Resolved(&[])), None);
    assert_eq!(notices::of(&NoticeContents::Quiet(&[])), None);
}

/// Values of invalid members do not appear.
#[test]
fn notices_hold_no_value_of_the_payload() {
    let secret =
        r#"{"device_id":"s3cret-device","timestamp":"s3cret-time","value":"s3cret-value","schema":"reading/1.0"}"#;
    let broken = r#"{"device_id":"s3cret-device","timestamp":s3cret,"value":987654321}"#;
    for text in [secret, broken] {
        let mut sample = sample("01-reading.json");
        sample.bytes = text.into();
        let notice = notice(&upload("a.json", &inspect(&sample))).unwrap();
        for form in [&notice.subject, &notice.text, &notice.json] {
            assert!(!form.contains("s3cret") && !form.contains("987654321"), "{form}");
        }
    }
}

#[test]
fn subjects_name_the_rejected_part() {
    let pointed = |code, pointer: &str| Failure::new(code, pointer, "wrong");
    let long = "/readings/17/a-rather-long-name-of-a-member/and-another";
    let rows: [(&str, u64, Failure, &str); 7] = [
        ("one", 0, Failure::at(FailureCode::NotJson, "no", 1, 0), "1 record rejected: NOT_JSON (reading 1.0)"),
        ("part", 9, missing("value"), "1 of 10 records rejected: REQUIRED /value (reading 1.0)"),
        ("a member with a slash", 0, missing("a/b~c"), "1 record rejected: REQUIRED /a~1b~0c (reading 1.0)"),
        ("other scripts", 0, missing("温"), "1 record rejected: REQUIRED /? (reading 1.0)"),
        ("a quote", 0, pointed(FailureCode::Type, "/v\""), "1 record rejected: TYPE /v\" (reading 1.0)"),
        ("an index", 0, pointed(FailureCode::Type, "/v/3"), "1 record rejected: TYPE /v/* (reading 1.0)"),
        (
            "long",
            0,
            pointed(FailureCode::UnevaluatedProperties, long),
            "1 record rejected: UNEVALUATED_PROPERTIES ...ame-of-a-member/and-another (reading 1.0)",
        ),
    ];
    for (name, accepted, failure, expected) in rows {
        let notice = notice(&upload("a.json", &of_one_record(accepted, failure))).unwrap();
        assert_eq!(notice.subject, format!("[EventPulse] {expected}"), "{name}");
        assert!(name != "long" || notice.subject.len() == 99, "{}", notice.subject.len());
    }
}

#[test]
fn subjects_of_each_kind() {
    let subjects: Vec<(&str, String)> = examples().into_iter().map(|(name, notice)| (name, notice.subject)).collect();
    let rows = [
        ("partly", "9 of 12 records rejected: REQUIRED /value (reading 1.0)"),
        ("truncated", "Upload rejected: TRUNCATED (reading 1.0)"),
        ("message", "Message rejected: TYPE /value (reading 1.0)"),
        ("what_changed", "3 of 120 records rejected: TYPE /readings/*/value (batch 1.0)"),
        ("with_others", "1 record rejected: TYPE /value (reading 1.0), and 3 more"),
        ("regressed", "Back again, 9 of 12 records rejected: REQUIRED /value (reading 1.0)"),
        ("synthetic_check", "Synthetic check, 1 record rejected: UNKNOWN_SCHEMA /schema (reading 1.0)"),
        ("resolved", "Resolved: REQUIRED /readings/*/value (batch 1.0)"),
        ("resolved_several", "Resolved: 3 problems (batch 1.0)"),
        ("quiet", "Quiet, 15 records in quarantine: REQUIRED /readings/*/value (batch 1.0)"),
        ("quiet_several", "Quiet, 21 records in quarantine: 3 problems (batch 1.0)"),
        ("digest_of_quiet", "Digest: 1 known problem resolved"),
        ("digest", "Digest: 999 more uploads rejected, 1 known problem"),
        ("digest_of_many", "Digest: 1063 more uploads rejected, 15 known problems"),
        ("digest_of_counted", "Digest: 1419 more uploads rejected, 52 known problems"),
        ("digest_of_resolved", "Digest: 2 known problems resolved"),
    ];
    for (name, expected) in rows {
        let subject = subjects.iter().find(|(other, _)| *other == name).map(|(_, subject)| subject.as_str());
        assert_eq!(subject, Some(format!("[EventPulse] {expected}").as_str()), "{name}");
    }
}

/// All forms of the sentence about a known member.
#[test]
fn known_members_are_compared() {
    use JsonType::{Null, Number, String as Text};
    let of_type =
        || Failure { pointer: "/price".to_owned(), ..Failure::at(FailureCode::Type, "must be a number", 1, 0) };
    let unknown =
        || Failure { targets: vec!["prise".to_owned()], ..Failure::at(FailureCode::AdditionalProperties, "no", 1, 0) };
    type Members<'a> = &'a [(&'a str, &'a [(JsonType, u64)])];
    let always: Members = &[("/price", &[(Number, 312)])];
    let mixed: Members = &[("/price", &[(Text, 12), (Number, 300)])];
    let rows: [(&str, Failure, u64, Members, &str); 9] = [
        ("always", of_type(), 312, always, "`/price` was a number in your last 312 uploads."),
        ("mixed", of_type(), 312, mixed, "`/price` was a number in 300 of your last 312 uploads, a string in 12."),
        ("not always there", of_type(), 400, always, "`/price` was a number in 312 of your last 400 uploads."),
        ("once", of_type(), 1, &[("/price", &[(Null, 1)])], "`/price` was null in your last upload."),
        ("missing", missing("price"), 312, always, "`/price` was present in your last 312 uploads."),
        ("missing at times", missing("price"), 400, always, "`/price` was present in 312 of your last 400 uploads."),
        (
            "of two types",
            missing("price"),
            312,
            mixed,
            "`/price` was present in at least 300 of your last 312 uploads.",
        ),
        ("not declared", unknown(), 312, always, "No accepted upload of yours is known to have had `/prise`."),
        ("nothing is known", of_type(), 312, &[], ""),
    ];
    for (name, failure, uploads, members, expected) in rows {
        let upload = upload("a.json", &of_one_record(0, failure));
        let known = profile(uploads, members);
        let notice = failing(NoticeKind::New, &upload, &problem_of(&upload), Some(&known), &[]).unwrap();
        check(&notice);
        let section = notice.text.split("\nWhat changed\n").nth(1).unwrap().split("\n\n").next().unwrap();
        let section = section.split_whitespace().collect::<Vec<_>>().join(" ");
        let last_passed = "An upload of this kind last passed on 2025-02-28 at 11:58 UTC.";
        assert_eq!(section, format!("{expected} {last_passed}").trim(), "{name}");
    }
    let upload = upload(
        "a.json",
        &of_one_record(
            0,
            Failure { pointer: "/value".to_owned(), ..Failure::at(FailureCode::Type, "must be a number", 1, 0) },
        ),
    );
    let notice = failing(NoticeKind::New, &upload, &problem_of(&upload), Some(&profile(0, &[])), &[]).unwrap();
    assert!(!notice.text.contains("What changed"), "{}", notice.text);
}

/// An upload that passed after the rejection, before the notice was rendered, is no earlier upload.
#[test]
fn later_passed_uploads_are_not_reported() {
    let upload = upload(
        "a.json",
        &of_one_record(
            0,
            Failure { pointer: "/value".to_owned(), ..Failure::at(FailureCode::Type, "must be a number", 1, 0) },
        ),
    );
    let decided = upload.decided_at();
    for (passed, is_reported) in [(decided, false), (decided.map(|at| at - Duration::from_secs(60)), true)] {
        let known = Profile { last_passed_at: passed, ..profile(3, &[("/value", &[(JsonType::Number, 3)])]) };
        let notice = failing(NoticeKind::New, &upload, &problem_of(&upload), Some(&known), &[]).unwrap();
        check(&notice);
        assert_eq!(notice.text.contains("last passed"), is_reported, "{}", notice.text);
        let machine: serde_json::Value = serde_json::from_str(&notice.json).unwrap();
        assert_eq!(machine["profile"]["last_passed_at"].is_string(), is_reported);
    }
}

/// The URL of the API is the only link, on a line of its own. No other line is longer than 78 columns.
#[test]
fn only_link_is_the_url_of_the_api() {
    let upload = upload_of(&sample("10-wrong-type.json"));
    let named = problem_of(&upload);
    let first = FeaturedProblem { problem: &named, upload: &upload, profile: None };
    for stage in ["v1", "Prod", "eventpulse-staging", "eventpulse-staging-of-the-measuring-network"] {
        let api_url = &format!("https://a1b2c3d4e5.execute-api.ap-southeast-2.amazonaws.com/{stage}");
        let deployment = DeploymentInfo { api_url, ..notices::DEPLOYMENT };
        for contents in [
            NoticeContents::Failing { kind: NoticeKind::New, first, others: &[] },
            NoticeContents::Resolved(&[resolution(1, named.clone(), 2)]),
            NoticeContents::Quiet(&[notices::quiet(named.clone(), 2, 1)]),
            notices::digest_of(&[repeat(1, named.clone(), 2)], RemainderTotals::default()),
        ] {
            let notice = Notice::render(notices::NOTICE_ID, "demo", &contents, &deployment).unwrap();
            let links: Vec<&str> = notice.text.lines().filter(|line| line.contains("://")).collect();
            assert_eq!(links.len(), 1, "{}", notice.text);
            let rest = links[0].trim().strip_prefix(api_url.as_str());
            assert!(matches!(rest, Some("" | "/quarantine")), "{}", links[0]);
            let too_long = notice.text.lines().filter(|line| line.len() > 78).count();
            assert_eq!(too_long, usize::from(links[0].trim().len() > 78), "{}", notice.text);
        }
    }
}

/// A notice describes problems as they are when it is published.
#[test]
fn resolved_problems_may_have_come_back() {
    let over = resolution(1, problem("batch/1.0", &[(FailureCode::Truncated, "")]), 2);
    let mut back = resolution(2, problem("batch/1.0", &[(FailureCode::Type, "/a")]), 2);
    back.problem.status = ProblemStatus::Open;
    let opening = |resolutions: &[ChangedProblem]| {
        let notice = notices::of(&NoticeContents::Resolved(resolutions)).unwrap();
        check(&notice);
        notice.text.split("\n\n").next().unwrap().replace('\n', " ")
    };
    let rows: [(&[ChangedProblem], &str); 3] = [
        (
            std::slice::from_ref(&over),
            "This problem is resolved: none of its rejected records is open in quarantine any more.",
        ),
        (&[over.clone(), back.clone()], "1 of these 2 problems is resolved: none of its rejected records is open"),
        (&[back.clone(), back.clone()], "These 2 problems were resolved. They have come back since then;"),
    ];
    for (resolutions, expected) in rows {
        assert!(opening(resolutions).contains(expected), "{}", opening(resolutions));
    }
}

/// A profile describes one kind of upload.
#[test]
fn profiles_do_not_apply_to_other_kinds() {
    let upload = upload("a.json", &of_one_record(0, missing("value")));
    let other = problem("batch/1.0", &[(FailureCode::Required, "/value")]);
    let known = profile(3, &[("/value", &[(JsonType::Number, 3)])]);
    let notice = failing(NoticeKind::New, &upload, &other, Some(&known), &[]).unwrap();
    assert!(!notice.text.contains("`/value` was"), "{}", notice.text);
}

#[test]
fn attributes_are_distinct_sorted_and_few() {
    let notice = with_others();
    assert_eq!(notice.codes, ["ADDITIONAL_PROPERTIES", "FORMAT", "REQUIRED", "TRUNCATED", "TYPE"]);
    assert_eq!(notice.schemas, ["batch/1.0", "reading/1.0", "weather/1.0"]);
    assert_eq!((notice.owner.as_str(), notice.id.as_str()), ("demo", notices::NOTICE_ID));
    let all: Vec<(FailureCode, &str)> = FailureCode::ALL.iter().map(|code| (*code, "")).collect();
    let repeats: Vec<RepeatedProblem> =
        all.chunks(10).zip(0..).map(|(codes, number)| repeat(number, problem("reading/1.0", codes), 1)).collect();
    assert_eq!(digest(&repeats).codes.len(), 30);
    let nothing = digest(&[]);
    assert_eq!((nothing.codes, nothing.schemas), (vec!["none".to_owned()], vec!["none".to_owned()]));
}

/// SNS accepts 256 KiB. The largest notice of 50 problems, in both forms, is smaller, and names each of them.
#[test]
fn largest_notice_can_be_published() {
    let failure = |code: FailureCode, character: &str| {
        let names: Vec<String> = vec![character.repeat(MAX_TARGET_CHARS); MAX_TARGETS];
        let message = format!("the members {} are not allowed here", names.join(", "));
        Failure {
            targets: names,
            pointer: character.repeat(MAX_POINTER_CHARS),
            schema_pointer: Some(character.repeat(MAX_POINTER_CHARS)),
            ..Failure::at(code, message, u64::MAX, u64::MAX)
        }
    };
    for character in ["\u{1}", "\u{1f321}", "\"", "\\", "é", "\u{e0041}"] {
        let mut rejections = Rejections::default();
        for (index, code) in (0..).zip(FailureCode::ALL.iter().take(20)) {
            rejections.add(RejectedRecord { index, failures: vec![failure(*code, character)], ..rejected_record() });
        }
        let inspection = Inspection { accepted: 1, ..Inspection::failed(rejections) };
        let upload = as_large(upload(&character.repeat(5_000), &inspection));
        let pointer = character.repeat(MAX_POINTER_CHARS);
        let problems: Vec<Problem> = (0..60)
            .map(|number| {
                let schema = format!("{}-{number}/{}.{}", "s".repeat(60), u32::MAX, u32::MAX);
                let codes: Vec<(FailureCode, &str)> =
                    FailureCode::ALL.iter().skip(number).map(|code| (*code, &*pointer)).collect();
                let codes = if codes.is_empty() { vec![(FailureCode::Type, &*pointer)] } else { codes };
                Problem { uploads: u64::MAX - 1, records: u64::MAX, regressions: u64::MAX, ..problem(&schema, &codes) }
            })
            .collect();
        let number = |problem: &Problem| problems.iter().position(|other| other.id == problem.id).unwrap() as u8;
        let others: Vec<OtherProblem> = problems
            .iter()
            .map(|problem| OtherProblem { problem: problem.clone(), upload_id: notices::another(number(problem)) })
            .collect();
        let resolutions: Vec<ChangedProblem> =
            problems.iter().map(|problem| resolution(number(problem), problem.clone(), 1 << 60)).collect();
        let quiet: Vec<ChangedProblem> =
            problems.iter().map(|problem| notices::quiet(problem.clone(), 1 << 60, 1)).collect();
        let repeats: Vec<RepeatedProblem> = problems
            .iter()
            .map(|problem| repeat_with(number(problem), problem.clone(), 1 << 60, (u64::MAX, u64::MAX)))
            .collect();
        let kinds = [
            (failing(NoticeKind::New, &upload, &problems[0], None, &others[1..]), MAX_PROBLEMS_IN_NOTICE),
            (notices::of(&NoticeContents::Resolved(&resolutions)), MAX_PROBLEMS_IN_NOTICE),
            (notices::of(&NoticeContents::Quiet(&quiet)), MAX_PROBLEMS_IN_NOTICE),
            (notices::of(&notices::digest_of(&repeats, RemainderTotals::default())), 3),
        ];
        for (notice, expected) in kinds {
            let notice = notice.unwrap();
            check(&notice);
            let message = serde_json::json!({ "default": notice.json, "email": notice.text }).to_string();
            assert!(message.len() < 250 << 10, "{} bytes of {character:?}, {:?}", message.len(), notice.kind);
            let named = problems.iter().filter(|problem| {
                let code = problem.failures[0].code.as_str();
                notice.text.contains(problem.id.as_str())
                    && notice.json.contains(problem.id.as_str())
                    && notice.text.contains(code)
            });
            assert_eq!(named.count(), expected, "{:?}", notice.kind);
        }
    }
}
