//! The way of an owner's notices: what became of uploads is folded into groups, and what is owed is published, one notice
//! at a time.
//!
//! Both halves read, let the core decide, and write conditionally: whoever loses a race reads again. Any number of
//! invocations may be at work.

mod contents;
mod fold;
mod send;

use std::collections::BTreeSet;
use std::time::Duration;

use aws_config::SdkConfig;
use eventpulse_core::time::Timestamp;

use crate::Services;
use crate::adapters::notice_store::NoticeStore;
use crate::adapters::notice_topic::NoticeTopic;
use crate::adapters::subscription_store::SubscriptionStore;
use crate::adapters::upload_store::UploadStore;
use crate::environment::{ConfigError, Environment};
use crate::error::Error;

/// How far ahead it is worth waiting for what is due next.
const HORIZON: Duration = Duration::from_millis(1_500);
/// How many owners are looked at at once.
const PAGE: i32 = 100;
/// How long to wait for the index to follow its table.
const LAG: Duration = Duration::from_millis(200);
/// How often it may show nothing new before it is taken at its word.
const IDLE_ROUNDS: u32 = 3;
/// What has been due for so long is overdue.
const OVERDUE_MICROS: i64 = 300_000_000;

/// What notices are made with.
pub struct Notifier {
    /// Groups, and what is owed.
    pub groups: NoticeStore,
    /// The histories.
    pub uploads: UploadStore,
    /// SNS.
    pub notices: NoticeTopic,
    /// Who is mailed.
    pub subscriptions: SubscriptionStore,
    /// The API's URL, without a slash at its end.
    pub api_url: String,
    /// How many days what is quarantined is kept.
    pub retention_days: u32,
    /// How many seconds lie between two digests of one owner, at least.
    pub digest_seconds: u32,
}

impl Notifier {
    /// From the environment of the function, beside that of `services`: `API_URL`, `QUARANTINE_RETENTION_DAYS`,
    /// `DIGEST_SECONDS`.
    ///
    /// # Errors
    /// Every variable that is missing or malformed.
    pub fn from_env(services: &Services, sdk: &SdkConfig) -> Result<Self, ConfigError> {
        let mut environment = Environment::of_process();
        let notifier = Self {
            groups: services.groups.clone(),
            uploads: services.uploads.clone(),
            notices: NoticeTopic::new(sdk, services.config.notices_topic_arn.clone()),
            subscriptions: services.subscriptions.clone(),
            api_url: environment.required("API_URL"),
            retention_days: environment.number("QUARANTINE_RETENTION_DAYS", 1..=36_500),
            digest_seconds: environment.number("DIGEST_SECONDS", 0..=86_400),
        };
        environment.finish(Some(notifier))
    }

    /// Folds what is new of some owners, then sends what is due, first to them; all within `patience`, of which folding has
    /// half, and then the time that one notice takes. Returns the owners of whom folding failed.
    pub async fn take(
        &self,
        owners: &BTreeSet<String>,
        patience: Duration,
        clock: impl Fn() -> Timestamp + Copy,
    ) -> BTreeSet<String> {
        let (fold_until, until) = (after(clock(), patience / 2), after(clock(), patience));
        let failed = self.fold_all(owners, fold_until, clock).await;
        self.send_due(owners.iter().cloned().collect(), until, clock).await;
        failed
    }

    /// Deals with whatever is due, of anybody, within `patience`: what no stream record told of, digests, and what was left
    /// because others were to be told first.
    ///
    /// # Errors
    /// When it cannot be found out what is due.
    pub async fn sweep(&self, patience: Duration, clock: impl Fn() -> Timestamp + Copy) -> Result<(), Error> {
        let (fold_until, until) = (after(clock(), patience / 2), after(clock(), patience));
        let owners = self.groups.unfolded().await?;
        self.fold_all(&owners, fold_until, clock).await;
        self.send_due(Vec::new(), until, clock).await;
        // The index may not have told of these yet.
        self.send_due(owners.into_iter().collect(), until, clock).await;
        let now = clock();
        if let Some(oldest) = self.groups.due(now, 1).await?.first()
            && let Some(since) = Timestamp::parse(&oldest.due_at)
        {
            let waited = now.as_micros() - since.as_micros();
            if waited > OVERDUE_MICROS {
                tracing::warn!(overdue_seconds = waited / 1_000_000, owner = oldest.owner, "notices are overdue");
            }
        }
        Ok(())
    }

    /// Folds what is new of some owners. Returns those of whom that failed.
    async fn fold_all(
        &self,
        owners: &BTreeSet<String>,
        until: Timestamp,
        clock: impl Fn() -> Timestamp + Copy,
    ) -> BTreeSet<String> {
        let mut failed = BTreeSet::new();
        for owner in owners {
            if let Err(error) = self.fold(owner, until, clock).await {
                tracing::error!(error = error.chain(), owner, "what became of uploads could not be folded into groups");
                failed.insert(owner.clone());
            }
        }
        failed
    }

    /// Sends what is due by `until`: first to these owners, then to whoever has waited longest. Who cannot be sent to is left
    /// out from then on, and keeps nobody waiting.
    async fn send_due(&self, mut owners: Vec<String>, until: Timestamp, clock: impl Fn() -> Timestamp + Copy) {
        let mut failed: BTreeSet<String> = BTreeSet::new();
        let mut idle_rounds = 0;
        while idle_rounds <= IDLE_ROUNDS && clock() < until {
            let mut is_idle = true;
            for owner in owners.drain(..) {
                if clock() >= until {
                    return;
                }
                match self.send(&owner, until, clock).await {
                    Ok(is_published) => is_idle &= !is_published,
                    Err(error) => {
                        tracing::error!(
                            error = error.chain(),
                            owner,
                            "notice delivery failed; the notice stays pending"
                        );
                        failed.insert(owner);
                    }
                }
            }
            let page = PAGE.saturating_add(i32::try_from(failed.len()).unwrap_or(i32::MAX));
            let mut due = match self.groups.due(until, page).await {
                Ok(due) => due,
                Err(error) => {
                    tracing::error!(error = error.chain(), "what is due could not be found out");
                    return;
                }
            };
            due.retain(|due| !failed.contains(&due.owner));
            if due.is_empty() {
                return;
            }
            let soon = after(clock(), HORIZON).sortable();
            owners = due.into_iter().filter(|due| due.due_at <= soon).map(|due| due.owner).collect();
            if owners.is_empty() {
                // A pause ends while this is at work: who waits for it is not to wait for the next minute.
                tokio::time::sleep(HORIZON / 2).await;
                idle_rounds = 0;
            } else if is_idle {
                tokio::time::sleep(LAG).await;
                idle_rounds += 1;
            } else {
                idle_rounds = 0;
            }
        }
    }
}

fn after(at: Timestamp, duration: Duration) -> Timestamp {
    Timestamp::from_micros(at.as_micros().saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
}

/// Waits until then, by the clock.
async fn wait_until(at: Timestamp, clock: impl Fn() -> Timestamp) {
    let micros = u64::try_from(at.as_micros() - clock().as_micros()).unwrap_or_default();
    tokio::time::sleep(Duration::from_micros(micros)).await;
}
