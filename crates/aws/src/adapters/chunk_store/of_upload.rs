//! The chunks of one upload: their keys, from the index, and the chunks themselves.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use eventpulse_core::id::UploadId;
use eventpulse_core::statistics::chunk::{Chunk, ChunkKey};

use super::{BY_UPLOAD, ChunkStore};
use crate::adapters::dynamodb::item::{s, text};
use crate::error::{Error, Kind};

/// A batch takes [100 keys](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html).
pub const MAX_KEYS: usize = 100;
/// How often a batch is sent until every chunk is read. The pause is 50 ms, doubled each time, 12 s in all.
const ATTEMPTS: u32 = 9;

impl ChunkStore {
    /// Calls `found` with the partition key and the sort key of every chunk of an upload that the index knows. The index may lag
    /// behind the last writes. Shared chunks are not in it.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn keys_of_upload(&self, id: &UploadId, mut found: impl FnMut(&str, &str)) -> Result<(), Error> {
        let query = self.client.query().table_name(&self.table).index_name(BY_UPLOAD);
        let query =
            query.key_condition_expression("upload_id = :id").expression_attribute_values(":id", s(id.as_str()));
        let mut pages = query.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Error::sdk("Query", self.table.as_str(), error))?;
            for item in page.items() {
                if let (Some(pk), Some(sk)) = (text(item, "pk"), text(item, "sk")) {
                    found(pk, sk);
                }
            }
        }
        Ok(())
    }

    /// Reads at most [`MAX_KEYS`] chunks, in the order of their keys. Missing chunks are left out.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn get_many(&self, keys: &[ChunkKey]) -> Result<Vec<Chunk>, Error> {
        let items = keys.iter().map(|key| {
            HashMap::from([
                ("pk".to_owned(), s(key.series.partition_key())),
                ("sk".to_owned(), s(key.sort_key.as_str())),
            ])
        });
        let mut read = HashMap::new();
        let mut unread: Vec<HashMap<String, AttributeValue>> = items.collect();
        for attempt in 0..ATTEMPTS {
            let request = KeysAndAttributes::builder().set_keys(Some(std::mem::take(&mut unread)));
            let request = request.consistent_read(true).build();
            let request = request.map_err(|error| self.error("BatchGetItem", Kind::Other).with_source(error))?;
            let output = self.client.batch_get_item().request_items(&self.table, request).send().await;
            let output = output.map_err(|error| Error::sdk("BatchGetItem", self.table.as_str(), error))?;
            for item in output.responses.into_iter().flatten().flat_map(|(_, items)| items) {
                let key = |name: &str| text(&item, name).unwrap_or_default().to_owned();
                read.insert((key("pk"), key("sk")), item);
            }
            unread.extend(output.unprocessed_keys.into_iter().flatten().flat_map(|(_, keys)| keys.keys));
            if unread.is_empty() {
                let chunk = |key: &ChunkKey| {
                    let item = read.get(&(key.series.partition_key(), key.sort_key.clone()))?;
                    Some(self.read_chunk(&key.series, item))
                };
                return keys.iter().filter_map(chunk).collect();
            }
            // Jitter: the keys that are left differ from caller to caller.
            let part = u32::try_from(unread.len()).unwrap_or(u32::MAX).min(100);
            tokio::time::sleep(Duration::from_millis(25 << attempt) * (100 + part) / 100).await;
        }
        Err(self.error("BatchGetItem", Kind::Throttled))
    }
}
