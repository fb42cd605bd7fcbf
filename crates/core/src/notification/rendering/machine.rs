//! The machines' form: the same facts as JSON. `contracts/notice/2.0.json` describes it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::changed::KnownTypes;
use super::digest::{largest, since, totals};
use super::failing::ProblemDetails;
use super::{
    DeploymentInfo, DetailLimits, MAX_GROUPS_IN_NOTICE, MAX_REPEATS_TOLD, NoticeContents, NoticeKind, OtherProblem,
    RepeatedProblem, ResolvedProblem, VERSION,
};
use crate::intake::failure::{Failure, MAX_TARGET_CHARS, shortened};
use crate::intake::fingerprint::FailureAt;
use crate::intake::rejection::FailureGroup;
use crate::intake::shape::JsonType;
use crate::notification::problem::{Problem, ProblemStatus};
use crate::time::Timestamp;
use crate::upload::{Decision, QuarantineLocation, UploadState};

#[derive(Serialize)]
struct Machine<'a> {
    notice_version: &'static str,
    id: &'a str,
    kind: NoticeKind,
    owner: &'a str,
    #[serde(flatten)]
    news: Form<'a>,
    text: &'a str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Form<'a> {
    Failing {
        group: GroupForm<'a>,
        upload: Box<UploadForm<'a>>,
        profile: Option<ProfileForm>,
        others: Vec<OtherForm<'a>>,
        others_omitted: usize,
    },
    Resolved {
        resolved: Vec<ResolutionForm<'a>>,
        resolved_omitted: usize,
    },
    Digest {
        digest: DigestForm<'a>,
    },
}

#[derive(Serialize)]
struct GroupForm<'a> {
    id: &'a str,
    kind: &'a str,
    schema: &'a str,
    failures: Vec<FailureAt>,
    failures_omitted: u64,
    life: ProblemStatus,
    uploads: u64,
    records: u64,
    first_seen: Timestamp,
    last_seen: Timestamp,
    uploads_in_life: u64,
    resolved_at: Option<Timestamp>,
    returns: u64,
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
    group: GroupForm<'a>,
    upload_id: &'a str,
}

#[derive(Serialize)]
struct ResolutionForm<'a> {
    group: GroupForm<'a>,
    upload_id: &'a str,
    at: Timestamp,
}

#[derive(Serialize)]
struct DigestForm<'a> {
    from: Timestamp,
    to: Timestamp,
    groups: u64,
    uploads: u64,
    records: u64,
    first_seen: Option<Timestamp>,
    last_seen: Option<Timestamp>,
    came_back: u64,
    resolved: u64,
    largest: Vec<RepeatForm<'a>>,
    largest_omitted: u64,
}

#[derive(Serialize)]
struct RepeatForm<'a> {
    group: GroupForm<'a>,
    uploads: u64,
    records: u64,
    first_seen: Timestamp,
    last_seen: Timestamp,
    upload_id: &'a str,
    came_back: u64,
    resolved: u64,
}

/// None only if the upload that is told was not rejected.
pub(super) fn json(
    id: &str,
    owner: &str,
    news: &NoticeContents<'_>,
    site: &DeploymentInfo<'_>,
    text: &str,
    room: DetailLimits,
) -> Option<String> {
    let form = match news {
        NoticeContents::Failing { first, others, .. } => {
            let told = ProblemDetails::of(first)?;
            let most = MAX_GROUPS_IN_NOTICE - 1;
            Form::Failing {
                group: GroupForm::of(told.group, room),
                profile: profile(&told, room),
                upload: Box::new(UploadForm::of(&told, site, room)),
                others: others.iter().take(most).map(|other| OtherForm::of(other, room)).collect(),
                others_omitted: others.len().saturating_sub(most),
            }
        }
        NoticeContents::Resolved(resolutions) => Form::Resolved {
            resolved: resolutions.iter().take(MAX_GROUPS_IN_NOTICE).map(|one| ResolutionForm::of(one, room)).collect(),
            resolved_omitted: resolutions.len().saturating_sub(MAX_GROUPS_IN_NOTICE),
        },
        NoticeContents::Digest { from, to, repeats, beyond } => {
            let totals = totals(repeats, beyond);
            let untold = repeats.len().saturating_sub(MAX_REPEATS_TOLD) as u64;
            let told = largest(repeats).into_iter().take(MAX_REPEATS_TOLD);
            let digest = DigestForm {
                from: since(*from, &totals),
                to: *to,
                groups: totals.groups,
                uploads: totals.uploads,
                records: totals.records,
                first_seen: totals.first_seen,
                last_seen: totals.last_seen,
                came_back: totals.came_back,
                resolved: totals.resolved,
                largest: told.map(|repeat| RepeatForm::of(repeat, room)).collect(),
                largest_omitted: untold.saturating_add(beyond.groups),
            };
            Form::Digest { digest }
        }
    };
    serde_json::to_string(&Machine { notice_version: VERSION, id, kind: news.kind(), owner, news: form, text }).ok()
}

impl<'a> GroupForm<'a> {
    fn of(group: &'a Problem, room: DetailLimits) -> Self {
        let at = |at: &FailureAt| FailureAt { code: at.code, pointer: shortened(&at.pointer, room.pointer_of_others) };
        let beyond = group.failures.len().saturating_sub(room.of_others) as u64;
        Self {
            id: group.id.as_str(),
            kind: &group.kind,
            schema: &group.schema,
            failures: group.failures.iter().take(room.of_others).map(at).collect(),
            failures_omitted: group.failures_omitted + beyond,
            life: group.life,
            uploads: group.uploads,
            records: group.records,
            first_seen: group.first_seen,
            last_seen: group.last_seen,
            uploads_in_life: group.uploads_in_life,
            resolved_at: group.resolved_at,
            returns: group.returns,
        }
    }
}

impl<'a> UploadForm<'a> {
    fn of(told: &ProblemDetails<'a>, site: &DeploymentInfo<'_>, room: DetailLimits) -> Self {
        let ProblemDetails { upload, rejection, .. } = *told;
        let is_partial = matches!(upload.decision(), Some(Decision::Accepted { .. }));
        let is_message = upload.message().is_some();
        let beyond = told.failures.len().saturating_sub(room.failures) as u64;
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
            upload_failure: rejection.upload_failure.as_ref().map(|failure| cut(failure, room)),
            failures: told.failures.iter().take(room.failures).map(|failure| cut_group(failure, room)).collect(),
            failures_omitted: rejection.groups_omitted + beyond,
            quarantine: told.quarantined,
            quarantined_at: told.at(),
            kept_until: told.kept_until(site),
        }
    }
}

fn cut(failure: &Failure, room: DetailLimits) -> Failure {
    let name = |name: &String| shortened(name, MAX_TARGET_CHARS.min(room.pointer));
    Failure {
        pointer: shortened(&failure.pointer, room.pointer),
        schema_pointer: failure.schema_pointer.as_deref().map(|pointer| shortened(pointer, room.pointer)),
        targets: failure.targets.iter().take(room.targets).map(name).collect(),
        message: shortened(&failure.message, room.message),
        ..failure.clone()
    }
}

fn cut_group(group: &FailureGroup, room: DetailLimits) -> FailureGroup {
    FailureGroup { pointer: shortened(&group.pointer, room.pointer), first: cut(&group.first, room), ..group.clone() }
}

fn profile(told: &ProblemDetails<'_>, room: DetailLimits) -> Option<ProfileForm> {
    let past = told.past.as_ref()?;
    let member = |known: &KnownTypes| MemberForm {
        pointer: shortened(&known.pointer, room.pointer),
        types: known.types.clone(),
    };
    let members = told.known.iter().map(member).collect();
    Some(ProfileForm { uploads: past.uploads(), last_passed_at: past.last_passed_at, members })
}

impl<'a> OtherForm<'a> {
    fn of(other: &'a OtherProblem, room: DetailLimits) -> Self {
        Self { group: GroupForm::of(&other.group, room), upload_id: other.upload_id.as_str() }
    }
}

impl<'a> ResolutionForm<'a> {
    fn of(resolution: &'a ResolvedProblem, room: DetailLimits) -> Self {
        let ResolvedProblem { group, upload_id, at } = resolution;
        Self { group: GroupForm::of(group, room), upload_id: upload_id.as_str(), at: *at }
    }
}

impl<'a> RepeatForm<'a> {
    fn of(RepeatedProblem { group, tally }: &'a RepeatedProblem, room: DetailLimits) -> Self {
        Self {
            group: GroupForm::of(group, room),
            uploads: tally.uploads,
            records: tally.records,
            first_seen: tally.first_seen,
            last_seen: tally.last_seen,
            upload_id: tally.upload_id.as_str(),
            came_back: tally.came_back,
            resolved: tally.resolved,
        }
    }
}
