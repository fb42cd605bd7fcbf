//! The services of the function that publishes notices.

use std::time::Duration;

use aws_config::SdkConfig;
use eventpulse_core::notification::policy::Policy;

use crate::Services;
use crate::adapters::notice_store::NoticeStore;
use crate::adapters::notice_topic::NoticeTopic;
use crate::adapters::subscription_store::SubscriptionStore;
use crate::adapters::upload_store::UploadStore;
use crate::environment::{ConfigError, Environment};

/// The services and the configuration for publishing notices.
pub struct Notifier {
    /// Occurrences, problems, outboxes.
    pub notices: NoticeStore,
    /// The histories of uploads.
    pub uploads: UploadStore,
    /// The SNS topic.
    pub topic: NoticeTopic,
    /// The e-mail subscriptions.
    pub subscriptions: SubscriptionStore,
    /// The URL of the API, without a slash at its end.
    pub api_url: String,
    /// The periods of problems and notices.
    pub policy: Policy,
}

impl Notifier {
    /// Reads `API_URL`, `QUARANTINE_RETENTION_DAYS`, `DIGEST_SECONDS` and `QUIET_SECONDS` from the environment, in addition
    /// to the configuration of `services`.
    ///
    /// # Errors
    /// Returns a [`ConfigError`] with every variable that is missing or malformed.
    pub fn from_env(services: &Services, sdk: &SdkConfig) -> Result<Self, ConfigError> {
        let mut environment = Environment::of_process();
        let notifier = Self {
            notices: services.notices.clone(),
            uploads: services.uploads.clone(),
            topic: NoticeTopic::new(sdk, services.config.notices_topic_arn.clone()),
            subscriptions: services.subscriptions.clone(),
            api_url: environment.required("API_URL"),
            policy: Policy {
                retention_days: environment.number("QUARANTINE_RETENTION_DAYS", 1..=36_500),
                digest_interval: Duration::from_secs(environment.number("DIGEST_SECONDS", 0..=86_400)),
                quiet_period: Duration::from_secs(environment.number("QUIET_SECONDS", 0..=2_592_000)),
            },
        };
        environment.finish(Some(notifier))
    }
}
