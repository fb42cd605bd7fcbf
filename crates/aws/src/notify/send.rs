//! One notice: chosen, written down, published, crossed off.

use std::time::Duration;

use eventpulse_core::group::{Due, Outbox, SPACING_MICROS, Sending, What, notice_id};
use eventpulse_core::notice::{MAX_GROUPS_IN_NOTICE, NoticeKind};
use eventpulse_core::time::Timestamp;

use super::contents::choose;
use super::{HORIZON, Notifier, after, wait_until};
use crate::error::{Error, Kind};
use crate::groups::{Changes, Turn};
use crate::notices::PUBLISH_TIMEOUT;
use crate::uploads::Append;

/// How many tells are looked at for those that go in one notice.
const TELLS_READ: usize = 4 * MAX_GROUPS_IN_NOTICE;
/// How often somebody else may be faster when a notice is crossed off.
const ATTEMPTS: u32 = 12;
/// How long to wait then, the first time.
const PAUSE: Duration = Duration::from_millis(20);
/// How long the turn is waited for: longer than somebody who died has it.
const PATIENCE_FOR_TURN: Duration = Duration::from_secs(25);
/// How long to wait until somebody's turn may be over, who publishes.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// What became of an attempt to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// A notice was published.
    Published,
    /// Nothing is to be sent now.
    NotDue,
    /// Somebody else is at it.
    Contended,
}

impl Notifier {
    /// Sends one notice to an owner, if one is due now or soon.
    pub(super) async fn send(
        &self,
        owner: &str,
        until: Timestamp,
        clock: impl Fn() -> Timestamp + Copy,
    ) -> Result<Sent, Error> {
        let soon = self.groups.outbox(owner).await?.0.due_at(self.digest_seconds);
        let Some(at) = soon.filter(|at| *at <= after(clock(), HORIZON) && *at < until) else { return Ok(Sent::NotDue) };
        wait_until(at, clock).await;
        // What was read before a wait may have changed.
        let (mut outbox, revision) = self.groups.outbox(owner).await?;
        let (id, what) = match outbox.due(clock(), self.digest_seconds) {
            None => return Ok(Sent::NotDue),
            Some(Due::Again(Sending { id, what, .. })) => (id, what),
            Some(Due::Digest(what)) => (notice_id(owner, revision), what),
            Some(Due::Tells) => (notice_id(owner, revision), choose(&self.groups.tells(owner, TELLS_READ).await?)),
        };
        let now = clock();
        if outbox.sending.is_some() {
            outbox.begin_again(now);
        } else {
            outbox.begin(id.clone(), what.clone(), now);
        }
        let terms = (now, self.digest_seconds);
        if self.groups.change(owner, (&outbox, revision), Changes::default(), terms).await? == Append::Conflict {
            return Ok(Sent::Contended);
        }
        self.publish(owner, &id, &what, clock).await
    }

    /// Publishes what the outbox says is being sent, and crosses it off.
    async fn publish(
        &self,
        owner: &str,
        id: &str,
        what: &What,
        clock: impl Fn() -> Timestamp + Copy,
    ) -> Result<Sent, Error> {
        let Some(notice) = self.notice(owner, id, what).await? else {
            tracing::error!(owner, notice_id = id, "there is nothing to tell of what was owed");
            self.cross_off(owner, id, what, clock).await?;
            return Ok(Sent::NotDue);
        };
        let turn = self.wait_for_turn(clock).await?;
        let published = self.notices.publish(&notice).await;
        self.end_turn(turn, &published, clock()).await;
        let message_id = match published {
            Err(error) if error.kind == Kind::Invalid => {
                // Only what SNS will never take, so that it does not keep what comes after it; everything else stays owed.
                tracing::error!(error = error.chain(), owner, notice_id = id, "a notice was given up");
                self.cross_off(owner, id, what, clock).await?;
                return Ok(Sent::NotDue);
            }
            published => published?,
        };
        let kind = notice.kind.as_str();
        tracing::info!(owner, notice_id = id, kind, message_id, subject = notice.subject, "a notice was published");
        self.cross_off(owner, id, what, clock).await?;
        if notice.kind == NoticeKind::SelfTest {
            tracing::info!("the self-test came through");
        } else {
            self.ask_again(owner, clock()).await;
        }
        Ok(Sent::Published)
    }

    /// Waits for the turn to publish, and returns until when it lasts.
    async fn wait_for_turn(&self, clock: impl Fn() -> Timestamp + Copy) -> Result<Timestamp, Error> {
        let deadline = after(clock(), PATIENCE_FOR_TURN);
        while clock() < deadline {
            let now = clock();
            let free_at = match self.groups.take_turn(now).await? {
                // An answer that took long may have left too little of it.
                Turn::Mine { until } if after(clock(), PUBLISH_TIMEOUT) < until => return Ok(until),
                Turn::Mine { until } | Turn::Taken { until } => until,
            };
            let is_pause = free_at.as_micros() - now.as_micros() <= SPACING_MICROS;
            wait_until(if is_pause { free_at } else { after(now, LOOK_AGAIN) }, clock).await;
        }
        Err(Error::new("taking the turn", "turn", Kind::Contended))
    }

    /// Lets others publish, unless SNS was silent: what was sent to it may still arrive, so the turn is left to lapse.
    async fn end_turn(&self, until: Timestamp, published: &Result<String, Error>, now: Timestamp) {
        if published.as_ref().is_err_and(|error| error.kind == Kind::Unreachable) {
            return;
        }
        if let Err(error) = self.groups.end_turn(until, now).await {
            tracing::warn!(error = error.chain(), "a turn could not be ended; it lapses");
        }
    }

    /// Notes that a notice is sent.
    async fn cross_off(&self, owner: &str, id: &str, what: &What, clock: impl Fn() -> Timestamp) -> Result<(), Error> {
        let keys = match what {
            What::Tells { keys, .. } => keys.as_slice(),
            What::Digest { .. } => &[],
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
