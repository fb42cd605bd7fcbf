//! The tombstone of an owner who was offboarded: while it exists, none of the owner's keys works, whenever it was created.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::ReturnValue;
use eventpulse_core::id::OwnerId;
use eventpulse_core::time::Timestamp;

use crate::adapters::dynamodb::item::s;
use crate::error::{Error, is_condition_failed};

/// Writes the tombstone of an owner. Returns `false` if there was one.
pub(super) async fn put(client: &Client, table: &str, owner: &OwnerId, now: Timestamp) -> Result<bool, Error> {
    let put = client.put_item().table_name(table).item("pk", s(owner_pk(owner)));
    let put = put.item("offboarded_at", s(now.to_string())).condition_expression("attribute_not_exists(pk)");
    match put.send().await {
        Ok(_) => Ok(true),
        Err(error) if is_condition_failed(&error) => Ok(false),
        Err(error) => Err(Error::sdk("PutItem", owner.as_str(), error)),
    }
}

/// Removes the tombstone of an owner. Returns `false` if there was none.
pub(super) async fn remove(client: &Client, table: &str, owner: &OwnerId) -> Result<bool, Error> {
    let delete = client.delete_item().table_name(table).key("pk", s(owner_pk(owner)));
    let deleted = delete.return_values(ReturnValue::AllOld).send().await;
    let deleted = deleted.map_err(|error| Error::sdk("DeleteItem", owner.as_str(), error))?;
    Ok(deleted.attributes.is_some())
}

/// Returns whether an owner has a tombstone. The read is consistent.
pub(super) async fn exists(client: &Client, table: &str, owner: &OwnerId) -> Result<bool, Error> {
    let get = client.get_item().table_name(table).key("pk", s(owner_pk(owner))).consistent_read(true);
    let output = get.send().await.map_err(|error| Error::sdk("GetItem", owner.as_str(), error))?;
    Ok(output.item.is_some())
}

fn owner_pk(owner: &OwnerId) -> String {
    format!("owner#{owner}")
}
