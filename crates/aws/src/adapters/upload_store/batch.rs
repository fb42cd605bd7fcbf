//! Messages that are stored together, and the keys under which a client may repeat one.

use aws_sdk_dynamodb::types::{Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use eventpulse_core::id::UploadId;
use eventpulse_core::statistics::chunk::Chunk;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{RecordedEvent, Upload};

use super::{UploadStore, digest_pk, is_contended, is_refused, reasons, upload_pk};
use crate::adapters::dynamodb::item::{Item, n, s, text};
use crate::adapters::dynamodb::transaction::transaction;
use crate::error::{Error, Kind};

/// How long a header `Idempotency-Key` is remembered, in seconds: as long as a queue keeps a message.
const REMEMBER_KEY_SECONDS: i64 = 14 * 24 * 3600;

/// A header `Idempotency-Key`, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Lower-case hex SHA-256 of the key: its text may be anything.
    pub digest: String,
    /// Lower-case hex SHA-256 of the body that came with it.
    pub sha256: String,
}

/// Which message a key belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdempotencyClaim {
    /// The one that asks.
    Acquired,
    /// An earlier one.
    Earlier {
        /// Which.
        upload_id: UploadId,
        /// Whether its body was the same.
        same_body: bool,
    },
}

/// What is written for one of the messages.
#[derive(Debug)]
pub struct Settled {
    /// The upload with its events applied.
    pub after: Upload,
    /// All of its history.
    pub events: Vec<RecordedEvent>,
    /// Under which digest it counts.
    pub sha256: String,
    /// The key that it came with.
    pub key: Option<IdempotencyKey>,
}

/// What became of messages that were to be stored together.
#[derive(Debug, PartialEq, Eq)]
pub enum Stored {
    /// All of it is stored.
    Done,
    /// Nothing is: these members, by their places, are known already, or their bytes or keys are.
    Known(Vec<usize>),
    /// Nothing is: others write the same items at this moment, or too much is written.
    Contended,
}

/// The names of the items that [`UploadStore::store_together`] writes for a message beside chunks.
#[must_use]
pub fn items(id: &UploadId, owner: &str, sha256: &str, key: Option<&IdempotencyKey>) -> Vec<String> {
    let key = key.map(|key| key_pk(owner, key));
    [upload_pk(id), digest_pk(owner, sha256)].into_iter().chain(key).collect()
}

fn key_pk(owner: &str, key: &IdempotencyKey) -> String {
    format!("idempotency#{owner}#{}", key.digest)
}

impl UploadStore {
    /// Stores messages, their claims and their chunks: all or nothing.
    ///
    /// # Errors
    /// When DynamoDB does not answer, or refuses.
    pub async fn store_together(&self, members: &[Settled], chunks: &[Chunk], now: Timestamp) -> Result<Stored, Error> {
        let mut actions = Vec::new();
        let mut member_of_action = Vec::new();
        for (place, member) in members.iter().enumerate() {
            actions.push(self.append_action(&member.after, 0, &member.events)?);
            actions.push(self.claim_action(&member.after, &member.sha256)?);
            if let Some(key) = &member.key {
                let put = self.key_put(&member.after, key, now)?;
                actions.push(TransactWriteItem::builder().put(put).build());
            }
            member_of_action.resize(actions.len(), place);
        }
        for chunk in chunks {
            actions.push(self.chunk_action(chunk)?);
        }
        let Err(error) = transaction(&self.client).set_transact_items(Some(actions)).send().await else {
            return Ok(Stored::Done);
        };
        let reasons = reasons(&error);
        let known = member_of_action.iter().zip(reasons);
        let known = known.filter(|(_, reason)| is_refused(reason));
        let mut known: Vec<usize> = known.map(|(place, _)| *place).collect();
        known.dedup();
        if !known.is_empty() {
            Ok(Stored::Known(known))
        } else if is_contended(reasons) {
            Ok(Stored::Contended)
        } else {
            Err(Error::sdk("TransactWriteItems", self.table.as_str(), error))
        }
    }

    /// Says that a message came with this key, unless an earlier one did.
    ///
    /// # Errors
    /// When DynamoDB does not answer, or refuses.
    pub async fn claim_key(
        &self,
        upload: &Upload,
        key: &IdempotencyKey,
        now: Timestamp,
    ) -> Result<IdempotencyClaim, Error> {
        let put = self.key_put(upload, key, now)?;
        let action = TransactWriteItem::builder().put(put).build();
        let Err(error) = transaction(&self.client).transact_items(action).send().await else {
            return Ok(IdempotencyClaim::Acquired);
        };
        let earlier = |item: &Item| {
            let upload_id = UploadId::parse(text(item, "upload_id")?).ok()?;
            Some(IdempotencyClaim::Earlier { upload_id, same_body: text(item, "sha256") == Some(&key.sha256) })
        };
        let reasons = reasons(&error);
        match reasons.first().and_then(|reason| reason.item()).and_then(earlier) {
            Some(earlier) => Ok(earlier),
            None if is_contended(reasons) => {
                Err(Error::new("TransactWriteItems", self.target(upload.id()), Kind::Contended))
            }
            None => Err(Error::sdk("TransactWriteItems", self.target(upload.id()), error)),
        }
    }

    fn key_put(&self, upload: &Upload, key: &IdempotencyKey, now: Timestamp) -> Result<Put, Error> {
        let second = now.as_micros() / 1_000_000;
        let put = Put::builder()
            .table_name(&self.table)
            .item("pk", s(key_pk(&upload.origin().owner, key)))
            .item("upload_id", s(upload.id().as_str()))
            .item("sha256", s(&key.sha256))
            .item("expires_at", n((second + REMEMBER_KEY_SECONDS).to_string()))
            // DynamoDB takes its time to delete what has expired.
            .condition_expression("attribute_not_exists(pk) OR upload_id = :me OR expires_at < :now")
            .expression_attribute_values(":me", s(upload.id().as_str()))
            .expression_attribute_values(":now", n(second.to_string()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        put.build().map_err(|error| self.unsendable(error))
    }
}
