//! The publish lease: all notices of a deployment are published one after the other.

use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use eventpulse_core::notification::pacing::PUBLISH_LEASE;
use eventpulse_core::time::Timestamp;
use tokio::time::timeout;

use super::table::NoticeStore;
use crate::adapters::dynamodb::item::{Item, n, s};
use crate::error::{Error, Kind, is_condition_failed};

/// The key of the lease.
const KEY: &str = "publish_lease";
/// The longest time of a call for the lease.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// A lease that expires later than this was acquired by a wrong clock.
const IMPLAUSIBLE: Duration = Duration::from_secs(60);

/// The result of an attempt to acquire the publish lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublishLease {
    /// The caller holds the lease.
    Acquired {
        /// When it expires.
        expires_at: Timestamp,
    },
    /// Another sender holds the lease, or just held it.
    Held {
        /// When it is free at the latest.
        until: Timestamp,
    },
}

impl NoticeStore {
    /// Acquires the publish lease, if it is free. If the answer is lost, the lease expires by itself.
    ///
    /// # Errors
    /// See [`crate::error`].
    pub async fn acquire_publish_lease(&self, now: Timestamp) -> Result<PublishLease, Error> {
        let expires_at = now + PUBLISH_LEASE;
        let update = self.update_lease(expires_at);
        let update = update
            .condition_expression("attribute_not_exists(free_at) OR free_at <= :now OR free_at > :implausible")
            .expression_attribute_values(":implausible", n((now + IMPLAUSIBLE).as_micros().to_string()))
            .expression_attribute_values(":now", n(now.as_micros().to_string()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        // A call that retries for long would compare with the time of its start, and could take another sender's lease.
        let Ok(answer) = timeout(CALL_TIMEOUT, update.send()).await else {
            return Err(Error::new("UpdateItem", self.lease_target(), Kind::Unreachable));
        };
        let Err(error) = answer else { return Ok(PublishLease::Acquired { expires_at }) };
        if let SdkError::ServiceError(refused) = &error
            && let UpdateItemError::ConditionalCheckFailedException(failed) = refused.err()
        {
            let free_at = failed.item().and_then(|item: &Item| item.get("free_at")?.as_n().ok()?.parse().ok());
            return Ok(PublishLease::Held { until: free_at.map_or(expires_at, Timestamp::from_micros) });
        }
        Err(Error::sdk("UpdateItem", self.lease_target(), error))
    }

    /// Releases the lease that expires at `expires_at`: other senders can acquire it from `free_at` on. A lease that has
    /// expired, and may be another sender's by now, stays as it is.
    ///
    /// # Errors
    /// See [`crate::error`].
    pub async fn release_publish_lease(&self, expires_at: Timestamp, free_at: Timestamp) -> Result<(), Error> {
        let update = self.update_lease(free_at).condition_expression("free_at = :expires_at");
        let update = update.expression_attribute_values(":expires_at", n(expires_at.as_micros().to_string()));
        match timeout(CALL_TIMEOUT, update.send()).await {
            Err(_) => Err(Error::new("UpdateItem", self.lease_target(), Kind::Unreachable)),
            Ok(Err(error)) if !is_condition_failed(&error) => Err(Error::sdk("UpdateItem", self.lease_target(), error)),
            Ok(_) => Ok(()),
        }
    }

    fn lease_target(&self) -> String {
        format!("{}/{KEY}", self.table)
    }

    fn update_lease(&self, free_at: Timestamp) -> UpdateItemFluentBuilder {
        let update = self.client.update_item().table_name(&self.table).key("pk", s(KEY)).key("sk", s(KEY));
        let update = update.update_expression("SET free_at = :free_at");
        update.expression_attribute_values(":free_at", n(free_at.as_micros().to_string()))
    }
}
