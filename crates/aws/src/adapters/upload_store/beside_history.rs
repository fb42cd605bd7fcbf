//! The parts of an upload's item that are no events: a count, and the mark of a full history.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem, Update};
use eventpulse_core::id::UploadId;
use eventpulse_core::upload::{Upload, UploadState};

use super::open_counters::{CounterChanges, StoredState};
use super::{HISTORY_FULL, LATE_VERSIONS, UploadStore, upload_pk};
use crate::adapters::dynamodb::item::{number, s};
use crate::adapters::dynamodb::transaction::{failed, is_refused, reasons};
use crate::error::{Error, Kind, is_condition_failed};

impl UploadStore {
    /// Counts an object that arrived late and was removed unread. The item does not grow with the count, and no append
    /// conflicts with it.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn count_late_version(&self, id: &UploadId) -> Result<(), Error> {
        let update = self.update_existing(id).update_expression("ADD #late :one");
        let update = update.expression_attribute_names("#late", LATE_VERSIONS);
        self.perform(id, update.expression_attribute_values(":one", number(1))).await
    }

    /// Marks a history that DynamoDB does not let grow as full: the upload, as it is stored, is `failed` for good. Leaves the
    /// attributes of open uploads out, which makes room for the mark, and no longer counts the upload as open.
    ///
    /// # Errors
    /// [`Kind::Contended`] if the history changed meanwhile. Else returns an [AWS failure](crate::error).
    pub async fn mark_full(&self, upload: &Upload) -> Result<(), Error> {
        if upload.is_history_full() {
            return Ok(());
        }
        let update = Update::builder()
            .table_name(&self.table)
            .key("pk", s(upload_pk(upload.id())))
            .update_expression(
                "SET #full = :true, #state = :failed \
                 REMOVE open_owner, open_since, codes, schemas, quarantined_at, retry_expires_at",
            )
            .condition_expression("#revision = :revision AND attribute_not_exists(#full)")
            .expression_attribute_names("#full", HISTORY_FULL)
            .expression_attribute_names("#revision", "revision")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .expression_attribute_values(":failed", s(UploadState::Failed.as_str()))
            .expression_attribute_values(":revision", number(upload.revision()));
        let update = update.build().map_err(|error| self.unsendable(error))?;
        let action = TransactWriteItem::builder().update(update).build();
        let full = upload.clone().with_full_history();
        let changes = CounterChanges::of_append(&full, &StoredState::of(upload));
        match self.counted(upload.id(), vec![action], changes).send().await? {
            None => Ok(()),
            Some(error) if reasons(&error).iter().any(is_refused) => {
                Err(Error::new("TransactWriteItems", self.target(upload.id()), Kind::Contended))
            }
            Some(error) => Err(failed(self.target(upload.id()), error)),
        }
    }

    fn update_existing(&self, id: &UploadId) -> UpdateItemFluentBuilder {
        let update = self.client.update_item().table_name(&self.table).key("pk", s(upload_pk(id)));
        update.condition_expression("attribute_exists(pk)")
    }

    /// Performs an update. It has nothing to do if the upload is gone.
    async fn perform(&self, id: &UploadId, update: UpdateItemFluentBuilder) -> Result<(), Error> {
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error) if is_condition_failed(&error) => Ok(()),
            Err(error) => Err(Error::sdk("UpdateItem", self.target(id), error)),
        }
    }
}
