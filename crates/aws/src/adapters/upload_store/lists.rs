//! Lists of an owner's uploads, newest first, a page at a time.
//!
//! The indexes behind them follow their table within moments, not at once.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use eventpulse_core::id::UploadId;
use eventpulse_core::intake::failure::FailureCode;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{QuarantineStatus, UploadState};

use super::attributes::{PENDING, QUARANTINED};
use super::{UploadStore, upload_pk};
use crate::adapters::dynamodb::item::{Item, s, text};
use crate::adapters::page::Page;
use crate::error::{Error, Kind};

/// How many items are read for one page, at most: a filter that few uploads pass makes short pages, not slow ones.
const MAX_READ_FOR_PAGE: usize = 2_000;
/// How many ids a [`Tally`] tells.
const MAX_IDS_TOLD: usize = 10;

/// An upload in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// Its id.
    pub upload_id: UploadId,
    /// Where it stands.
    pub state: UploadState,
    /// What the client calls the file, cleaned; hostile text all the same.
    pub file_name: String,
    /// How many records count.
    pub accepted: u64,
    /// How many do not.
    pub rejected: u64,
    /// When it was issued or found.
    pub created_at: Timestamp,
    /// When something happened to it last.
    pub changed_at: Timestamp,
}

/// Which uploads to list.
#[derive(Debug, Clone, Default)]
pub struct ListFilter {
    /// Those in this state only.
    pub state: Option<UploadState>,
    /// Not those from before.
    pub from: Option<Timestamp>,
    /// Nor those from then on.
    pub to: Option<Timestamp>,
}

/// Something in quarantine, in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct QuarantineListed {
    /// Of which upload.
    pub upload_id: UploadId,
    /// Where that stands.
    pub state: UploadState,
    /// Whether a retry was asked for.
    pub status: QuarantineStatus,
    /// What the client calls the file, cleaned; hostile text all the same.
    pub file_name: String,
    /// How many records do not count.
    pub rejected: u64,
    /// The codes of its largest groups of failures.
    pub codes: Vec<String>,
    /// The schemas that were applied to these.
    pub schemas: Vec<String>,
    /// When it came into quarantine.
    pub quarantined_at: Timestamp,
}

/// What to list of the quarantine.
#[derive(Debug, Clone, Default)]
pub struct QuarantineFilter {
    /// With this code among the largest groups of failures only.
    pub code: Option<FailureCode>,
    /// With this schema, `<name>/<major>.<minor>`, among them only.
    pub schema: Option<String>,
    /// Not what came into quarantine before.
    pub from: Option<Timestamp>,
    /// Nor what came from then on.
    pub to: Option<Timestamp>,
}

/// How many uploads there are of a kind, and the newest of them, at most 10.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// How many.
    pub count: u64,
    /// The newest ones.
    pub upload_ids: Vec<String>,
}

/// What of an owner's uploads no answer holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Open {
    /// Of these something lies in quarantine.
    pub quarantined: Tally,
    /// These arrived and are not decided.
    pub pending: Tally,
}

/// A query of one of the two indexes, newest first.
struct Listing<'a> {
    index: &'static str,
    owner_attribute: &'static str,
    sort_attribute: &'static str,
    owner: &'a str,
    /// Both included.
    range: (String, String),
    filter: Vec<&'static str>,
    names: HashMap<String, String>,
    values: Item,
}

impl UploadStore {
    /// The uploads of an owner. `after` is the [`Page::next`] of the page before.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn list(
        &self,
        owner: &str,
        filter: &ListFilter,
        limit: usize,
        after: Option<&str>,
        now: Timestamp,
    ) -> Result<Page<Listed>, Error> {
        let mut listing = Listing {
            index: "by_owner",
            owner_attribute: "owner",
            sort_attribute: "listed",
            owner,
            range: range("", filter.from, filter.to),
            filter: Vec::new(),
            names: HashMap::new(),
            values: Item::new(),
        };
        if let Some(state) = filter.state {
            listing.names.insert("#state".to_owned(), "state".to_owned());
            let stored = if state == UploadState::Expired { UploadState::Issued } else { state };
            listing.values.insert(":state".to_owned(), s(stored.as_str()));
            listing.filter.push("#state = :state");
            if matches!(state, UploadState::Issued | UploadState::Expired) {
                listing.values.insert(":now".to_owned(), s(now.sortable()));
                let live = "url_expires_at > :now";
                listing.filter.push(if state == UploadState::Expired { "url_expires_at <= :now" } else { live });
            }
        }
        self.page(&listing, limit, after, |item| listed(item, now)).await
    }

    /// What of an owner's uploads lies in quarantine and waits. `after` is the [`Page::next`] of the page before.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn list_quarantine(
        &self,
        owner: &str,
        filter: &QuarantineFilter,
        limit: usize,
        after: Option<&str>,
        now: Timestamp,
    ) -> Result<Page<QuarantineListed>, Error> {
        let mut listing = Listing::of_open(owner, QUARANTINED, filter.from, filter.to);
        if let Some(code) = filter.code {
            listing.values.insert(":code".to_owned(), s(code.as_str()));
            listing.filter.push("contains(codes, :code)");
        }
        if let Some(schema) = &filter.schema {
            listing.values.insert(":schema".to_owned(), s(schema));
            listing.filter.push("contains(schemas, :schema)");
        }
        self.page(&listing, limit, after, |item| quarantine_listed(item, now)).await
    }

    /// What of an owner's uploads no answer holds.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn open(&self, owner: &str) -> Result<Open, Error> {
        let tally = async |kind: &str| {
            let listing = Listing::of_open(owner, kind, None, None);
            let mut tally = Tally::default();
            let mut pages = self.query(&listing)?.into_paginator().send();
            while let Some(page) = pages.next().await {
                let page = page.map_err(|error| self.refused(error))?;
                tally.count += page.items().len() as u64;
                let room = MAX_IDS_TOLD.saturating_sub(tally.upload_ids.len());
                let ids = page.items().iter().take(room).filter_map(|item| Some(id_of(item)?.to_string()));
                tally.upload_ids.extend(ids);
            }
            Ok(tally)
        };
        let (quarantined, pending) = (tally(QUARANTINED).await?, tally(PENDING).await?);
        Ok(Open { quarantined, pending })
    }

    fn query(
        &self,
        listing: &Listing<'_>,
    ) -> Result<aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder, Error> {
        let Listing { index, owner_attribute, sort_attribute, owner, range: (lo, hi), .. } = listing;
        let mut names = listing.names.clone();
        names.insert("#of".to_owned(), (*owner_attribute).to_owned());
        let mut values = listing.values.clone();
        values.extend([(":of".to_owned(), s(*owner)), (":lo".to_owned(), s(lo)), (":hi".to_owned(), s(hi))]);
        let query = self.client.query().table_name(&self.table).index_name(*index).scan_index_forward(false);
        let query = query.key_condition_expression(format!("#of = :of AND {sort_attribute} BETWEEN :lo AND :hi"));
        let filter = (!listing.filter.is_empty()).then(|| listing.filter.join(" AND "));
        let query = query.set_filter_expression(filter);
        Ok(query.set_expression_attribute_names(Some(names)).set_expression_attribute_values(Some(values)))
    }

    async fn page<T>(
        &self,
        listing: &Listing<'_>,
        limit: usize,
        after: Option<&str>,
        read: impl Fn(&Item) -> Option<T>,
    ) -> Result<Page<T>, Error> {
        let mut items = Vec::new();
        let mut start = after.and_then(|after| listing.key(after));
        let mut looked_at = 0;
        loop {
            let query = self.query(listing)?.limit(i32::try_from(limit).unwrap_or(100));
            let page = query.set_exclusive_start_key(start).send().await.map_err(|error| self.refused(error))?;
            looked_at += usize::try_from(page.scanned_count).unwrap_or(limit).max(1);
            let mut found = page.items().iter();
            while let Some(item) = found.next() {
                let corrupt = || Error::new("Query", self.table.as_str(), Kind::Corrupt);
                items.push(read(item).ok_or_else(corrupt)?);
                if items.len() == limit && (found.len() > 0 || page.last_evaluated_key.is_some()) {
                    return Ok(Page { items, next: text(item, listing.sort_attribute).map(str::to_owned) });
                }
            }
            start = page.last_evaluated_key;
            match &start {
                None => return Ok(Page { items, next: None }),
                Some(key) if looked_at >= MAX_READ_FOR_PAGE => {
                    return Ok(Page { next: text(key, listing.sort_attribute).map(str::to_owned), items });
                }
                Some(_) => {}
            }
        }
    }

    fn refused(
        &self,
        error: aws_sdk_dynamodb::error::SdkError<aws_sdk_dynamodb::operation::query::QueryError>,
    ) -> Error {
        Error::sdk("Query", self.table.as_str(), error)
    }
}

impl<'a> Listing<'a> {
    /// Those that wait for something.
    fn of_open(owner: &'a str, kind: &str, from: Option<Timestamp>, to: Option<Timestamp>) -> Self {
        Self {
            index: "by_open",
            owner_attribute: "open_owner",
            sort_attribute: "open_since",
            owner,
            range: range(&format!("{kind}#"), from, to),
            filter: Vec::new(),
            names: HashMap::new(),
            values: Item::new(),
        }
    }

    /// Where a page begins: the key of the item before it.
    fn key(&self, position: &str) -> Option<Item> {
        let id = UploadId::parse(position.rsplit('#').next()?).ok()?;
        Some(Item::from([
            ("pk".to_owned(), s(upload_pk(&id))),
            (self.owner_attribute.to_owned(), s(self.owner)),
            (self.sort_attribute.to_owned(), s(position)),
        ]))
    }
}

/// Positions of `from <= time < to`: each goes on behind the time, so that one of `to` itself is larger.
fn range(kind: &str, from: Option<Timestamp>, to: Option<Timestamp>) -> (String, String) {
    let lo = from.map_or_else(|| "0".to_owned(), Timestamp::sortable); // a key must not be empty
    let hi = to.map_or_else(|| "~".to_owned(), Timestamp::sortable);
    (format!("{kind}{lo}"), format!("{kind}{hi}"))
}

fn id_of(item: &Item) -> Option<UploadId> {
    UploadId::parse(text(item, "pk")?.strip_prefix("upload#")?).ok()
}

fn count(item: &Item, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

fn time(item: &Item, name: &str) -> Option<Timestamp> {
    Timestamp::parse(text(item, name)?)
}

fn listed(item: &Item, now: Timestamp) -> Option<Listed> {
    let mut state = UploadState::parse(text(item, "state")?)?;
    if state == UploadState::Issued && time(item, "url_expires_at").is_some_and(|at| at <= now) {
        state = UploadState::Expired;
    }
    Some(Listed {
        upload_id: id_of(item)?,
        state,
        file_name: text(item, "file_name")?.to_owned(),
        accepted: count(item, "accepted")?,
        rejected: count(item, "rejected")?,
        created_at: time(item, "created_at")?,
        changed_at: time(item, "changed_at")?,
    })
}

fn quarantine_listed(item: &Item, now: Timestamp) -> Option<QuarantineListed> {
    let is_retrying = time(item, "retry_expires_at").is_some_and(|at| now < at);
    let words = |name: &str| item.get(name).and_then(|value| AttributeValue::as_ss(value).ok()).cloned();
    Some(QuarantineListed {
        upload_id: id_of(item)?,
        state: UploadState::parse(text(item, "state")?)?,
        status: if is_retrying { QuarantineStatus::Retrying } else { QuarantineStatus::Open },
        file_name: text(item, "file_name")?.to_owned(),
        rejected: count(item, "rejected")?,
        codes: words("codes").unwrap_or_default(),
        schemas: words("schemas").unwrap_or_default(),
        quarantined_at: time(item, "quarantined_at")?,
    })
}
