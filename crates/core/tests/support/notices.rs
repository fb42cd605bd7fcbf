//! Problems, profiles and notices of uploads, as the workflows make them.

use std::collections::BTreeMap;

use eventpulse_core::id::{MESSAGE_FILE_NAME, UploadId, message_key};
use eventpulse_core::intake::failure::{Failure, FailureCode};
use eventpulse_core::intake::fingerprint::NO_SCHEMA;
use eventpulse_core::intake::rejection::{RejectedRecord, Rejection, Rejections};
use eventpulse_core::intake::shape::JsonType;
use eventpulse_core::notification::closing::ClosedTotals;
use eventpulse_core::notification::kind::NoticeKind;
use eventpulse_core::notification::open_records::{Amount, OpenRecords};
use eventpulse_core::notification::problem::{Problem, ProblemCounts, ProblemStatus};
use eventpulse_core::notification::profile::Profile;
use eventpulse_core::notification::rendering::{
    ChangedProblem, DeploymentInfo, DigestContents, FeaturedProblem, Notice, NoticeContents, OtherProblem,
    RemainderTotals, RepeatedProblem,
};
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{MessageMetadata, Upload, quarantine_key, report_key};

use super::changed;

/// The id of every notice.
pub const NOTICE_ID: &str = "ntc_01JN68V1F2G3H4J5K6M7N8P9QR";

/// The deployment of every notice.
pub const DEPLOYMENT: DeploymentInfo<'static> =
    DeploymentInfo { api_url: "https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/v1", retention_days: 30 };

/// Returns a time on the day of the upload, such as `12:34`.
pub fn at(clock: &str) -> Timestamp {
    Timestamp::parse(&format!("2025-02-28T{clock}:00Z")).unwrap()
}

/// Returns noon of another day.
pub fn noon(day: &str) -> Timestamp {
    Timestamp::parse(&format!("{day}T12:00:00Z")).unwrap()
}

/// Returns a new problem of one upload with one record that has these failures. A pointer for `REQUIRED` names the
/// missing member.
pub fn problem(schema: &str, failures: &[(FailureCode, &str)]) -> Problem {
    let failure = |(code, pointer): &(FailureCode, &str)| match pointer.rsplit_once('/') {
        Some((of, member)) if *code == FailureCode::Required => {
            Failure { targets: vec![member.to_owned()], ..Failure::new(*code, of, "missing") }
        }
        _ => Failure::new(*code, pointer, "wrong"),
    };
    let mut rejections = Rejections::for_schema(schema.to_owned());
    let (index, line, byte_offset, byte_length) = (0, 1, 0, 99);
    rejections.add(RejectedRecord {
        index,
        line,
        byte_offset,
        byte_length,
        schema_requested: None,
        schema_applied: Some(schema.to_owned()),
        failures: failures.iter().map(failure).collect(),
        failures_omitted: 0,
    });
    Problem::begin(&rejections.summary().fingerprints[0], None, at("12:34"))
}

/// Returns the new problem that an upload starts. Without a schema, it is of `reading/1.0`.
pub fn problem_of(upload: &Upload) -> Problem {
    let rejection = upload.rejection().unwrap();
    let mut fingerprints = rejection.fingerprints.clone();
    if fingerprints.iter().all(|print| print.kind_of_upload == NO_SCHEMA) {
        let failures: Vec<Failure> = rejection.groups.iter().map(|group| group.first.clone()).collect();
        fingerprints = failures
            .first()
            .map(|failure| Rejection::of_upload(failure.clone(), "reading/1.0").fingerprints)
            .unwrap_or_default();
    }
    let print = fingerprints.first().cloned();
    print.map_or_else(|| problem("reading/1.0", &[]), |print| Problem::begin(&print, None, at("12:34")))
}

/// Returns the notice of a new problem for a rejected upload.
pub fn notice(upload: &Upload) -> Option<Notice> {
    upload.rejection()?;
    failing(NoticeKind::New, upload, &problem_of(upload), None, &[])
}

/// Returns a notice about a rejected upload.
pub fn failing(
    kind: NoticeKind,
    upload: &Upload,
    problem: &Problem,
    profile: Option<&Profile>,
    others: &[OtherProblem],
) -> Option<Notice> {
    of(&NoticeContents::Failing { kind, first: FeaturedProblem { problem, upload, profile }, others })
}

/// Returns the contents of a digest from noon to one.
pub fn digest_of(repeats: &[RepeatedProblem], remainder: RemainderTotals) -> NoticeContents<'_> {
    NoticeContents::Digest(DigestContents { from: at("12:00"), to: at("13:00"), repeats, remainder })
}

/// Renders a notice to the owner `demo`.
pub fn of(contents: &NoticeContents<'_>) -> Option<Notice> {
    Notice::render(NOTICE_ID, "demo", contents, &DEPLOYMENT)
}

/// Returns the id of another upload.
pub fn another(number: u8) -> UploadId {
    UploadId::new(at("12:34"), [number; 10])
}

/// Returns a profile of this many uploads with these members.
pub fn profile(uploads: u64, members: &[(&str, &[(JsonType, u64)])]) -> Profile {
    let types = |types: &[(JsonType, u64)]| types.iter().copied().collect::<BTreeMap<_, _>>();
    Profile {
        uploads,
        last_passed_at: Some(at("11:58")),
        members: members.iter().map(|(pointer, of)| ((*pointer).to_owned(), types(of))).collect(),
    }
}

/// Returns the same upload as a message.
pub fn as_message(upload: Upload) -> Upload {
    let key_id = Some("key_01JN5ZQ4T2V8W6X0Y3Z7A9B1CD".to_owned());
    let message = changed(&upload, |draft| {
        draft.id = UploadId::of_message("JF7zZGlVFiAEPVQ=").unwrap();
        draft.origin.file_name = MESSAGE_FILE_NAME.to_owned();
        draft.origin.key = message_key(&draft.origin.owner, &draft.id);
        draft.message = Some(MessageMetadata { key_id, idempotency_key: None });
    });
    let partial = message.accepted_in_attempt() > 0;
    let (key, report_key) = (quarantine_key(&message, partial), report_key(&message));
    changed(&message, |draft| {
        if let Some(location) = &mut draft.location {
            (location.key, location.report_key) = (Some(key), report_key);
        }
    })
}

/// Returns another new problem.
pub fn other(number: u8, schema: &str, failures: &[(FailureCode, &str)]) -> OtherProblem {
    OtherProblem { problem: problem(schema, failures), upload_id: another(number) }
}

/// Returns a resolved problem of this many uploads: one of them is discarded, the others are corrected.
pub fn resolution(number: u8, problem: Problem, uploads: u64) -> ChangedProblem {
    let amount = |uploads| Amount { uploads, records: uploads * 3 };
    let closed = ClosedTotals {
        corrected: amount(uploads.saturating_sub(1)),
        discarded: amount(uploads.min(1)),
        ..ClosedTotals::default()
    };
    let (first_seen, last_seen, resolved_at) = (noon("2025-02-26"), at("12:34"), Some(at("13:05")));
    let problem = Problem {
        status: ProblemStatus::Resolved,
        uploads,
        uploads_since_opened: uploads,
        records: uploads * 3,
        first_seen,
        last_seen,
        resolved_at,
        open: OpenRecords::default(),
        closed,
        ..problem
    };
    ChangedProblem { problem, upload_id: Some(another(number)), at: at("13:05") }
}

/// Returns a quiet problem of this many uploads, of which `open` are in quarantine, with three records each.
pub fn quiet(problem: Problem, uploads: u64, open: u64) -> ChangedProblem {
    let ChangedProblem { problem, .. } = resolution(0, problem, uploads);
    let mut records = OpenRecords::default();
    (0..open).for_each(|_| records.open(at("12:34"), 3));
    let quiet_at = Timestamp::parse("2025-03-01T12:34:00Z");
    let problem = Problem { status: ProblemStatus::Quiet, open: records, quiet_at, resolved_at: None, ..problem };
    ChangedProblem { problem, upload_id: None, at: quiet_at.unwrap() }
}

/// Returns a problem with the counts of a digest from noon to one.
pub fn repeat(number: u8, problem: Problem, uploads: u64) -> RepeatedProblem {
    let mut open = OpenRecords::default();
    (0..uploads.min(1_000)).for_each(|_| open.open(at("12:34"), 2));
    let problem =
        Problem { uploads: uploads + 1, uploads_since_opened: uploads + 1, records: uploads * 2 + 1, open, ..problem };
    let counts = ProblemCounts {
        kind_of_upload: problem.kind_of_upload.clone(),
        uploads,
        records: uploads * 2,
        first_seen: at("12:01"),
        last_seen: at("12:59"),
        last_upload_id: Some(another(number)),
        regressions: 0,
        quiet_periods: 0,
        resolutions: 0,
    };
    RepeatedProblem { problem, counts }
}

/// Returns the same with regressions and resolutions.
pub fn repeat_with(
    number: u8,
    problem: Problem,
    uploads: u64,
    (regressions, resolutions): (u64, u64),
) -> RepeatedProblem {
    let RepeatedProblem { problem, counts } = repeat(number, problem, uploads);
    RepeatedProblem { problem, counts: ProblemCounts { regressions, resolutions, ..counts } }
}
