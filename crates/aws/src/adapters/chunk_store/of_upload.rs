//! The chunks of one upload: their keys, from the index, and the chunks themselves.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use eventpulse_core::id::UploadId;
use eventpulse_core::statistics::chunk::{Chunk, ChunkKey};

use super::{BY_UPLOAD, ChunkStore};
use crate::adapters::dynamodb::batch_get::batch_get;
use crate::adapters::dynamodb::item::{Item, s, text};
use crate::error::Error;

/// Chunks that were read by their keys.
#[derive(Debug, Default)]
pub struct ReadChunks {
    /// The chunks, in the order of their keys, without missing and unreadable ones.
    pub chunks: Vec<Chunk>,
    /// The reasons why stored chunks cannot be read.
    pub unreadable: Vec<Error>,
}

impl ChunkStore {
    /// Calls `found` with the partition key and the sort key of every chunk of an upload that the index knows. The index may lag
    /// behind the last writes. Shared chunks are not in it.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn keys_of_upload(&self, id: &UploadId, mut found: impl FnMut(&str, &str)) -> Result<(), Error> {
        let mut pages = self.query_of_upload(id).into_paginator().send();
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

    /// Starts a query of the index for the chunks of an upload.
    pub(super) fn query_of_upload(&self, id: &UploadId) -> QueryFluentBuilder {
        let query = self.client.query().table_name(&self.table).index_name(BY_UPLOAD);
        query.key_condition_expression("upload_id = :id").expression_attribute_values(":id", s(id.as_str()))
    }

    /// Reads chunks by their keys. A chunk that cannot be read does not fail the others.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn get_many(&self, keys: &[ChunkKey]) -> Result<ReadChunks, Error> {
        let item_key = |key: &ChunkKey| {
            Item::from([("pk".to_owned(), s(key.series.partition_key())), ("sk".to_owned(), s(key.sort_key.as_str()))])
        };
        let item_keys: Vec<Item> = keys.iter().map(item_key).collect();
        let items = batch_get(&self.client, &self.table, &self.table, &item_keys).await?;
        Ok(self.read_chunks(keys, &items))
    }

    /// Returns the chunks with these keys in some items.
    fn read_chunks(&self, keys: &[ChunkKey], items: &[Item]) -> ReadChunks {
        let key_of = |item| (text(item, "pk").unwrap_or_default(), text(item, "sk").unwrap_or_default());
        let by_key: HashMap<_, _> = items.iter().map(|item| (key_of(item), item)).collect();
        let mut read = ReadChunks::default();
        for key in keys {
            let partition_key = key.series.partition_key();
            let Some(item) = by_key.get(&(partition_key.as_str(), key.sort_key.as_str())) else { continue };
            match self.read_chunk(&key.series, item) {
                Ok(chunk) => read.chunks.push(chunk),
                Err(error) => read.unreadable.push(error),
            }
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::Client;
    use aws_sdk_dynamodb::config::{BehaviorVersion, Config};
    use eventpulse_core::statistics::series::{Point, Series};
    use eventpulse_core::time::Timestamp;

    use super::super::chunk_item;
    use super::*;

    #[test]
    fn chunks_are_read_in_the_order_of_their_keys_without_missing_and_unreadable_ones() {
        let client = Client::from_conf(Config::builder().behavior_version(BehaviorVersion::latest()).build());
        let store = ChunkStore::new(client, "chunks".to_owned());
        let chunk = |entity: &str| {
            let series =
                Series { owner: "u1".parse().unwrap(), entity: entity.to_owned(), measure: "value".to_owned() };
            Chunk::new(series, "up_a", 0, vec![Point { time: Timestamp::from_secs(1), value: 22.5 }]).unwrap()
        };
        let chunks = ["a b+c%2Bé", "no summary", "no upload", "missing", "z"].map(chunk);
        let mut items = chunks.each_ref().map(chunk_item);
        items[1].insert("summary".to_owned(), s("text"));
        items[2].remove("upload_id");
        let [first, no_summary, no_upload, _, last] = items;
        let keys =
            chunks.each_ref().map(|chunk| ChunkKey { series: chunk.series().clone(), sort_key: chunk.sort_key() });
        let read = store.read_chunks(&keys, &[last, no_upload, no_summary, first]);
        assert_eq!(read.chunks, [chunks[0].clone(), chunks[4].clone()]);
        assert_eq!(read.unreadable.len(), 2);
    }
}
