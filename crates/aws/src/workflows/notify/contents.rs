//! Loads and renders the contents of a notice. They are loaded when the notice is published, so that it includes what has
//! happened while it was pending.

use std::collections::{BTreeMap, BTreeSet};

use eventpulse_core::intake::fingerprint::ProblemId;
use eventpulse_core::notification::kind::NoticeKind;
use eventpulse_core::notification::outbox::OutboxEntry;
use eventpulse_core::notification::pending::PendingNotice;
use eventpulse_core::notification::problem::Problem;
use eventpulse_core::notification::rendering::{
    ChangedProblem, DeploymentInfo, DigestContents, FeaturedProblem, Notice, NoticeContents, OtherProblem,
    RepeatedProblem, keep_largest,
};
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::Upload;

use super::notifier::Notifier;
use crate::error::{Error, Kind};

/// The maximum number of problems that are loaded for a digest. It has the totals of the others.
const MAX_REPEATS: usize = 500;

/// A pending notice with its problem.
type WithProblem = (PendingNotice, Problem);

/// Loads and renders a notice. Returns `None` if there is nothing to report any more.
///
/// # Errors
/// See [`crate::error`].
pub(super) async fn render(
    notifier: &Notifier,
    owner: &str,
    notice_id: &str,
    entry: &OutboxEntry,
) -> Result<Option<Notice>, Error> {
    match entry {
        OutboxEntry::Digest { number, from, to } => {
            render_digest(notifier, owner, notice_id, *number, (*from, *to)).await
        }
        OutboxEntry::Pending { kind, keys } => {
            let pending = load_pending(notifier, owner, keys).await?;
            match kind {
                NoticeKind::Quiet | NoticeKind::Resolved => {
                    Ok(render_changed(notifier, owner, notice_id, *kind, pending))
                }
                kind => render_failing(notifier, owner, notice_id, *kind, pending).await,
            }
        }
    }
}

async fn render_digest(
    notifier: &Notifier,
    owner: &str,
    notice_id: &str,
    number: u64,
    (from, to): (Timestamp, Timestamp),
) -> Result<Option<Notice>, Error> {
    let (counts, remainder) = keep_largest(notifier.notices.digest_counts(owner, number).await?, MAX_REPEATS);
    let ids = counts.iter().map(|(id, counts)| (counts.kind_of_upload.as_str(), id)).collect();
    let mut problems = load_problems(notifier, owner, ids).await?;
    let repeats: Vec<RepeatedProblem> = counts
        .into_iter()
        .filter_map(|(id, counts)| Some(RepeatedProblem { problem: problems.remove(&id)?, counts }))
        .collect();
    if repeats.is_empty() {
        return Ok(None);
    }
    let contents = NoticeContents::Digest(DigestContents { from, to, repeats: &repeats, remainder });
    Ok(Notice::render(notice_id, owner, &contents, &deployment(notifier)))
}

fn render_changed(
    notifier: &Notifier,
    owner: &str,
    notice_id: &str,
    kind: NoticeKind,
    pending: Vec<WithProblem>,
) -> Option<Notice> {
    let changed =
        |(notice, problem): WithProblem| ChangedProblem { problem, upload_id: notice.upload_id, at: notice.at };
    let changed: Vec<ChangedProblem> = pending.into_iter().map(changed).collect();
    let contents = match kind {
        NoticeKind::Quiet => NoticeContents::Quiet(&changed),
        _ => NoticeContents::Resolved(&changed),
    };
    Notice::render(notice_id, owner, &contents, &deployment(notifier))
}

async fn render_failing(
    notifier: &Notifier,
    owner: &str,
    notice_id: &str,
    kind: NoticeKind,
    pending: Vec<WithProblem>,
) -> Result<Option<Notice>, Error> {
    let mut pending = pending.into_iter();
    let Some((notice, problem)) = pending.next() else { return Ok(None) };
    let Some(upload) = load_upload(notifier, &notice).await? else { return Ok(None) };
    let profile = match kind {
        NoticeKind::SyntheticCheck => None,
        _ => Some(notifier.notices.profile(owner, &problem.kind_of_upload).await?),
    };
    let first = FeaturedProblem { problem: &problem, upload: &upload, profile: profile.as_ref() };
    let other = |(notice, problem): WithProblem| Some(OtherProblem { problem, upload_id: notice.upload_id? });
    let others: Vec<OtherProblem> = pending.filter_map(other).collect();
    let contents = NoticeContents::Failing { kind, first, others: &others };
    Ok(Notice::render(notice_id, owner, &contents, &deployment(notifier)))
}

/// Loads pending notices with their problems. Those without a problem are left out.
async fn load_pending(notifier: &Notifier, owner: &str, keys: &[String]) -> Result<Vec<WithProblem>, Error> {
    let pending = notifier.notices.pending_notices_by_key(owner, keys).await?;
    let ids = pending.iter().map(|notice| (notice.kind_of_upload.as_str(), &notice.problem_id)).collect();
    let problems = load_problems(notifier, owner, ids).await?;
    let with_problem = |notice: PendingNotice| {
        let problem = problems.get(&notice.problem_id)?.clone();
        Some((notice, problem))
    };
    Ok(pending.into_iter().filter_map(with_problem).collect())
}

async fn load_problems(
    notifier: &Notifier,
    owner: &str,
    ids: BTreeSet<(&str, &ProblemId)>,
) -> Result<BTreeMap<ProblemId, Problem>, Error> {
    let problems = notifier.notices.problems(owner, ids).await?;
    Ok(problems.into_iter().map(|problem| (problem.id.clone(), problem)).collect())
}

/// Loads an upload in its state at the time of the occurrence. Retries may have changed it since.
async fn load_upload(notifier: &Notifier, notice: &PendingNotice) -> Result<Option<Upload>, Error> {
    let Some(id) = &notice.upload_id else { return Ok(None) };
    let history = notifier.uploads.history(id).await?;
    let Some(then) = history.get(..notice.revision) else { return Ok(None) };
    let upload = Upload::fold(id.clone(), then);
    upload.map(Some).map_err(|error| Error::new("fold", id.as_str(), Kind::Corrupt).with_source(error))
}

fn deployment(notifier: &Notifier) -> DeploymentInfo<'_> {
    DeploymentInfo { api_url: &notifier.api_url, retention_days: notifier.policy.retention_days }
}
