//! DynamoDB and SNS: the e-mail subscriptions of owners.
//!
//! One item per owner in the notices table, `pk = owner#<owner>`, `sk = subscription`. Each write is conditional on its
//! `revision`. The workflow [`subscribe`](crate::workflows::subscribe) decides what to store and when to call SNS.

mod item;
mod topic;

use eventpulse_core::notification::subscription::Subscription;

use crate::adapters::dynamodb::item::{number, s};
use crate::adapters::notice_store::owner_pk;
use crate::error::{Error, Kind, is_condition_failed};
use item::{SK, item_of, subscription_of};
pub use topic::{Observation, SubscribeAnswer, SubscriptionTopic};

/// The subscriptions of owners.
#[derive(Debug, Clone)]
pub struct SubscriptionStore {
    dynamodb: aws_sdk_dynamodb::Client,
    table: String,
    /// The subscriptions in SNS.
    pub topic: SubscriptionTopic,
}

/// The result of a conditional write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteResult {
    /// The subscription is stored, with its new revision.
    Written(Box<Subscription>),
    /// Another request has changed the subscription since it was loaded.
    Conflict,
}

impl SubscriptionStore {
    /// Uses SDK clients, the name of the notices table and the ARN of the topic.
    #[must_use]
    pub fn new(dynamodb: aws_sdk_dynamodb::Client, sns: aws_sdk_sns::Client, table: String, topic_arn: String) -> Self {
        Self { dynamodb, table, topic: SubscriptionTopic::new(sns, topic_arn) }
    }

    /// Loads an owner's subscription by a consistent read.
    ///
    /// # Errors
    /// See [`crate::error`].
    pub async fn load(&self, owner: &str) -> Result<Subscription, Error> {
        let get = self.dynamodb.get_item().table_name(&self.table).consistent_read(true);
        let output = get.key("pk", s(owner_pk(owner))).key("sk", s(SK)).send().await;
        let output = output.map_err(|error| Error::sdk("GetItem", self.target(owner), error))?;
        let Some(item) = output.item else { return Ok(Subscription::default()) };
        subscription_of(&item).ok_or_else(|| Error::new("GetItem", self.target(owner), Kind::Corrupt))
    }

    /// Writes a subscription with the next revision, if nobody has changed it since it was loaded.
    ///
    /// # Errors
    /// See [`crate::error`].
    pub async fn write(&self, owner: &str, loaded: Subscription) -> Result<WriteResult, Error> {
        let revision = loaded.revision + 1;
        let subscription = Subscription { revision, ..loaded };
        let put = self.dynamodb.put_item().table_name(&self.table).set_item(Some(item_of(owner, &subscription)));
        let put = match revision {
            1 => put.condition_expression("attribute_not_exists(pk)"),
            _ => put
                .condition_expression("#revision = :loaded")
                .expression_attribute_names("#revision", "revision")
                .expression_attribute_values(":loaded", number(revision - 1)),
        };
        match put.send().await {
            Ok(_) => Ok(WriteResult::Written(Box::new(subscription))),
            Err(error) if is_condition_failed(&error) => Ok(WriteResult::Conflict),
            Err(error) => Err(Error::sdk("PutItem", self.target(owner), error)),
        }
    }

    /// Returns the name of an owner's item for error messages.
    #[must_use]
    pub fn target(&self, owner: &str) -> String {
        format!("{}/{}/{SK}", self.table, owner_pk(owner))
    }
}
