//! DynamoDB: the histories of uploads, and their claims on bytes.
//!
//! There are four kinds of item:
//!
//! - an upload: `pk = upload#<id>`, `history` (a list of events as JSON texts), `revision` (the number of events), the
//!   attributes that [`lists`] show and filter by, and, if they apply, `late_versions` (a count) and `history_full`;
//! - a claim: `pk = digest#<owner>#<claim name>` (see [`Upload::claim_name`]), and `upload_id` of the upload that accepted
//!   the bytes;
//! - a header `Idempotency-Key`: `pk = idempotency#<owner>#<sha256 of the header>`, `upload_id` of the first message with
//!   it, `sha256` of that message's body, and `expires_at`;
//! - such a header of `POST /uploads`: see [`issue_key`];
//! - a counter of an owner's open uploads: see [`open_counters`].
//!
//! Claims, idempotency keys and counters are written by expressions of two to five attributes, without a mapping.

mod attributes;
pub mod batch;
mod beside_history;
mod claims;
pub mod issue_key;
pub mod lists;
pub mod open_counters;

use std::collections::HashMap;
use std::error::Error as StdError;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, CancellationReason, Put, TransactWriteItem, Update};
use eventpulse_core::id::{OwnerId, UploadId};
use eventpulse_core::statistics::chunk::Chunk;
use eventpulse_core::upload::{RecordedEvent, Upload};
use serde_dynamo::aws_sdk_dynamodb_1::to_item;

use crate::adapters::chunk_store::chunk_item;
use crate::adapters::dynamodb::item::{Item, number, s, text};
use crate::adapters::dynamodb::transaction::{failed, is_contended, is_refused, is_too_large, reasons, transaction};
use crate::error::{Error, Kind, is_condition_failed, is_in_transaction};
use attributes::ListAttributes;
use open_counters::{CountedTransaction, CounterChanges, MAX_CHANGES, StoredState};

/// A transaction takes [100 actions](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html),
/// of which one is the append, one the claim, and some change counters.
const MAX_CHUNKS_IN_TRANSACTION: usize = 98 - MAX_CHANGES;
/// It takes 4 MB; the rest is for names and the history.
const MAX_CHUNK_BYTES_IN_TRANSACTION: usize = 3 << 20;

/// The uploads table.
#[derive(Debug, Clone)]
pub struct UploadStore {
    client: Client,
    table: String,
    chunks_table: String,
    /// The time for which S3 keeps an object in quarantine.
    retention: Duration,
}

/// The attribute that counts the objects that arrived late and were removed.
const LATE_VERSIONS: &str = "late_versions";
/// The attribute of an upload whose history takes no further events.
const HISTORY_FULL: &str = "history_full";

/// An upload as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredUpload {
    /// The upload.
    pub upload: Upload,
    /// Its history.
    pub history: Vec<RecordedEvent>,
    /// The number of objects that arrived after the upload had its object, and were removed unread.
    pub late_versions: u64,
}

/// The result of an append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Append {
    /// The events are written.
    Done,
    /// Nothing is written, because the history grew since it was read: read it again and decide again.
    Conflict,
}

/// The result of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// The claim belongs to this upload; its chunks and events are written.
    Acquired,
    /// The claim belongs to another upload; nothing is written.
    TakenBy(UploadId),
    /// Nothing is written, because the history grew since it was read.
    Conflict,
}

impl UploadStore {
    /// Creates an adapter over an SDK client. A transaction writes both tables. `retention`: the time for which S3
    /// keeps an object in quarantine.
    #[must_use]
    pub fn new(client: Client, table: String, chunks_table: String, retention: Duration) -> Self {
        Self { client, table, chunks_table, retention }
    }

    /// Reads a history. It is empty if there is no such upload.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn history(&self, id: &UploadId) -> Result<Vec<RecordedEvent>, Error> {
        Ok(self.read(id).await?.map_or_else(Vec::new, |stored| stored.history))
    }

    /// Loads an upload. Returns `None` if there is no such upload.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn load(&self, id: &UploadId) -> Result<Option<Upload>, Error> {
        Ok(self.read(id).await?.map(|stored| stored.upload))
    }

    /// Reads an upload, with its history. Returns `None` if there is no such upload.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn read(&self, id: &UploadId) -> Result<Option<StoredUpload>, Error> {
        let get = self.client.get_item().table_name(&self.table).key("pk", s(upload_pk(id))).consistent_read(true);
        let output = get.send().await.map_err(|error| Error::sdk("GetItem", self.target(id), error))?;
        let Some(item) = output.item else { return Ok(None) };
        let corrupt = || Error::new("GetItem", self.target(id), Kind::Corrupt);
        let Some(events) = item.get("history") else { return Ok(None) };
        let events = events.as_l().map_err(|_| corrupt())?;
        let event = |value: &AttributeValue| {
            let json = value.as_s().map_err(|_| corrupt())?;
            serde_json::from_str(json).map_err(|error| corrupt().with_source(error))
        };
        let history = events.iter().map(event).collect::<Result<Vec<RecordedEvent>, Error>>()?;
        let upload = Upload::fold(id.clone(), &history).map_err(|error| corrupt().with_source(error))?;
        let upload = if item.contains_key(HISTORY_FULL) { upload.with_full_history() } else { upload };
        let late_versions = item.get(LATE_VERSIONS).and_then(|count| count.as_n().ok()?.parse().ok()).unwrap_or(0);
        Ok(Some(StoredUpload { upload, history, late_versions }))
    }

    /// Appends events, if the stored history is still `stored`. `after` is the upload with the events applied.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn append(
        &self,
        after: &Upload,
        stored: &StoredState,
        events: &[RecordedEvent],
    ) -> Result<Append, Error> {
        let changes = CounterChanges::of_append(after, stored);
        if !changes.is_empty() {
            let actions = vec![self.append_action(after, stored.revision, events)?];
            return self.append_counted(after, actions, changes).await;
        }
        let AppendExpressions { expression, condition, names, values } =
            self.append_expressions(after, stored.revision, events)?;
        let update = self.client.update_item().table_name(&self.table).key("pk", s(upload_pk(after.id())));
        let update = update.update_expression(expression).condition_expression(condition);
        let update = update.set_expression_attribute_names(Some(names)).set_expression_attribute_values(Some(values));
        match update.send().await {
            Ok(_) => Ok(Append::Done),
            Err(error) if is_condition_failed(&error) || is_in_transaction(&error) => Ok(Append::Conflict),
            Err(error) => match Error::sdk("UpdateItem", self.target(after.id()), error) {
                error if error.kind == Kind::TooLarge => Err(Error { kind: Kind::HistoryFull, ..error }),
                error => Err(error),
            },
        }
    }

    /// Appends events and performs another action: all or nothing.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn append_with(
        &self,
        after: &Upload,
        stored: &StoredState,
        events: &[RecordedEvent],
        other: TransactWriteItem,
    ) -> Result<Append, Error> {
        let actions = vec![self.append_action(after, stored.revision, events)?, other];
        self.append_counted(after, actions, CounterChanges::of_append(after, stored)).await
    }

    /// Performs actions of which the first is an append.
    async fn append_counted(
        &self,
        after: &Upload,
        actions: Vec<TransactWriteItem>,
        changes: CounterChanges,
    ) -> Result<Append, Error> {
        match self.counted(after.id(), actions, changes).send().await? {
            None => Ok(Append::Done),
            Some(error) if is_conflicting(reasons(&error)) => Ok(Append::Conflict),
            Some(error) => Err(append_failed(self.target(after.id()), error)),
        }
    }

    fn counted<'a>(
        &'a self,
        upload_id: &'a UploadId,
        actions: Vec<TransactWriteItem>,
        changes: CounterChanges,
    ) -> CountedTransaction<'a> {
        let Self { client, table, retention, .. } = self;
        CountedTransaction { client, table, actions, changes, upload_id, retention: *retention }
    }

    /// Returns whether chunks fit one transaction with a claim and an append.
    #[must_use]
    pub fn fits_one_transaction(chunks: &[Chunk]) -> bool {
        chunks.len() <= MAX_CHUNKS_IN_TRANSACTION
            && chunks.iter().map(Chunk::size_bytes).sum::<usize>() <= MAX_CHUNK_BYTES_IN_TRANSACTION
    }

    /// Claims bytes under the name `claim`, writes chunks and appends events: all or nothing.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn claim(
        &self,
        claim: &str,
        chunks: &[Chunk],
        after: &Upload,
        stored: &StoredState,
        events: &[RecordedEvent],
    ) -> Result<ClaimOutcome, Error> {
        let mut actions = vec![self.append_action(after, stored.revision, events)?, self.claim_action(after, claim)?];
        for chunk in chunks {
            actions.push(self.chunk_action(chunk)?);
        }
        match self.counted(after.id(), actions, CounterChanges::of_append(after, stored)).send().await? {
            None => Ok(ClaimOutcome::Acquired),
            Some(error) => {
                outcome_of_canceled(reasons(&error)).ok_or_else(|| append_failed(self.target(after.id()), error))
            }
        }
    }

    /// Returns an append as an action of a transaction.
    fn append_action(
        &self,
        after: &Upload,
        revision: usize,
        events: &[RecordedEvent],
    ) -> Result<TransactWriteItem, Error> {
        let AppendExpressions { expression, condition, names, values } =
            self.append_expressions(after, revision, events)?;
        let update = Update::builder().table_name(&self.table).key("pk", s(upload_pk(after.id())));
        let update = update.update_expression(expression).condition_expression(condition);
        let update = update.set_expression_attribute_names(Some(names)).set_expression_attribute_values(Some(values));
        let update = update.build().map_err(|error| self.unsendable(error))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    fn chunk_action(&self, chunk: &Chunk) -> Result<TransactWriteItem, Error> {
        let put = Put::builder().table_name(&self.chunks_table).set_item(Some(chunk_item(chunk)));
        let put = put.build().map_err(|error| self.unsendable(error))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    fn unsendable(&self, error: impl StdError + Send + Sync + 'static) -> Error {
        Error::new("TransactWriteItems", self.table.as_str(), Kind::Other).with_source(error)
    }

    /// Returns the expressions that append `events` to `revision` others.
    fn append_expressions(
        &self,
        after: &Upload,
        revision: usize,
        events: &[RecordedEvent],
    ) -> Result<AppendExpressions, Error> {
        let failed = |error| Error::new("UpdateItem", self.target(after.id()), Kind::Corrupt).with_source(error);
        let mut texts = Vec::with_capacity(events.len());
        for event in events {
            texts.push(s(serde_json::to_string(event).map_err(failed)?));
        }
        let mut values = Item::from([
            (":events".to_owned(), AttributeValue::L(texts)),
            (":revision".to_owned(), number(revision + events.len())),
        ]);
        let mut names = HashMap::from([
            ("#history".to_owned(), "history".to_owned()),
            ("#revision".to_owned(), "revision".to_owned()),
        ]);
        let history = if revision == 0 { ":events" } else { "list_append(#history, :events)" };
        let (mut set, mut remove) = (format!("SET #history = {history}, #revision = :revision"), String::new());
        let attributes: Item = to_item(ListAttributes::of(after)).map_err(|error| self.unsendable(error))?;
        for (name, value) in attributes {
            match value {
                AttributeValue::Null(_) => {
                    remove.push_str(&format!("{} #{name}", if remove.is_empty() { " REMOVE" } else { "," }));
                }
                value => {
                    set.push_str(&format!(", #{name} = :{name}"));
                    values.insert(format!(":{name}"), value);
                }
            }
            // Aliases: some of the names are reserved words of DynamoDB's expression language.
            names.insert(format!("#{name}"), name);
        }
        let expression = set + &remove;
        if revision == 0 {
            return Ok(AppendExpressions { expression, condition: "attribute_not_exists(#revision)", names, values });
        }
        values.insert(":read".to_owned(), number(revision));
        Ok(AppendExpressions { expression, condition: "#revision = :read", names, values })
    }

    fn target(&self, id: &UploadId) -> String {
        format!("{}/{id}", self.table)
    }
}

/// The expressions of an append.
struct AppendExpressions {
    expression: String,
    condition: &'static str,
    names: HashMap<String, String>,
    values: Item,
}

/// Performs all actions or none: none if a condition does not hold, or another transaction writes the same items.
pub(crate) async fn transact(
    client: &Client,
    actions: Vec<TransactWriteItem>,
    target: impl FnOnce() -> String,
) -> Result<Append, Error> {
    let Err(error) = transaction(client).set_transact_items(Some(actions)).send().await else {
        return Ok(Append::Done);
    };
    if is_conflicting(reasons(&error)) { Ok(Append::Conflict) } else { Err(failed(target(), error)) }
}

fn is_conflicting(reasons: &[CancellationReason]) -> bool {
    is_contended(reasons) || reasons.iter().any(is_refused)
}

/// Returns the error of a transaction whose first action is an append. Only that one's item holds a history.
fn append_failed<R>(target: String, error: SdkError<TransactWriteItemsError, R>) -> Error
where
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let is_full = reasons(&error).first().is_some_and(is_too_large);
    let error = failed(target, error);
    if is_full { Error { kind: Kind::HistoryFull, ..error } } else { error }
}

/// Returns the outcome of a cancelled claim, whose first action is the append and second the claim. `None` is a failure.
fn outcome_of_canceled(reasons: &[CancellationReason]) -> Option<ClaimOutcome> {
    let code = |at: usize| reasons.get(at).and_then(CancellationReason::code).unwrap_or_default();
    if code(0) == "ConditionalCheckFailed" || is_contended(reasons) {
        return Some(ClaimOutcome::Conflict);
    }
    if code(1) == "ConditionalCheckFailed" {
        let item: &Item = reasons.get(1)?.item()?;
        return UploadId::parse(text(item, "upload_id")?).ok().map(ClaimOutcome::TakenBy);
    }
    None
}

fn upload_pk(id: &UploadId) -> String {
    format!("upload#{id}")
}

fn claim_pk(owner: &OwnerId, claim: &str) -> String {
    format!("digest#{owner}#{claim}")
}

#[cfg(test)]
mod tests;
