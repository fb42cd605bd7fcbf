//! Notices of each kind.

use eventpulse_core::id::{OwnerId, UploadId};
use eventpulse_core::intake::failure::{Failure, FailureCode, MAX_TARGET_CHARS};
use eventpulse_core::intake::inspection::Inspection;
use eventpulse_core::intake::rejection::{RejectedRecord, Rejections};
use eventpulse_core::intake::shape::JsonType;
use eventpulse_core::notification::closing::ClosedTotals;
use eventpulse_core::notification::kind::NoticeKind;
use eventpulse_core::notification::open_records::Amount;
use eventpulse_core::notification::problem::{Problem, ProblemStatus};
use eventpulse_core::notification::rendering::{
    ChangedProblem, FeaturedProblem, Notice, NoticeContents, RemainderTotals, RepeatedProblem,
};
use eventpulse_core::upload::{
    QuarantineLocation, RecordedEvent, RetryForm, Upload, UploadEvent, quarantine_key, report_key,
};

use crate::support::notices::{
    self, as_message, at, failing, noon, notice, other, problem, problem_of, profile, repeat, repeat_with, resolution,
};
use crate::support::{Expected, Sample, changed, failed, inspect, sample, upload};

pub fn upload_of(sample: &Sample) -> Upload {
    upload(&sample.name, &inspect(sample))
}

pub fn notice_of_sample(name: &str) -> Notice {
    notice(&upload_of(&sample(name))).unwrap()
}

/// Returns an inspection that rejected one record for this failure and accepted `accepted` records.
pub fn of_one_record(accepted: u64, failure: Failure) -> Inspection {
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
    Inspection { accepted, ..Inspection::failed(rejections) }
}

/// Returns an upload of which the beginning decides.
pub fn read_in_part() -> Sample {
    let bytes = "{\"device_id\": \"d\"}\n".repeat(12_000).into_bytes();
    Sample { name: "all-wrong.ndjson".to_owned(), bytes, expected: Expected::default() }
}

pub fn of_one_failure(file_name: &str, failure: Failure) -> Notice {
    notice(&upload(file_name, &of_one_record(0, failure))).unwrap()
}

/// A hostile name with line ends, a heading, direction marks, blanks, a link and letters of many scripts.
pub const HOSTILE: &str = "a\"\r\n\r\nWhy\n  Report: s3://evil/x\u{202e}nosj.\u{200b}\u{85}\u{2028}\u{a0} é +%2B 温度\u{1f321}\u{fe0f}\u{61c}\u{e0041}.json";

pub fn hostile_member() -> Failure {
    Failure {
        targets: vec![HOSTILE.chars().take(MAX_TARGET_CHARS).collect()],
        ..Failure::at(FailureCode::AdditionalProperties, format!("the member `{HOSTILE}` is not allowed here"), 1, 17)
    }
}

/// Returns notices with the names of their golden files.
pub fn examples() -> Vec<(&'static str, Notice)> {
    let long = format!("{} - the end.json", "five thousand ".repeat(357));
    let long_member = Failure::at(FailureCode::Type, "must be a number, but is a string", 1, 5_020);
    let long_member =
        Failure { pointer: Failure::new(FailureCode::Type, &format!("/{long}"), "").pointer, ..long_member };
    vec![
        ("one_record", notice_of_sample("10-wrong-type.json")),
        ("partly", notice_of_sample("08-mixed.ndjson")),
        ("truncated", notice_of_sample("11-truncated.json")),
        ("too_many_rejected", notice_of_sample("18-too-many-rejected.ndjson")),
        ("read_in_part", notice(&upload_of(&read_in_part())).unwrap()),
        ("no_position", notice_of_sample("19-table.csv")),
        ("message", notice(&as_message(upload_of(&sample("10-wrong-type.json")))).unwrap()),
        ("deleted_before_it_was_read", object_missing()),
        ("hostile_names", of_one_failure(HOSTILE, hostile_member())),
        ("long_names", of_one_failure(&long, long_member)),
        ("retry_rejected_again", retry()),
        ("what_changed", what_changed()),
        ("missing_member", missing_member()),
        ("with_others", with_others()),
        ("regressed", regressed()),
        ("regressed_after_quiet", regressed_after_quiet()),
        ("synthetic_check", synthetic_check()),
        ("quiet", quiet()),
        ("quiet_several", quiet_several()),
        ("digest_of_quiet", digest_of_quiet()),
        ("resolved_by_time", resolved_by_time()),
        ("resolved", notices::of(&NoticeContents::Resolved(&[resolution(3, missing_value(), 14)])).unwrap()),
        ("resolved_several", resolved_several()),
        ("digest", digest(&[repeat(4, missing_value(), 999)])),
        ("digest_of_many", digest_of_many()),
        ("digest_of_counted", digest_of_counted()),
        ("digest_of_resolved", digest_of_resolved()),
        ("resolved_but_back", resolved_but_back()),
        ("longest_id", longest_id()),
        ("links", links()),
    ]
}

/// Returns a notice with names that mail programs show as links.
pub fn links() -> Notice {
    let member = "see www.evil.example or mail me@evil.example or http://evil.example";
    let message = format!("the member `{member}` is not allowed here");
    let failure =
        Failure { targets: vec![member.to_owned()], ..Failure::at(FailureCode::AdditionalProperties, message, 1, 9) };
    of_one_failure("WWW.evil.example me@evil.example.json", failure)
}

pub fn object_missing() -> Notice {
    let upload = upload(
        "gone.json",
        &failed(Failure::new(
            FailureCode::ObjectMissing,
            "",
            "the object was deleted before it was read: upload it again",
        )),
    );
    notice(&changed(&upload, |draft| draft.location.as_mut().unwrap().key = None)).unwrap()
}

/// Returns a notice on a partly accepted upload whose corrected records were rejected again.
pub fn retry() -> Notice {
    let first = upload_of(&sample("08-mixed.ndjson"));
    let again = upload("08-mixed.ndjson", &of_one_record(0, missing("value")));
    let mut upload = first;
    let (key, form) = ("uploads/retry-1".to_owned(), RetryForm::Corrected);
    let (by, expires_at) = ("demo".parse().unwrap(), at("13:34"));
    let mut object = upload.object().unwrap().clone();
    object.key.clone_from(&key);
    let events = [
        UploadEvent::OccurrenceRecorded { problems: Vec::new() },
        UploadEvent::RetryRequested { by, key, form, expires_at },
        UploadEvent::Received {
            object,
            correlation_id: "0f8b5a1c-2d3e-4f60-8a9b-7c6d5e4f3a2b".to_owned(),
            retry_form: Some(form),
        },
        UploadEvent::Decided { decision: again.decision().unwrap().clone(), claim: None },
    ];
    for event in events {
        upload.apply(&RecordedEvent::new(at("12:40"), event));
    }
    let (bucket, key) = ("eventpulse-quarantine".to_owned(), Some(quarantine_key(&upload, false)));
    let location = QuarantineLocation { bucket, key, records: false, report_key: report_key(&upload) };
    upload.apply(&RecordedEvent::new(at("12:41"), UploadEvent::Quarantined { location }));
    notice(&upload).unwrap()
}

pub fn missing(member: &str) -> Failure {
    Failure {
        targets: vec![member.to_owned()],
        ..Failure::at(FailureCode::Required, format!("missing required member `{member}`"), 1, 0)
    }
}

pub fn missing_value() -> Problem {
    problem("batch/1.0", &[(FailureCode::Required, "/readings/*/value")])
}

/// Records with strings as values, which were numbers before.
pub fn what_changed() -> Notice {
    let mut rejections = Rejections::default();
    for index in 0..3u64 {
        let failure = Failure {
            pointer: format!("/readings/{index}/value"),
            ..Failure::at(
                FailureCode::Type,
                "must be a number, but is a string: write it without the quotes",
                index + 4,
                index * 99,
            )
        };
        let unknown = Failure {
            targets: vec!["valeu".to_owned()],
            pointer: format!("/readings/{index}"),
            ..Failure::at(
                FailureCode::AdditionalProperties,
                "the member `valeu` is not allowed here",
                index + 4,
                index * 99 + 9,
            )
        };
        let schema_applied = Some("batch/1.0".to_owned());
        rejections.add(RejectedRecord { index, schema_applied, failures: vec![failure, unknown], ..rejected_record() });
    }
    let inspection = Inspection { accepted: 117, ..Inspection::failed(rejections) };
    let upload = upload("readings.ndjson", &inspection);
    let known = profile(312, &[("/readings/*/value", &[(JsonType::Number, 312)])]);
    failing(NoticeKind::New, &upload, &problem_of(&upload), Some(&known), &[]).unwrap()
}

pub fn missing_member() -> Notice {
    let upload = upload("reading.json", &of_one_record(0, missing("value")));
    let known = profile(312, &[("/value", &[(JsonType::Number, 312)])]);
    failing(NoticeKind::New, &upload, &problem_of(&upload), Some(&known), &[]).unwrap()
}

pub fn with_others() -> Notice {
    let upload = upload_of(&sample("10-wrong-type.json"));
    let others = [
        other(
            1,
            "batch/1.0",
            &[(FailureCode::Required, "/readings/*/value"), (FailureCode::AdditionalProperties, "/readings/*")],
        ),
        other(2, "weather/1.0", &[(FailureCode::Format, "/hourly/time/*")]),
        other(3, "reading/1.0", &[(FailureCode::Truncated, "")]),
    ];
    failing(NoticeKind::New, &upload, &problem_of(&upload), None, &others).unwrap()
}

pub fn regressed() -> Notice {
    let upload = upload_of(&sample("08-mixed.ndjson"));
    let problem = Problem {
        uploads: 18,
        records: 160,
        uploads_since_opened: 3,
        resolved_at: Some(noon("2025-02-20")),
        regressions: 2,
        first_seen: noon("2025-02-11"),
        ..problem_of(&upload)
    };
    failing(NoticeKind::Regressed, &upload, &problem, None, &[]).unwrap()
}

pub fn regressed_after_quiet() -> Notice {
    let upload = upload_of(&sample("10-wrong-type.json"));
    let quiet_at = Some(noon("2025-02-22"));
    let problem = Problem { quiet_at, resolved_at: Some(noon("2025-01-02")), regressions: 1, ..problem_of(&upload) };
    failing(NoticeKind::Regressed, &upload, &problem, None, &[]).unwrap()
}

pub fn synthetic_check() -> Notice {
    let bytes = br#"{"schema": "eventpulse_synthetic_check/0.0"}"#.to_vec();
    let invalid = Sample { name: "synthetic-check.json".to_owned(), bytes, expected: Expected::default() };
    let upload = changed(&upload_of(&invalid), |draft| draft.origin.owner = OwnerId::synthetic_check());
    let problem = problem_of(&upload);
    let first = FeaturedProblem { problem: &problem, upload: &upload, profile: None };
    let contents = NoticeContents::Failing { kind: NoticeKind::SyntheticCheck, first, others: &[] };
    Notice::render(notices::NOTICE_ID, OwnerId::SYNTHETIC_CHECK, &contents, &notices::DEPLOYMENT).unwrap()
}

pub fn resolved_several() -> Notice {
    let mut returned = resolution(2, problem("batch/1.0", &[(FailureCode::Type, "/readings/*/value")]), 9);
    (returned.problem.regressions, returned.problem.uploads_since_opened) = (1, 4);
    let truncated = problem("batch/1.0", &[(FailureCode::Truncated, "")]);
    let resolutions = [resolution(3, missing_value(), 14), returned, resolution(1, truncated, 1)];
    notices::of(&NoticeContents::Resolved(&resolutions)).unwrap()
}

pub fn digest(repeats: &[RepeatedProblem]) -> Notice {
    notices::of(&notices::digest_of(repeats, RemainderTotals::default())).unwrap()
}

/// A digest of resolutions only.
pub fn digest_of_resolved() -> Notice {
    let truncated = problem("weather/1.0", &[(FailureCode::Truncated, "")]);
    digest(&[repeat_with(4, missing_value(), 0, (0, 1)), repeat_with(5, truncated, 0, (0, 1))])
}

/// A digest with a remainder, some of it from before the period.
pub fn digest_of_counted() -> Notice {
    let repeats = [
        repeat_with(4, missing_value(), 999, (1, 0)),
        repeat(5, problem("weather/1.0", &[(FailureCode::Truncated, "")]), 20),
    ];
    let (first_seen, last_seen) = (Some(at("11:48")), Some(at("12:58")));
    let remainder = RemainderTotals {
        problems: 50,
        uploads: 400,
        records: 1_200,
        regressions: 3,
        quiet_periods: 2,
        resolutions: 7,
        first_seen,
        last_seen,
    };
    notices::of(&notices::digest_of(&repeats, remainder)).unwrap()
}

/// A resolved problem that has come back.
pub fn resolved_but_back() -> Notice {
    let back = |resolution: ChangedProblem| ChangedProblem {
        problem: Problem { status: ProblemStatus::Open, regressions: 1, uploads_since_opened: 2, ..resolution.problem },
        ..resolution
    };
    notices::of(&NoticeContents::Resolved(&[back(resolution(3, missing_value(), 14))])).unwrap()
}

/// A problem that time resolved, and one whose retry was rejected again.
pub fn resolved_by_time() -> Notice {
    let amount = |uploads, records| Amount { uploads, records };
    let mut expired = resolution(3, missing_value(), 14);
    expired.upload_id = None;
    expired.problem.closed = ClosedTotals {
        corrected: amount(9, 27),
        retried: amount(0, 2),
        withdrawn: amount(1, 3),
        expired: amount(4, 10),
        ..ClosedTotals::default()
    };
    notices::of(&NoticeContents::Resolved(&[expired])).unwrap()
}

pub fn quiet() -> Notice {
    notices::of(&NoticeContents::Quiet(&[notices::quiet(missing_value(), 14, 5)])).unwrap()
}

/// Quiet problems, of which one came back and one was resolved before the notice was published.
pub fn quiet_several() -> Notice {
    let of = |code, pointer: &str| problem("batch/1.0", &[(code, pointer)]);
    let mut back = notices::quiet(of(FailureCode::Type, "/readings/*/value"), 9, 2);
    (back.problem.status, back.problem.regressions) = (ProblemStatus::Open, 1);
    let mut resolved = notices::quiet(of(FailureCode::Truncated, ""), 1, 0);
    resolved.problem.status = ProblemStatus::Resolved;
    notices::of(&NoticeContents::Quiet(&[notices::quiet(missing_value(), 14, 5), back, resolved])).unwrap()
}

/// A digest of problems that became quiet, without rejections.
pub fn digest_of_quiet() -> Notice {
    let mut quiet = repeat_with(4, missing_value(), 0, (0, 0));
    quiet.counts.quiet_periods = 1;
    let truncated = problem("weather/1.0", &[(FailureCode::Truncated, "")]);
    digest(&[quiet, repeat_with(5, truncated, 0, (1, 1))])
}

/// A message with an id of the greatest length.
pub fn longest_id() -> Notice {
    let message = as_message(upload_of(&sample("10-wrong-type.json")));
    let longest = UploadId::of_message(&"m".repeat(64)).unwrap();
    notice(&changed(&message, |draft| draft.id = longest)).unwrap()
}

pub fn digest_of_many() -> Notice {
    let mut repeats: Vec<RepeatedProblem> = (0..14)
        .map(|number| {
            let pointer = format!("/readings/*/m{number}");
            repeat(number, problem("batch/1.0", &[(FailureCode::Type, &pointer)]), u64::from(number) * 7 + 1)
        })
        .collect();
    repeats.push(repeat_with(20, missing_value(), 412, (1, 2)));
    repeats.push(repeat_with(21, problem("weather/1.0", &[(FailureCode::Format, "/hourly/time/*")]), 0, (0, 1)));
    digest(&repeats)
}

pub fn rejected_record() -> RejectedRecord {
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

/// Returns the upload with names of the longest kind.
pub fn as_large(upload: Upload) -> Upload {
    let name = upload.origin().file_name.clone();
    changed(&upload, |draft| {
        draft.origin.owner = "o".repeat(100).parse().unwrap();
        let location = draft.location.as_mut().unwrap();
        location.key = Some(format!("{}{name}", "k".repeat(200)));
        location.report_key = format!("{}{name}.report.json", "k".repeat(200));
    })
}
