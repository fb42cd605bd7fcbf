//! DynamoDB: what an owner's notices are made of. One partition an owner, `pk = owner#<owner>`; `sk` is
//!
//! - `state`: the [`Outbox`], with the number of its changes, `revision`, that each change is conditional on;
//! - `seen#<time>#<upload>#<revision>`: an [`Occurrence`] that is not yet folded into groups;
//! - `group#<kind>#<id>`: a [`Problem`];
//! - `tell#<time>#<what>#<id>`: a [`PendingNotice`] that is owed;
//! - `digest#<epoch>#<id>`: the [`ProblemCounts`] of a group for one digest;
//! - `profile#<kind>`: see [`profile`];
//! - `dead#<sort key>`: what was there and cannot be read: it must not keep the rest waiting.
//!
//! One item is nobody's: `pk = sk = turn`, `free_at` in microseconds since 1970, for all notices of the deployment.
//!
//! What is to be dealt with has `due` and `due_at`, and so is in the index `by_due`: outboxes in the partition `due`,
//! occurrences in one of `seen#0` to `seen#15`. Items that nobody needs any more expire (`expires_at`).

mod due;
pub mod profile;
mod store;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem};
use eventpulse_core::intake::fingerprint::ProblemId;
use eventpulse_core::notification::occurrence::{Occurrence, PendingNotice, ProblemCounts};
use eventpulse_core::notification::outbox::Outbox;
use eventpulse_core::notification::problem::Problem;
use eventpulse_core::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::adapters::dynamodb::item::{Item, n, s, text};
use crate::error::{Error, Kind};

pub use due::{DueOwner, PUBLISH_LEASE_MICROS, PublishLease};
pub use store::{Changes, MAX_CHANGES};

/// How long a group is remembered after it was last seen, in days; then it is new again.
const REMEMBER_GROUP_DAYS: i64 = 180;
/// How long what a digest told is kept, in days.
const KEEP_TALLY_DAYS: i64 = 14;
/// The partition of the index `by_due` that outboxes are in.
const DUE: &str = "due";

const OWNER: &str = "owner#";
const STATE: &str = "state";
const SEEN: &str = "seen#";
const TELL: &str = "tell#";

/// The notices table.
#[derive(Debug, Clone)]
pub struct NoticeStore {
    client: Client,
    table: String,
}

/// An item that is to be taken away once it is dealt with.
#[derive(Debug, Clone, PartialEq)]
pub struct Keyed<T> {
    /// Its sort key.
    pub key: String,
    /// What it holds.
    pub value: T,
}

impl NoticeStore {
    /// Over an SDK client.
    #[must_use]
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// The action of a transaction that notes an occurrence.
    ///
    /// # Errors
    /// Never, but for what serde may say.
    pub fn note(&self, owner: &str, occurrence: &Occurrence) -> Result<TransactWriteItem, Error> {
        self.put_action(owner, self.seen_item(owner, occurrence)?)
    }

    /// Notes an occurrence.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn put(&self, owner: &str, occurrence: &Occurrence) -> Result<(), Error> {
        let put = self.client.put_item().table_name(&self.table).set_item(Some(self.seen_item(owner, occurrence)?));
        put.send().await.map_err(|error| Error::sdk("PutItem", self.target(owner), error))?;
        Ok(())
    }

    fn seen_item(&self, owner: &str, occurrence: &Occurrence) -> Result<Item, Error> {
        let Occurrence { at, upload_id, revision, .. } = occurrence;
        let mut item = self.item(owner, format!("{SEEN}{}#{upload_id}#{revision}", at.sortable()));
        item.insert("occurrence".to_owned(), self.json(owner, occurrence)?);
        item.insert("due".to_owned(), s(due::seen_partition(owner)));
        item.insert("due_at".to_owned(), s(at.sortable()));
        Ok(item)
    }

    fn item(&self, owner: &str, sk: String) -> Item {
        Item::from([("pk".to_owned(), s(owner_pk(owner))), ("sk".to_owned(), s(sk))])
    }

    fn json(&self, owner: &str, value: &impl Serialize) -> Result<AttributeValue, Error> {
        let json = serde_json::to_string(value).map_err(|error| self.corrupt("PutItem", owner).with_source(error))?;
        Ok(s(json))
    }

    fn read<T: DeserializeOwned>(&self, owner: &str, item: &Item, attribute: &str) -> Result<T, Error> {
        let json = text(item, attribute).ok_or_else(|| self.corrupt("Query", owner))?;
        serde_json::from_str(json).map_err(|error| self.corrupt("Query", owner).with_source(error))
    }

    fn put_action(&self, owner: &str, item: Item) -> Result<TransactWriteItem, Error> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item)).build();
        let put = put.map_err(|error| self.corrupt("TransactWriteItems", owner).with_source(error))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    fn delete_action(&self, owner: &str, sk: &str) -> Result<TransactWriteItem, Error> {
        let delete = Delete::builder().table_name(&self.table).key("pk", s(owner_pk(owner))).key("sk", s(sk)).build();
        let delete = delete.map_err(|error| self.corrupt("TransactWriteItems", owner).with_source(error))?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    fn corrupt(&self, op: &'static str, owner: &str) -> Error {
        Error::new(op, self.target(owner), Kind::Corrupt)
    }

    fn target(&self, owner: &str) -> String {
        format!("{}/{}", self.table, owner_pk(owner))
    }
}

/// The partition of an owner.
pub(crate) fn owner_pk(owner: &str) -> String {
    format!("{OWNER}{owner}")
}

/// The owner of a partition; none if it is nobody's.
#[must_use]
pub fn owner_of_pk(pk: &str) -> Option<&str> {
    pk.strip_prefix(OWNER)
}

fn group_sk(kind: &str, id: &ProblemId) -> String {
    format!("group#{kind}#{id}")
}

fn tally_sk(epoch: u64, id: &ProblemId) -> String {
    format!("{}{id}", tallies_of(epoch))
}

fn tallies_of(epoch: u64) -> String {
    format!("digest#{epoch:020}#")
}

fn tell_sk(tell: &PendingNotice) -> String {
    format!("{TELL}{}#{}#{}", tell.at.sortable(), tell.kind.as_str(), tell.group)
}

/// The second at which an item may go.
fn expires(now: Timestamp, days: i64) -> AttributeValue {
    n((now.as_micros() / 1_000_000 + days * 86_400).to_string())
}
