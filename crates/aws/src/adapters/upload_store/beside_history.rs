//! The parts of an upload's item that are no events: a count, and the mark of a full history.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use eventpulse_core::id::UploadId;
use eventpulse_core::upload::UploadState;

use super::{HISTORY_FULL, LATE_VERSIONS, UploadStore, upload_pk};
use crate::adapters::dynamodb::item::{number, s};
use crate::error::{Error, is_condition_failed};

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

    /// Marks a history that DynamoDB does not let grow as full: the upload is `failed` for good. Leaves the attributes of
    /// open uploads out, which makes room for the mark.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn mark_full(&self, id: &UploadId) -> Result<(), Error> {
        let update = self.update_existing(id).update_expression(
            "SET #full = :true, #state = :failed \
             REMOVE open_owner, open_since, codes, schemas, quarantined_at, retry_expires_at",
        );
        let update = update.expression_attribute_names("#full", HISTORY_FULL);
        let update = update.expression_attribute_names("#state", "state");
        let update = update.expression_attribute_values(":true", AttributeValue::Bool(true));
        self.perform(id, update.expression_attribute_values(":failed", s(UploadState::Failed.as_str()))).await
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
