//! The index `by_due`: owners with notices that are due, owners with occurrences, and problems that are due.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use eventpulse_core::notification::schedule::DueOwner;
use eventpulse_core::time::Timestamp;

use super::table::{NoticeStore, owner_of_pk};
use crate::adapters::dynamodb::item::{Item, s, text};
use crate::error::Error;

/// The partition of outboxes with a notice that is due.
pub(super) const OUTBOX_PARTITION: &str = "outbox";
/// The partition of problems that become quiet, or whose records expire.
pub(super) const PROBLEM_PARTITION: &str = "problem";
/// The number of partitions of occurrences: DynamoDB writes a thousand items per second to one partition.
const OCCURRENCE_PARTITIONS: u8 = 16;
/// The maximum number of pages that are read of one partition, to find other owners behind one with many occurrences.
const MAX_PAGES: usize = 10;

/// Returns the partition of an owner's occurrences.
pub(super) fn occurrence_partition(owner: &str) -> String {
    let number = owner.bytes().fold(0u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte)) % OCCURRENCE_PARTITIONS;
    numbered_partition(number)
}

fn numbered_partition(number: u8) -> String {
    format!("occurrence#{number}")
}

impl NoticeStore {
    /// Loads at most `max` owners with a notice that is due by `until`, the longest due first. The index lags behind its
    /// table.
    ///
    /// # Errors
    /// See [`crate::error`].
    pub async fn due_owners(&self, until: Timestamp, max: i32) -> Result<Vec<DueOwner>, Error> {
        let query = self.by_due(OUTBOX_PARTITION).key_condition_expression("due = :due AND due_at <= :until");
        let query = query.expression_attribute_values(":until", s(until.sortable())).limit(max);
        let page = query.send().await.map_err(|error| Error::sdk("Query", &self.table, error))?;
        let due = |item: &Item| {
            let due_at = text(item, "due_at").and_then(Timestamp::parse).unwrap_or(Timestamp::MIN);
            Some(DueOwner { owner: owner_in(item)?.to_owned(), due_at })
        };
        Ok(page.items().iter().filter_map(due).collect())
    }

    /// Loads owners with occurrences that are not yet folded, from the first pages of each partition.
    ///
    /// # Errors
    /// See [`crate::error`].
    pub async fn owners_with_occurrences(&self) -> Result<BTreeSet<String>, Error> {
        let mut owners = BTreeSet::new();
        for number in 0..OCCURRENCE_PARTITIONS {
            let query = self.by_due(&numbered_partition(number)).key_condition_expression("due = :due");
            let mut pages = query.into_paginator().send();
            for _ in 0..MAX_PAGES {
                let Some(page) = pages.next().await else { break };
                let page = page.map_err(|error| Error::sdk("Query", &self.table, error))?;
                owners.extend(page.items().iter().filter_map(owner_in).map(str::to_owned));
            }
        }
        Ok(owners)
    }

    /// Loads at most `max` problems that are due by `now`, the longest due first: the sort keys of each owner. The index lags
    /// behind its table.
    ///
    /// # Errors
    /// See [`crate::error`].
    pub async fn due_problems(&self, now: Timestamp, max: i32) -> Result<BTreeMap<String, BTreeSet<String>>, Error> {
        let query = self.by_due(PROBLEM_PARTITION).key_condition_expression("due = :due AND due_at <= :now");
        let query = query.expression_attribute_values(":now", s(now.sortable())).limit(max);
        let page = query.send().await.map_err(|error| Error::sdk("Query", &self.table, error))?;
        let mut due: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for item in page.items() {
            if let (Some(owner), Some(sk)) = (owner_in(item), text(item, "sk")) {
                due.entry(owner.to_owned()).or_default().insert(sk.to_owned());
            }
        }
        Ok(due)
    }

    fn by_due(&self, partition: &str) -> QueryFluentBuilder {
        let query = self.client.query().table_name(&self.table).index_name("by_due");
        query.expression_attribute_values(":due", s(partition))
    }
}

/// Returns the owner of an item.
fn owner_in(item: &Item) -> Option<&str> {
    owner_of_pk(text(item, "pk")?)
}
