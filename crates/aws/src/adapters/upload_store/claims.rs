//! Claims on bytes: who holds one, and their release.

use aws_sdk_dynamodb::types::{Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use eventpulse_core::id::{OwnerId, UploadId};
use eventpulse_core::upload::{RecordedEvent, Upload};

use super::open_counters::{CounterChanges, StoredState};
use super::{Append, UploadStore, append_failed, claim_pk};
use crate::adapters::dynamodb::item::{s, text};
use crate::adapters::dynamodb::transaction::{is_contended, is_refused, reasons};
use crate::error::{Error, Kind, is_condition_failed};

impl UploadStore {
    /// Appends events and releases a claim of this upload: all or nothing. If the claim belongs to another upload by now,
    /// only appends.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn append_releasing(
        &self,
        after: &Upload,
        stored: &StoredState,
        events: &[RecordedEvent],
        claim: &str,
    ) -> Result<Append, Error> {
        let actions = vec![self.append_action(after, stored.revision, events)?, self.release_action(after, claim)?];
        let changes = CounterChanges::of_append(after, stored);
        let Some(error) = self.counted(after.id(), actions, changes).send().await? else {
            return Ok(Append::Done);
        };
        match reasons(&error) {
            [append, ..] if is_refused(append) => Ok(Append::Conflict),
            [_, release, ..] if is_refused(release) => self.append(after, stored, events).await,
            reasons if is_contended(reasons) => Ok(Append::Conflict),
            _ => Err(append_failed(self.target(after.id()), error)),
        }
    }

    /// Returns the upload that holds a claim of this owner, if one does.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn claim_holder(&self, owner: &OwnerId, claim: &str) -> Result<Option<UploadId>, Error> {
        let target = || format!("{}/{}", self.table, claim_pk(owner, claim));
        let get = self.client.get_item().table_name(&self.table).key("pk", s(claim_pk(owner, claim)));
        let output = get.consistent_read(true).send().await;
        let output = output.map_err(|error| Error::sdk("GetItem", target(), error))?;
        let Some(item) = output.item else { return Ok(None) };
        let holder = text(&item, "upload_id").and_then(|id| UploadId::parse(id).ok());
        holder.map(Some).ok_or_else(|| Error::new("GetItem", target(), Kind::Corrupt))
    }

    /// Releases a claim, if it belongs to this upload.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn release(&self, owner: &OwnerId, claim: &str, id: &UploadId) -> Result<(), Error> {
        let delete = self.client.delete_item().table_name(&self.table).key("pk", s(claim_pk(owner, claim)));
        let delete = delete.condition_expression("upload_id = :me").expression_attribute_values(":me", s(id.as_str()));
        match delete.send().await {
            Ok(_) => Ok(()),
            Err(error) if is_condition_failed(&error) => Ok(()),
            Err(error) => Err(Error::sdk("DeleteItem", self.target(id), error)),
        }
    }

    /// Returns a claim as an action of a transaction.
    pub(super) fn claim_action(&self, after: &Upload, claim: &str) -> Result<TransactWriteItem, Error> {
        let put = Put::builder()
            .table_name(&self.table)
            .item("pk", s(claim_pk(&after.origin().owner, claim)))
            .item("upload_id", s(after.id().as_str()))
            .condition_expression("attribute_not_exists(pk) OR upload_id = :me")
            .expression_attribute_values(":me", s(after.id().as_str()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = put.build().map_err(|error| self.unsendable(error))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// Returns the release of a claim of this upload as an action of a transaction.
    fn release_action(&self, upload: &Upload, claim: &str) -> Result<TransactWriteItem, Error> {
        let delete = Delete::builder()
            .table_name(&self.table)
            .key("pk", s(claim_pk(&upload.origin().owner, claim)))
            .condition_expression("attribute_not_exists(pk) OR upload_id = :me")
            .expression_attribute_values(":me", s(upload.id().as_str()));
        let delete = delete.build().map_err(|error| self.unsendable(error))?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }
}
