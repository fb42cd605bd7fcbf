//! The header `Idempotency-Key` of `POST /uploads`: `pk = issue#<owner>#<sha256 of the header>`, `upload_id` of the upload
//! that was issued under it, `sha256` of the request, and `expires_at`. It is written with the upload's first event.

use std::time::Duration;

use aws_sdk_dynamodb::types::{ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update};
use eventpulse_core::id::{OwnerId, UploadId};
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{RecordedEvent, Upload};

use super::UploadStore;
use crate::adapters::dynamodb::item::{Item, epoch_seconds, n, s, text};
use crate::adapters::dynamodb::transaction::{is_contended, is_refused, reasons, transaction};
use crate::error::{Error, Kind};

/// The lifetime of a key.
const REMEMBER_KEY: Duration = Duration::from_secs(86_400);

/// An idempotency key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueKey {
    /// The lower-case hexadecimal SHA-256 of the header, whose text is arbitrary.
    pub digest: String,
    /// The lower-case hexadecimal SHA-256 of the request.
    pub request_sha256: String,
}

/// The upload that was issued under a key before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierIssue {
    /// The upload.
    pub upload_id: UploadId,
    /// Whether its request was the same.
    pub same_request: bool,
}

/// The result of issuing an upload under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssueAppend {
    /// The upload and the key are stored.
    Done,
    /// Nothing is stored: an earlier upload has the key.
    Earlier(EarlierIssue),
    /// Nothing is stored: another call with the key is writing.
    Contended,
}

impl UploadStore {
    /// Returns the upload that an owner was issued under a key.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn issued_under(
        &self,
        owner: &OwnerId,
        key: &IssueKey,
        now: Timestamp,
    ) -> Result<Option<EarlierIssue>, Error> {
        let pk = issue_pk(owner, key);
        let get = self.client.get_item().table_name(&self.table).key("pk", s(&pk)).consistent_read(true);
        let output = get.send().await.map_err(|error| Error::sdk("GetItem", format!("{}/{pk}", self.table), error))?;
        // DynamoDB deletes expired items late.
        let is_current = |item: &Item| {
            let expires_at = item.get("expires_at").and_then(|at| at.as_n().ok()?.parse::<i64>().ok());
            expires_at.is_some_and(|at| at >= epoch_seconds(now))
        };
        Ok(output.item.filter(is_current).and_then(|item| earlier(&item, key)))
    }

    /// Stores a new upload with its first events, and the key: both or none.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn append_issued(
        &self,
        upload: &Upload,
        events: &[RecordedEvent],
        key: &IssueKey,
        now: Timestamp,
    ) -> Result<IssueAppend, Error> {
        let actions = vec![self.append_action(upload, 0, events)?, self.issue_action(upload, key, now)?];
        let Err(error) = transaction(&self.client).set_transact_items(Some(actions)).send().await else {
            return Ok(IssueAppend::Done);
        };
        let reasons = reasons(&error);
        let refused = reasons.get(1).filter(|reason| is_refused(reason));
        match refused.and_then(|reason| earlier(reason.item()?, key)) {
            Some(earlier) => Ok(IssueAppend::Earlier(earlier)),
            None if is_contended(reasons) => Ok(IssueAppend::Contended),
            // 80 random bits were equal
            None if reasons.first().is_some_and(is_refused) => {
                Err(Error::new("TransactWriteItems", self.target(upload.id()), Kind::Contended))
            }
            None => Err(Error::sdk("TransactWriteItems", self.target(upload.id()), error)),
        }
    }

    fn issue_action(&self, upload: &Upload, key: &IssueKey, now: Timestamp) -> Result<TransactWriteItem, Error> {
        let second = |at: Timestamp| n(epoch_seconds(at).to_string());
        let update = Update::builder()
            .table_name(&self.table)
            .key("pk", s(issue_pk(&upload.origin().owner, key)))
            .update_expression("SET upload_id = :upload, sha256 = :request, expires_at = :expires")
            .condition_expression("attribute_not_exists(pk) OR expires_at < :now")
            .expression_attribute_values(":upload", s(upload.id().as_str()))
            .expression_attribute_values(":request", s(&key.request_sha256))
            .expression_attribute_values(":expires", second(now + REMEMBER_KEY))
            .expression_attribute_values(":now", second(now))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let update = update.build().map_err(|error| self.unsendable(error))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }
}

fn earlier(item: &Item, key: &IssueKey) -> Option<EarlierIssue> {
    let upload_id = UploadId::parse(text(item, "upload_id")?).ok()?;
    Some(EarlierIssue { upload_id, same_request: text(item, "sha256") == Some(&key.request_sha256) })
}

fn issue_pk(owner: &OwnerId, key: &IssueKey) -> String {
    format!("issue#{owner}#{}", key.digest)
}
