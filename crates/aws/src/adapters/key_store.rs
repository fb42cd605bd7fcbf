//! DynamoDB: the keys of devices.
//!
//! There are three kinds of item. An item per key, `pk = id#<key id>`, holds the key's state and the digests of its
//! secrets; the index `by_owner` lists these by `listed`. An item per secret, `pk = key#<sha256>`, holds the credential
//! that the authorizer reads; the secret cannot be derived from it. Both are written in one transaction, on condition
//! of the key's `revision`. Keys are read by a consistent GetItem; only lists and the count follow within moments.
//! The third kind is the tombstone of an owner, `pk = owner#<owner>` with `offboarded_at`: while it exists, no key of the
//! owner works.

mod items;
pub mod lookup;
mod tombstone;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{Put, Select, TransactWriteItem};
use eventpulse_core::device::key::{KeyId, KeyState};
use eventpulse_core::device::key_commands::{Key, KeyChange};
use eventpulse_core::id::OwnerId;
use eventpulse_core::time::Timestamp;
pub use lookup::CredentialLookup;

use crate::adapters::dynamodb::item::{Item, number, s, text};
use crate::adapters::dynamodb::transaction::{is_conflict, is_refused, reasons, transaction};
use crate::adapters::page::Page;
use crate::error::{Error, Kind};
use items::{id_at, key_item, key_of, key_pk, secret_item};

/// The table of keys.
#[derive(Debug, Clone)]
pub struct KeyStore {
    client: Client,
    table: String,
}

/// The result of writing a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyWrite {
    /// The key and its secrets are written.
    Done,
    /// Nothing is written: the key has another revision than the one that was read.
    Conflict,
}

impl KeyStore {
    /// Creates an adapter over an SDK client.
    #[must_use]
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Lists the keys of an owner, newest first. `after` is the [`Page::next`] of the previous page.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn list(&self, owner: &OwnerId, limit: usize, after: Option<&str>) -> Result<Page<Key>, Error> {
        let start = after.and_then(|after| {
            let pk = key_pk(&id_at(after)?);
            let start = [("pk", s(pk)), ("owner", s(owner)), ("listed", s(after))];
            Some(start.map(|(name, value)| (name.to_owned(), value)).into())
        });
        // Without a filter, a page of DynamoDB is a page of the list: 100 keys are far from its limit of 1 MB.
        let query = self.of_owner(owner).limit(i32::try_from(limit).unwrap_or(100)).set_exclusive_start_key(start);
        let page = query.send().await.map_err(|error| Error::sdk("Query", self.table.as_str(), error))?;
        let next = page.last_evaluated_key.as_ref().and_then(|key| text(key, "listed")).map(str::to_owned);
        let read = |item: Item| key_of(item).map_err(|error| self.corrupt("Query", error));
        let items = page.items.unwrap_or_default().into_iter().map(read).collect::<Result<_, _>>()?;
        Ok(Page { items, next })
    }

    /// Reads a key of an owner. Returns `None` if the owner has no such key.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn get(&self, owner: &OwnerId, id: &KeyId) -> Result<Option<Key>, Error> {
        Ok(self.get_of_any_owner(id).await?.filter(|key| key.owner == *owner))
    }

    /// Reads a key, whoever its owner is: for the operator.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn get_of_any_owner(&self, id: &KeyId) -> Result<Option<Key>, Error> {
        let get = self.client.get_item().table_name(&self.table).key("pk", s(key_pk(id))).consistent_read(true);
        let output = get.send().await.map_err(|error| Error::sdk("GetItem", self.target(id), error))?;
        let Some(item) = output.item else { return Ok(None) };
        key_of(item).map(Some).map_err(|error| self.corrupt("GetItem", error))
    }

    /// Counts the active keys of an owner by the index, so that concurrent creations may exceed a limit by a few.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn count_active(&self, owner: &OwnerId) -> Result<usize, Error> {
        let query = self.of_owner(owner).filter_expression("#state = :active").select(Select::Count);
        let query = query.expression_attribute_names("#state", "state");
        let query = query.expression_attribute_values(":active", s(KeyState::Active.as_str()));
        let (mut count, mut pages) = (0, query.into_paginator().send());
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Error::sdk("Query", self.table.as_str(), error))?;
            count += usize::try_from(page.count).unwrap_or(0);
        }
        Ok(count)
    }

    /// Writes a key and the secrets of a change: all or nothing, and nothing if the key's stored revision is not the one
    /// before.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn write(&self, change: &KeyChange) -> Result<KeyWrite, Error> {
        let KeyChange { key, secrets } = change;
        let unsendable =
            |error| Error::new("TransactWriteItems", self.target(&key.key_id), Kind::Other).with_source(error);
        let item = key_item(key).map_err(|error| self.corrupt("TransactWriteItems", error))?;
        let head = Put::builder().table_name(&self.table).set_item(Some(item));
        let head = match key.revision {
            1 => head.condition_expression("attribute_not_exists(pk)"),
            revision => head
                .condition_expression("#revision = :read")
                .expression_attribute_names("#revision", "revision")
                .expression_attribute_values(":read", number(revision - 1)),
        };
        let mut actions = vec![TransactWriteItem::builder().put(head.build().map_err(unsendable)?).build()];
        for secret in secrets {
            let item = secret_item(key, secret).map_err(|error| self.corrupt("TransactWriteItems", error))?;
            // A secret never moves to another key.
            let put = Put::builder().table_name(&self.table).set_item(Some(item));
            let put = put
                .condition_expression("attribute_not_exists(pk) OR key_id = :me")
                .expression_attribute_values(":me", s(key.key_id.as_str()));
            actions.push(TransactWriteItem::builder().put(put.build().map_err(unsendable)?).build());
        }
        let Err(error) = transaction(&self.client).set_transact_items(Some(actions)).send().await else {
            return Ok(KeyWrite::Done);
        };
        let reasons = reasons(&error);
        if reasons.iter().any(|reason| is_refused(reason) || is_conflict(reason)) {
            return Ok(KeyWrite::Conflict);
        }
        Err(Error::sdk("TransactWriteItems", self.target(&key.key_id), error))
    }

    /// Marks an owner as offboarded. Returns `false` if the owner was already.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn offboard(&self, owner: &OwnerId, now: Timestamp) -> Result<bool, Error> {
        tombstone::put(&self.client, &self.table, owner, now).await
    }

    /// Removes the mark. Returns `false` if there was none.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn reinstate(&self, owner: &OwnerId) -> Result<bool, Error> {
        tombstone::remove(&self.client, &self.table, owner).await
    }

    /// Returns whether an owner is offboarded. The read is consistent.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn is_offboarded(&self, owner: &OwnerId) -> Result<bool, Error> {
        tombstone::exists(&self.client, &self.table, owner).await
    }

    fn of_owner(&self, owner: &OwnerId) -> QueryFluentBuilder {
        let query = self.client.query().table_name(&self.table).index_name("by_owner").scan_index_forward(false);
        let query = query.key_condition_expression("#owner = :owner");
        query.expression_attribute_names("#owner", "owner").expression_attribute_values(":owner", s(owner))
    }

    fn corrupt(&self, op: &'static str, error: serde_dynamo::Error) -> Error {
        Error::new(op, self.table.as_str(), Kind::Corrupt).with_source(error)
    }

    fn target(&self, id: &KeyId) -> String {
        format!("{}/{id}", self.table)
    }
}
