//! Folds an owner's occurrences into problems, pending notices and counts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use eventpulse_core::notification::occurrence::Occurrence;
use eventpulse_core::notification::problem_fold::ProblemFold;
use eventpulse_core::notification::source::Source;
use eventpulse_core::time::Timestamp;

use super::notifier::Notifier;
use crate::adapters::notice_store::profile::OpenMark;
use crate::adapters::notice_store::{Changes, Keyed, MAX_CHANGES, StoredOutbox};
use crate::adapters::upload_store::Append;
use crate::error::{Error, Kind};

/// The maximum number of conflicts in succession.
pub(super) const MAX_CONFLICTS: u32 = 20;
/// The first pause after a conflict.
const PAUSE: Duration = Duration::from_millis(20);

/// The occurrences that one transaction folds.
struct Batch {
    occurrences: Vec<Keyed<Occurrence>>,
    /// Whether the owner has no further occurrences.
    is_all: bool,
}

/// A kind of upload that passed, as it is before its passes are folded.
struct BeforePass {
    kind_of_upload: String,
    mark: Option<OpenMark>,
    /// The sources that open problems await which the fold does not load; `None` if there are too many problems.
    other_sources: Option<BTreeSet<Source>>,
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
                pause(conflicts).await;
                conflicts += 1;
            }
        }
    }
    Err(Error::new("fold", owner, Kind::Contended))
}

/// Pauses after a conflict, longer after each one.
pub(super) async fn pause(conflicts: u32) {
    tokio::time::sleep(PAUSE * (1 << conflicts.min(6))).await;
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
    let (mut fold, before) = load_problems(notifier, owner, batch, stored.outbox.digest_number).await?;
    let folded = fold.fold_all(batch.occurrences.iter().map(|keyed| &keyed.value), MAX_CHANGES);
    let folded = &batch.occurrences[..folded];
    if folded.is_empty() && fold.writes() == 0 {
        return Err(Error::new("fold", owner, Kind::Corrupt)); // One occurrence exceeds a transaction.
    }
    let done: Vec<String> = folded.iter().map(|keyed| keyed.key.clone()).collect();
    let written = write_fold(notifier, owner, &mut stored, &fold, &done, now).await?;
    if written == Append::Done {
        let is_all = batch.is_all && folded.len() == batch.occurrences.len();
        update_marks(notifier, owner, &fold, folded, before, is_all, now).await?;
    }
    Ok(written)
}

/// Writes the changes of a fold, and deletes the occurrences with the sort keys `done`.
///
/// # Errors
/// See [`crate::error`].
pub(super) async fn write_fold(
    notifier: &Notifier,
    owner: &str,
    stored: &mut StoredOutbox,
    fold: &ProblemFold,
    done: &[String],
    now: Timestamp,
) -> Result<Append, Error> {
    stored.outbox.add_pending(fold.pending_notices().len(), now);
    if fold.changed_counts().next().is_some() {
        stored.outbox.add_counts(now);
    }
    let changes = Changes { fold: Some(fold), digest_number: stored.outbox.digest_number, done };
    notifier.notices.change(owner, stored, changes, notifier.policy.digest_interval, now).await
}

/// Loads the problems that the occurrences concern, and their counts for the next digest.
async fn load_problems(
    notifier: &Notifier,
    owner: &str,
    batch: &Batch,
    digest_number: u64,
) -> Result<(ProblemFold, Vec<BeforePass>), Error> {
    let occurrences = || batch.occurrences.iter().map(|keyed| &keyed.value);
    let rejected = occurrences().flat_map(Occurrence::fingerprints).map(|print| (&*print.kind_of_upload, &print.id));
    let closed = occurrences().filter_map(Occurrence::closed).flat_map(|closed| &closed.problems);
    let concerned: BTreeSet<_> = rejected.chain(closed.map(|of| (&*of.kind_of_upload, &of.id))).collect();
    let mut problems = notifier.notices.problems(owner, concerned.clone()).await?;
    let mut before = Vec::new();
    for (kind, sources) in passed(batch) {
        // The mark is loaded first: a rejection that is recorded from now on changes it.
        let mark = notifier.notices.open_mark(owner, kind).await?;
        // One more than a transaction changes: a pass that cannot change them all stays, and is folded again.
        let awaiting = notifier.notices.awaiting_problems(owner, kind, &sources, MAX_CHANGES / 2).await?;
        problems.extend(awaiting.problems);
        let other_sources = awaiting.is_all.then_some(awaiting.other_sources);
        before.push(BeforePass { kind_of_upload: kind.to_owned(), mark, other_sources });
    }
    let ids: BTreeSet<_> =
        problems.iter().map(|problem| &problem.id).chain(concerned.iter().map(|(_, id)| *id)).collect();
    let counts = notifier.notices.counts(owner, digest_number, ids.into_iter()).await?;
    Ok((ProblemFold::new(problems, counts, notifier.policy), before))
}

/// Returns the kinds that passed, with their sources.
fn passed(batch: &Batch) -> BTreeMap<&str, BTreeSet<&Source>> {
    let mut passed: BTreeMap<&str, BTreeSet<&Source>> = BTreeMap::new();
    for kind in batch.occurrences.iter().flat_map(|keyed| keyed.value.passed()) {
        passed.entry(&kind.kind_of_upload).or_default().extend(&kind.sources);
    }
    passed
}

/// Updates the open marks of the kinds that were rejected or passed.
///
/// A kind that was rejected is marked again: each rejection marked its kinds before it was recorded, but an invocation that
/// folded a pass in between did not know it. A kind that only passed is marked with the sources that its problems still
/// await, if all occurrences are folded. A rejection that was recorded since has changed the mark, or is found as a new
/// occurrence: then the invocation that folds it marks the kind.
async fn update_marks(
    notifier: &Notifier,
    owner: &str,
    fold: &ProblemFold,
    folded: &[Keyed<Occurrence>],
    mut before: Vec<BeforePass>,
    is_all: bool,
    now: Timestamp,
) -> Result<(), Error> {
    let failed = folded.iter().map(|keyed| &keyed.value).filter(|occurrence| occurrence.failed_source().is_some());
    let rejected: BTreeSet<&str> =
        failed.flat_map(Occurrence::fingerprints).map(|print| print.kind_of_upload.as_str()).collect();
    for kind_of_upload in &rejected {
        notifier.notices.mark_open(owner, kind_of_upload, now).await?;
    }
    before.retain(|kind| kind.mark.is_some() && !rejected.contains(&*kind.kind_of_upload));
    if !is_all || before.is_empty() || !notifier.notices.occurrences(owner).await?.items.is_empty() {
        return Ok(());
    }
    for BeforePass { kind_of_upload, mark, other_sources } in before {
        let (Some(mark), Some(mut awaited)) = (mark, other_sources) else { continue };
        awaited.extend(fold.awaited(&kind_of_upload).into_iter().cloned());
        notifier.notices.mark_awaited(owner, &kind_of_upload, &mark, awaited, now).await?;
    }
    Ok(())
}
