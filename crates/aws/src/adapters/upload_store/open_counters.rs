//! Counters of an owner's open uploads.
//!
//! A counter is an item of the uploads table: `pk = open#<owner>#<counter>#<shard>`, the keys of the index `by_open`
//! (`open_owner`, and `open_since = count#<counter>#<shard>`), and `open_uploads`, the number. There is one counter of
//! pending uploads, and one per day of quarantine. Counters of days whose quarantine objects have expired do not count;
//! DynamoDB's time to live removes them later.
//!
//! The append that changes what an upload waits for writes the counters in its transaction. The append is conditional on
//! the revision, so each change counts exactly once.
//!
//! The shards of a counter are added up, so a change may go to any of them: if one is contended, the transaction is
//! repeated with the next.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{CancellationReason, TransactWriteItem, Update};
use eventpulse_core::id::{OwnerId, UploadId};
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::Upload;

use super::attributes::OpenPosition;
use crate::adapters::dynamodb::item::{Item, epoch_seconds, n, s, text};
use crate::adapters::dynamodb::transaction::{is_conflict, reasons, transaction};
use crate::error::{Error, Kind};

/// The maximum number of counters that an append changes: an upload leaves one and enters another.
pub(super) const MAX_CHANGES: usize = 2;
/// The number of items per counter.
const SHARDS: u64 = 4;
/// The maximum number of repetitions of a transaction because of contended counters.
const REPEATS: u64 = 5;
/// The pause before the first repetition. It doubles with each, 155 ms to 310 ms in all.
const PAUSE: Duration = Duration::from_millis(5);
/// The time for which a counter is kept after its day has expired, in case the retention is made longer.
const KEEP_EXPIRED: Duration = Duration::from_secs(30 * 86_400);
/// The prefix of `open_since` of a counter.
const COUNT: &str = "count#";
/// The name of the counter of pending uploads. It follows the days in the order of texts.
const PENDING_COUNTER: &str = "pending";
/// The characters of a day, `2025-02-28`.
const DAY_CHARS: usize = 10;

/// The counter that includes an upload.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Counter {
    /// Received and not decided.
    Pending,
    /// Something in quarantine since this time of the day.
    Quarantined {
        /// The day, as `2025-02-28`.
        day: String,
    },
}

impl Counter {
    /// Returns the counter that includes an upload; `None` if the upload waits for nothing.
    pub(super) fn of(upload: &Upload) -> Option<Self> {
        OpenPosition::of(upload).map(|position| match position {
            OpenPosition::Pending(_) => Self::Pending,
            OpenPosition::Quarantined(at) => Self::Quarantined { day: day_of(at) },
        })
    }

    fn name(&self) -> &str {
        match self {
            Self::Pending => PENDING_COUNTER,
            Self::Quarantined { day } => day,
        }
    }

    /// Returns the time at which the item may go; `None` for a counter that stays.
    fn expires_at(&self, retention: Duration) -> Option<Timestamp> {
        let Self::Quarantined { day } = self else { return None };
        Timestamp::parse(&format!("{day}T00:00:00Z")).map(|start| start + DAY + retention + KEEP_EXPIRED)
    }
}

const DAY: Duration = Duration::from_secs(86_400);

fn day_of(at: Timestamp) -> String {
    at.sortable().chars().take(DAY_CHARS).collect()
}

/// Returns the first day whose quarantine objects still exist at `now`: S3 removes an object at the first midnight (UTC)
/// [after its retention](https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html).
pub(super) fn first_kept_day(now: Timestamp, retention: Duration) -> String {
    day_of(now - retention)
}

/// The stored state on which an append builds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredState {
    pub(super) revision: usize,
    counter: Option<Counter>,
}

impl StoredState {
    /// No history is stored yet.
    pub const NOTHING: Self = Self { revision: 0, counter: None };

    /// Returns the stored state of an upload whose whole history is stored.
    #[must_use]
    pub fn of(upload: &Upload) -> Self {
        Self { revision: upload.revision(), counter: Counter::of(upload) }
    }
}

/// The changes of counters in one transaction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct CounterChanges(BTreeMap<(OwnerId, Counter), i64>);

impl CounterChanges {
    /// Returns the changes that an append makes.
    pub(super) fn of_append(after: &Upload, stored: &StoredState) -> Self {
        let mut changes = Self::default();
        changes.add(after, stored);
        changes
    }

    /// Adds the changes of one more append.
    pub(super) fn add(&mut self, after: &Upload, stored: &StoredState) {
        let changed = [(stored.counter.clone(), -1), (Counter::of(after), 1)];
        for (counter, change) in changed {
            let Some(counter) = counter else { continue };
            *self.0.entry((after.origin().owner.clone(), counter)).or_default() += change;
        }
        self.0.retain(|_, change| *change != 0);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn actions(&self, table: &str, shard: u64, retention: Duration) -> Result<Vec<TransactWriteItem>, Error> {
        let action = |((owner, counter), change): (&(OwnerId, Counter), &i64)| {
            let name = counter.name();
            let mut expression = "SET open_owner = :owner, open_since = :since".to_owned();
            let mut update = Update::builder()
                .table_name(table)
                .key("pk", s(format!("open#{owner}#{name}#{shard}")))
                .expression_attribute_values(":owner", s(owner))
                .expression_attribute_values(":since", s(format!("{COUNT}{name}#{shard}")))
                .expression_attribute_values(":change", n(change.to_string()));
            if let Some(at) = counter.expires_at(retention) {
                expression.push_str(", expires_at = :expires_at");
                update = update.expression_attribute_values(":expires_at", n(epoch_seconds(at).to_string()));
            }
            let update = update.update_expression(expression + " ADD open_uploads :change").build();
            let update =
                update.map_err(|error| Error::new("TransactWriteItems", table, Kind::Other).with_source(error));
            Ok(TransactWriteItem::builder().update(update?).build())
        };
        self.0.iter().map(action).collect()
    }
}

/// A transaction that also changes counters.
pub(super) struct CountedTransaction<'a> {
    pub(super) client: &'a Client,
    pub(super) table: &'a str,
    pub(super) actions: Vec<TransactWriteItem>,
    pub(super) changes: CounterChanges,
    /// Spreads the changes of different uploads over the shards.
    pub(super) upload_id: &'a UploadId,
    pub(super) retention: Duration,
}

impl CountedTransaction<'_> {
    /// Performs all actions or none, and returns DynamoDB's refusal, if any. The reasons of a refusal begin with those of
    /// `actions`.
    ///
    /// # Errors
    /// [`Kind::Other`] if the SDK refuses an action.
    pub(super) async fn send(self) -> Result<Option<SdkError<TransactWriteItemsError>>, Error> {
        let first_shard = self.upload_id.as_str().bytes().map(u64::from).sum::<u64>();
        let mut repeats = 0;
        loop {
            let mut actions = self.actions.clone();
            let shard = (first_shard + repeats) % SHARDS;
            actions.extend(self.changes.actions(self.table, shard, self.retention)?);
            let Err(error) = transaction(self.client).set_transact_items(Some(actions)).send().await else {
                return Ok(None);
            };
            if repeats == REPEATS || !only_counters_conflict(reasons(&error), self.actions.len()) {
                return Ok(Some(error));
            }
            tokio::time::sleep(pause(repeats)).await;
            repeats += 1;
        }
    }
}

/// Returns whether a transaction was cancelled only because others write its counters, which follow `actions` actions.
fn only_counters_conflict(reasons: &[CancellationReason], actions: usize) -> bool {
    let is_none = |reason: &CancellationReason| reason.code().is_none_or(|code| code == "None");
    reasons.len() > actions
        && reasons[..actions].iter().all(is_none)
        && reasons[actions..].iter().all(|reason| is_none(reason) || is_conflict(reason))
}

/// Returns the pause before a repetition: doubled each time, and up to as much again at random.
fn pause(repeats: u64) -> Duration {
    let mut random = [0; 1];
    let share = getrandom::fill(&mut random).map_or(0, |()| u32::from(random[0]));
    let pause = PAUSE * (1 << repeats);
    pause + pause * share / 255
}

/// The numbers of an owner's open uploads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpenTotals {
    /// The uploads with something in quarantine.
    pub quarantined: u64,
    /// The uploads that are received and not decided.
    pub pending: u64,
}

/// Adds up counters, item by item.
#[derive(Debug, Default)]
pub(super) struct CounterSum {
    quarantined: i64,
    pending: i64,
}

impl CounterSum {
    /// Adds a shard of a counter. Returns `None` if the item is no counter.
    pub(super) fn add(&mut self, item: &Item) -> Option<()> {
        let name = text(item, "open_since")?.strip_prefix(COUNT)?.rsplit_once('#')?.0;
        let number: i64 = item.get("open_uploads")?.as_n().ok()?.parse().ok()?;
        *if name == PENDING_COUNTER { &mut self.pending } else { &mut self.quarantined } += number;
        Some(())
    }

    pub(super) fn totals(&self) -> OpenTotals {
        let positive = |sum: i64| u64::try_from(sum).unwrap_or(0);
        OpenTotals { quarantined: positive(self.quarantined), pending: positive(self.pending) }
    }
}

/// Returns the first and the last possible `open_since` of the counters that count at `now`.
pub(super) fn counter_range(now: Timestamp, retention: Duration) -> (String, String) {
    (format!("{COUNT}{}", first_kept_day(now, retention)), format!("{COUNT}~"))
}

#[cfg(test)]
mod tests;
