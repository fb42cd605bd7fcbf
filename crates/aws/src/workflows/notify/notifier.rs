//! The services of the function that publishes notices.

use std::time::Duration;

use aws_config::SdkConfig;

use crate::Services;
use crate::adapters::notice_store::NoticeStore;
use crate::adapters::notice_topic::NoticeTopic;
use crate::adapters::subscription_store::SubscriptionStore;
use crate::adapters::upload_store::UploadStore;
use crate::environment::ConfigError;

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
    /// The number of days for which quarantine keeps rejected data.
    pub retention_days: u32,
    /// The shortest time between two digests to one owner.
    pub digest_interval: Duration,
}

impl Notifier {
    /// Reads `API_URL`, `QUARANTINE_RETENTION_DAYS` and `DIGEST_SECONDS` from the environment, in addition to the
    /// configuration of `services`.
    ///
    /// # Errors
    /// Lists every variable that is missing or malformed. Correct the environment of the function.
    #[allow(clippy::disallowed_methods)] // a configuration of its own
    pub fn from_env(services: &Services, sdk: &SdkConfig) -> Result<Self, ConfigError> {
        let mut missing = Vec::new();
        let mut require = |name: &str| {
            let value = std::env::var(name).ok().filter(|value| !value.is_empty());
            value.unwrap_or_else(|| {
                missing.push(name.to_owned());
                String::new()
            })
        };
        let api_url = require("API_URL");
        let (days, seconds) = (require("QUARANTINE_RETENTION_DAYS"), require("DIGEST_SECONDS"));
        let topic_arn = services.config.notices_topic_arn.clone();
        match (days.parse(), seconds.parse()) {
            (Ok(retention_days), Ok(digest_seconds)) if missing.is_empty() => Ok(Self {
                notices: services.groups.clone(),
                uploads: services.uploads.clone(),
                topic: NoticeTopic::new(sdk, topic_arn),
                subscriptions: services.subscriptions.clone(),
                api_url,
                retention_days,
                digest_interval: Duration::from_secs(digest_seconds),
            }),
            _ if missing.is_empty() => Err(ConfigError(vec![format!(
                "QUARANTINE_RETENTION_DAYS or DIGEST_SECONDS ({days:?} or {seconds:?} is no whole number)"
            )])),
            _ => Err(ConfigError(missing)),
        }
    }
}
