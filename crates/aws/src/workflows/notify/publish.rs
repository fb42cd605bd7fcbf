//! Publishes one notice: waits until it is due, records the publication, publishes, and records the result.

use std::time::Duration;

use eventpulse_core::notification::kind::NoticeKind;
use eventpulse_core::notification::outbox::{Due, OutboxEntry, Publication, notice_id};
use eventpulse_core::notification::pacing::{fits_into_lease, next_publication_at, retry_lease_at};
use eventpulse_core::notification::rendering::{MAX_PROBLEMS_IN_NOTICE, Notice};
use eventpulse_core::notification::schedule::LOOKAHEAD;
use eventpulse_core::time::Timestamp;

use super::contents;
use super::notifier::Notifier;
use super::sleep::sleep_until;
use crate::adapters::notice_store::{Changes, PublishLease};
use crate::adapters::upload_store::Append;
use crate::error::{Error, Kind};
use crate::workflows::subscribe;

/// The maximum number of pending notices that are loaded to combine a notice.
const MAX_PENDING_LOADED: usize = 4 * MAX_PROBLEMS_IN_NOTICE;
/// The maximum number of attempts to finish a publication while others change the outbox.
const MAX_ATTEMPTS: u32 = 12;
/// The first pause between two of them.
const PAUSE: Duration = Duration::from_millis(20);

/// The result of an attempt to publish to an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Published {
    /// A notice was published.
    Notice,
    /// No notice was due, or another sender was faster.
    Nothing,
}

/// A notice that the outbox of its owner records as a publication.
struct Begun {
    entry: OutboxEntry,
    notice: Notice,
}

/// Publishes the owner's next notice, if it is due now or soon.
///
/// # Errors
/// See [`crate::error`]. The notice stays in the outbox, and is published later.
pub(super) async fn publish_next(
    notifier: &Notifier,
    owner: &str,
    until: Timestamp,
    clock: impl Fn() -> Timestamp + Copy,
) -> Result<Published, Error> {
    let due_at = notifier.notices.outbox(owner).await?.outbox.due_at(notifier.policy.digest_interval);
    let Some(due_at) = due_at.filter(|at| *at <= clock() + LOOKAHEAD && *at < until) else {
        return Ok(Published::Nothing);
    };
    sleep_until(due_at, clock).await;
    let Some(lease_expires_at) = acquire_lease(notifier, until, clock).await? else { return Ok(Published::Nothing) };
    let begun = match begin(notifier, owner, clock).await {
        Ok(Some(begun)) => begun,
        nothing => {
            release_lease(notifier, lease_expires_at, clock()).await;
            return nothing.map(|_| Published::Nothing);
        }
    };
    if !fits_into_lease(clock(), lease_expires_at) {
        release_lease(notifier, lease_expires_at, clock()).await;
        // The publication expires, and another sender resumes it.
        return Err(Error::new("begin within the publish lease", owner, Kind::Unreachable));
    }
    let answer = notifier.topic.publish(&begun.notice).await;
    // Without an answer, SNS may still deliver the notice: the lease is left to expire.
    if !answer.as_ref().is_err_and(|error| error.kind == Kind::Unreachable) {
        release_lease(notifier, lease_expires_at, next_publication_at(clock())).await;
    }
    record_answer(notifier, owner, &begun, answer, clock).await
}

/// Waits for the publish lease. Returns when it expires; `None` if other senders hold it until `until`.
async fn acquire_lease(
    notifier: &Notifier,
    until: Timestamp,
    clock: impl Fn() -> Timestamp + Copy,
) -> Result<Option<Timestamp>, Error> {
    while clock() < until {
        let now = clock();
        match notifier.notices.acquire_publish_lease(now).await? {
            PublishLease::Acquired { expires_at } => return Ok(Some(expires_at)),
            PublishLease::Held { until: held_until } => sleep_until(retry_lease_at(now, held_until), clock).await,
        }
    }
    Ok(None)
}

/// Lets other senders publish from `free_at` on.
async fn release_lease(notifier: &Notifier, expires_at: Timestamp, free_at: Timestamp) {
    if let Err(error) = notifier.notices.release_publish_lease(expires_at, free_at).await {
        tracing::warn!(error = error.chain(), "could not release the publish lease; it expires");
    }
}

/// Records the publication in the outbox, and renders its notice. Returns `None` if nothing is due, or another sender was
/// faster.
async fn begin(notifier: &Notifier, owner: &str, clock: impl Fn() -> Timestamp + Copy) -> Result<Option<Begun>, Error> {
    let now = clock();
    let mut stored = notifier.notices.outbox(owner).await?;
    let Some(due) = stored.outbox.due(now, notifier.policy.digest_interval) else { return Ok(None) };
    let (id, entry) = match due {
        Due::Resume(Publication { notice_id, entry, .. }) => {
            stored.outbox.resume(now);
            (notice_id, entry)
        }
        Due::Digest(entry) => (notice_id(owner, stored.revision), entry),
        Due::Pending => (notice_id(owner, stored.revision), combine_pending(notifier, owner).await?),
    };
    if !stored.outbox.is_publishing(&id) {
        stored.outbox.begin(id.clone(), entry.clone(), now);
    }
    let written =
        notifier.notices.change(owner, &stored, Changes::default(), notifier.policy.digest_interval, now).await?;
    if written == Append::Conflict {
        return Ok(None);
    }
    if let Some(notice) = contents::render(notifier, owner, &id, &entry).await? {
        return Ok(Some(Begun { entry, notice }));
    }
    tracing::error!(owner, notice_id = id, "a notice has no contents; it is dropped");
    finish(notifier, owner, &id, &entry, clock).await?;
    Ok(None)
}

async fn combine_pending(notifier: &Notifier, owner: &str) -> Result<OutboxEntry, Error> {
    let pending = notifier.notices.pending_notices(owner, MAX_PENDING_LOADED).await?;
    Ok(OutboxEntry::combine(pending.iter().map(|keyed| (keyed.key.as_str(), &keyed.value))))
}

/// Records the answer of SNS.
async fn record_answer(
    notifier: &Notifier,
    owner: &str,
    Begun { entry, notice }: &Begun,
    answer: Result<String, Error>,
    clock: impl Fn() -> Timestamp + Copy,
) -> Result<Published, Error> {
    let (notice_id, kind) = (notice.id.as_str(), notice.kind.as_str());
    let message_id = match answer {
        Err(error) if error.kind == Kind::Invalid => {
            // SNS will never accept this notice. It is dropped, so that it does not block the next ones.
            tracing::error!(error = error.chain(), owner, notice_id, "notice delivery failed permanently");
            finish(notifier, owner, notice_id, entry, clock).await?;
            return Ok(Published::Nothing);
        }
        answer => answer?,
    };
    tracing::info!(owner, notice_id, kind, message_id, subject = notice.subject, "published a notice");
    finish(notifier, owner, notice_id, entry, clock).await?;
    if notice.kind == NoticeKind::SyntheticCheck {
        tracing::info!("the synthetic check passed");
    } else {
        remind(notifier, owner, clock()).await;
    }
    Ok(Published::Notice)
}

/// Finishes the publication in the outbox, and deletes its pending notices.
async fn finish(
    notifier: &Notifier,
    owner: &str,
    notice_id: &str,
    entry: &OutboxEntry,
    clock: impl Fn() -> Timestamp,
) -> Result<(), Error> {
    for attempt in 0..MAX_ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(PAUSE * (1 << attempt.min(6))).await;
        }
        let mut stored = notifier.notices.outbox(owner).await?;
        if !stored.outbox.is_publishing(notice_id) {
            return Ok(()); // The publication expired, and another sender has finished it.
        }
        let now = clock();
        stored.outbox.finish(now);
        let changes = Changes { done: entry.keys(), ..Changes::default() };
        if notifier.notices.change(owner, &stored, changes, notifier.policy.digest_interval, now).await? == Append::Done
        {
            return Ok(());
        }
    }
    Err(Error::new("finish a publication", owner, Kind::Contended))
}

/// Reminds an owner who has not confirmed the subscription.
async fn remind(notifier: &Notifier, owner: &str, now: Timestamp) {
    match subscribe::remind(&notifier.subscriptions, owner, now).await {
        Ok(true) => tracing::info!(owner, "SNS sends another confirmation e-mail"),
        Ok(false) => {}
        Err(error) => tracing::warn!(error = error.chain(), owner, "could not send another confirmation e-mail"),
    }
}
