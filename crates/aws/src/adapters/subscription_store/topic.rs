//! SNS: what can be done with a subscription of the topic.

use aws_sdk_sns::Client;
use aws_sdk_sns::error::ProvideErrorMetadata;
use eventpulse_core::notification::subscription::ObservedState;

use super::SubscriptionRefusal;
use crate::error::Error;

const FILTER_POLICY: &str = "FilterPolicy";

/// What became of a subscription that is not wanted any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Removed {
    /// It is not there.
    Done,
    /// It waits for confirmation, and SNS does not remove such a one.
    NotWhilePending,
}

/// The topic of the notices.
#[derive(Debug, Clone)]
pub(super) struct Topic {
    client: Client,
    arn: String,
}

impl Topic {
    pub(super) fn new(client: Client, arn: String) -> Self {
        Self { client, arn }
    }

    /// [Subscribe](https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html): SNS mails the link. Once more, while
    /// nobody followed it, it mails another; that is what the console's "Request confirmation" does. Of a subscription
    /// that is confirmed it only tells the name. If attributes differ it refuses.
    ///
    /// Returns the ARN, which `ReturnSubscriptionArn` has SNS tell before anybody confirmed; it stays the same then.
    pub(super) async fn subscribe(
        &self,
        email: &str,
        filter: &str,
    ) -> Result<Result<Option<String>, SubscriptionRefusal>, Error> {
        let subscribe = self.client.subscribe().topic_arn(&self.arn).protocol("email").endpoint(email);
        match subscribe.attributes(FILTER_POLICY, filter).return_subscription_arn(true).send().await {
            Ok(output) => Ok(Ok(output.subscription_arn.filter(|arn| arn.starts_with("arn:")))),
            Err(error) => match refusal(error.code(), error.message()) {
                Some(refused) => Ok(Err(refused)),
                None => Err(Error::sdk("Subscribe", &self.arn, error)),
            },
        }
    }

    /// [GetSubscriptionAttributes](https://docs.aws.amazon.com/sns/latest/api/API_GetSubscriptionAttributes.html):
    /// whether it is confirmed, and its filter policy.
    pub(super) async fn look(&self, arn: &str) -> Result<(ObservedState, Option<String>), Error> {
        let output = match self.client.get_subscription_attributes().subscription_arn(arn).send().await {
            Ok(output) => output,
            Err(error) if error.code() == Some("NotFound") => return Ok((ObservedState::Unknown, None)),
            Err(error) => return Err(Error::sdk("GetSubscriptionAttributes", arn, error)),
        };
        let mut attributes = output.attributes.unwrap_or_default();
        let is_pending = attributes.get("PendingConfirmation").is_some_and(|word| word == "true");
        Ok((
            if is_pending { ObservedState::Pending } else { ObservedState::Confirmed },
            attributes.remove(FILTER_POLICY),
        ))
    }

    /// [SetSubscriptionAttributes](https://docs.aws.amazon.com/sns/latest/api/API_SetSubscriptionAttributes.html). A
    /// filter takes [up to 15 minutes](https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html) to
    /// hold everywhere.
    pub(super) async fn set_filter(&self, arn: &str, filter: &str) -> Result<(), Error> {
        let set = self.client.set_subscription_attributes().subscription_arn(arn);
        let set = set.attribute_name(FILTER_POLICY).attribute_value(filter);
        set.send().await.map_err(|error| Error::sdk("SetSubscriptionAttributes", arn, error))?;
        Ok(())
    }

    /// [Unsubscribe](https://docs.aws.amazon.com/sns/latest/api/API_Unsubscribe.html), which SNS refuses as an invalid
    /// parameter while nobody confirmed.
    pub(super) async fn unsubscribe(&self, arn: &str) -> Result<Removed, Error> {
        match self.client.unsubscribe().subscription_arn(arn).send().await {
            Ok(_) => Ok(Removed::Done),
            Err(error) => match error.code() {
                Some("NotFound") => Ok(Removed::Done),
                Some("InvalidParameter" | "InvalidParameterException") => Ok(Removed::NotWhilePending),
                _ => Err(Error::sdk("Unsubscribe", arn, error)),
            },
        }
    }
}

/// What SNS's refusal to subscribe an address means, where it is one that its owner can be told.
fn refusal(code: Option<&str>, message: Option<&str>) -> Option<SubscriptionRefusal> {
    match code? {
        "InvalidParameter" | "InvalidParameterException" => {
            let message = message?;
            if message.contains("already exists with different attributes") {
                return Some(SubscriptionRefusal::Elsewhere);
            }
            ["Email address", "Endpoint"]
                .iter()
                .any(|part| message.contains(part))
                .then_some(SubscriptionRefusal::Address)
        }
        "FilterPolicyLimitExceeded" | "SubscriptionLimitExceeded" => Some(SubscriptionRefusal::Full),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_that_an_owner_can_be_told() {
        let different = "Invalid parameter: Attributes Reason: Subscription already exists with different attributes";
        for (name, code, message, expected) in [
            ("another filter", Some("InvalidParameter"), Some(different), Some(SubscriptionRefusal::Elsewhere)),
            (
                "no address",
                Some("InvalidParameter"),
                Some("Invalid parameter: Email address"),
                Some(SubscriptionRefusal::Address),
            ),
            ("a defect of ours", Some("InvalidParameter"), Some("Invalid parameter: FilterPolicy"), None),
            ("no message", Some("InvalidParameter"), None, None),
            ("filters", Some("FilterPolicyLimitExceeded"), None, Some(SubscriptionRefusal::Full)),
            ("subscriptions", Some("SubscriptionLimitExceeded"), Some(""), Some(SubscriptionRefusal::Full)),
            ("a fault of AWS", Some("InternalError"), Some(different), None),
            ("no answer", None, None, None),
        ] {
            assert_eq!(refusal(code, message), expected, "{name}");
        }
    }
}
