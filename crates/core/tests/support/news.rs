//! Groups, profiles and notices of uploads, as the shell would have them.

use std::collections::BTreeMap;

use eventpulse_core::id::{MESSAGE_FILE_NAME, UploadId, message_key};
use eventpulse_core::intake::failure::{Failure, FailureCode};
use eventpulse_core::intake::fingerprint::NO_SCHEMA;
use eventpulse_core::intake::rejection::{RejectedRecord, Rejection, Rejections};
use eventpulse_core::intake::shape::JsonType;
use eventpulse_core::notification::kind::NoticeKind;
use eventpulse_core::notification::occurrence::ProblemCounts;
use eventpulse_core::notification::problem::{Problem, ProblemStatus};
use eventpulse_core::notification::profile::Profile;
use eventpulse_core::notification::rendering::{
    DeploymentInfo, FeaturedProblem, Notice, NoticeContents, OtherProblem, RemainderTotals, RepeatedProblem,
    ResolvedProblem,
};
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{MessageMetadata, Upload, quarantine_key, report_key};

use super::changed;

/// The id of every notice here.
pub const NOTICE_ID: &str = "ntc_01JN68V1F2G3H4J5K6M7N8P9QR";

/// The deployment.
pub const SITE: DeploymentInfo<'static> =
    DeploymentInfo { api_url: "https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/v1", retention_days: 30 };

/// A moment of the day of the upload, such as `12:34`.
pub fn at(clock: &str) -> Timestamp {
    Timestamp::parse(&format!("2025-02-28T{clock}:00Z")).unwrap()
}

/// The noon of another day.
pub fn noon(day: &str) -> Timestamp {
    Timestamp::parse(&format!("{day}T12:00:00Z")).unwrap()
}

/// A group that is new: one upload with one record has these failures; of `REQUIRED`, at the member that is missing.
pub fn group(schema: &str, failures: &[(FailureCode, &str)]) -> Problem {
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
    Problem::begin(&rejections.summary().fingerprints[0], at("12:34"))
}

/// The group that an upload makes when it is the first of its kind, by the schema that it is of when it names none.
pub fn group_of(upload: &Upload) -> Problem {
    let rejection = upload.rejection().unwrap();
    let mut fingerprints = rejection.fingerprints.clone();
    if fingerprints.iter().all(|print| print.kind == NO_SCHEMA) {
        let failures: Vec<Failure> = rejection.groups.iter().map(|group| group.first.clone()).collect();
        fingerprints = failures
            .first()
            .map(|failure| Rejection::of_upload(failure.clone(), "reading/1.0").fingerprints)
            .unwrap_or_default();
    }
    let print = fingerprints.first().cloned();
    print.map_or_else(|| group("reading/1.0", &[]), |print| Problem::begin(&print, at("12:34")))
}

/// The notice that an upload fails in a new way, if it does.
pub fn notice(upload: &Upload) -> Option<Notice> {
    upload.rejection()?;
    failing(NoticeKind::New, upload, &group_of(upload), None, &[])
}

/// The notice that an upload fails.
pub fn failing(
    kind: NoticeKind,
    upload: &Upload,
    group: &Problem,
    profile: Option<&Profile>,
    others: &[OtherProblem],
) -> Option<Notice> {
    of(&NoticeContents::Failing { kind, first: FeaturedProblem { group, upload, profile }, others })
}

/// The news that groups repeated between noon and one.
pub fn digest_of(repeats: &[RepeatedProblem], beyond: RemainderTotals) -> NoticeContents<'_> {
    NoticeContents::Digest { from: at("12:00"), to: at("13:00"), repeats, beyond }
}

/// The notice of some news.
pub fn of(news: &NoticeContents<'_>) -> Option<Notice> {
    Notice::of(NOTICE_ID, "demo", news, &SITE)
}

/// The id of another upload.
pub fn another(number: u8) -> UploadId {
    UploadId::new(at("12:34"), [number; 10])
}

/// So many uploads passed, which had these members.
pub fn profile(uploads: u64, members: &[(&str, &[(JsonType, u64)])]) -> Profile {
    let types = |types: &[(JsonType, u64)]| types.iter().copied().collect::<BTreeMap<_, _>>();
    Profile {
        uploads,
        last_passed_at: Some(at("11:58")),
        members: members.iter().map(|(pointer, of)| ((*pointer).to_owned(), types(of))).collect(),
    }
}

/// The same upload, had it come by `POST /data`.
pub fn as_message(upload: Upload) -> Upload {
    let key_id = Some("key_01JN5ZQ4T2V8W6X0Y3Z7A9B1CD".to_owned());
    let message = changed(&upload, |draft| {
        draft.id = UploadId::of_message("JF7zZGlVFiAEPVQ=").unwrap();
        draft.origin.file_name = MESSAGE_FILE_NAME.to_owned();
        draft.origin.key = message_key(&draft.id);
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

/// One more group that is new.
pub fn other(number: u8, schema: &str, failures: &[(FailureCode, &str)]) -> OtherProblem {
    OtherProblem { group: group(schema, failures), upload_id: another(number) }
}

/// A group that is over, after so many uploads.
pub fn resolution(number: u8, group: Problem, uploads: u64) -> ResolvedProblem {
    let (first_seen, last_seen, resolved_at) = (noon("2025-02-26"), at("12:34"), Some(at("13:05")));
    let group = Problem {
        life: ProblemStatus::Resolved,
        uploads,
        uploads_in_life: uploads,
        records: uploads * 3,
        first_seen,
        last_seen,
        resolved_at,
        ..group
    };
    ResolvedProblem { group, upload_id: another(number), at: at("13:05") }
}

/// What a group did between noon and one.
pub fn repeat(number: u8, group: Problem, uploads: u64) -> RepeatedProblem {
    let group = Problem { uploads: uploads + 1, uploads_in_life: uploads + 1, records: uploads * 2 + 1, ..group };
    let tally = ProblemCounts {
        of: group.kind.clone(),
        uploads,
        records: uploads * 2,
        first_seen: at("12:01"),
        last_seen: at("12:59"),
        upload_id: another(number),
        came_back: 0,
        resolved: 0,
    };
    RepeatedProblem { group, tally }
}

/// A group that also came and went so often.
pub fn repeat_with(number: u8, group: Problem, uploads: u64, (came_back, resolved): (u64, u64)) -> RepeatedProblem {
    let RepeatedProblem { group, tally } = repeat(number, group, uploads);
    RepeatedProblem { group, tally: ProblemCounts { came_back, resolved, ..tally } }
}
