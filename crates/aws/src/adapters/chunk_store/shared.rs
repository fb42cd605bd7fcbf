//! Removes an upload from a chunk that it shares with others.

use std::error::Error as StdError;
use std::fmt::Debug;
use std::time::Duration;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use eventpulse_core::id::UploadId;
use eventpulse_core::statistics::series::Series;

use super::{ChunkStore, contents, names};
use crate::adapters::dynamodb::item::s;
use crate::error::{Error, Kind, is_condition_failed};

/// How often a removal is tried: at most as many messages share a chunk, and all may be removed at the same time.
const ATTEMPTS: u32 = 64;
/// The longest pause after a conflict.
const MAX_PAUSE: Duration = Duration::from_millis(64);

impl ChunkStore {
    /// Removes the points of an upload from the chunk with this sort key. A repetition changes nothing.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn remove_upload(&self, series: &Series, sort_key: &str, id: &UploadId) -> Result<(), Error> {
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                // Jitter: concurrent removals pause differently, by their ids.
                let sum = id.as_str().bytes().fold(attempt, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
                tokio::time::sleep(MAX_PAUSE * (sum % 64) / 64).await;
            }
            let get = self.client.get_item().table_name(&self.table).consistent_read(true);
            let get = get.key("pk", s(series.partition_key())).key("sk", s(sort_key));
            let output = get.send().await.map_err(|error| Error::sdk("GetItem", self.table.as_str(), error))?;
            let Some(item) = output.item else { return Ok(()) };
            let chunk = self.read_chunk(series, &item)?;
            if !chunk.uploads().iter().any(|upload| upload == id.as_str()) {
                return Ok(());
            }
            let rest = chunk.without_upload(id.as_str());
            let rest = rest.map_err(|error| self.error("GetItem", Kind::Corrupt).with_source(error))?;
            let unchanged = "uploads = :read";
            let is_removed = match rest {
                Some(rest) => {
                    let mut item = item;
                    item.remove("origins");
                    item.extend(contents(&rest)); // the key stays: see Chunk::without_upload
                    let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
                    let put = put.condition_expression(unchanged).expression_attribute_values(":read", names(&chunk));
                    self.is_done("PutItem", put.send().await)
                }
                None => {
                    let delete = self.client.delete_item().table_name(&self.table);
                    let delete = delete.key("pk", s(series.partition_key())).key("sk", s(sort_key));
                    let delete = delete.condition_expression(unchanged);
                    let delete = delete.expression_attribute_values(":read", names(&chunk));
                    self.is_done("DeleteItem", delete.send().await)
                }
            };
            if is_removed? {
                return Ok(());
            }
        }
        Err(self.error("PutItem", Kind::Contended))
    }

    /// Returns whether a conditional write is done. It is not if the chunk changed meanwhile.
    fn is_done<T, E, R>(&self, op: &'static str, sent: Result<T, SdkError<E, R>>) -> Result<bool, Error>
    where
        E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
        R: Debug + Send + Sync + 'static,
    {
        match sent {
            Ok(_) => Ok(true),
            Err(error) if is_condition_failed(&error) => Ok(false),
            Err(error) => Err(Error::sdk(op, self.table.as_str(), error)),
        }
    }
}
