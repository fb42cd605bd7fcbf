//! The open uploads of an owner: those that answers do not include, or not fully.

use eventpulse_core::id::OwnerId;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::UploadState;

use super::{ListFilter, Listing, QuarantineFilter, id_of, range};
use crate::adapters::upload_store::UploadStore;
use crate::adapters::upload_store::attributes::PENDING;
use crate::adapters::upload_store::open_counters::{Counter, CounterSum, OpenTotals, counter_range, first_kept_day};
use crate::error::{Error, Kind};

/// The maximum number of ids in an [`OpenCount`].
const MAX_IDS: i32 = 10;
/// The number of uploads listed at a time for a recount.
const RECOUNT_PAGE: usize = 100;

/// A number of uploads, and the newest of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OpenCount {
    /// The number of uploads.
    pub count: u64,
    /// The newest uploads, at most 10.
    pub upload_ids: Vec<String>,
}

/// The uploads of an owner that answers do not include, or not fully.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OpenUploads {
    /// The uploads with something in quarantine.
    pub quarantined: OpenCount,
    /// The uploads that are received and not decided.
    pub pending: OpenCount,
}

impl UploadStore {
    /// Counts an owner's uploads that answers do not include, or not fully.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn count_open(&self, owner: &OwnerId, now: Timestamp) -> Result<OpenUploads, Error> {
        let quarantined = self.quarantine_listing(owner, &QuarantineFilter::default(), now);
        let pending = Listing::of_open(owner, range(&format!("{PENDING}#"), None, None));
        let (totals, quarantined, pending) =
            tokio::try_join!(self.open_totals(owner, now), self.newest_ids(&quarantined), self.newest_ids(&pending))?;
        Ok(OpenUploads {
            quarantined: OpenCount { count: totals.quarantined, upload_ids: quarantined },
            pending: OpenCount { count: totals.pending, upload_ids: pending },
        })
    }

    async fn newest_ids(&self, listing: &Listing<'_>) -> Result<Vec<String>, Error> {
        let query = self.query(listing)?.limit(MAX_IDS);
        let page = query.send().await.map_err(|error| self.refused(error))?;
        Ok(page.items().iter().filter_map(|item| Some(id_of(item)?.to_string())).collect())
    }

    /// Reads the counters of an owner's open uploads.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn open_totals(&self, owner: &OwnerId, now: Timestamp) -> Result<OpenTotals, Error> {
        let listing = Listing::of_open(owner, counter_range(now, self.retention));
        let mut sum = CounterSum::default();
        let mut pages = self.query(&listing)?.into_paginator().send();
        while let Some(page) = pages.next().await {
            for item in page.map_err(|error| self.refused(error))?.items() {
                let corrupt = || Error::new("Query", self.table.as_str(), Kind::Corrupt);
                sum.add(item).ok_or_else(corrupt)?;
            }
        }
        Ok(sum.totals())
    }

    /// Counts an owner's open uploads from their histories. The counters are a projection of these: while nothing of the
    /// owner is written, [`open_totals`](Self::open_totals) returns the same. Reads every upload that may be open.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn recount_open(&self, owner: &OwnerId, now: Timestamp) -> Result<OpenTotals, Error> {
        let first_kept_day = first_kept_day(now, self.retention);
        let mut totals = OpenTotals::default();
        let mut after = None;
        loop {
            let page = self.list(owner, &ListFilter::default(), RECOUNT_PAGE, after.as_deref(), now).await?;
            for listed in page.items.into_iter().filter(|listed| may_be_open(listed.state)) {
                let Some(upload) = self.load(&listed.upload_id).await? else { continue };
                match Counter::of(&upload) {
                    Some(Counter::Pending) => totals.pending += 1,
                    Some(Counter::Quarantined { day }) if day >= first_kept_day => totals.quarantined += 1,
                    Some(Counter::Quarantined { .. }) | None => {}
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(totals);
            }
        }
    }
}

/// Returns whether an upload in this state may be pending or have something in quarantine.
fn may_be_open(state: UploadState) -> bool {
    matches!(
        state,
        UploadState::Received
            | UploadState::Waiting
            | UploadState::Failed
            | UploadState::PartiallyAccepted
            | UploadState::Quarantined
    )
}
