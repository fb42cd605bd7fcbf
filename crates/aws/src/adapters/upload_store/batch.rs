//! Batches of new uploads, and the header `Idempotency-Key`, under which a client may repeat a message.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_dynamodb::types::{Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use eventpulse_core::id::{OwnerId, UploadId};
use eventpulse_core::statistics::chunk::Chunk;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{RecordedEvent, Upload};

use super::open_counters::{CounterChanges, StoredState};
use super::{UploadStore, claim_pk, upload_pk};
use crate::adapters::dynamodb::item::{Item, epoch_seconds, n, s, text};
use crate::adapters::dynamodb::transaction::{failed, is_contended, is_refused, reasons, transaction};
use crate::error::{Error, Kind};

/// The lifetime of an `Idempotency-Key`: as long as a queue keeps a message.
const REMEMBER_KEY: Duration = Duration::from_secs(14 * 86_400);

/// A header `Idempotency-Key` as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The lower-case hexadecimal SHA-256 of the header, whose text is arbitrary.
    pub digest: String,
    /// The lower-case hexadecimal SHA-256 of the body.
    pub body_sha256: String,
}

/// The result of claiming an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdempotencyClaim {
    /// The key belongs to the claiming upload.
    Acquired,
    /// The key belongs to an earlier upload.
    Earlier {
        /// The earlier upload.
        upload_id: UploadId,
        /// Whether the earlier body was the same.
        same_body: bool,
    },
}

/// An upload that is not stored yet.
#[derive(Debug)]
pub struct NewUpload {
    /// The upload with its events applied.
    pub upload: Upload,
    /// Its whole history.
    pub events: Vec<RecordedEvent>,
    /// The digest to claim.
    pub sha256: String,
    /// The idempotency key to claim.
    pub idempotency_key: Option<IdempotencyKey>,
}

/// The result of appending a batch.
#[derive(Debug, PartialEq, Eq)]
pub enum BatchAppend {
    /// The whole batch is stored.
    Done,
    /// Nothing is stored: these uploads, or their digests or idempotency keys, are stored already.
    Known(BTreeSet<UploadId>),
    /// Nothing is stored: another transaction writes the same items, or DynamoDB throttles.
    Contended,
}

/// Returns the primary keys of the items that [`UploadStore::append_batch`] writes for an upload, chunks excluded.
#[must_use]
pub fn item_keys(id: &UploadId, owner: &OwnerId, sha256: &str, key: Option<&IdempotencyKey>) -> Vec<String> {
    let key = key.map(|key| idempotency_pk(owner, key));
    [upload_pk(id), claim_pk(owner, sha256)].into_iter().chain(key).collect()
}

pub(super) fn idempotency_pk(owner: &OwnerId, key: &IdempotencyKey) -> String {
    format!("idempotency#{owner}#{}", key.digest)
}

impl UploadStore {
    /// Stores new uploads, their claims and their chunks: all or nothing. Accepted uploads change no counter; one more
    /// action counts the others.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn append_batch(
        &self,
        uploads: &[NewUpload],
        chunks: &[Chunk],
        now: Timestamp,
    ) -> Result<BatchAppend, Error> {
        let mut actions = Vec::new();
        let mut upload_of_action = Vec::new();
        let mut changes = CounterChanges::default();
        for new in uploads {
            actions.push(self.append_action(&new.upload, 0, &new.events)?);
            actions.push(self.claim_action(&new.upload, &new.sha256)?);
            if let Some(key) = &new.idempotency_key {
                actions.push(self.idempotency_action(&new.upload, key, now)?);
            }
            upload_of_action.resize(actions.len(), new.upload.id());
            changes.add(&new.upload, &StoredState::NOTHING);
        }
        for chunk in chunks {
            actions.push(self.chunk_action(chunk)?);
        }
        let Some(first) = uploads.first() else { return Ok(BatchAppend::Done) };
        let Some(error) = self.counted(first.upload.id(), actions, changes).send().await? else {
            return Ok(BatchAppend::Done);
        };
        let reasons = reasons(&error);
        let refused = upload_of_action.into_iter().zip(reasons).filter(|(_, reason)| is_refused(reason));
        let known: BTreeSet<UploadId> = refused.map(|(id, _)| id.clone()).collect();
        if !known.is_empty() {
            Ok(BatchAppend::Known(known))
        } else if is_contended(reasons) {
            Ok(BatchAppend::Contended)
        } else {
            Err(failed(self.table.as_str(), error))
        }
    }

    /// Claims an idempotency key for an upload, unless an earlier upload has it.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn claim_idempotency_key(
        &self,
        upload: &Upload,
        key: &IdempotencyKey,
        now: Timestamp,
    ) -> Result<IdempotencyClaim, Error> {
        let action = self.idempotency_action(upload, key, now)?;
        let Err(error) = transaction(&self.client).transact_items(action).send().await else {
            return Ok(IdempotencyClaim::Acquired);
        };
        let earlier = |item: &Item| {
            let upload_id = UploadId::parse(text(item, "upload_id")?).ok()?;
            Some(IdempotencyClaim::Earlier { upload_id, same_body: text(item, "sha256") == Some(&key.body_sha256) })
        };
        let reasons = reasons(&error);
        match reasons.first().and_then(|reason| reason.item()).and_then(earlier) {
            Some(earlier) => Ok(earlier),
            None if is_contended(reasons) => {
                Err(Error::new("TransactWriteItems", self.target(upload.id()), Kind::Contended))
            }
            None => Err(failed(self.target(upload.id()), error)),
        }
    }

    fn idempotency_action(
        &self,
        upload: &Upload,
        key: &IdempotencyKey,
        now: Timestamp,
    ) -> Result<TransactWriteItem, Error> {
        let second = |at: Timestamp| n(epoch_seconds(at).to_string());
        let put = Put::builder()
            .table_name(&self.table)
            .item("pk", s(idempotency_pk(&upload.origin().owner, key)))
            .item("upload_id", s(upload.id().as_str()))
            .item("sha256", s(&key.body_sha256))
            .item("expires_at", second(now + REMEMBER_KEY))
            // DynamoDB deletes expired items late.
            .condition_expression("attribute_not_exists(pk) OR upload_id = :me OR expires_at < :now")
            .expression_attribute_values(":me", s(upload.id().as_str()))
            .expression_attribute_values(":now", second(now))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = put.build().map_err(|error| self.unsendable(error))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}
