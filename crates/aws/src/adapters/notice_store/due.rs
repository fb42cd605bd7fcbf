//! Who is to be told something now, and whose turn it is: all notices of a deployment go one after the other.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use eventpulse_core::time::Timestamp;
use tokio::time::timeout;

use super::{DUE, NoticeStore, owner_of_pk};
use crate::adapters::dynamodb::item::{Item, n, s, text};
use crate::error::{Error, Kind, is_condition_failed};

/// In how many partitions of the index occurrences are: DynamoDB writes a thousand items a second to one.
const SEEN_PARTITIONS: u8 = 16;
/// How many pages of one of these are read to find other owners behind one who has many.
const PAGES: usize = 10;
/// Whoever takes the turn has it for so long, in microseconds, unless it ends before.
pub const PUBLISH_LEASE_MICROS: i64 = 20_000_000;
/// How long a call about the turn may take.
const TURN_CALL: Duration = Duration::from_secs(5);
/// A turn that lasts longer than this was taken by a clock that is wrong.
const FAR_MICROS: i64 = 60_000_000;

/// An owner to whom something is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueOwner {
    /// Who.
    pub owner: String,
    /// Since when, or from when on.
    pub due_at: String,
}

/// Whose turn it is to publish a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublishLease {
    /// The caller's.
    Mine {
        /// Until then at the latest.
        until: Timestamp,
    },
    /// Not the caller's: somebody has it, or had it just now.
    Taken {
        /// Until then at the latest.
        until: Timestamp,
    },
}

/// The partition of the index that an owner's occurrences are in.
pub(super) fn seen_partition(owner: &str) -> String {
    let number = owner.bytes().fold(0u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte)) % SEEN_PARTITIONS;
    format!("seen#{number}")
}

impl NoticeStore {
    /// Owners to whom something is to be sent by `until`, the longest due first, at most `most`. The index lags behind its
    /// table.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn due(&self, until: Timestamp, most: i32) -> Result<Vec<DueOwner>, Error> {
        let query = self.by_due(DUE).key_condition_expression("due = :due AND due_at <= :until");
        let query = query.expression_attribute_values(":until", s(until.sortable())).limit(most);
        let page = query.send().await.map_err(|error| Error::sdk("Query", &self.table, error))?;
        let due = |item: &Item| {
            let owner = owner_in(item)?.to_owned();
            Some(DueOwner { owner, due_at: text(item, "due_at").unwrap_or_default().to_owned() })
        };
        Ok(page.items().iter().filter_map(due).collect())
    }

    /// Owners of whom occurrences are not yet folded, as far as ten pages of each partition tell.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn unfolded(&self) -> Result<BTreeSet<String>, Error> {
        let mut owners = BTreeSet::new();
        for number in 0..SEEN_PARTITIONS {
            let query = self.by_due(&format!("seen#{number}")).key_condition_expression("due = :due");
            let mut pages = query.into_paginator().send();
            for _ in 0..PAGES {
                let Some(page) = pages.next().await else { break };
                let page = page.map_err(|error| Error::sdk("Query", &self.table, error))?;
                owners.extend(page.items().iter().filter_map(owner_in).map(str::to_owned));
            }
        }
        Ok(owners)
    }

    fn by_due(&self, partition: &str) -> QueryFluentBuilder {
        let query = self.client.query().table_name(&self.table).index_name("by_due");
        query.expression_attribute_values(":due", s(partition))
    }

    /// Takes the turn, if it is free. A lost answer is as if somebody else had it: it lapses.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn acquire_publish_lease(&self, now: Timestamp) -> Result<PublishLease, Error> {
        let micros = now.as_micros();
        let until = Timestamp::from_micros(micros + PUBLISH_LEASE_MICROS);
        let update = self.free_turn_at(until);
        let update = update.condition_expression("attribute_not_exists(free_at) OR free_at <= :now OR free_at > :far");
        let update = update.expression_attribute_values(":far", n((micros + FAR_MICROS).to_string()));
        let update = update.expression_attribute_values(":now", n(micros.to_string()));
        let update = update.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        // What is tried again for long could take, by the clock of its beginning, what is somebody else's by then.
        let Ok(answer) = timeout(TURN_CALL, update.send()).await else {
            return Err(Error::new("UpdateItem", self.turn(), Kind::Unreachable));
        };
        let Err(error) = answer else { return Ok(PublishLease::Mine { until }) };
        if let SdkError::ServiceError(refused) = &error
            && let UpdateItemError::ConditionalCheckFailedException(failed) = refused.err()
        {
            let free_at = failed.item().and_then(|item: &Item| item.get("free_at")?.as_n().ok()?.parse().ok());
            return Ok(PublishLease::Taken { until: free_at.map_or(until, Timestamp::from_micros) });
        }
        Err(Error::sdk("UpdateItem", self.turn(), error))
    }

    /// Ends a turn that would last until then: it is free from `free_at` on.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn release_publish_lease(&self, until: Timestamp, free_at: Timestamp) -> Result<(), Error> {
        let update = self.free_turn_at(free_at);
        // Otherwise it was over already, and is somebody else's by now.
        let update = update.condition_expression("free_at = :until");
        let update = update.expression_attribute_values(":until", n(until.as_micros().to_string()));
        match timeout(TURN_CALL, update.send()).await {
            Err(_) => Err(Error::new("UpdateItem", self.turn(), Kind::Unreachable)),
            Ok(Err(error)) if !is_condition_failed(&error) => Err(Error::sdk("UpdateItem", self.turn(), error)),
            Ok(_) => Ok(()),
        }
    }

    fn turn(&self) -> String {
        format!("{}/turn", self.table)
    }

    fn free_turn_at(&self, at: Timestamp) -> UpdateItemFluentBuilder {
        let update = self.client.update_item().table_name(&self.table).key("pk", s("turn")).key("sk", s("turn"));
        let update = update.update_expression("SET free_at = :free_at");
        update.expression_attribute_values(":free_at", n(at.as_micros().to_string()))
    }
}

/// Whose an item of the index is.
fn owner_in(item: &Item) -> Option<&str> {
    owner_of_pk(text(item, "pk")?)
}
