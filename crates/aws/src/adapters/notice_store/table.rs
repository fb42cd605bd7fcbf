//! The notices table: its client, and the keys and attributes of its items.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem};
use eventpulse_core::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::adapters::dynamodb::batch_get::batch_get;
use crate::adapters::dynamodb::item::{Item, n, s, text};
use crate::adapters::upload_store::transact;
use crate::error::{Error, Kind};

const OWNER: &str = "owner#";

/// The notices table.
#[derive(Debug, Clone)]
pub struct NoticeStore {
    pub(super) client: Client,
    pub(super) table: String,
}

/// A value with the sort key of its item, by which it is deleted.
#[derive(Debug, Clone, PartialEq)]
pub struct Keyed<T> {
    /// The sort key.
    pub key: String,
    /// The value.
    pub value: T,
}

/// The first items of a query.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The items, in the order of their keys.
    pub items: Vec<Keyed<T>>,
    /// Whether there may be more.
    pub has_more: bool,
}

impl NoticeStore {
    /// Uses an SDK client and the name of the table.
    #[must_use]
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Starts an item with its key.
    pub(super) fn item(&self, owner: &str, sk: String) -> Item {
        Item::from([("pk".to_owned(), s(owner_pk(owner))), ("sk".to_owned(), s(sk))])
    }

    /// Encodes a value as an attribute.
    pub(super) fn encode(&self, owner: &str, value: &impl Serialize) -> Result<AttributeValue, Error> {
        let json = serde_json::to_string(value).map_err(|error| self.corrupt("PutItem", owner).with_source(error))?;
        Ok(s(json))
    }

    /// Decodes an attribute of an item.
    pub(super) fn decode<T: DeserializeOwned>(&self, owner: &str, item: &Item, attribute: &str) -> Result<T, Error> {
        let json = text(item, attribute).ok_or_else(|| self.corrupt("Query", owner))?;
        serde_json::from_str(json).map_err(|error| self.corrupt("Query", owner).with_source(error))
    }

    pub(super) fn put_action(&self, owner: &str, item: Item) -> Result<TransactWriteItem, Error> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item)).build();
        let put = put.map_err(|error| self.corrupt("TransactWriteItems", owner).with_source(error))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    pub(super) fn delete_action(&self, owner: &str, sk: &str) -> Result<TransactWriteItem, Error> {
        let delete = Delete::builder().table_name(&self.table).key("pk", s(owner_pk(owner))).key("sk", s(sk)).build();
        let delete = delete.map_err(|error| self.corrupt("TransactWriteItems", owner).with_source(error))?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    /// Starts a consistent query for the items of an owner with this prefix of the sort key.
    pub(super) fn query(&self, owner: &str, prefix: &str) -> QueryFluentBuilder {
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        let query = query.key_condition_expression("pk = :pk AND begins_with(sk, :prefix)");
        query.expression_attribute_values(":pk", s(owner_pk(owner))).expression_attribute_values(":prefix", s(prefix))
    }

    /// Loads the first items with this prefix of the sort key. An item that cannot be read is set aside.
    pub(super) async fn first<T: DeserializeOwned>(
        &self,
        owner: &str,
        prefix: &str,
        attribute: &str,
        max: usize,
    ) -> Result<Page<T>, Error> {
        let query = self.query(owner, prefix).limit(i32::try_from(max).unwrap_or(i32::MAX));
        let page = query.send().await.map_err(|error| Error::sdk("Query", self.target(owner), error))?;
        let mut items = Vec::new();
        for item in page.items() {
            let key = text(item, "sk").unwrap_or_default().to_owned();
            match self.decode(owner, item, attribute) {
                Ok(value) => items.push(Keyed { key, value }),
                Err(error) => {
                    tracing::error!(error = error.chain(), owner, key, "cannot read an item; it is set aside");
                    self.set_aside(owner, &key, item.clone()).await?;
                }
            }
        }
        Ok(Page { items, has_more: page.last_evaluated_key.is_some() })
    }

    async fn set_aside(&self, owner: &str, key: &str, mut item: Item) -> Result<(), Error> {
        item.retain(|name, _| name != "due" && name != "due_at");
        item.insert("sk".to_owned(), s(format!("unreadable#{key}")));
        let actions = vec![self.put_action(owner, item)?, self.delete_action(owner, key)?];
        transact(&self.client, actions, || self.target(owner)).await?;
        Ok(())
    }

    /// Loads items by their sort keys. Missing items are left out.
    pub(super) async fn get_many(&self, owner: &str, keys: BTreeSet<String>) -> Result<BTreeMap<String, Item>, Error> {
        let keys: Vec<Item> = keys.into_iter().map(|sk| self.item(owner, sk)).collect();
        let items = batch_get(&self.client, &self.table, &self.target(owner), &keys).await?;
        let sort_key = |item: &Item| text(item, "sk").unwrap_or_default().to_owned();
        Ok(items.into_iter().map(|item| (sort_key(&item), item)).collect())
    }

    pub(super) fn corrupt(&self, op: &'static str, owner: &str) -> Error {
        Error::new(op, self.target(owner), Kind::Corrupt)
    }

    pub(super) fn target(&self, owner: &str) -> String {
        format!("{}/{}", self.table, owner_pk(owner))
    }
}

/// Returns the partition key of an owner.
pub(crate) fn owner_pk(owner: &str) -> String {
    format!("{OWNER}{owner}")
}

/// Returns the owner of a partition; `None` for the publish lease.
#[must_use]
pub fn owner_of_pk(pk: &str) -> Option<&str> {
    pk.strip_prefix(OWNER)
}

/// Returns the second at which an item expires.
pub(super) fn expires(now: Timestamp, after: Duration) -> AttributeValue {
    n(((now + after).as_micros() / 1_000_000).to_string())
}
