//! Notices as their receiver reads them, compared with `tests/golden/*.txt`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod support;

use std::fs;
use std::path::Path;

use eventpulse_core::examine::Examination;
use eventpulse_core::failure::{Code, Failure, MAX_POINTER_CHARS, MAX_TARGET_CHARS, MAX_TARGETS};
use eventpulse_core::notice::Notice;
use eventpulse_core::rejection::{RejectedRecord, Rejection, Rejections};
use eventpulse_core::upload::{Decision, Upload};
use proptest::prelude::*;
use support::{examine, failed, sample, upload};

fn notice_of_sample(name: &str) -> Notice {
    let sample = sample(name);
    Notice::of(&upload(&sample.name, &examine(&sample))).unwrap()
}

/// An examination that rejected one record for this, and accepted `accepted`.
fn of_one_record(accepted: u64, failure: Failure) -> Examination {
    let mut rejections = Rejections::default();
    rejections.add(RejectedRecord {
        index: 0,
        line: 1,
        byte_offset: 0,
        byte_length: 99,
        schema_requested: None,
        schema_applied: Some("reading/1.0".to_owned()),
        failures: vec![failure],
        failures_omitted: 0,
    });
    Examination { accepted, ..Examination::failed(rejections) }
}

fn of_one_failure(file_name: &str, failure: Failure) -> Notice {
    Notice::of(&upload(file_name, &of_one_record(0, failure))).unwrap()
}

/// As hostile as names can be: line ends, a heading, direction marks, blanks, a link, letters of many scripts.
const HOSTILE: &str = "a\"\r\n\r\nWhy\n  Report: s3://evil/x\u{202e}nosj.\u{200b}\u{85}\u{2028}\u{a0} é +%2B 温度\u{1f321}\u{fe0f}\u{61c}\u{e0041}.json";

fn hostile_member() -> Failure {
    Failure {
        targets: vec![HOSTILE.chars().take(MAX_TARGET_CHARS).collect()],
        ..Failure::at(Code::AdditionalProperties, format!("the member `{HOSTILE}` is not allowed here"), 1, 17)
    }
}

#[test]
fn notices_read_as_agreed() {
    let long = format!("{} - the end.json", "five thousand ".repeat(357));
    let long_member = Failure::at(Code::Type, "must be a number, but is a string", 1, 5_020);
    let long_member = Failure { pointer: Failure::new(Code::Type, &format!("/{long}"), "").pointer, ..long_member };
    let rows = [
        ("one_record", notice_of_sample("10-wrong-type.json")),
        ("partly", notice_of_sample("08-mixed.ndjson")),
        ("truncated", notice_of_sample("11-truncated.json")),
        ("too_many_rejected", notice_of_sample("18-too-many-rejected.ndjson")),
        ("no_place", notice_of_sample("19-table.csv")),
        ("deleted_before_it_was_read", object_missing()),
        ("hostile_names", of_one_failure(HOSTILE, hostile_member())),
        ("long_names", of_one_failure(&long, long_member)),
    ];
    let mut changed = Vec::new();
    for (name, notice) in rows {
        let read = format!("Subject: {}\n\n{}", notice.subject, notice.text);
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.txt"));
        if fs::read_to_string(&golden).ok().as_ref() != Some(&read) {
            let actual = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.txt"));
            fs::write(&actual, &read).unwrap();
            changed.push(format!("\ndiff {} {}", golden.display(), actual.display()));
        }
        check(&notice);
    }
    assert!(changed.is_empty(), "mailed is something else; copy it if it is better:{}", changed.concat());
}

fn object_missing() -> Notice {
    let mut upload = upload(
        "gone.json",
        &failed(Failure::new(Code::ObjectMissing, "", "the object was deleted before it was read")),
    );
    upload.quarantined.as_mut().unwrap().key = None;
    Notice::of(&upload).unwrap()
}

#[test]
fn every_sample_that_is_rejected_has_a_notice_and_no_other_has() {
    for sample in support::samples() {
        let notice = Notice::of(&upload(&sample.name, &examine(&sample)));
        let owed = matches!(sample.expected.outcome.as_str(), "quarantined" | "partially_accepted");
        assert_eq!(notice.is_some(), owed, "{}", sample.name);
        let Some(notice) = notice else { continue };
        check(&notice);
        assert_eq!(notice.outcome, sample.expected.outcome, "{}", sample.name);
        assert!(notice.subject.contains(sample.expected.failures[0].code.as_str()), "{}", notice.subject);
    }
}

/// The values of the samples' wrong members are nowhere to be read.
#[test]
fn no_value_of_the_payload_is_told() {
    let secret =
        r#"{"device_id":"s3cret-device","timestamp":"s3cret-time","value":"s3cret-value","schema":"reading/1.0"}"#;
    let broken = r#"{"device_id":"s3cret-device","timestamp":s3cret,"value":987654321}"#;
    for text in [secret, broken] {
        let mut sample = sample("01-reading.json");
        sample.bytes = text.into();
        let notice = Notice::of(&upload("a.json", &examine(&sample))).unwrap();
        for told in [&notice.subject, &notice.text, &notice.json] {
            assert!(!told.contains("s3cret") && !told.contains("987654321"), "{told}");
        }
    }
}

#[test]
fn subjects_by_what_was_rejected() {
    let missing =
        |member: &str| Failure { targets: vec![member.to_owned()], ..Failure::at(Code::Required, "missing", 1, 0) };
    let rows: [(&str, &str, u64, Failure, &str); 6] = [
        ("one", "a.json", 0, Failure::at(Code::NotJson, "no", 1, 0), "[EventPulse] \"a.json\" rejected: NOT_JSON"),
        ("part", "a.json", 9, missing("value"), "[EventPulse] \"a.json\", 1 of 10 records rejected: REQUIRED /value"),
        ("a member with a slash", "a.json", 0, missing("a/b~c"), "[EventPulse] \"a.json\" rejected: REQUIRED /a~1b~0c"),
        ("other scripts", "été 温度.json", 0, missing("温"), "[EventPulse] \"?t? ??.json\" rejected: REQUIRED /?"),
        (
            "quotes",
            "a\" accepted",
            0,
            Failure::new(Code::Type, "/v", ""),
            "[EventPulse] \"a' accepted\" rejected: TYPE /v",
        ),
        (
            "long",
            "a-rather-long-name-of-a-file-that-goes-on-for-ever-2025-02-28.ndjson",
            0,
            Failure::new(Code::UnevaluatedProperties, "/readings/17/a-rather-long-name-of-a-member", ""),
            "[EventPulse] \"...oes-on-for-ever-2025-02-28.ndjson\" rejected: UNEVALUATED_PROPERTIES /readings/*...",
        ),
    ];
    for (name, file, accepted, failure, expected) in rows {
        let notice = Notice::of(&upload(file, &of_one_record(accepted, failure))).unwrap();
        assert_eq!(notice.subject, expected, "{name}");
    }
}

/// SNS takes 256 KiB: the worst that ten groups can hold, in both forms, is less.
#[test]
fn the_largest_notice_can_be_published() {
    let group = |code: Code, character: &str| {
        let names: Vec<String> = vec![character.repeat(MAX_TARGET_CHARS); MAX_TARGETS];
        let message = format!("the members {} are not allowed here", names.join(", "));
        Failure {
            targets: names,
            pointer: character.repeat(MAX_POINTER_CHARS),
            ..Failure::at(code, message, u64::MAX, u64::MAX)
        }
    };
    for character in ["\u{1}", "\u{1f321}", "\"", "é"] {
        let mut rejections = Rejections::default();
        for (index, code) in (0..).zip(Code::ALL.iter().take(20)) {
            rejections.add(RejectedRecord { index, failures: vec![group(*code, character)], ..rejected_record() });
        }
        let examination = Examination { accepted: 1, ..Examination::failed(rejections) };
        let notice = Notice::of(&upload(&character.repeat(5_000), &examination)).unwrap();
        let message = serde_json::json!({ "default": notice.json, "email": notice.text }).to_string();
        assert!(message.len() < 256 << 10, "{} bytes of {character:?}", message.len());
    }
}

fn rejected_record() -> RejectedRecord {
    let (index, line, byte_offset, byte_length) = (0, 1, 0, 9);
    RejectedRecord {
        index,
        line,
        byte_offset,
        byte_length,
        schema_requested: None,
        schema_applied: None,
        failures: Vec::new(),
        failures_omitted: 0,
    }
}

/// What holds of every notice.
fn check(notice: &Notice) {
    let subject = &notice.subject;
    assert!((1..=99).contains(&subject.len()), "{subject}");
    assert!(subject.chars().all(|c| c.is_ascii_graphic() || c == ' ') && subject.trim() == subject, "{subject:?}");
    let hidden = |c: char| {
        c != '\n'
            && (c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'))
    };
    assert!(!notice.text.contains(hidden), "{:?}", notice.text);
    let mut margin: Vec<&str> = notice.text.lines().filter(|line| !line.is_empty() && !line.starts_with(' ')).collect();
    assert!(margin.remove(0).contains("rejected"), "{}", notice.text);
    let headings = ["Why", "What to do", "Where it is now", "If you ask for help, quote"];
    assert!(margin == headings || margin == headings[..3], "{margin:?}");
    for line in notice.text.lines().filter(|line| line.chars().count() > 78) {
        let copied =
            ["  File: ", "  Rejected file: ", "  Rejected records: ", "  Report: ", "    Pointer: ", "    First: "];
        let one_word = !line.trim_start().contains(' ') || line.contains('`'); // a name is not broken
        assert!(one_word || copied.iter().any(|field| line.starts_with(field)), "{line}");
    }
    let machine: serde_json::Value = serde_json::from_str(&notice.json).unwrap();
    assert_eq!(machine["text"], notice.text.as_str());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever names and messages hold, the mail is safe, and each name stands on one line: its own.
    #[test]
    fn names_cannot_harm(file_name in ".{0,300}|[ \\n\\t\"]{0,40}|(Why\\n|Report: s3://x |\u{202e}|é){0,60}", pointer in "(/.{0,40}){0,8}", member in ".{0,64}", message in ".{0,600}|( |\\n|Why){0,200}", accepted in 0u64..3, whole: bool) {
        let failure = Failure { targets: vec![member], pointer: Failure::new(Code::Type, &pointer, "").pointer, ..Failure::at(Code::AdditionalProperties, message, 3, 14) };
        let examination = if whole { failed(failure) } else { of_one_record(accepted, failure) };
        let upload = upload(&file_name, &examination);
        check(&Notice::of(&upload).unwrap());
        // Without the cleaning that issue and arrival do, too.
        let mut raw: Upload = upload;
        raw.intake.file_name = file_name;
        let notice = Notice::of(&raw).unwrap();
        check(&notice);
        prop_assert_eq!(notice.text.lines().filter(|line| line.starts_with("  File: ")).count(), 1);
    }

    /// A rejection as it may come out of a history is no worse.
    #[test]
    fn counts_do_not_matter(accepted in 0u64..4, rejected in 0u64..4) {
        let mut upload = upload("a.json", &failed(Failure::new(Code::EmptyUpload, "", "none")));
        let rejection = Rejection { rejected, ..Rejection::of_upload(Failure::new(Code::EmptyUpload, "", "none")) };
        let empty = Rejection { upload_failure: None, groups: Vec::new(), ..rejection.clone() };
        for rejection in [rejection, empty] {
            upload.decision = Some(if accepted == 0 {
                Decision::Rejected { rejection }
            } else {
                Decision::Accepted { sha256: String::new(), accepted, chunks: 1, shared: Vec::new(), series: Vec::new(), series_omitted: 0, rejection: Some(rejection) }
            });
            check(&Notice::of(&upload).unwrap());
        }
    }
}
