//! Lists of an owner's uploads, newest first, page by page.
//!
//! The indexes behind them follow their table within moments.

pub mod open;

use std::collections::HashMap;

use eventpulse_core::id::{OwnerId, UploadId};
use eventpulse_core::intake::failure::FailureCode;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{QuarantineStatus, UploadState};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use super::attributes::QUARANTINED;
use super::open_counters::first_kept_day;
use super::{UploadStore, upload_pk};
use crate::adapters::dynamodb::item::{Item, s, text};
use crate::adapters::page::Page;
use crate::error::{Error, Kind};

/// The maximum number of items read for one page. With a filter that few uploads pass, pages are short instead of slow.
const MAX_READ_FOR_PAGE: usize = 2_000;

/// An upload in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct UploadSummary {
    /// The upload.
    pub upload_id: UploadId,
    /// The state of the upload.
    pub state: UploadState,
    /// The client's name of the file, cleaned; still untrusted text.
    pub file_name: String,
    /// The number of accepted records.
    pub accepted: u64,
    /// The number of rejected records.
    pub rejected: u64,
    /// The time at which it was issued or found.
    pub created_at: Timestamp,
    /// The time of its last event.
    pub changed_at: Timestamp,
}

/// A filter of uploads.
#[derive(Debug, Clone, Default)]
pub struct ListFilter {
    /// The state.
    pub state: Option<UploadState>,
    /// The least time of creation.
    pub from: Option<Timestamp>,
    /// The time of creation that all are before.
    pub to: Option<Timestamp>,
}

/// An item of the quarantine in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct QuarantineSummary {
    /// The upload.
    pub upload_id: UploadId,
    /// The state of the upload.
    pub state: UploadState,
    /// Whether a retry is pending.
    pub status: QuarantineStatus,
    /// The client's name of the file, cleaned; still untrusted text.
    pub file_name: String,
    /// The number of rejected records.
    pub rejected: u64,
    /// The failure codes of its largest groups of failures.
    pub codes: Vec<String>,
    /// The schemas of these groups.
    pub schemas: Vec<String>,
    /// The time at which it was quarantined.
    pub quarantined_at: Timestamp,
}

/// A filter of the quarantine.
#[derive(Debug, Clone, Default)]
pub struct QuarantineFilter {
    /// A failure code among those of the largest groups of failures.
    pub code: Option<FailureCode>,
    /// A schema among those of the largest groups, as `<name>/<major>.<minor>`.
    pub schema: Option<String>,
    /// The least time of quarantine.
    pub from: Option<Timestamp>,
    /// The time of quarantine that all are before.
    pub to: Option<Timestamp>,
}

/// A query of an index, newest first.
struct Listing<'a> {
    index: &'static str,
    owner_attribute: &'static str,
    sort_attribute: &'static str,
    owner: &'a OwnerId,
    /// The first and the last position.
    range: (String, String),
    filter: Vec<&'static str>,
    names: HashMap<String, String>,
    values: Item,
}

impl UploadStore {
    /// Lists the uploads of an owner. `after` is the [`Page::next`] of the previous page.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn list(
        &self,
        owner: &OwnerId,
        filter: &ListFilter,
        limit: usize,
        after: Option<&str>,
        now: Timestamp,
    ) -> Result<Page<UploadSummary>, Error> {
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
        self.page(&listing, limit, after, |id, item: OwnerIndexItem| item.summary(id, now)).await
    }

    /// Lists an owner's uploads with something in quarantine. `after` is the [`Page::next`] of the previous page.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn list_quarantine(
        &self,
        owner: &OwnerId,
        filter: &QuarantineFilter,
        limit: usize,
        after: Option<&str>,
        now: Timestamp,
    ) -> Result<Page<QuarantineSummary>, Error> {
        let mut listing = self.quarantine_listing(owner, filter, now);
        if let Some(code) = filter.code {
            listing.values.insert(":code".to_owned(), s(code.as_str()));
            listing.filter.push("contains(codes, :code)");
        }
        if let Some(schema) = &filter.schema {
            listing.values.insert(":schema".to_owned(), s(schema));
            listing.filter.push("contains(schemas, :schema)");
        }
        self.page(&listing, limit, after, |id, item: OpenIndexItem| item.summary(id, now)).await
    }

    /// Lists the uploads whose quarantine objects have not expired.
    fn quarantine_listing<'a>(&self, owner: &'a OwnerId, filter: &QuarantineFilter, now: Timestamp) -> Listing<'a> {
        let (from, to) = range(&format!("{QUARANTINED}#"), filter.from, filter.to);
        let first_kept = format!("{QUARANTINED}#{}", first_kept_day(now, self.retention));
        let from = from.max(first_kept);
        // DynamoDB refuses a range that ends before it begins.
        let to = to.max(from.clone());
        Listing::of_open(owner, (from, to))
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

    async fn page<T, I: DeserializeOwned>(
        &self,
        listing: &Listing<'_>,
        limit: usize,
        after: Option<&str>,
        read: impl Fn(UploadId, I) -> T,
    ) -> Result<Page<T>, Error> {
        let mut items = Vec::new();
        let mut start = after.and_then(|after| listing.key(after));
        let mut scanned = 0;
        loop {
            let query = self.query(listing)?.limit(i32::try_from(limit).unwrap_or(100));
            let page = query.set_exclusive_start_key(start).send().await.map_err(|error| self.refused(error))?;
            scanned += usize::try_from(page.scanned_count).unwrap_or(limit).max(1);
            let mut found = page.items.unwrap_or_default().into_iter();
            while let Some(item) = found.next() {
                let corrupt = || Error::new("Query", self.table.as_str(), Kind::Corrupt);
                let position = text(&item, listing.sort_attribute).map(str::to_owned);
                let id = id_of(&item).ok_or_else(corrupt)?;
                items.push(read(id, from_item(item).map_err(|error| corrupt().with_source(error))?));
                if items.len() == limit && (found.len() > 0 || page.last_evaluated_key.is_some()) {
                    return Ok(Page { items, next: position });
                }
            }
            start = page.last_evaluated_key;
            match &start {
                None => return Ok(Page { items, next: None }),
                Some(key) if scanned >= MAX_READ_FOR_PAGE => {
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
    /// Lists items of the index `by_open`.
    fn of_open(owner: &'a OwnerId, range: (String, String)) -> Self {
        Self {
            index: "by_open",
            owner_attribute: "open_owner",
            sort_attribute: "open_since",
            owner,
            range,
            filter: Vec::new(),
            names: HashMap::new(),
            values: Item::new(),
        }
    }

    /// Returns the key of the item before a page.
    fn key(&self, position: &str) -> Option<Item> {
        let id = UploadId::parse(position.rsplit('#').next()?).ok()?;
        Some(Item::from([
            ("pk".to_owned(), s(upload_pk(&id))),
            (self.owner_attribute.to_owned(), s(self.owner)),
            (self.sort_attribute.to_owned(), s(position)),
        ]))
    }
}

/// Returns the bounds of positions with `from <= time < to`. A position continues after its time, so that one of `to`
/// itself is larger.
fn range(kind: &str, from: Option<Timestamp>, to: Option<Timestamp>) -> (String, String) {
    let lo = from.map_or_else(|| "0".to_owned(), Timestamp::sortable); // a key must not be empty
    let hi = to.map_or_else(|| "~".to_owned(), Timestamp::sortable);
    (format!("{kind}{lo}"), format!("{kind}{hi}"))
}

fn id_of(item: &Item) -> Option<UploadId> {
    UploadId::parse(text(item, "pk")?.strip_prefix("upload#")?).ok()
}

/// The attributes that the index `by_owner` holds beside its keys.
#[derive(Deserialize)]
struct OwnerIndexItem {
    state: UploadState,
    file_name: String,
    accepted: u64,
    rejected: u64,
    created_at: Timestamp,
    changed_at: Timestamp,
    url_expires_at: Option<Timestamp>,
}

/// The attributes that the index `by_open` holds beside its keys, of an upload with something in quarantine.
#[derive(Deserialize)]
struct OpenIndexItem {
    state: UploadState,
    file_name: String,
    rejected: u64,
    #[serde(default)]
    codes: Vec<String>,
    #[serde(default)]
    schemas: Vec<String>,
    quarantined_at: Timestamp,
    retry_expires_at: Option<Timestamp>,
}

impl OwnerIndexItem {
    fn summary(self, upload_id: UploadId, now: Timestamp) -> UploadSummary {
        let Self { state, file_name, accepted, rejected, created_at, changed_at, url_expires_at } = self;
        let has_expired = state == UploadState::Issued && url_expires_at.is_some_and(|at| at <= now);
        let state = if has_expired { UploadState::Expired } else { state };
        UploadSummary { upload_id, state, file_name, accepted, rejected, created_at, changed_at }
    }
}

impl OpenIndexItem {
    fn summary(self, upload_id: UploadId, now: Timestamp) -> QuarantineSummary {
        let Self { state, file_name, rejected, codes, schemas, quarantined_at, retry_expires_at } = self;
        let is_retrying = retry_expires_at.is_some_and(|at| now < at);
        let status = if is_retrying { QuarantineStatus::Retrying } else { QuarantineStatus::Open };
        QuarantineSummary { upload_id, state, status, file_name, rejected, codes, schemas, quarantined_at }
    }
}

#[cfg(test)]
mod tests;
