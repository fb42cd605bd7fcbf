//! Outboxes, problems, pending notices and counts. A change of an outbox and of its items is one transaction, conditional
//! on the revision of the outbox.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use eventpulse_core::intake::fingerprint::ProblemId;
use eventpulse_core::notification::outbox::Outbox;
use eventpulse_core::notification::pending::PendingNotice;
use eventpulse_core::notification::policy::Policy;
use eventpulse_core::notification::problem::{Problem, ProblemCounts};
use eventpulse_core::notification::problem_fold::ProblemFold;
use eventpulse_core::notification::source::Source;
use eventpulse_core::time::Timestamp;

use super::due::{OUTBOX_PARTITION, PROBLEM_PARTITION};
use super::table::{Keyed, NoticeStore, expires};
use crate::adapters::dynamodb::item::{Item, n, s, text};
use crate::adapters::upload_store::{Append, transact};
use crate::error::Error;

/// The maximum number of items that a change writes or deletes beside the outbox: a transaction takes
/// [100 actions](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html).
pub const MAX_CHANGES: usize = 99;
/// The counts of a digest are kept for this time.
const KEEP_COUNTS: Duration = Duration::from_secs(14 * 86_400);

const OUTBOX: &str = "outbox";
const PENDING: &str = "pending#";

/// An outbox and its revision in the store.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StoredOutbox {
    /// The outbox.
    pub outbox: Outbox,
    /// The number of its changes.
    pub revision: u64,
}

/// The items that change together with an outbox.
#[derive(Debug, Default)]
pub struct Changes<'a> {
    /// The problems, counts and pending notices to write.
    pub fold: Option<&'a ProblemFold>,
    /// The number of the digest that the counts belong to.
    pub digest_number: u64,
    /// The sort keys of the items to delete.
    pub done: &'a [String],
}

/// The open problems of a kind of upload that await uploads of some sources.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AwaitingProblems {
    /// The problems.
    pub problems: Vec<Problem>,
    /// The sources that the other open problems of the kind await.
    pub other_sources: BTreeSet<Source>,
    /// Whether all open problems of the kind were read.
    pub is_all: bool,
}

impl NoticeStore {
    /// Loads an owner's outbox.
    ///
    /// # Errors
    /// See [`crate::error`].
    pub async fn outbox(&self, owner: &str) -> Result<StoredOutbox, Error> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(self.item(owner, OUTBOX.to_owned())));
        let output = get.consistent_read(true).send().await;
        let output = output.map_err(|error| Error::sdk("GetItem", self.target(owner), error))?;
        let Some(item) = output.item else { return Ok(StoredOutbox::default()) };
        let revision = item.get("revision").and_then(|revision| revision.as_n().ok()?.parse().ok());
        let revision = revision.ok_or_else(|| self.corrupt("GetItem", owner))?;
        Ok(StoredOutbox { outbox: self.decode(owner, &item, "outbox")?, revision })
    }

    /// Writes a changed outbox with its items, if nobody has changed it since it was loaded.
    ///
    /// # Errors
    /// See [`crate::error`].
    pub async fn change(
        &self,
        owner: &str,
        changed: &StoredOutbox,
        changes: Changes<'_>,
        digest_interval: Duration,
        now: Timestamp,
    ) -> Result<Append, Error> {
        let mut actions = vec![self.outbox_action(owner, changed, digest_interval)?];
        if let Some(fold) = changes.fold {
            for problem in fold.changed_problems() {
                actions.push(self.put_action(owner, self.problem_item(owner, problem, fold.policy())?)?);
            }
            for (id, counts) in fold.changed_counts() {
                let mut item = self.item(owner, counts_sk(changes.digest_number, id));
                item.insert("counts".to_owned(), self.encode(owner, counts)?);
                item.insert("expires_at".to_owned(), expires(now, KEEP_COUNTS));
                actions.push(self.put_action(owner, item)?);
            }
            for notice in fold.pending_notices() {
                let mut item = self.item(owner, pending_sk(notice));
                item.insert("pending_notice".to_owned(), self.encode(owner, notice)?);
                actions.push(self.put_action(owner, item)?);
            }
        }
        for key in changes.done {
            actions.push(self.delete_action(owner, key)?);
        }
        transact(&self.client, actions, || self.target(owner)).await
    }

    fn outbox_action(
        &self,
        owner: &str,
        StoredOutbox { outbox, revision }: &StoredOutbox,
        digest_interval: Duration,
    ) -> Result<TransactWriteItem, Error> {
        let mut item = self.item(owner, OUTBOX.to_owned());
        item.insert("outbox".to_owned(), self.encode(owner, outbox)?);
        item.insert("revision".to_owned(), n((revision + 1).to_string()));
        if let Some(due_at) = outbox.due_at(digest_interval) {
            item.insert("due".to_owned(), s(OUTBOX_PARTITION));
            item.insert("due_at".to_owned(), s(due_at.sortable()));
        }
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        let put = put.condition_expression("attribute_not_exists(pk) OR revision = :loaded");
        let put = put.expression_attribute_values(":loaded", n(revision.to_string()));
        let put = put.build().map_err(|error| self.corrupt("TransactWriteItems", owner).with_source(error))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// Loads the oldest pending notices, at most `max`.
    ///
    /// # Errors
    /// See [`crate::error`].
    pub async fn pending_notices(&self, owner: &str, max: usize) -> Result<Vec<Keyed<PendingNotice>>, Error> {
        Ok(self.first(owner, PENDING, "pending_notice", max).await?.items)
    }

    /// Loads pending notices by their sort keys, in order. Missing ones are left out.
    ///
    /// # Errors
    /// See [`crate::error`].
    pub async fn pending_notices_by_key(&self, owner: &str, keys: &[String]) -> Result<Vec<PendingNotice>, Error> {
        let items = self.get_many(owner, keys.iter().cloned().collect()).await?;
        items.values().map(|item| self.decode(owner, item, "pending_notice")).collect()
    }

    /// Loads problems by kind of upload and id. Missing ones are left out.
    ///
    /// # Errors
    /// See [`crate::error`].
    pub async fn problems(&self, owner: &str, ids: BTreeSet<(&str, &ProblemId)>) -> Result<Vec<Problem>, Error> {
        let keys = ids.into_iter().map(|(kind_of_upload, id)| problem_sk(kind_of_upload, id)).collect();
        self.problems_by_key(owner, keys).await
    }

    /// Loads problems by their sort keys. Missing ones are left out.
    ///
    /// # Errors
    /// See [`crate::error`].
    pub async fn problems_by_key(&self, owner: &str, keys: BTreeSet<String>) -> Result<Vec<Problem>, Error> {
        let items = self.get_many(owner, keys).await?;
        items.values().map(|item| self.decode(owner, item, "problem")).collect()
    }

    /// Loads the open problems of a kind of upload that await one of these sources. Stops after more than `max`.
    ///
    /// # Errors
    /// See [`crate::error`].
    pub async fn awaiting_problems(
        &self,
        owner: &str,
        kind_of_upload: &str,
        sources: &BTreeSet<&Source>,
        max: usize,
    ) -> Result<AwaitingProblems, Error> {
        let query = self.query(owner, &format!("problem#{kind_of_upload}#"));
        let mut pages = query.filter_expression("attribute_exists(awaits)").into_paginator().send();
        let mut awaiting = AwaitingProblems { is_all: true, ..AwaitingProblems::default() };
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Error::sdk("Query", self.target(owner), error))?;
            for item in page.items() {
                let problem: Problem = self.decode(owner, item, "problem")?;
                if problem.awaited().any(|source| sources.contains(source)) {
                    awaiting.problems.push(problem);
                } else {
                    awaiting.other_sources.extend(problem.awaited().cloned());
                }
                if awaiting.problems.len() > max {
                    awaiting.is_all = false;
                    return Ok(awaiting);
                }
            }
        }
        Ok(awaiting)
    }

    /// Loads the counts of these problems for a digest. Missing ones are left out.
    ///
    /// # Errors
    /// See [`crate::error`].
    pub async fn counts(
        &self,
        owner: &str,
        digest_number: u64,
        ids: impl Iterator<Item = &ProblemId>,
    ) -> Result<BTreeMap<ProblemId, ProblemCounts>, Error> {
        let ids = ids.map(|id| (counts_sk(digest_number, id), id.clone())).collect::<BTreeMap<_, _>>();
        let items = self.get_many(owner, ids.keys().cloned().collect()).await?;
        let mut counts = BTreeMap::new();
        for (sk, item) in &items {
            if let Some(id) = ids.get(sk) {
                counts.insert(id.clone(), self.decode(owner, item, "counts")?);
            }
        }
        Ok(counts)
    }

    /// Loads the counts of all problems for a digest.
    ///
    /// # Errors
    /// See [`crate::error`].
    pub async fn digest_counts(
        &self,
        owner: &str,
        digest_number: u64,
    ) -> Result<Vec<(ProblemId, ProblemCounts)>, Error> {
        let prefix = digest_prefix(digest_number);
        let mut pages = self.query(owner, &prefix).into_paginator().send();
        let mut counts = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Error::sdk("Query", self.target(owner), error))?;
            for item in page.items() {
                let id = text(item, "sk").and_then(|sk| ProblemId::parse(sk.strip_prefix(&prefix)?));
                let id = id.ok_or_else(|| self.corrupt("Query", owner))?;
                counts.push((id, self.decode(owner, item, "counts")?));
            }
        }
        Ok(counts)
    }

    fn problem_item(&self, owner: &str, problem: &Problem, policy: &Policy) -> Result<Item, Error> {
        let mut item = self.item(owner, problem_sk(&problem.kind_of_upload, &problem.id));
        item.insert("problem".to_owned(), self.encode(owner, problem)?);
        item.insert("status".to_owned(), s(problem.status.as_str()));
        item.insert("expires_at".to_owned(), expires(problem.keep_until(policy), Duration::ZERO));
        if problem.awaited().next().is_some() {
            item.insert("awaits".to_owned(), AttributeValue::Bool(true));
        }
        if let Some(due_at) = problem.due_at(policy) {
            item.insert("due".to_owned(), s(PROBLEM_PARTITION));
            item.insert("due_at".to_owned(), s(due_at.sortable()));
        }
        Ok(item)
    }
}

fn problem_sk(kind_of_upload: &str, id: &ProblemId) -> String {
    format!("problem#{kind_of_upload}#{id}")
}

fn counts_sk(digest_number: u64, id: &ProblemId) -> String {
    format!("{}{id}", digest_prefix(digest_number))
}

fn digest_prefix(digest_number: u64) -> String {
    format!("digest#{digest_number:020}#")
}

fn pending_sk(notice: &PendingNotice) -> String {
    format!("{PENDING}{}#{}#{}", notice.at.sortable(), notice.kind.as_str(), notice.problem_id)
}
