//! SNS: publishes notices.

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;
use eventpulse_core::notification::pacing::PUBLISH_TIMEOUT;
use eventpulse_core::notification::rendering::Notice;

use crate::error::{Error, Kind};

/// The topic of the notices.
#[derive(Debug, Clone)]
pub struct NoticeTopic {
    client: Client,
    topic_arn: String,
}

impl NoticeTopic {
    /// Creates a client of its own, without retries. If an answer is lost, a retry would send two e-mails within a second.
    /// The outbox publishes the notice again a minute later instead.
    #[must_use]
    pub fn new(sdk: &SdkConfig, topic_arn: String) -> Self {
        let timeouts = sdk.timeout_config().map_or_else(TimeoutConfig::builder, TimeoutConfig::to_builder);
        let timeouts = timeouts.operation_timeout(PUBLISH_TIMEOUT).build();
        let config = aws_sdk_sns::config::Builder::from(sdk).retry_config(RetryConfig::disabled());
        let config = config.timeout_config(timeouts).build();
        Self { client: Client::from_conf(config), topic_arn }
    }

    /// Publishes a notice: its text to e-mail addresses, its JSON form to all other subscribers. Returns the message id.
    ///
    /// # Errors
    /// See [`crate::error`].
    pub async fn publish(&self, notice: &Notice) -> Result<String, Error> {
        let failed = || Error::new("Publish", &self.topic_arn, Kind::Other);
        let message = serde_json::json!({ "default": notice.json, "email": notice.text }).to_string();
        let mut publish = self.client.publish().topic_arn(&self.topic_arn).subject(&notice.subject);
        publish = publish.message_structure("json").message(message);
        let list = |values: &[String]| serde_json::json!(values).to_string();
        let attributes = [
            ("owner", "String", notice.owner.clone()),
            ("kind", "String", notice.kind.as_str().to_owned()),
            ("code", "String.Array", list(&notice.codes)),
            ("schema", "String.Array", list(&notice.schemas)),
        ];
        for (name, data_type, value) in attributes {
            let attribute = MessageAttributeValue::builder().data_type(data_type).string_value(value).build();
            publish = publish.message_attributes(name, attribute.map_err(|error| failed().with_source(error))?);
        }
        let output = publish.send().await.map_err(|error| Error::sdk("Publish", &self.topic_arn, error))?;
        Ok(output.message_id.unwrap_or_default())
    }
}
