//! DynamoDB: the counters of the owners' quotas, in a table of their own, so that no flood touches the histories.
//!
//! - The counters of a UTC day: `pk = usage#<owner>#<day>`, a number for each counter of [`DayUsage`].
//! - The requests of a window: `pk = requests#<owner>#<start of the window>`, and `taken` of its budget.
//!
//! Both have `expires_at`. All updates are plain additions: a transaction would conflict with every parallel one of the
//! same owner. An addition whose answer is lost may be repeated, so a counter may be a little high.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use eventpulse_core::id::OwnerId;
use eventpulse_core::time::Timestamp;
use eventpulse_core::usage::{Charge, DayUsage, RequestWindow};

use crate::adapters::dynamodb::item::{Item, epoch_seconds, n, s};
use crate::error::{Error, is_condition_failed};

/// The time for which counters are kept after their period.
const KEEP: Duration = Duration::from_secs(86_400);

/// The table of counters.
#[derive(Debug, Clone)]
pub struct UsageStore {
    client: Client,
    table: String,
}

impl UsageStore {
    /// Creates an adapter over an SDK client.
    #[must_use]
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Adds a charge to the counters of an owner's day, and returns them.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn add(&self, owner: &OwnerId, charge: &Charge, now: Timestamp) -> Result<DayUsage, Error> {
        self.update(owner, charge, "", now).await
    }

    /// Takes a charge back that was added at the same time.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn take_back(&self, owner: &OwnerId, charge: &Charge, now: Timestamp) -> Result<DayUsage, Error> {
        self.update(owner, charge, "-", now).await
    }

    /// Reads the counters of an owner's day.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn day(&self, owner: &OwnerId, now: Timestamp) -> Result<DayUsage, Error> {
        let item = self.get(&day_pk(owner, now)).await?;
        Ok(day_usage(&item.unwrap_or_default()))
    }

    /// Takes a slice of the budget of a window. Returns whether the budget had one left.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn take_slice(&self, owner: &OwnerId, window: RequestWindow) -> Result<bool, Error> {
        let (pk, slice) = (requests_pk(owner, window), window.slice());
        let update = self.client.update_item().table_name(&self.table).key("pk", s(&pk));
        let update = update.update_expression("SET expires_at = :expires ADD taken :slice");
        let update = update.condition_expression("attribute_not_exists(taken) OR taken <= :most");
        let update = update.expression_attribute_values(":slice", n(slice.to_string()));
        let update = update.expression_attribute_values(":most", n(window.budget.saturating_sub(slice).to_string()));
        let update = update.expression_attribute_values(":expires", expires_at(window.end()));
        match update.send().await {
            Ok(_) => Ok(true),
            Err(error) if is_condition_failed(&error) => Ok(false),
            Err(error) => Err(Error::sdk("UpdateItem", self.target(&pk), error)),
        }
    }

    /// Returns the part of a window's budget that is taken.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn taken(&self, owner: &OwnerId, window: RequestWindow) -> Result<u64, Error> {
        let item = self.get(&requests_pk(owner, window)).await?.unwrap_or_default();
        Ok(item.get("taken").and_then(amount).unwrap_or(0))
    }

    async fn update(&self, owner: &OwnerId, charge: &Charge, sign: &str, now: Timestamp) -> Result<DayUsage, Error> {
        let pk = day_pk(owner, now);
        let counters = charge.counters(now);
        if counters.is_empty() {
            return self.day(owner, now).await;
        }
        let mut update = self.client.update_item().table_name(&self.table).key("pk", s(&pk));
        let mut additions = Vec::with_capacity(counters.len());
        for (at, (name, amount)) in counters.into_iter().enumerate() {
            additions.push(format!("#c{at} :c{at}"));
            update = update.expression_attribute_names(format!("#c{at}"), name);
            update = update.expression_attribute_values(format!(":c{at}"), n(format!("{sign}{amount}")));
        }
        let update = update.update_expression(format!("SET expires_at = :expires ADD {}", additions.join(", ")));
        let update = update.expression_attribute_values(":expires", expires_at(DayUsage::end_of_day(now)));
        let updated = update.return_values(ReturnValue::AllNew).send().await;
        let updated = updated.map_err(|error| Error::sdk("UpdateItem", self.target(&pk), error))?;
        Ok(day_usage(&updated.attributes.unwrap_or_default()))
    }

    async fn get(&self, pk: &str) -> Result<Option<Item>, Error> {
        let get = self.client.get_item().table_name(&self.table).key("pk", s(pk)).consistent_read(true);
        Ok(get.send().await.map_err(|error| Error::sdk("GetItem", self.target(pk), error))?.item)
    }

    fn target(&self, pk: &str) -> String {
        format!("{}/{pk}", self.table)
    }
}

fn day_usage(item: &Item) -> DayUsage {
    DayUsage::read(item.iter().filter_map(|(name, value)| Some((name.as_str(), amount(value)?))))
}

/// Returns an amount; 0 if it is negative, after a charge was taken back twice.
fn amount(value: &AttributeValue) -> Option<u64> {
    value.as_n().ok()?.parse::<i64>().ok().map(|amount| u64::try_from(amount).unwrap_or(0))
}

fn expires_at(end: Timestamp) -> AttributeValue {
    n(epoch_seconds(end + KEEP).to_string())
}

fn day_pk(owner: &OwnerId, now: Timestamp) -> String {
    format!("usage#{owner}#{}", now.date())
}

fn requests_pk(owner: &OwnerId, window: RequestWindow) -> String {
    format!("requests#{owner}#{}", window.start)
}
