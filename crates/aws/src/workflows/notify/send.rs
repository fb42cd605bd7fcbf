//! One notice: chosen, written down, published, crossed off.

use std::time::Duration;

use eventpulse_core::notification::kind::NoticeKind;
use eventpulse_core::notification::outbox::{
    Due, LEASE_MICROS, Outbox, OutboxEntry, Publication, SPACING_MICROS, notice_id,
};
use eventpulse_core::notification::rendering::{MAX_GROUPS_IN_NOTICE, Notice};
use eventpulse_core::time::Timestamp;

use super::contents::choose;
use super::{HORIZON, Notifier, after, wait_until};
use crate::adapters::notice_store::{Changes, PUBLISH_LEASE_MICROS, PublishLease};
use crate::adapters::notice_topic::PUBLISH_TIMEOUT;
use crate::adapters::upload_store::Append;
use crate::error::{Error, Kind};

/// How many tells are looked at for those that go in one notice.
const TELLS_READ: usize = 4 * MAX_GROUPS_IN_NOTICE;
/// How often somebody else may be faster when a notice is crossed off.
const ATTEMPTS: u32 = 12;
/// How long to wait then, the first time.
const PAUSE: Duration = Duration::from_millis(20);
/// How long to wait until somebody's turn may be over, who publishes.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

// What is published in a turn is answered before that turn may be somebody else's, and that is before the sender is taken
// for dead.
const _: () = assert!(
    PUBLISH_TIMEOUT.as_micros() as i64 + SPACING_MICROS < PUBLISH_LEASE_MICROS && PUBLISH_LEASE_MICROS < LEASE_MICROS
);

/// A notice that stands in its owner's outbox as being sent.
struct Begun {
    id: String,
    what: OutboxEntry,
    notice: Notice,
}

impl Notifier {
    /// Sends one notice to an owner, if one is due now or soon. Returns whether one was published.
    pub(super) async fn send(
        &self,
        owner: &str,
        until: Timestamp,
        clock: impl Fn() -> Timestamp + Copy,
    ) -> Result<bool, Error> {
        let at = self.groups.outbox(owner).await?.0.due_at(self.digest_seconds);
        let Some(at) = at.filter(|at| *at <= after(clock(), HORIZON) && *at < until) else { return Ok(false) };
        wait_until(at, clock).await;
        let Some(turn_ends) = self.wait_for_turn(until, clock).await? else { return Ok(false) };
        let begun = match self.begin(owner, clock).await {
            Ok(Some(begun)) => begun,
            nothing => {
                self.release_publish_lease(turn_ends, clock()).await;
                return nothing.map(|_| false);
            }
        };
        if after(spaced(clock()), PUBLISH_TIMEOUT) > turn_ends {
            self.release_publish_lease(turn_ends, clock()).await;
            // Reading took too long. It stands as being sent, and is taken up again like that of somebody who died.
            return Err(Error::new("reading within a turn", owner, Kind::Unreachable));
        }
        let published = self.notices.publish(&begun.notice).await;
        // Where SNS was silent, what was sent to it may still arrive: the turn is left to lapse.
        if !published.as_ref().is_err_and(|error| error.kind == Kind::Unreachable) {
            self.release_publish_lease(turn_ends, spaced(clock())).await;
        }
        self.record(owner, &begun, published, clock).await
    }

    /// Writes down what is being sent; none if nothing is due, or somebody else was faster.
    async fn begin(&self, owner: &str, clock: impl Fn() -> Timestamp + Copy) -> Result<Option<Begun>, Error> {
        let now = clock();
        let (mut outbox, revision) = self.groups.outbox(owner).await?;
        let (id, what) = match outbox.due(now, self.digest_seconds) {
            None => return Ok(None),
            Some(Due::Again(Publication { id, what, .. })) => {
                outbox.begin_again(now);
                (id, what)
            }
            Some(due) => {
                let what = match due {
                    Due::Digest(what) => what,
                    _ => choose(&self.groups.tells(owner, TELLS_READ).await?),
                };
                let id = notice_id(owner, revision);
                outbox.begin(id.clone(), what.clone(), now);
                (id, what)
            }
        };
        let terms = (now, self.digest_seconds);
        if self.groups.change(owner, (&outbox, revision), Changes::default(), terms).await? == Append::Conflict {
            return Ok(None);
        }
        if let Some(notice) = self.notice(owner, &id, &what).await? {
            return Ok(Some(Begun { id, what, notice }));
        }
        tracing::error!(owner, notice_id = id, "there is nothing to tell of what was owed");
        self.cross_off(owner, &id, &what, clock).await?;
        Ok(None)
    }

    /// Records what became of a notice. Returns whether it was published.
    async fn record(
        &self,
        owner: &str,
        Begun { id, what, notice }: &Begun,
        published: Result<String, Error>,
        clock: impl Fn() -> Timestamp + Copy,
    ) -> Result<bool, Error> {
        let message_id = match published {
            Err(error) if error.kind == Kind::Invalid => {
                // Only what SNS will never take, so that it does not keep what comes after it; everything else stays owed.
                tracing::error!(error = error.chain(), owner, notice_id = id, "notice delivery failed permanently");
                self.cross_off(owner, id, what, clock).await?;
                return Ok(false);
            }
            published => published?,
        };
        let kind = notice.kind.as_str();
        tracing::info!(owner, notice_id = id, kind, message_id, subject = notice.subject, "a notice was published");
        self.cross_off(owner, id, what, clock).await?;
        if notice.kind == NoticeKind::SelfTest {
            tracing::info!("the synthetic check passed");
        } else {
            self.ask_again(owner, clock()).await;
        }
        Ok(true)
    }

    /// Waits for the turn to publish. Returns when it ends at the latest; none if it was always somebody else's.
    async fn wait_for_turn(
        &self,
        until: Timestamp,
        clock: impl Fn() -> Timestamp + Copy,
    ) -> Result<Option<Timestamp>, Error> {
        while clock() < until {
            let now = clock();
            match self.groups.acquire_publish_lease(now).await? {
                PublishLease::Mine { until } => return Ok(Some(until)),
                PublishLease::Taken { until } => {
                    let is_pause = until <= spaced(now);
                    wait_until(if is_pause { until } else { after(now, LOOK_AGAIN) }, clock).await;
                }
            }
        }
        Ok(None)
    }

    /// Lets others publish, from then on.
    async fn release_publish_lease(&self, until: Timestamp, free_at: Timestamp) {
        if let Err(error) = self.groups.release_publish_lease(until, free_at).await {
            tracing::warn!(error = error.chain(), "a turn could not be ended; it lapses");
        }
    }

    /// Notes that a notice is sent.
    async fn cross_off(
        &self,
        owner: &str,
        id: &str,
        what: &OutboxEntry,
        clock: impl Fn() -> Timestamp,
    ) -> Result<(), Error> {
        let keys = match what {
            OutboxEntry::Tells { keys, .. } => keys.as_slice(),
            OutboxEntry::Digest { .. } => &[],
        };
        for lost in 0..ATTEMPTS {
            if lost > 0 {
                tokio::time::sleep(PAUSE * (1 << lost.min(6))).await;
            }
            let (mut outbox, revision): (Outbox, u64) = self.groups.outbox(owner).await?;
            if outbox.sending.as_ref().is_none_or(|sending| sending.id != id) {
                return Ok(()); // somebody took this sender for dead, and was faster
            }
            let now = clock();
            outbox.sent(now);
            let changes = Changes { done: keys, ..Changes::default() };
            if self.groups.change(owner, (&outbox, revision), changes, (now, self.digest_seconds)).await?
                == Append::Done
            {
                return Ok(());
            }
        }
        Err(Error::new("crossing off", owner, Kind::Contended))
    }

    /// An owner who has not confirmed yet is asked again when there is something to tell.
    async fn ask_again(&self, owner: &str, now: Timestamp) {
        match self.subscriptions.ask_again(owner, now).await {
            Ok(true) => tracing::info!(owner, "a subscription that is not confirmed was asked for again"),
            Ok(false) => {}
            Err(error) => tracing::warn!(error = error.chain(), owner, "a subscription could not be asked for again"),
        }
    }
}

/// When the next notice may go after one at this time.
fn spaced(at: Timestamp) -> Timestamp {
    Timestamp::from_micros(at.as_micros().saturating_add(SPACING_MICROS))
}
