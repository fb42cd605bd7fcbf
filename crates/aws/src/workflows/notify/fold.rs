//! Folds an owner's occurrences into problems, pending notices and counts.

use std::collections::BTreeSet;
use std::time::Duration;

use eventpulse_core::notification::occurrence::Occurrence;
use eventpulse_core::notification::problem_fold::ProblemFold;
use eventpulse_core::time::Timestamp;

use super::notifier::Notifier;
use crate::adapters::notice_store::{Changes, Keyed, MAX_CHANGES, StoredOutbox};
use crate::adapters::upload_store::Append;
use crate::error::{Error, Kind};

/// The highest number of conflicts in succession.
const MAX_CONFLICTS: u32 = 20;
/// The first pause after a conflict.
const PAUSE: Duration = Duration::from_millis(20);

/// The occurrences that one transaction folds.
struct Batch {
    occurrences: Vec<Keyed<Occurrence>>,
    /// Whether the owner has no further occurrences.
    is_all: bool,
}

/// The open mark of a kind of upload.
struct OpenMark {
    kind_of_upload: String,
    mark: String,
}

/// Folds the owner's occurrences until `until`. The transaction that folds an occurrence also deletes it. Occurrences that
/// are recorded after the start wake another invocation.
///
/// # Errors
/// See [`crate::error`]. [`Kind::Contended`] if other invocations keep changing the outbox.
pub(super) async fn fold_occurrences(
    notifier: &Notifier,
    owner: &str,
    until: Timestamp,
    clock: impl Fn() -> Timestamp + Copy,
) -> Result<(), Error> {
    let started_at = clock();
    let mut conflicts = 0;
    while conflicts < MAX_CONFLICTS {
        // The outbox is loaded first: an invocation that folds the same occurrences changes it.
        let stored = notifier.notices.outbox(owner).await?;
        let batch = load_batch(notifier, owner, started_at).await?;
        if batch.occurrences.is_empty() || clock() >= until {
            return Ok(());
        }
        match fold_batch(notifier, owner, stored, &batch, clock()).await? {
            Append::Done => conflicts = 0,
            Append::Conflict => {
                tokio::time::sleep(PAUSE * (1 << conflicts.min(6))).await;
                conflicts += 1;
            }
        }
    }
    Err(Error::new("fold", owner, Kind::Contended))
}

async fn load_batch(notifier: &Notifier, owner: &str, started_at: Timestamp) -> Result<Batch, Error> {
    let page = notifier.notices.occurrences(owner).await?;
    let loaded = page.items.len();
    let mut occurrences = page.items;
    occurrences.retain(|keyed| keyed.value.at <= started_at);
    let is_all = !page.has_more && occurrences.len() == loaded;
    Ok(Batch { occurrences, is_all })
}

/// Folds as many occurrences as one transaction takes.
async fn fold_batch(
    notifier: &Notifier,
    owner: &str,
    mut stored: StoredOutbox,
    batch: &Batch,
    now: Timestamp,
) -> Result<Append, Error> {
    let marks = load_open_marks(notifier, owner, batch).await?;
    let mut fold = load_problems(notifier, owner, batch, stored.outbox.digest_number).await?;
    let folded = fold.fold_all(batch.occurrences.iter().map(|keyed| &keyed.value), MAX_CHANGES);
    let folded = &batch.occurrences[..folded];
    if folded.is_empty() && fold.writes() == 0 {
        return Err(Error::new("fold", owner, Kind::Corrupt)); // One occurrence exceeds a transaction.
    }
    stored.outbox.add_pending(fold.pending_notices().len(), now);
    if fold.changed_counts().next().is_some() {
        stored.outbox.add_counts(now);
    }
    let done: Vec<String> = folded.iter().map(|keyed| keyed.key.clone()).collect();
    let changes = Changes { fold: Some(&fold), digest_number: stored.outbox.digest_number, done: &done };
    let written = notifier.notices.change(owner, &stored, changes, notifier.digest_interval, now).await?;
    if written == Append::Done {
        mark_open(notifier, owner, folded, now).await?;
        let is_all = batch.is_all && folded.len() == batch.occurrences.len();
        mark_closed(notifier, owner, &fold, folded, is_all, marks).await?;
    }
    Ok(written)
}

/// Loads the open marks of the kinds that passed.
async fn load_open_marks(notifier: &Notifier, owner: &str, batch: &Batch) -> Result<Vec<OpenMark>, Error> {
    let mut marks = Vec::new();
    for kind_of_upload in passed_kinds(batch) {
        if let Some(mark) = notifier.notices.open_mark(owner, kind_of_upload).await? {
            marks.push(OpenMark { kind_of_upload: kind_of_upload.clone(), mark });
        }
    }
    Ok(marks)
}

/// Loads the problems that the occurrences concern, and their counts for the next digest.
async fn load_problems(
    notifier: &Notifier,
    owner: &str,
    batch: &Batch,
    digest_number: u64,
) -> Result<ProblemFold, Error> {
    let fingerprints = || batch.occurrences.iter().flat_map(|keyed| keyed.value.fingerprints());
    let ids = fingerprints().map(|print| (print.kind_of_upload.as_str(), &print.id)).collect();
    let mut problems = notifier.notices.problems(owner, ids).await?;
    for kind_of_upload in passed_kinds(batch) {
        // One more than a transaction changes: a pass that cannot resolve them all stays, and is folded again.
        problems.extend(notifier.notices.open_problems(owner, kind_of_upload, MAX_CHANGES / 2).await?);
    }
    let ids: BTreeSet<_> =
        problems.iter().map(|problem| &problem.id).chain(fingerprints().map(|print| &print.id)).collect();
    let counts = notifier.notices.counts(owner, digest_number, ids.into_iter()).await?;
    Ok(ProblemFold::new(problems, counts, notifier.digest_interval))
}

fn passed_kinds(batch: &Batch) -> BTreeSet<&String> {
    batch.occurrences.iter().flat_map(|keyed| keyed.value.passed_kinds()).collect()
}

/// Marks the kinds of the folded rejections as open again. Each rejection marked its kinds before it was recorded; in
/// between, an invocation that folded a pass may have found no open problem and closed the mark.
async fn mark_open(
    notifier: &Notifier,
    owner: &str,
    folded: &[Keyed<Occurrence>],
    now: Timestamp,
) -> Result<(), Error> {
    let rejected: BTreeSet<&str> =
        folded.iter().flat_map(|keyed| keyed.value.fingerprints()).map(|print| print.kind_of_upload.as_str()).collect();
    for kind_of_upload in rejected {
        notifier.notices.mark_open(owner, kind_of_upload, now).await?;
    }
    Ok(())
}

/// Marks kinds without open problems as closed, if all occurrences are folded. A rejection that was recorded since has
/// changed the mark, or is found as a new occurrence: then the invocation that folds it closes the mark.
async fn mark_closed(
    notifier: &Notifier,
    owner: &str,
    fold: &ProblemFold,
    folded: &[Keyed<Occurrence>],
    is_all: bool,
    mut marks: Vec<OpenMark>,
) -> Result<(), Error> {
    marks.retain(|mark| fold.can_mark_closed(&mark.kind_of_upload, folded.iter().map(|keyed| &keyed.value)));
    if !is_all || marks.is_empty() || !notifier.notices.occurrences(owner).await?.items.is_empty() {
        return Ok(());
    }
    for OpenMark { kind_of_upload, mark } in marks {
        notifier.notices.mark_closed(owner, &kind_of_upload, &mark).await?;
    }
    Ok(())
}
