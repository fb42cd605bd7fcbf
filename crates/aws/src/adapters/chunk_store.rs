//! DynamoDB: the chunks of accepted points.
//!
//! There is one item per chunk: `pk` is the series, `sk` the position in it. Both are deterministic, so that a repeated write
//! changes nothing. The index `by_upload` finds the chunks of an upload, the index `by_owner` the series of an owner. A chunk
//! that several messages share is written in the same transaction as their histories. It has `uploads` and `origins` instead
//! of `upload_id`, so it is not in `by_upload`; the histories of its messages name it.
//!
//! The mapping is written by hand: half of the bytes are binary attributes, which serde_dynamo maps only through wrapper
//! types, and the path is hot.

pub mod answers;
pub mod devices;
pub mod of_upload;
mod shared;

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, PutRequest, WriteRequest};
use eventpulse_core::id::UploadId;
use eventpulse_core::statistics::chunk::{Chunk, attempt_of_sort_key};
use eventpulse_core::statistics::series::Series;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::adapters::dynamodb::item::{Item, number, s, text};
use crate::error::{Error, Kind};

/// [BatchWriteItem](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html) takes 25 items.
const BATCH: usize = 25;
/// The number of batches sent at the same time.
const CONCURRENCY: usize = 8;
/// The index that finds the chunks of an upload.
const BY_UPLOAD: &str = "by_upload";
/// How often unprocessed items of a batch are sent. The pause is 50 ms, doubled each time, 25 s in all.
const BATCH_ATTEMPTS: u32 = 9;

/// The chunks table.
#[derive(Debug, Clone)]
pub struct ChunkStore {
    client: Client,
    table: String,
}

impl ChunkStore {
    /// Creates an adapter over an SDK client.
    #[must_use]
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Writes chunks in batches, and sends unprocessed items again.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn write(&self, chunks: &[Chunk]) -> Result<(), Error> {
        let mut requests = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            let put = PutRequest::builder().set_item(Some(chunk_item(chunk))).build();
            let put = put.map_err(|error| self.error("BatchWriteItem", Kind::Other).with_source(error))?;
            requests.push(WriteRequest::builder().put_request(put).build());
        }
        self.send_all(requests).await
    }

    /// Deletes the chunks of an upload, or of one of its attempts, that the index knows. The index may lag behind the last
    /// writes. Returns the number of deleted chunks.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn delete_of_upload(&self, id: &UploadId, attempt: Option<u32>) -> Result<u64, Error> {
        let mut pages = self.query_of_upload(id).into_paginator().send();
        let mut removed = 0;
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Error::sdk("Query", self.table.as_str(), error))?;
            let mut requests = Vec::with_capacity(page.items().len());
            for item in page.items() {
                if attempt.is_some() && text(item, "sk").and_then(attempt_of_sort_key) != attempt {
                    continue;
                }
                let key = |name: &str| item.get(name).cloned().unwrap_or(AttributeValue::Null(true));
                let delete = DeleteRequest::builder().key("pk", key("pk")).key("sk", key("sk")).build();
                let delete = delete.map_err(|error| self.error("BatchWriteItem", Kind::Other).with_source(error))?;
                requests.push(WriteRequest::builder().delete_request(delete).build());
            }
            removed += requests.len() as u64;
            self.send_all(requests).await?;
        }
        Ok(removed)
    }

    fn read_chunk(&self, series: &Series, item: &Item) -> Result<Chunk, Error> {
        let corrupt = || self.error("Query", Kind::Corrupt);
        let blob = |name: &str| item.get(name).and_then(|value| value.as_b().ok()).ok_or_else(corrupt);
        let names = |value: &AttributeValue| -> Option<Vec<String>> {
            value.as_l().ok()?.iter().map(|name| name.as_s().ok().cloned()).collect()
        };
        let uploads = match item.get("uploads") {
            Some(uploads) => names(uploads),
            None => text(item, "upload_id").map(|upload| vec![upload.to_owned()]),
        };
        let origins = item.get("origins").and_then(|value| value.as_b().ok()).map(|origins| origins.as_ref().to_vec());
        let segment = item.get("segment").and_then(|value| value.as_n().ok()).and_then(|digits| digits.parse().ok());
        let (summary, points) = (blob("summary")?.as_ref(), blob("points")?.as_ref().to_vec());
        let (uploads, segment) = (uploads.ok_or_else(corrupt)?, segment.ok_or_else(corrupt)?);
        let chunk = Chunk::from_parts(series.clone(), uploads, origins.unwrap_or_default(), segment, summary, points);
        chunk.map_err(|error| corrupt().with_source(error))
    }

    /// Sends requests in concurrent batches.
    async fn send_all(&self, mut requests: Vec<WriteRequest>) -> Result<(), Error> {
        let batches = std::iter::from_fn(|| {
            let batch = requests.split_off(requests.len().saturating_sub(BATCH));
            (!batch.is_empty()).then_some(batch)
        });
        let sending = batches.map(|batch| self.send_batch(batch));
        stream::iter(sending).buffer_unordered(CONCURRENCY).try_collect().await
    }

    /// Sends a batch until every item is processed.
    async fn send_batch(&self, requests: Vec<WriteRequest>) -> Result<(), Error> {
        let mut unprocessed = HashMap::from([(self.table.clone(), requests)]);
        for attempt in 0..BATCH_ATTEMPTS {
            let sent = self.client.batch_write_item().set_request_items(Some(unprocessed)).send().await;
            let output = sent.map_err(|error| Error::sdk("BatchWriteItem", self.table.as_str(), error))?;
            unprocessed = output.unprocessed_items.unwrap_or_default();
            unprocessed.retain(|_, requests| !requests.is_empty());
            if unprocessed.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50 << attempt)).await;
        }
        Err(self.error("BatchWriteItem", Kind::Throttled))
    }

    fn error(&self, op: &'static str, kind: Kind) -> Error {
        Error::new(op, self.table.as_str(), kind)
    }
}

/// Returns the item of a chunk. Its summary is binary, because DynamoDB's numbers end at 9.9e125.
pub(crate) fn chunk_item(chunk: &Chunk) -> Item {
    let mut item = Item::from([
        ("pk".to_owned(), s(chunk.partition_key())),
        ("sk".to_owned(), s(chunk.sort_key())),
        ("owner".to_owned(), s(chunk.series().owner.as_str())),
        ("series".to_owned(), s(chunk.series().listing_key())),
        ("entity".to_owned(), s(chunk.series().entity.as_str())),
        ("measure".to_owned(), s(chunk.series().measure.as_str())),
        ("segment".to_owned(), number(chunk.segment() as usize)),
    ]);
    item.extend(contents(chunk));
    if chunk.uploads().len() == 1 {
        item.remove("uploads");
        item.insert("upload_id".to_owned(), s(chunk.upload_id()));
    }
    item
}

/// Returns the attributes that change when an upload is removed from a shared chunk.
fn contents(chunk: &Chunk) -> Item {
    let blob = |bytes: &[u8]| AttributeValue::B(Blob::new(bytes));
    let mut contents = Item::from([
        ("uploads".to_owned(), names(chunk)),
        ("summary".to_owned(), blob(&chunk.summary().to_bytes())),
        ("points".to_owned(), blob(chunk.compressed_points())),
    ]);
    if !chunk.origins().is_empty() {
        contents.insert("origins".to_owned(), blob(chunk.origins()));
    }
    contents
}

fn names(chunk: &Chunk) -> AttributeValue {
    AttributeValue::L(chunk.uploads().iter().map(s).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::dynamodb::golden::json_of;
    use aws_sdk_dynamodb::config::{BehaviorVersion, Config};
    use eventpulse_core::statistics::series::Point;
    use eventpulse_core::time::Timestamp;
    use serde_json::json;

    fn series() -> Series {
        Series { owner: "u1".parse().unwrap(), entity: "a b+c%2Bé".to_owned(), measure: "value".to_owned() }
    }

    fn chunk(upload: &str, second: i64) -> Chunk {
        let point = Point { time: Timestamp::from_micros(second * 1_000_000), value: 22.5 };
        Chunk::new(series(), upload, 0, vec![point]).unwrap()
    }

    fn read(item: &Item) -> Chunk {
        let client = Client::from_conf(Config::builder().behavior_version(BehaviorVersion::latest()).build());
        ChunkStore::new(client, "chunks".to_owned()).read_chunk(&series(), item).unwrap()
    }

    #[test]
    fn a_chunk_has_a_golden_item() {
        let chunk = chunk("up_a", 0);
        let expected = json!({
            "pk": {"S": chunk.partition_key()},
            "sk": {"S": chunk.sort_key()},
            "owner": {"S": "u1"},
            "series": {"S": series().listing_key()},
            "entity": {"S": "a b+c%2Bé"},
            "measure": {"S": "value"},
            "segment": {"N": "0"},
            "upload_id": {"S": "up_a"},
            "summary": {"B": chunk.summary().to_bytes().as_slice()},
            "points": {"B": chunk.compressed_points()},
        });
        assert_eq!(json_of(&chunk_item(&chunk)), expected);
        assert_eq!(read(&chunk_item(&chunk)), chunk);
    }

    #[test]
    fn a_shared_chunk_has_a_golden_item() {
        let shared = Chunk::merge(&[&chunk("up_a", 0), &chunk("up_b", 1)], 7).unwrap();
        let item = chunk_item(&shared);
        let json = json_of(&item);
        assert_eq!(json["uploads"], json!({"L": [{"S": "up_a"}, {"S": "up_b"}]}));
        assert_eq!(json["origins"], json!({"B": shared.origins()}));
        assert_eq!((&json["segment"], item.contains_key("upload_id")), (&json!({"N": "7"}), false));
        assert_eq!(read(&item), shared);
    }
}
