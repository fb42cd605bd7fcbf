//! DynamoDB: the chunks, what counts.
//!
//! One item a chunk: `pk` is the series, `sk` its place in it; both are deterministic, so writing a chunk twice is
//! writing it once. The index `by_upload` finds the chunks of an upload, the index `by_owner` the series of an owner.
//! A chunk that several messages share is written once because their histories are, in the same transaction. It is not in
//! `by_upload`: it has `uploads` and `origins`, and the histories of its messages name it.

pub mod answers;
pub mod devices;
mod shared;

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, PutRequest, WriteRequest};
use eventpulse_core::id::UploadId;
use eventpulse_core::statistics::chunk::{Chunk, attempt_of_sort_key};
use eventpulse_core::statistics::series::Series;
use tokio::task::{JoinError, JoinSet};

use crate::adapters::dynamodb::item::{Item, number, s, text};
use crate::error::{Error, Kind};

/// [BatchWriteItem](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html) takes 25.
const BATCH: usize = 25;
/// How many batches are under way at the same time.
const BATCHES_AT_A_TIME: usize = 8;
/// The index that finds the chunks of an upload.
const BY_UPLOAD: &str = "by_upload";
/// How often what a batch left undone is sent again: 50 ms, doubled each time, 25 s in all.
const BATCH_ATTEMPTS: u32 = 9;

/// The chunks table.
#[derive(Debug, Clone)]
pub struct ChunkStore {
    client: Client,
    table: String,
}

impl ChunkStore {
    /// Over an SDK client.
    #[must_use]
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Writes chunks, in batches.
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
        self.batches(requests).await
    }

    /// Removes every chunk of an upload, or of one of its rounds, that the index knows: it may lag a moment behind what
    /// was written last. Returns how many they were.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn delete_of_upload(&self, id: &UploadId, round: Option<u32>) -> Result<u64, Error> {
        let query = self.client.query().table_name(&self.table).index_name(BY_UPLOAD);
        let query =
            query.key_condition_expression("upload_id = :id").expression_attribute_values(":id", s(id.as_str()));
        let mut pages = query.into_paginator().send();
        let mut removed = 0;
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Error::sdk("Query", self.table.as_str(), error))?;
            let mut requests = Vec::with_capacity(page.items().len());
            for item in page.items() {
                if round.is_some() && text(item, "sk").and_then(attempt_of_sort_key) != round {
                    continue;
                }
                let key = |name: &str| item.get(name).cloned().unwrap_or(AttributeValue::Null(true));
                let delete = DeleteRequest::builder().key("pk", key("pk")).key("sk", key("sk")).build();
                let delete = delete.map_err(|error| self.error("BatchWriteItem", Kind::Other).with_source(error))?;
                requests.push(WriteRequest::builder().delete_request(delete).build());
            }
            removed += requests.len() as u64;
            self.batches(requests).await?;
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

    /// Sends requests in batches, some at a time.
    async fn batches(&self, mut requests: Vec<WriteRequest>) -> Result<(), Error> {
        let mut sending = JoinSet::new();
        while !requests.is_empty() {
            let batch = requests.split_off(requests.len().saturating_sub(BATCH));
            if sending.len() == BATCHES_AT_A_TIME {
                self.sent(sending.join_next().await)?;
            }
            let chunks = self.clone();
            sending.spawn(async move { chunks.batch(batch).await });
        }
        while let Some(batch) = sending.join_next().await {
            self.sent(Some(batch))?;
        }
        Ok(())
    }

    fn sent(&self, batch: Option<Result<Result<(), Error>, JoinError>>) -> Result<(), Error> {
        match batch {
            Some(Ok(result)) => result,
            Some(Err(error)) => Err(self.error("BatchWriteItem", Kind::Other).with_source(error)),
            None => Ok(()),
        }
    }

    /// Sends a batch until nothing of it is left undone.
    async fn batch(&self, requests: Vec<WriteRequest>) -> Result<(), Error> {
        let mut left = HashMap::from([(self.table.clone(), requests)]);
        for attempt in 0..BATCH_ATTEMPTS {
            let sent = self.client.batch_write_item().set_request_items(Some(left)).send().await;
            let output = sent.map_err(|error| Error::sdk("BatchWriteItem", self.table.as_str(), error))?;
            left = output.unprocessed_items.unwrap_or_default();
            left.retain(|_, requests| !requests.is_empty());
            if left.is_empty() {
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

/// A chunk as it is stored. The numbers of its summary are bytes: DynamoDB's own end at 9.9e125.
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

/// What of a shared chunk changes when an upload is taken back.
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
