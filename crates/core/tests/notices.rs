//! Notices as their receiver reads them, compared with `tests/golden/*.txt`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use eventpulse_core::examine::Examination;
use eventpulse_core::failure::{Code, Failure, MAX_POINTER_CHARS, MAX_TARGET_CHARS, MAX_TARGETS};
use eventpulse_core::group::Group;
use eventpulse_core::id::UploadId;
use eventpulse_core::notice::{MAX_GROUPS_IN_NOTICE, News, Notice, NoticeKind, Other, Repeat, Resolution};
use eventpulse_core::profile::JsonType;
use eventpulse_core::rejection::{RejectedRecord, Rejection, Rejections};
use eventpulse_core::upload::{Decision, Event, Fact, Quarantined, RetryForm, Upload, quarantine_key, report_key};
use proptest::prelude::*;
use support::news::{self, as_message, at, failing, group, group_of, noon, notice, other, profile, repeat, resolution};
use support::{Sample, examine, failed, sample, upload};

fn upload_of(sample: &Sample) -> Upload {
    upload(&sample.name, &examine(sample))
}

fn notice_of_sample(name: &str) -> Notice {
    notice(&upload_of(&sample(name))).unwrap()
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
    notice(&upload(file_name, &of_one_record(0, failure))).unwrap()
}

/// As hostile as names can be: line ends, a heading, direction marks, blanks, a link, letters of many scripts.
const HOSTILE: &str = "a\"\r\n\r\nWhy\n  Report: s3://evil/x\u{202e}nosj.\u{200b}\u{85}\u{2028}\u{a0} é +%2B 温度\u{1f321}\u{fe0f}\u{61c}\u{e0041}.json";

fn hostile_member() -> Failure {
    Failure {
        targets: vec![HOSTILE.chars().take(MAX_TARGET_CHARS).collect()],
        ..Failure::at(Code::AdditionalProperties, format!("the member `{HOSTILE}` is not allowed here"), 1, 17)
    }
}

/// The notices of each kind, by the names of their golden files.
fn examples() -> Vec<(&'static str, Notice)> {
    let long = format!("{} - the end.json", "five thousand ".repeat(357));
    let long_member = Failure::at(Code::Type, "must be a number, but is a string", 1, 5_020);
    let long_member = Failure { pointer: Failure::new(Code::Type, &format!("/{long}"), "").pointer, ..long_member };
    vec![
        ("one_record", notice_of_sample("10-wrong-type.json")),
        ("partly", notice_of_sample("08-mixed.ndjson")),
        ("truncated", notice_of_sample("11-truncated.json")),
        ("too_many_rejected", notice_of_sample("18-too-many-rejected.ndjson")),
        ("no_place", notice_of_sample("19-table.csv")),
        ("message", notice(&as_message(upload_of(&sample("10-wrong-type.json")))).unwrap()),
        ("deleted_before_it_was_read", object_missing()),
        ("hostile_names", of_one_failure(HOSTILE, hostile_member())),
        ("long_names", of_one_failure(&long, long_member)),
        ("retry_rejected_again", retry()),
        ("what_changed", what_changed()),
        ("missing_member", missing_member()),
        ("with_others", with_others()),
        ("regressed", regressed()),
        ("self_test", self_test()),
        ("resolved", news::of(&News::Resolved(&[resolution(3, missing_value(), 14)])).unwrap()),
        ("resolved_several", resolved_several()),
        ("digest", digest(&[repeat(4, missing_value(), 999)])),
        ("digest_of_many", digest_of_many()),
    ]
}

#[test]
fn notices_read_as_agreed() {
    let mut changed = Vec::new();
    let mut known = Vec::new();
    for (name, notice) in examples() {
        let read = format!("Subject: {}\n\n{}", notice.subject, notice.text);
        known.push(format!("{name}.txt"));
        let golden = golden().join(format!("{name}.txt"));
        if fs::read_to_string(&golden).ok().as_ref() != Some(&read) {
            let actual = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.txt"));
            fs::write(&actual, &read).unwrap();
            changed.push(format!("\ndiff {} {}", golden.display(), actual.display()));
        }
        check(&notice);
    }
    for file in fs::read_dir(golden()).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(!name.ends_with(".txt") || known.contains(&name), "no notice is compared with {name}");
    }
    assert!(changed.is_empty(), "mailed is something else; copy it if it is better:{}", changed.concat());
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn object_missing() -> Notice {
    let mut upload = upload(
        "gone.json",
        &failed(Failure::new(Code::ObjectMissing, "", "the object was deleted before it was read")),
    );
    upload.quarantined.as_mut().unwrap().key = None;
    notice(&upload).unwrap()
}

/// Some records counted; the others were sent again and are as wrong as before.
fn retry() -> Notice {
    let first = upload_of(&sample("08-mixed.ndjson"));
    let again = upload("08-mixed.ndjson", &of_one_record(0, missing("value")));
    let mut upload = first;
    let (key, form) = ("uploads/retry-1".to_owned(), RetryForm::Corrected);
    let (by, expires_at) = ("demo".to_owned(), at("13:34"));
    let mut object = upload.object.clone().unwrap();
    object.key.clone_from(&key);
    let facts = [
        Fact::Notified { message_id: "1".to_owned() },
        Fact::RetryRequested { by, key, form, expires_at },
        Fact::Received { object, correlation_id: "0f8b5a1c-2d3e-4f60-8a9b-7c6d5e4f3a2b".to_owned() },
        Fact::Decided { decision: again.decision.unwrap() },
    ];
    for fact in facts {
        upload.apply(&Event::new(at("12:40"), fact));
    }
    let (bucket, key) = ("eventpulse-quarantine".to_owned(), Some(quarantine_key(&upload, false)));
    let quarantined = Quarantined { bucket, key, records: false, report_key: report_key(&upload) };
    upload.apply(&Event::new(at("12:41"), Fact::Quarantined { quarantined }));
    notice(&upload).unwrap()
}

fn missing(member: &str) -> Failure {
    Failure {
        targets: vec![member.to_owned()],
        ..Failure::at(Code::Required, format!("missing required member `{member}`"), 1, 0)
    }
}

fn missing_value() -> Group {
    group("batch/1.0", &[(Code::Required, "/readings/*")])
}

/// Records of a batch whose values are strings, and have been numbers.
fn what_changed() -> Notice {
    let mut rejections = Rejections::default();
    for index in 0..3u64 {
        let failure = Failure {
            pointer: format!("/readings/{index}/value"),
            ..Failure::at(
                Code::Type,
                "must be a number, but is a string: write it without the quotes",
                index + 4,
                index * 99,
            )
        };
        let unknown = Failure {
            targets: vec!["valeu".to_owned()],
            pointer: format!("/readings/{index}"),
            ..Failure::at(
                Code::AdditionalProperties,
                "the member `valeu` is not allowed here",
                index + 4,
                index * 99 + 9,
            )
        };
        let schema_applied = Some("batch/1.0".to_owned());
        rejections.add(RejectedRecord { index, schema_applied, failures: vec![failure, unknown], ..rejected_record() });
    }
    let examination = Examination { accepted: 117, ..Examination::failed(rejections) };
    let upload = upload("readings.ndjson", &examination);
    let known = profile(312, &[("/readings/*/value", &[(JsonType::Number, 312)])]);
    failing(NoticeKind::New, &upload, &group_of(&upload), Some(&known), &[]).unwrap()
}

fn missing_member() -> Notice {
    let upload = upload("reading.json", &of_one_record(0, missing("value")));
    let known = profile(312, &[("/value", &[(JsonType::Number, 312)])]);
    failing(NoticeKind::New, &upload, &group_of(&upload), Some(&known), &[]).unwrap()
}

fn with_others() -> Notice {
    let upload = upload_of(&sample("10-wrong-type.json"));
    let others = [
        other(1, "batch/1.0", &[(Code::Required, "/readings/*"), (Code::AdditionalProperties, "/readings/*")]),
        other(2, "weather/1.0", &[(Code::Format, "/hourly/time/*")]),
        other(3, "reading/1.0", &[(Code::Truncated, "")]),
    ];
    failing(NoticeKind::New, &upload, &group_of(&upload), None, &others).unwrap()
}

fn regressed() -> Notice {
    let upload = upload_of(&sample("08-mixed.ndjson"));
    let group = Group {
        uploads: 18,
        records: 160,
        uploads_in_life: 3,
        resolved_at: Some(noon("2025-02-20")),
        returns: 2,
        first_seen: noon("2025-02-11"),
        ..group_of(&upload)
    };
    failing(NoticeKind::Regressed, &upload, &group, None, &[]).unwrap()
}

fn self_test() -> Notice {
    let mut upload = upload_of(&sample("10-wrong-type.json"));
    upload.intake.owner = "self-test".to_owned();
    let group = group_of(&upload);
    failing(NoticeKind::SelfTest, &upload, &group, None, &[]).unwrap()
}

fn resolved_several() -> Notice {
    let mut returned = resolution(2, group("batch/1.0", &[(Code::Type, "/readings/*/value")]), 9);
    (returned.group.returns, returned.group.uploads_in_life) = (1, 4);
    let truncated = group("batch/1.0", &[(Code::Truncated, "")]);
    let resolutions = [resolution(3, missing_value(), 14), returned, resolution(1, truncated, 1)];
    news::of(&News::Resolved(&resolutions)).unwrap()
}

fn digest(repeats: &[Repeat]) -> Notice {
    news::of(&News::Digest { from: at("12:00"), to: at("13:00"), repeats }).unwrap()
}

fn digest_of_many() -> Notice {
    let mut repeats: Vec<Repeat> = (0..14)
        .map(|number| {
            let pointer = format!("/readings/*/m{number}");
            repeat(number, group("batch/1.0", &[(Code::Type, &pointer)]), u64::from(number) * 7 + 1)
        })
        .collect();
    repeats.push(Repeat { came_back: 1, resolved: 2, ..repeat(20, missing_value(), 412) });
    repeats.push(Repeat { resolved: 1, ..repeat(21, group("weather/1.0", &[(Code::Format, "/hourly/time/*")]), 0) });
    digest(&repeats)
}

#[test]
fn every_sample_that_is_rejected_has_a_notice_and_no_other_has() {
    for sample in support::samples() {
        let told = notice(&upload_of(&sample));
        let owed = matches!(sample.expected.outcome.as_str(), "quarantined" | "partially_accepted");
        assert_eq!(told.is_some(), owed, "{}", sample.name);
        let Some(told) = told else { continue };
        check(&told);
        assert_eq!(told.kind, NoticeKind::New);
        let code = sample.expected.failures[0].code.as_str();
        assert!(told.subject.contains(code), "{}", told.subject);
        assert!(told.codes.iter().any(|told| told == code), "{:?}", told.codes);
    }
    assert_eq!(news::of(&News::Resolved(&[])), None);
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
        let notice = notice(&upload("a.json", &examine(&sample))).unwrap();
        for told in [&notice.subject, &notice.text, &notice.json] {
            assert!(!told.contains("s3cret") && !told.contains("987654321"), "{told}");
        }
    }
}

#[test]
fn subjects_by_what_was_rejected() {
    let pointed = |code, pointer: &str| Failure::new(code, pointer, "wrong");
    let long = "/readings/17/a-rather-long-name-of-a-member/and-another";
    let rows: [(&str, u64, Failure, &str); 7] = [
        ("one", 0, Failure::at(Code::NotJson, "no", 1, 0), "1 record rejected: NOT_JSON (reading 1.0)"),
        ("part", 9, missing("value"), "1 of 10 records rejected: REQUIRED /value (reading 1.0)"),
        ("a member with a slash", 0, missing("a/b~c"), "1 record rejected: REQUIRED /a~1b~0c (reading 1.0)"),
        ("other scripts", 0, missing("温"), "1 record rejected: REQUIRED /? (reading 1.0)"),
        ("a quote", 0, pointed(Code::Type, "/v\""), "1 record rejected: TYPE /v\" (reading 1.0)"),
        ("an index", 0, pointed(Code::Type, "/v/3"), "1 record rejected: TYPE /v/* (reading 1.0)"),
        (
            "long",
            0,
            pointed(Code::UnevaluatedProperties, long),
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
        ("self_test", "Self-test, 1 record rejected: TYPE /value (reading 1.0)"),
        ("resolved", "Resolved: REQUIRED /readings/* (batch 1.0)"),
        ("resolved_several", "Resolved: 3 problems (batch 1.0)"),
        ("digest", "Digest: 999 more uploads rejected, 1 known problem"),
        ("digest_of_many", "Digest: 1063 more uploads rejected, 15 known problems"),
    ];
    for (name, expected) in rows {
        let subject = subjects.iter().find(|(other, _)| *other == name).map(|(_, subject)| subject.as_str());
        assert_eq!(subject, Some(format!("[EventPulse] {expected}").as_str()), "{name}");
    }
}

/// What the profile says, in all its forms.
#[test]
fn what_changed_in_words() {
    use JsonType::{Null, Number, String as Text};
    let of_type = || Failure { pointer: "/price".to_owned(), ..Failure::at(Code::Type, "must be a number", 1, 0) };
    let unknown =
        || Failure { targets: vec!["prise".to_owned()], ..Failure::at(Code::AdditionalProperties, "no", 1, 0) };
    type Members<'a> = &'a [(&'a str, &'a [(JsonType, u64)])];
    let always: Members = &[("/price", &[(Number, 312)])];
    let mixed: Members = &[("/price", &[(Text, 12), (Number, 300)])];
    let rows: [(&str, Failure, u64, Members, &str); 9] = [
        ("always", of_type(), 312, always, "`/price` was a number in your last 312 uploads."),
        ("mixed", of_type(), 312, mixed, "`/price` was a number in 300 of your last 312 uploads, a string in 12."),
        ("not always there", of_type(), 400, always, "`/price` was a number in 312 of your last 400 uploads."),
        ("once", of_type(), 1, &[("/price", &[(Null, 1)])], "`/price` was null in your last upload."),
        ("missing", missing("price"), 312, always, "`/price` was there in your last 312 uploads."),
        ("missing at times", missing("price"), 400, always, "`/price` was there in 312 of your last 400 uploads."),
        ("of two types", missing("price"), 312, mixed, "`/price` was there in at least 300 of your last 312 uploads."),
        ("not declared", unknown(), 312, always, "No upload of yours that passed had `/prise`."),
        ("nothing is known", of_type(), 312, &[], ""),
    ];
    for (name, failure, uploads, members, expected) in rows {
        let upload = upload("a.json", &of_one_record(0, failure));
        let known = profile(uploads, members);
        let told = failing(NoticeKind::New, &upload, &group_of(&upload), Some(&known), &[]).unwrap();
        check(&told);
        let section = told.text.split("\nWhat changed\n").nth(1).unwrap().split("\n\n").next().unwrap();
        let section = section.split_whitespace().collect::<Vec<_>>().join(" ");
        let last_passed = "An upload of this kind last passed on 2025-02-28 at 11:58 UTC.";
        assert_eq!(section, format!("{expected} {last_passed}").trim(), "{name}");
    }
    let upload = upload("a.json", &of_one_record(0, of_type()));
    let told = failing(NoticeKind::New, &upload, &group_of(&upload), Some(&profile(0, &[])), &[]).unwrap();
    assert!(!told.text.contains("What changed"), "{}", told.text);
}

/// Other kinds of upload are not what the profile is of.
#[test]
fn a_profile_says_nothing_of_other_schemas() {
    let upload = upload("a.json", &of_one_record(0, missing("value")));
    let other = group("batch/1.0", &[(Code::Required, "")]);
    let known = profile(3, &[("/value", &[(JsonType::Number, 3)])]);
    let told = failing(NoticeKind::New, &upload, &other, Some(&known), &[]).unwrap();
    assert!(!told.text.contains("`/value` was"), "{}", told.text);
}

#[test]
fn attributes_are_distinct_sorted_and_few() {
    let told = with_others();
    assert_eq!(told.codes, ["ADDITIONAL_PROPERTIES", "FORMAT", "REQUIRED", "TRUNCATED", "TYPE"]);
    assert_eq!(told.schemas, ["batch/1.0", "reading/1.0", "weather/1.0"]);
    assert_eq!((told.owner.as_str(), told.id.as_str()), ("demo", news::NOTICE_ID));
    let all: Vec<(Code, &str)> = Code::ALL.iter().map(|code| (*code, "")).collect();
    let repeats: Vec<Repeat> =
        all.chunks(10).zip(0..).map(|(codes, number)| repeat(number, group("reading/1.0", codes), 1)).collect();
    assert_eq!(digest(&repeats).codes.len(), 30);
    let nothing = digest(&[]);
    assert_eq!((nothing.codes, nothing.schemas), (vec!["none".to_owned()], vec!["none".to_owned()]));
}

/// SNS takes 256 KiB: the worst that 50 groups can hold, in both forms, is less, and each is named.
#[test]
fn the_largest_notice_can_be_published() {
    let failure = |code: Code, character: &str| {
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
        for (index, code) in (0..).zip(Code::ALL.iter().take(20)) {
            rejections.add(RejectedRecord { index, failures: vec![failure(*code, character)], ..rejected_record() });
        }
        let examination = Examination { accepted: 1, ..Examination::failed(rejections) };
        let upload = as_large(upload(&character.repeat(5_000), &examination));
        let pointer = character.repeat(MAX_POINTER_CHARS);
        let groups: Vec<Group> = (0..60)
            .map(|number| {
                let schema = format!("{}-{number}/{}.{}", "s".repeat(60), u32::MAX, u32::MAX);
                let codes: Vec<(Code, &str)> = Code::ALL.iter().skip(number).map(|code| (*code, &*pointer)).collect();
                let codes = if codes.is_empty() { vec![(Code::Type, &*pointer)] } else { codes };
                Group { uploads: u64::MAX - 1, records: u64::MAX, returns: u64::MAX, ..group(&schema, &codes) }
            })
            .collect();
        let number = |group: &Group| groups.iter().position(|other| other.id == group.id).unwrap() as u8;
        let others: Vec<Other> = groups
            .iter()
            .map(|group| Other { group: group.clone(), upload_id: news::another(number(group)) })
            .collect();
        let resolutions: Vec<Resolution> =
            groups.iter().map(|group| resolution(number(group), group.clone(), 1 << 60)).collect();
        let repeats: Vec<Repeat> = groups
            .iter()
            .map(|group| Repeat {
                came_back: u64::MAX,
                resolved: u64::MAX,
                ..repeat(number(group), group.clone(), 1 << 60)
            })
            .collect();
        let kinds = [
            (failing(NoticeKind::New, &upload, &groups[0], None, &others[1..]), MAX_GROUPS_IN_NOTICE),
            (news::of(&News::Resolved(&resolutions)), MAX_GROUPS_IN_NOTICE),
            (news::of(&News::Digest { from: at("12:00"), to: at("13:00"), repeats: &repeats }), 3),
        ];
        for (notice, told) in kinds {
            let notice = notice.unwrap();
            check(&notice);
            let message = serde_json::json!({ "default": notice.json, "email": notice.text }).to_string();
            assert!(message.len() < 250 << 10, "{} bytes of {character:?}, {:?}", message.len(), notice.kind);
            let named = groups.iter().filter(|group| {
                let code = group.failures[0].code.as_str();
                notice.text.contains(group.id.as_str())
                    && notice.json.contains(group.id.as_str())
                    && notice.text.contains(code)
            });
            assert_eq!(named.count(), told, "{:?}", notice.kind);
        }
    }
}

fn as_large(mut upload: Upload) -> Upload {
    let name = upload.intake.file_name.clone();
    upload.intake.owner = "o".repeat(100);
    let quarantined = upload.quarantined.as_mut().unwrap();
    quarantined.key = Some(format!("{}{name}", "k".repeat(200)));
    quarantined.report_key = format!("{}{name}.report.json", "k".repeat(200));
    upload
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

/// The headings that there are, of the failing uploads' notices in their order.
const HEADINGS: [&str; 16] = [
    "Why",
    "What changed",
    "What to do",
    "If you ask for help, quote",
    "How long it is kept",
    "What was rejected before",
    "The problem",
    "Both problems",
    "The three problems",
    "The three largest problems",
    "Came back",
    "Resolved",
    "See them all",
    "What we send you",
    "One more problem that is new",
    "One more problem that came back",
];

/// What holds of every notice.
fn check(notice: &Notice) {
    let subject = &notice.subject;
    assert!((1..=99).contains(&subject.len()), "{subject}");
    assert!(subject.chars().all(|c| c.is_ascii_graphic() || c == ' ') && subject.trim() == subject, "{subject:?}");
    assert!(subject.starts_with("[EventPulse] "), "{subject}");
    let hidden = |c: char| {
        c != '\n'
            && (c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'))
    };
    assert!(!notice.text.contains(hidden), "{:?}", notice.text);
    let (opening, sections) = notice.text.split_once("\n\n").unwrap();
    assert!(opening.lines().all(|line| !line.starts_with(' ')), "{opening}");
    for heading in sections.lines().filter(|line| !line.is_empty() && !line.starts_with(' ')) {
        let many =
            heading.ends_with(" more problems that are new") || heading.ends_with(" more problems that came back");
        assert!(HEADINGS.contains(&heading) || many, "{heading}");
    }
    let lines: Vec<&str> = notice.text.lines().collect();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.chars().count() > 78) {
        // What cannot be broken has a line of its own: one word, a name between backticks, what a field holds, a pointer.
        let is_one_word = !line.trim_start().contains(' ') || line.contains('`');
        let is_copied = line.starts_with("    /") || (line.starts_with("    ") && lines[at - 1].ends_with(':'));
        assert!(is_one_word || is_copied, "{line}");
    }
    links_are_for_get(&notice.text);
    for values in [&notice.codes, &notice.schemas] {
        assert!((1..=30).contains(&values.len()), "{values:?}");
        assert!(values.is_sorted_by(|a, b| a < b), "{values:?}");
    }
    let machine: serde_json::Value = serde_json::from_str(&notice.json).unwrap();
    assert_eq!(machine["text"], notice.text.as_str());
    assert_eq!(machine["kind"], notice.kind.as_str());
    assert_eq!(machine["id"], notice.id.as_str());
}

/// A link of ours stands alone on its line, and shows something.
fn links_are_for_get(text: &str) {
    for line in text.lines().filter(|line| line.contains(news::SITE.api_url)) {
        let path = line.trim_start().strip_prefix(news::SITE.api_url).unwrap();
        let is_item = path.strip_prefix("/quarantine/").is_some_and(|id| UploadId::parse(id).is_ok());
        assert!(is_item || path == "/quarantine", "{line}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever names and messages hold, the mail is safe, and each name stands on one line: its own.
    #[test]
    fn names_cannot_harm(file_name in ".{0,300}|[ \\n\\t\"]{0,40}|(Why\\n|Report: s3://x |\u{202e}|é){0,60}", pointer in "(/.{0,40}){0,8}", member in ".{0,64}", message in ".{0,600}|( |\\n|Why){0,200}", accepted in 0u64..3, whole: bool, regressed: bool) {
        let failure = Failure { targets: vec![member], pointer: Failure::new(Code::Type, &pointer, "").pointer, ..Failure::at(Code::AdditionalProperties, message, 3, 14) };
        let examination = if whole { failed(failure) } else { of_one_record(accepted, failure) };
        let upload = upload(&file_name, &examination);
        let (known, kind) = (profile(3, &[]), if regressed { NoticeKind::Regressed } else { NoticeKind::New });
        let named = group_of(&upload);
        let others = [other(1, "batch/1.0", &[(Code::Type, &pointer), (Code::Required, &pointer)])];
        check(&failing(kind, &upload, &named, Some(&known), &others).unwrap());
        // Without the cleaning that issue and arrival do, too.
        let mut raw: Upload = upload;
        raw.intake.file_name = file_name;
        let notice = failing(kind, &raw, &named, Some(&known), &[]).unwrap();
        check(&notice);
        prop_assert_eq!(notice.text.lines().filter(|line| line.starts_with("  File:")).count(), 1);
        check(&news::of(&News::Resolved(&[resolution(1, named.clone(), 2), resolution(2, others[0].group.clone(), 3)])).unwrap());
        let repeats = [Repeat { came_back: 1, ..repeat(1, named, 2) }, Repeat { resolved: 1, ..repeat(2, others[0].group.clone(), 0) }];
        check(&digest(&repeats));
    }

    /// A rejection as it may come out of a history is no worse.
    #[test]
    fn counts_do_not_matter(accepted in 0u64..4, rejected in 0u64..4, uploads in 0u64..4) {
        let mut upload = upload("a.json", &failed(Failure::new(Code::EmptyUpload, "", "none")));
        let rejection = Rejection { rejected, ..Rejection::of_upload(Failure::new(Code::EmptyUpload, "", "none")) };
        let empty = Rejection { upload_failure: None, groups: Vec::new(), ..rejection.clone() };
        for rejection in [rejection, empty] {
            upload.decision = Some(if accepted == 0 {
                Decision::Rejected { rejection }
            } else {
                Decision::Accepted { sha256: String::new(), accepted, chunks: 1, shared: Vec::new(), series: Vec::new(), series_omitted: 0, rejection: Some(rejection) }
            });
            check(&notice(&upload).unwrap());
            let named = Group { uploads, uploads_in_life: uploads, records: rejected, ..group_of(&upload) };
            check(&failing(NoticeKind::Regressed, &upload, &named, None, &[]).unwrap());
            check(&news::of(&News::Resolved(&[resolution(1, named.clone(), uploads)])).unwrap());
            check(&digest(&[repeat(1, named, uploads)]));
        }
    }
}
