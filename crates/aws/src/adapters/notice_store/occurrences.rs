//! Occurrences: `sk = occurrence#<time>#<upload>#<revision>`.

use aws_sdk_dynamodb::types::TransactWriteItem;
use eventpulse_core::notification::occurrence::Occurrence;

use super::due::occurrence_partition;
use super::outbox::MAX_CHANGES;
use super::table::{NoticeStore, Page};
use crate::adapters::dynamodb::item::{Item, s};
use crate::error::Error;

const PREFIX: &str = "occurrence#";

impl NoticeStore {
    /// Returns the transaction action that puts an occurrence.
    ///
    /// # Errors
    /// [`Kind::Corrupt`](crate::error::Kind::Corrupt) if the occurrence cannot be encoded, which is a bug.
    pub fn occurrence_action(&self, owner: &str, occurrence: &Occurrence) -> Result<TransactWriteItem, Error> {
        self.put_action(owner, self.occurrence_item(owner, occurrence)?)
    }

    /// Records an occurrence.
    ///
    /// # Errors
    /// See [`crate::error`].
    pub async fn record_occurrence(&self, owner: &str, occurrence: &Occurrence) -> Result<(), Error> {
        let item = self.occurrence_item(owner, occurrence)?;
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        put.send().await.map_err(|error| Error::sdk("PutItem", self.target(owner), error))?;
        Ok(())
    }

    /// Loads the oldest occurrences that are not yet folded.
    ///
    /// # Errors
    /// See [`crate::error`].
    pub async fn occurrences(&self, owner: &str) -> Result<Page<Occurrence>, Error> {
        self.first(owner, PREFIX, "occurrence", MAX_CHANGES).await
    }

    fn occurrence_item(&self, owner: &str, occurrence: &Occurrence) -> Result<Item, Error> {
        let Occurrence { at, upload_id, revision, .. } = occurrence;
        let mut item = self.item(owner, format!("{PREFIX}{}#{upload_id}#{revision}", at.sortable()));
        item.insert("occurrence".to_owned(), self.encode(owner, occurrence)?);
        item.insert("due".to_owned(), s(occurrence_partition(owner)));
        item.insert("due_at".to_owned(), s(at.sortable()));
        Ok(item)
    }
}
