//! The JSON form of notices, for machines. `contracts/notice/1.0.json` describes it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::changed::KnownTypes;
use super::contents::{
    ChangedProblem, DeploymentInfo, DigestContents, MAX_PROBLEMS_IN_NOTICE, MAX_REPEATS_LISTED, NoticeContents,
    OtherProblem, RepeatedProblem, VERSION,
};
use super::details::FailureDetails;
use super::limits::DetailLimits;
use crate::id::UploadId;
use crate::intake::failure::{Failure, MAX_TARGET_CHARS, shortened};
use crate::intake::fingerprint::FailureAt;
use crate::intake::position::ReadUntil;
use crate::intake::rejection::FailureGroup;
use crate::intake::shape::JsonType;
use crate::notification::closing::ClosedTotals;
use crate::notification::kind::NoticeKind;
use crate::notification::open_records::Amount;
use crate::notification::problem::{Problem, ProblemStatus};
use crate::time::Timestamp;
use crate::upload::{Decision, QuarantineLocation, UploadState};

#[derive(Serialize)]
struct Document<'a> {
    notice_version: &'static str,
    id: &'a str,
    kind: NoticeKind,
    owner: &'a str,
    #[serde(flatten)]
    contents: Form<'a>,
    text: &'a str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Form<'a> {
    Failing {
        problem: Box<ProblemForm<'a>>,
        upload: Box<UploadForm<'a>>,
        profile: Option<ProfileForm>,
        others: Vec<OtherForm<'a>>,
        others_omitted: usize,
    },
    Quiet {
        quiet: Vec<ChangeForm<'a>>,
        quiet_omitted: usize,
    },
    Resolved {
        resolved: Vec<ChangeForm<'a>>,
        resolved_omitted: usize,
    },
    Digest {
        digest: DigestForm<'a>,
    },
}

#[derive(Serialize)]
struct ProblemForm<'a> {
    id: &'a str,
    kind_of_upload: &'a str,
    schema: &'a str,
    failures: Vec<FailureAt>,
    failures_omitted: u64,
    status: ProblemStatus,
    uploads: u64,
    records: u64,
    first_seen: Timestamp,
    last_seen: Timestamp,
    uploads_since_opened: u64,
    open: Amount,
    closed: ClosedTotals,
    quiet_at: Option<Timestamp>,
    resolved_at: Option<Timestamp>,
    regressions: u64,
}

#[derive(Serialize)]
struct UploadForm<'a> {
    upload_id: &'a str,
    attempt: u32,
    correlation_id: Option<&'a str>,
    file_name: Option<&'a str>,
    is_message: bool,
    key_id: Option<&'a str>,
    outcome: &'static str,
    accepted: u64,
    accepted_earlier: u64,
    rejected: u64,
    upload_failure: Option<Failure>,
    read_until: Option<ReadUntil>,
    failures: Vec<FailureGroup>,
    failures_omitted: u64,
    quarantine: &'a QuarantineLocation,
    quarantined_at: Timestamp,
    kept_until: Timestamp,
}

#[derive(Serialize)]
struct ProfileForm {
    uploads: u64,
    last_passed_at: Option<Timestamp>,
    members: Vec<MemberForm>,
}

#[derive(Serialize)]
struct MemberForm {
    pointer: String,
    types: BTreeMap<JsonType, u64>,
}

#[derive(Serialize)]
struct OtherForm<'a> {
    problem: ProblemForm<'a>,
    upload_id: &'a str,
}

#[derive(Serialize)]
struct ChangeForm<'a> {
    problem: ProblemForm<'a>,
    upload_id: Option<&'a str>,
    at: Timestamp,
}

#[derive(Serialize)]
struct DigestForm<'a> {
    from: Timestamp,
    to: Timestamp,
    problems: u64,
    uploads: u64,
    records: u64,
    first_seen: Option<Timestamp>,
    last_seen: Option<Timestamp>,
    regressions: u64,
    quiet_periods: u64,
    resolutions: u64,
    largest: Vec<RepeatForm<'a>>,
    largest_omitted: u64,
}

#[derive(Serialize)]
struct RepeatForm<'a> {
    problem: ProblemForm<'a>,
    uploads: u64,
    records: u64,
    first_seen: Timestamp,
    last_seen: Timestamp,
    upload_id: Option<&'a str>,
    regressions: u64,
    quiet_periods: u64,
    resolutions: u64,
}

/// Returns the JSON form; `None` only if the featured upload was not rejected.
pub(super) fn json(
    id: &str,
    owner: &str,
    contents: &NoticeContents<'_>,
    deployment: &DeploymentInfo<'_>,
    text: &str,
    limits: DetailLimits,
) -> Option<String> {
    let kind = contents.kind();
    let contents = match contents {
        NoticeContents::Failing { first, others, .. } => {
            Form::failing(&FailureDetails::of(first)?, others, deployment, limits)
        }
        NoticeContents::Quiet(changed) => {
            let (quiet, quiet_omitted) = changes(changed, limits);
            Form::Quiet { quiet, quiet_omitted }
        }
        NoticeContents::Resolved(changed) => {
            let (resolved, resolved_omitted) = changes(changed, limits);
            Form::Resolved { resolved, resolved_omitted }
        }
        NoticeContents::Digest(digest) => Form::Digest { digest: DigestForm::of(digest, limits) },
    };
    serde_json::to_string(&Document { notice_version: VERSION, id, kind, owner, contents, text }).ok()
}

impl<'a> Form<'a> {
    fn failing(
        details: &FailureDetails<'a>,
        others: &'a [OtherProblem],
        deployment: &DeploymentInfo<'_>,
        limits: DetailLimits,
    ) -> Self {
        let max = MAX_PROBLEMS_IN_NOTICE - 1;
        Self::Failing {
            problem: Box::new(ProblemForm::of(details.problem, limits)),
            profile: profile(details, limits),
            upload: Box::new(UploadForm::of(details, deployment, limits)),
            others: others.iter().take(max).map(|other| OtherForm::of(other, limits)).collect(),
            others_omitted: others.len().saturating_sub(max),
        }
    }
}

/// Returns the problems to list, and the number of the others.
fn changes(changed: &[ChangedProblem], limits: DetailLimits) -> (Vec<ChangeForm<'_>>, usize) {
    let max = MAX_PROBLEMS_IN_NOTICE;
    let listed = changed.iter().take(max).map(|one| ChangeForm::of(one, limits)).collect();
    (listed, changed.len().saturating_sub(max))
}

impl<'a> DigestForm<'a> {
    fn of(digest: &DigestContents<'a>, limits: DetailLimits) -> Self {
        let totals = digest.totals();
        let not_listed = digest.repeats.len().saturating_sub(MAX_REPEATS_LISTED) as u64;
        let largest = digest.largest().into_iter().take(MAX_REPEATS_LISTED);
        Self {
            from: digest.start(),
            to: digest.to,
            problems: totals.problems,
            uploads: totals.uploads,
            records: totals.records,
            first_seen: totals.first_seen,
            last_seen: totals.last_seen,
            regressions: totals.regressions,
            quiet_periods: totals.quiet_periods,
            resolutions: totals.resolutions,
            largest: largest.map(|repeat| RepeatForm::of(repeat, limits)).collect(),
            largest_omitted: not_listed.saturating_add(digest.remainder.problems),
        }
    }
}

impl<'a> ProblemForm<'a> {
    fn of(problem: &'a Problem, limits: DetailLimits) -> Self {
        let at =
            |at: &FailureAt| FailureAt { code: at.code, pointer: shortened(&at.pointer, limits.pointer_of_others) };
        let not_listed = problem.failures.len().saturating_sub(limits.failures_of_others) as u64;
        Self {
            id: problem.id.as_str(),
            kind_of_upload: &problem.kind_of_upload,
            schema: &problem.schema,
            failures: problem.failures.iter().take(limits.failures_of_others).map(at).collect(),
            failures_omitted: problem.failures_omitted + not_listed,
            status: problem.status,
            uploads: problem.uploads,
            records: problem.records,
            first_seen: problem.first_seen,
            last_seen: problem.last_seen,
            uploads_since_opened: problem.uploads_since_opened,
            open: problem.open.total(),
            closed: problem.closed,
            quiet_at: problem.quiet_at,
            resolved_at: problem.resolved_at,
            regressions: problem.regressions,
        }
    }
}

impl<'a> UploadForm<'a> {
    fn of(details: &FailureDetails<'a>, deployment: &DeploymentInfo<'_>, limits: DetailLimits) -> Self {
        let FailureDetails { upload, rejection, .. } = *details;
        let is_partial = matches!(upload.decision(), Some(Decision::Accepted { .. }));
        let is_message = details.is_message();
        let not_listed = details.failures.len().saturating_sub(limits.failures) as u64;
        Self {
            upload_id: upload.id().as_str(),
            attempt: upload.attempt(),
            correlation_id: upload.correlation_id(),
            file_name: (!is_message).then_some(upload.origin().file_name.as_str()),
            is_message,
            key_id: upload.message().and_then(|message| message.key_id.as_deref()),
            outcome: if is_partial { UploadState::PartiallyAccepted } else { UploadState::Quarantined }.as_str(),
            accepted: upload.accepted_in_attempt(),
            accepted_earlier: upload.accepted() - upload.accepted_in_attempt(),
            rejected: upload.rejected(),
            upload_failure: rejection.upload_failure.as_ref().map(|failure| cut(failure, limits)),
            read_until: rejection.read_until,
            failures: details.failures.iter().take(limits.failures).map(|failure| cut_group(failure, limits)).collect(),
            failures_omitted: rejection.groups_omitted + not_listed,
            quarantine: details.quarantine,
            quarantined_at: details.quarantined_at(),
            kept_until: details.kept_until(deployment),
        }
    }
}

fn cut(failure: &Failure, limits: DetailLimits) -> Failure {
    let name = |name: &String| shortened(name, MAX_TARGET_CHARS.min(limits.pointer));
    Failure {
        pointer: shortened(&failure.pointer, limits.pointer),
        schema_pointer: failure.schema_pointer.as_deref().map(|pointer| shortened(pointer, limits.pointer)),
        targets: failure.targets.iter().take(limits.targets).map(name).collect(),
        message: shortened(&failure.message, limits.message),
        ..failure.clone()
    }
}

fn cut_group(group: &FailureGroup, limits: DetailLimits) -> FailureGroup {
    FailureGroup {
        pointer: shortened(&group.pointer, limits.pointer),
        first: cut(&group.first, limits),
        ..group.clone()
    }
}

fn profile(details: &FailureDetails<'_>, limits: DetailLimits) -> Option<ProfileForm> {
    let history = details.history.as_ref()?;
    let member = |known: &KnownTypes| MemberForm {
        pointer: shortened(&known.pointer, limits.pointer),
        types: known.types.clone(),
    };
    let members = details.known.iter().map(member).collect();
    Some(ProfileForm { uploads: history.uploads(), last_passed_at: history.last_passed_at, members })
}

impl<'a> OtherForm<'a> {
    fn of(other: &'a OtherProblem, limits: DetailLimits) -> Self {
        Self { problem: ProblemForm::of(&other.problem, limits), upload_id: other.upload_id.as_str() }
    }
}

impl<'a> ChangeForm<'a> {
    fn of(ChangedProblem { problem, upload_id, at }: &'a ChangedProblem, limits: DetailLimits) -> Self {
        let upload_id = upload_id.as_ref().map(UploadId::as_str);
        Self { problem: ProblemForm::of(problem, limits), upload_id, at: *at }
    }
}

impl<'a> RepeatForm<'a> {
    fn of(RepeatedProblem { problem, counts }: &'a RepeatedProblem, limits: DetailLimits) -> Self {
        Self {
            problem: ProblemForm::of(problem, limits),
            uploads: counts.uploads,
            records: counts.records,
            first_seen: counts.first_seen,
            last_seen: counts.last_seen,
            upload_id: counts.last_upload_id.as_ref().map(UploadId::as_str),
            regressions: counts.regressions,
            quiet_periods: counts.quiet_periods,
            resolutions: counts.resolutions,
        }
    }
}
