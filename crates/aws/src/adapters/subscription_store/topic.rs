//! SNS: the subscriptions of the topic.

use aws_sdk_sns::Client;
use aws_sdk_sns::error::ProvideErrorMetadata;
use eventpulse_core::notification::subscription::{ObservedState, Removal, SubscriptionRefusal};

use crate::error::Error;

const FILTER_POLICY: &str = "FilterPolicy";

/// The topic of the notices.
#[derive(Debug, Clone)]
pub struct SubscriptionTopic {
    client: Client,
    arn: String,
}

/// The answer of SNS to a request to subscribe an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscribeAnswer {
    /// SNS sends a confirmation e-mail, unless the subscription is confirmed already.
    Subscribed {
        /// The ARN of the subscription.
        arn: Option<String>,
    },
    /// SNS refused.
    Refused(SubscriptionRefusal),
}

/// A subscription as SNS reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The state.
    pub state: ObservedState,
    /// The filter policy, if SNS knows the subscription and it has one.
    pub filter: Option<String>,
}

impl SubscriptionTopic {
    /// Uses an SDK client and the ARN of the topic.
    #[must_use]
    pub fn new(client: Client, arn: String) -> Self {
        Self { client, arn }
    }

    /// Calls [Subscribe](https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html): SNS sends a confirmation e-mail. A
    /// repeated call for an unconfirmed subscription sends another one, as "Request confirmation" in the console does. For
    /// a confirmed subscription, SNS only returns its ARN. SNS refuses a call with different attributes.
    ///
    /// `ReturnSubscriptionArn` makes SNS return the ARN before the confirmation. The ARN stays the same afterwards.
    ///
    /// # Errors
    /// See [`crate::error`].
    pub async fn subscribe(&self, email: &str, filter: &str) -> Result<SubscribeAnswer, Error> {
        let subscribe = self.client.subscribe().topic_arn(&self.arn).protocol("email").endpoint(email);
        match subscribe.attributes(FILTER_POLICY, filter).return_subscription_arn(true).send().await {
            Ok(output) => {
                Ok(SubscribeAnswer::Subscribed { arn: output.subscription_arn.filter(|arn| arn.starts_with("arn:")) })
            }
            Err(error) => match refusal(error.code(), error.message()) {
                Some(refusal) => Ok(SubscribeAnswer::Refused(refusal)),
                None => Err(Error::sdk("Subscribe", &self.arn, error)),
            },
        }
    }

    /// Calls [GetSubscriptionAttributes
    /// ](https://docs.aws.amazon.com/sns/latest/api/API_GetSubscriptionAttributes.html): loads the state and the filter
    /// policy of a subscription.
    ///
    /// # Errors
    /// See [`crate::error`].
    pub async fn attributes(&self, arn: &str) -> Result<Observation, Error> {
        let output = match self.client.get_subscription_attributes().subscription_arn(arn).send().await {
            Ok(output) => output,
            Err(error) if error.code() == Some("NotFound") => {
                return Ok(Observation { state: ObservedState::Missing, filter: None });
            }
            Err(error) => return Err(Error::sdk("GetSubscriptionAttributes", arn, error)),
        };
        let mut attributes = output.attributes.unwrap_or_default();
        let is_pending = attributes.get("PendingConfirmation").is_some_and(|value| value == "true");
        let state = if is_pending { ObservedState::Pending } else { ObservedState::Confirmed };
        Ok(Observation { state, filter: attributes.remove(FILTER_POLICY) })
    }

    /// Calls [SetSubscriptionAttributes
    /// ](https://docs.aws.amazon.com/sns/latest/api/API_SetSubscriptionAttributes.html): sets the filter policy. It takes
    /// effect [within 15 minutes](https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html).
    ///
    /// # Errors
    /// See [`crate::error`].
    pub async fn set_filter(&self, arn: &str, filter: &str) -> Result<(), Error> {
        let set = self.client.set_subscription_attributes().subscription_arn(arn);
        let set = set.attribute_name(FILTER_POLICY).attribute_value(filter);
        set.send().await.map_err(|error| Error::sdk("SetSubscriptionAttributes", arn, error))?;
        Ok(())
    }

    /// Calls [Unsubscribe](https://docs.aws.amazon.com/sns/latest/api/API_Unsubscribe.html). SNS refuses to remove an
    /// unconfirmed subscription, with the error for an invalid parameter.
    ///
    /// # Errors
    /// See [`crate::error`].
    pub async fn unsubscribe(&self, arn: &str) -> Result<Removal, Error> {
        match self.client.unsubscribe().subscription_arn(arn).send().await {
            Ok(_) => Ok(Removal::Removed),
            Err(error) => match error.code() {
                Some("NotFound") => Ok(Removal::Removed),
                Some("InvalidParameter" | "InvalidParameterException") => Ok(Removal::KeptWhilePending),
                _ => Err(Error::sdk("Unsubscribe", arn, error)),
            },
        }
    }
}

/// Returns the meaning of an error of Subscribe; `None` for an error that the owner cannot act on.
fn refusal(code: Option<&str>, message: Option<&str>) -> Option<SubscriptionRefusal> {
    match code? {
        "InvalidParameter" | "InvalidParameterException" => {
            let message = message?;
            if message.contains("already exists with different attributes") {
                return Some(SubscriptionRefusal::AddressInUse);
            }
            ["Email address", "Endpoint"]
                .iter()
                .any(|part| message.contains(part))
                .then_some(SubscriptionRefusal::InvalidAddress)
        }
        "FilterPolicyLimitExceeded" | "SubscriptionLimitExceeded" => Some(SubscriptionRefusal::QuotaReached),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_concern_the_owner_are_refusals() {
        let different = "Invalid parameter: Attributes Reason: Subscription already exists with different attributes";
        for (name, code, message, expected) in [
            ("another filter", Some("InvalidParameter"), Some(different), Some(SubscriptionRefusal::AddressInUse)),
            (
                "no address",
                Some("InvalidParameter"),
                Some("Invalid parameter: Email address"),
                Some(SubscriptionRefusal::InvalidAddress),
            ),
            ("a defect of ours", Some("InvalidParameter"), Some("Invalid parameter: FilterPolicy"), None),
            ("no message", Some("InvalidParameter"), None, None),
            ("filters", Some("FilterPolicyLimitExceeded"), None, Some(SubscriptionRefusal::QuotaReached)),
            ("subscriptions", Some("SubscriptionLimitExceeded"), Some(""), Some(SubscriptionRefusal::QuotaReached)),
            ("a fault of AWS", Some("InternalError"), Some(different), None),
            ("no answer", None, None, None),
        ] {
            assert_eq!(refusal(code, message), expected, "{name}");
        }
    }
}
