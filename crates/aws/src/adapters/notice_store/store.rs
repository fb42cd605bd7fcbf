//! Reading what an owner's notices are made of, and changing it: all or nothing, if nobody else did meanwhile.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, Put, TransactWriteItem};
use eventpulse_core::notification::occurrence::ProblemFold;
use eventpulse_core::notification::problem::ProblemStatus;
use serde::de::DeserializeOwned;

use super::{
    DUE, KEEP_TALLY_DAYS, Keyed, NoticeStore, Occurrence, Outbox, PendingNotice, Problem, ProblemCounts, ProblemId,
    REMEMBER_GROUP_DAYS, SEEN, STATE, TELL, Timestamp, expires, group_sk, owner_pk, tallies_of, tally_sk, tell_sk,
};
use crate::adapters::dynamodb::item::{Item, number, s, text};
use crate::adapters::upload_store::{Append, transact};
use crate::error::Error;

/// How many items a change may write or take away beside the outbox:
/// a transaction takes [100 actions](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html).
pub const MAX_CHANGES: usize = 99;
/// How long to wait, the first time and at most, before what DynamoDB left out of a batch is asked for again.
const PAUSE: Duration = Duration::from_millis(50);
const MAX_PAUSE: Duration = Duration::from_secs(2);
/// A batch takes [100 keys](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html).
const MAX_KEYS: usize = 100;

/// What changes with an outbox.
#[derive(Debug, Default)]
pub struct Changes<'a> {
    /// Groups, tallies and tells to write.
    pub ledger: Option<&'a ProblemFold>,
    /// Of which digest its tallies are.
    pub epoch: u64,
    /// The sort keys of what is dealt with.
    pub done: &'a [String],
}

impl NoticeStore {
    /// Reads the outbox, and how often it was changed.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn outbox(&self, owner: &str) -> Result<(Outbox, u64), Error> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(self.item(owner, STATE.to_owned())));
        let output = get.consistent_read(true).send().await;
        let output = output.map_err(|error| Error::sdk("GetItem", self.target(owner), error))?;
        let Some(item) = output.item else { return Ok((Outbox::default(), 0)) };
        let revision = item.get("revision").and_then(|revision| revision.as_n().ok()?.parse().ok());
        Ok((self.read(owner, &item, "outbox")?, revision.ok_or_else(|| self.corrupt("GetItem", owner))?))
    }

    /// Writes an outbox that was read at `revision`, with whatever changes with it.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn change(
        &self,
        owner: &str,
        (outbox, revision): (&Outbox, u64),
        changes: Changes<'_>,
        (now, digest_seconds): (Timestamp, u32),
    ) -> Result<Append, Error> {
        let mut item = self.item(owner, STATE.to_owned());
        item.insert("outbox".to_owned(), self.json(owner, outbox)?);
        item.insert("revision".to_owned(), number(usize::try_from(revision).unwrap_or_default() + 1));
        if let Some(due_at) = outbox.due_at(digest_seconds) {
            item.insert("due".to_owned(), s(DUE));
            item.insert("due_at".to_owned(), s(due_at.sortable()));
        }
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        let put = put.condition_expression("attribute_not_exists(pk) OR revision = :read");
        let put = put.expression_attribute_values(":read", number(usize::try_from(revision).unwrap_or_default()));
        let put = put.build().map_err(|error| self.corrupt("TransactWriteItems", owner).with_source(error))?;
        let mut actions = vec![TransactWriteItem::builder().put(put).build()];
        if let Some(ledger) = changes.ledger {
            for group in ledger.changed() {
                actions.push(self.put_action(owner, self.group_item(owner, group)?)?);
            }
            for (id, tally) in ledger.tallied() {
                let mut item = self.item(owner, tally_sk(changes.epoch, id));
                item.insert("tally".to_owned(), self.json(owner, tally)?);
                item.insert("expires_at".to_owned(), expires(now, KEEP_TALLY_DAYS));
                actions.push(self.put_action(owner, item)?);
            }
            for tell in ledger.tells() {
                let mut item = self.item(owner, tell_sk(tell));
                item.insert("tell".to_owned(), self.json(owner, tell)?);
                actions.push(self.put_action(owner, item)?);
            }
        }
        for key in changes.done {
            actions.push(self.delete_action(owner, key)?);
        }
        transact(&self.client, actions, || self.target(owner)).await
    }

    /// The oldest occurrences that are not yet folded, and whether there may be more.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn seen(&self, owner: &str) -> Result<(Vec<Keyed<Occurrence>>, bool), Error> {
        self.oldest(owner, SEEN, "occurrence", MAX_CHANGES).await
    }

    /// The oldest tells that are owed, at most `most`.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn tells(&self, owner: &str, most: usize) -> Result<Vec<Keyed<PendingNotice>>, Error> {
        Ok(self.oldest(owner, TELL, "tell", most).await?.0)
    }

    /// The tells with these sort keys, as far as they are there, in their order.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn tells_by_key(&self, owner: &str, keys: &[String]) -> Result<Vec<PendingNotice>, Error> {
        let items = self.get_many(owner, keys.iter().cloned().collect()).await?;
        items.values().map(|item| self.read(owner, item, "tell")).collect()
    }

    /// Groups by kind and id, as far as they are there.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn groups(&self, owner: &str, wanted: BTreeSet<(&str, &ProblemId)>) -> Result<Vec<Problem>, Error> {
        let keys = wanted.into_iter().map(|(kind, id)| group_sk(kind, id)).collect();
        let items = self.get_many(owner, keys).await?;
        items.values().map(|item| self.read(owner, item, "group")).collect()
    }

    /// Some groups of a kind that are open, more than `most` if there are.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn open(&self, owner: &str, kind: &str, most: usize) -> Result<Vec<Problem>, Error> {
        let query = self.query(owner, &format!("group#{kind}#")).filter_expression("life = :open");
        let mut pages =
            query.expression_attribute_values(":open", s(life(ProblemStatus::Open))).into_paginator().send();
        let mut groups = Vec::new();
        while groups.len() <= most
            && let Some(page) = pages.next().await
        {
            let page = page.map_err(|error| Error::sdk("Query", self.target(owner), error))?;
            for item in page.items().iter().take(most + 1) {
                groups.push(self.read(owner, item, "group")?);
            }
        }
        Ok(groups)
    }

    /// What a digest has gathered of some groups.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn tallies(
        &self,
        owner: &str,
        epoch: u64,
        ids: impl Iterator<Item = &ProblemId>,
    ) -> Result<BTreeMap<ProblemId, ProblemCounts>, Error> {
        let keys = ids.map(|id| (tally_sk(epoch, id), id.clone())).collect::<BTreeMap<_, _>>();
        let items = self.get_many(owner, keys.keys().cloned().collect()).await?;
        let with_id = |(sk, item): (&String, &Item)| {
            let id = keys.get(sk).cloned();
            Ok(id.zip(Some(self.read(owner, item, "tally")?)))
        };
        items.iter().filter_map(|found| with_id(found).transpose()).collect()
    }

    /// All that a digest has gathered.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn gathered(&self, owner: &str, epoch: u64) -> Result<Vec<(ProblemId, ProblemCounts)>, Error> {
        let prefix = tallies_of(epoch);
        let mut pages = self.query(owner, &prefix).into_paginator().send();
        let mut tallies = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Error::sdk("Query", self.target(owner), error))?;
            for item in page.items() {
                let id = text(item, "sk").and_then(|sk| ProblemId::parse(sk.strip_prefix(&prefix)?));
                tallies.push((id.ok_or_else(|| self.corrupt("Query", owner))?, self.read(owner, item, "tally")?));
            }
        }
        Ok(tallies)
    }

    fn group_item(&self, owner: &str, group: &Problem) -> Result<Item, Error> {
        let mut item = self.item(owner, group_sk(&group.kind, &group.id));
        item.insert("group".to_owned(), self.json(owner, group)?);
        item.insert("life".to_owned(), s(life(group.life)));
        item.insert("expires_at".to_owned(), expires(group.last_seen, REMEMBER_GROUP_DAYS));
        Ok(item)
    }

    /// The oldest items of a sort, and whether there may be more. What cannot be read is set aside, and the rest goes on.
    async fn oldest<T: DeserializeOwned>(
        &self,
        owner: &str,
        prefix: &str,
        attribute: &str,
        most: usize,
    ) -> Result<(Vec<Keyed<T>>, bool), Error> {
        let query = self.query(owner, prefix).limit(i32::try_from(most).unwrap_or(i32::MAX));
        let page = query.send().await.map_err(|error| Error::sdk("Query", self.target(owner), error))?;
        let mut found = Vec::new();
        for item in page.items() {
            let key = text(item, "sk").unwrap_or_default().to_owned();
            match self.read(owner, item, attribute) {
                Ok(value) => found.push(Keyed { key, value }),
                Err(error) => {
                    tracing::error!(error = error.chain(), owner, key, "an item cannot be read; it is set aside");
                    self.set_aside(owner, &key, item.clone()).await?;
                }
            }
        }
        Ok((found, page.last_evaluated_key.is_some()))
    }

    async fn set_aside(&self, owner: &str, key: &str, mut item: Item) -> Result<(), Error> {
        item.retain(|name, _| name != "due" && name != "due_at");
        item.insert("sk".to_owned(), s(format!("dead#{key}")));
        let actions = vec![self.put_action(owner, item)?, self.delete_action(owner, key)?];
        transact(&self.client, actions, || self.target(owner)).await?;
        Ok(())
    }

    fn query(&self, owner: &str, prefix: &str) -> aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder {
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        let query = query.key_condition_expression("pk = :pk AND begins_with(sk, :prefix)");
        query.expression_attribute_values(":pk", s(owner_pk(owner))).expression_attribute_values(":prefix", s(prefix))
    }

    /// Items by their sort keys.
    async fn get_many(&self, owner: &str, keys: BTreeSet<String>) -> Result<BTreeMap<String, Item>, Error> {
        let keys: Vec<Item> = keys.into_iter().map(|sk| self.item(owner, sk)).collect();
        let mut found = BTreeMap::new();
        for keys in keys.chunks(MAX_KEYS) {
            let mut left: Vec<HashMap<String, AttributeValue>> = keys.to_vec();
            let mut pause = PAUSE;
            while !left.is_empty() {
                let wanted =
                    KeysAndAttributes::builder().set_keys(Some(std::mem::take(&mut left))).consistent_read(true);
                let wanted = wanted.build().map_err(|error| self.corrupt("BatchGetItem", owner).with_source(error))?;
                let output = self.client.batch_get_item().request_items(&self.table, wanted).send().await;
                let output = output.map_err(|error| Error::sdk("BatchGetItem", self.target(owner), error))?;
                for item in output.responses.into_iter().flatten().flat_map(|(_, items)| items) {
                    found.insert(text(&item, "sk").unwrap_or_default().to_owned(), item);
                }
                left.extend(output.unprocessed_keys.into_iter().flatten().flat_map(|(_, keys)| keys.keys));
                if !left.is_empty() {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(MAX_PAUSE);
                }
            }
        }
        Ok(found)
    }
}

fn life(life: ProblemStatus) -> &'static str {
    match life {
        ProblemStatus::Open => "open",
        ProblemStatus::Resolved => "resolved",
    }
}
