//! Evaluates the problems whose time has come: they become quiet, or their records expire.

use std::collections::{BTreeMap, BTreeSet};

use eventpulse_core::intake::fingerprint::ProblemId;
use eventpulse_core::notification::problem_fold::ProblemFold;
use eventpulse_core::time::Timestamp;

use super::fold::{MAX_CONFLICTS, pause, write_fold};
use super::notifier::Notifier;
use crate::adapters::notice_store::MAX_CHANGES;
use crate::adapters::upload_store::Append;
use crate::error::{Error, Kind};

/// The number of due problems that are loaded at a time.
const PAGE: i32 = 100;

/// Evaluates problems until nothing is due, or until `until`. A failure for one owner is logged; the others go on.
///
/// # Errors
/// See [`crate::error`]. It fails if the problems that are due cannot be loaded.
pub(super) async fn evaluate_due(
    notifier: &Notifier,
    until: Timestamp,
    clock: impl Fn() -> Timestamp + Copy,
) -> Result<(), Error> {
    let mut evaluated: BTreeSet<(String, String)> = BTreeSet::new();
    while clock() < until {
        let page = PAGE.saturating_add(i32::try_from(evaluated.len()).unwrap_or(i32::MAX));
        // The index lags behind its table, and shows problems that were evaluated.
        let mut due = notifier.notices.due_problems(clock(), page).await?;
        for (owner, keys) in &mut due {
            keys.retain(|key| evaluated.insert((owner.clone(), key.clone())));
        }
        due.retain(|_, keys| !keys.is_empty());
        if due.is_empty() {
            return Ok(());
        }
        evaluate_owners(notifier, due, until, clock).await;
    }
    Ok(())
}

async fn evaluate_owners(
    notifier: &Notifier,
    due: BTreeMap<String, BTreeSet<String>>,
    until: Timestamp,
    clock: impl Fn() -> Timestamp + Copy,
) {
    for (owner, keys) in due {
        let keys: Vec<String> = keys.into_iter().collect();
        for keys in keys.chunks(MAX_CHANGES / 2) {
            if clock() >= until {
                return;
            }
            if let Err(error) = evaluate(notifier, &owner, keys, clock).await {
                tracing::error!(error = error.chain(), owner, "could not evaluate problems");
            }
        }
    }
}

/// Evaluates problems of an owner, in one transaction. Leaves out those with a rejection that is not yet folded: the next
/// run evaluates them.
async fn evaluate(
    notifier: &Notifier,
    owner: &str,
    keys: &[String],
    clock: impl Fn() -> Timestamp + Copy,
) -> Result<(), Error> {
    for conflicts in 0..MAX_CONFLICTS {
        // The outbox is loaded first: an invocation that changes the same problems changes it.
        let mut stored = notifier.notices.outbox(owner).await?;
        let unfolded = notifier.notices.occurrences(owner).await?;
        if unfolded.has_more {
            return Ok(());
        }
        let rejected = unfolded.items.iter().flat_map(|keyed| keyed.value.fingerprints());
        let rejected: BTreeSet<&ProblemId> = rejected.map(|fingerprint| &fingerprint.id).collect();
        let mut problems = notifier.notices.problems_by_key(owner, keys.iter().cloned().collect()).await?;
        problems.retain(|problem| !rejected.contains(&problem.id));
        let ids = problems.iter().map(|problem| &problem.id);
        let counts = notifier.notices.counts(owner, stored.outbox.digest_number, ids).await?;
        let mut fold = ProblemFold::new(problems, counts, notifier.policy);
        let now = clock();
        fold.evaluate(now, keys.len());
        if fold.writes() == 0 || write_fold(notifier, owner, &mut stored, &fold, &[], now).await? == Append::Done {
            return Ok(());
        }
        pause(conflicts).await;
    }
    Err(Error::new("evaluate", owner, Kind::Contended))
}
