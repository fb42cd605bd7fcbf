//! Notifies owners: folds occurrences into problems, and publishes the notices that are due.
//!
//! An invocation first folds the occurrences of some owners (`fold`), then publishes due notices, one at a time
//! (`publish`). The schedule also evaluates the problems that become quiet, or whose records expire (`evaluate`). All load
//! state, let the core decide, and write conditionally: a sender that loses a race loads again. Any
//! number of invocations may run in parallel.

mod contents;
mod evaluate;
mod fold;
mod notifier;
mod publish;
mod sleep;

use std::collections::BTreeSet;
use std::time::Duration;

use eventpulse_core::notification::schedule::{Schedule, ScheduleStep};
use eventpulse_core::time::Timestamp;

use crate::error::Error;
pub use notifier::Notifier;
use publish::Published;

/// The number of due owners that are loaded at a time.
const PAGE: i32 = 100;

/// Handles new occurrences of these owners: folds them, then publishes due notices, first to these owners. All of it ends
/// after about `budget`, of which folding takes at most half; the last notice can take longer. Returns the owners for whom
/// folding failed.
pub async fn handle_occurrences(
    notifier: &Notifier,
    owners: &BTreeSet<String>,
    budget: Duration,
    clock: impl Fn() -> Timestamp + Copy,
) -> BTreeSet<String> {
    let (fold_until, publish_until) = (clock() + budget / 2, clock() + budget);
    let failed = fold_owners(notifier, owners, fold_until, clock).await;
    publish_due(notifier, owners.iter().cloned().collect(), publish_until, clock).await;
    failed
}

/// Handles everything that is due for any owner, within about `budget`: occurrences that no stream record reported, problems
/// that become quiet or whose records expire, digests, and notices that wait for a pause.
///
/// # Errors
/// See [`crate::error`]. It fails if the owners or the problems cannot be loaded; failures for one owner are logged.
pub async fn handle_schedule(
    notifier: &Notifier,
    budget: Duration,
    clock: impl Fn() -> Timestamp + Copy,
) -> Result<(), Error> {
    let begun_at = clock();
    let (fold_until, evaluate_until, publish_until) =
        (begun_at + budget / 2, begun_at + budget * 3 / 4, begun_at + budget);
    let owners = notifier.notices.owners_with_occurrences().await?;
    fold_owners(notifier, &owners, fold_until, clock).await;
    evaluate::evaluate_due(notifier, evaluate_until, clock).await?;
    publish_due(notifier, Vec::new(), publish_until, clock).await;
    // The index may not show the notices of these owners yet.
    publish_due(notifier, owners.into_iter().collect(), publish_until, clock).await;
    warn_if_overdue(notifier, clock()).await
}

/// Folds the occurrences of owners. Returns those for whom it failed.
async fn fold_owners(
    notifier: &Notifier,
    owners: &BTreeSet<String>,
    until: Timestamp,
    clock: impl Fn() -> Timestamp + Copy,
) -> BTreeSet<String> {
    let mut failed = BTreeSet::new();
    for owner in owners {
        if let Err(error) = fold::fold_occurrences(notifier, owner, until, clock).await {
            tracing::error!(error = error.chain(), owner, "could not fold occurrences");
            failed.insert(owner.clone());
        }
    }
    failed
}

/// Publishes the notices that are due by `until`: first to these owners, then to the owners that have waited longest.
async fn publish_due(
    notifier: &Notifier,
    mut owners: Vec<String>,
    until: Timestamp,
    clock: impl Fn() -> Timestamp + Copy,
) {
    let mut schedule = Schedule::default();
    while clock() < until {
        for owner in owners.drain(..) {
            if clock() >= until {
                return;
            }
            match publish::publish_next(notifier, &owner, until, clock).await {
                Ok(Published::Notice) => schedule.published(),
                Ok(Published::Nothing) => {}
                Err(error) => {
                    tracing::error!(error = error.chain(), owner, "notice delivery failed; the notice stays pending");
                    schedule.failed(owner);
                }
            }
        }
        let page = PAGE.saturating_add(i32::try_from(schedule.failures()).unwrap_or(i32::MAX));
        let due = match notifier.notices.due_owners(until, page).await {
            Ok(due) => due,
            Err(error) => {
                tracing::error!(error = error.chain(), "could not load the owners with due notices");
                return;
            }
        };
        match schedule.next(due, clock()) {
            ScheduleStep::Stop => return,
            ScheduleStep::Wait(pause) => tokio::time::sleep(pause).await,
            ScheduleStep::Publish { pause, owners: next } => {
                tokio::time::sleep(pause).await;
                owners = next;
            }
        }
    }
}

async fn warn_if_overdue(notifier: &Notifier, now: Timestamp) -> Result<(), Error> {
    let due = notifier.notices.due_owners(now, 1).await?;
    if let Some((oldest, waited)) = due.first().and_then(|oldest| Some((oldest, oldest.overdue(now)?))) {
        tracing::warn!(overdue_seconds = waited.as_secs(), owner = oldest.owner, "notices are overdue");
    }
    Ok(())
}
