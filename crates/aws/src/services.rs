//! The services of a function: its configuration, its schemas and its clients, made once per process.

use std::time::Duration;

use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::config::SharedHttpClient;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use eventpulse_core::intake::schema::Catalog;
use eventpulse_core::time::Timestamp;

use crate::adapters::{chunk_store, notice_store, object_store, subscription_store, upload_store};
use crate::config::{Config, ConfigError};

/// Everything that the shell works with, made once per process.
pub struct Services {
    /// The environment.
    pub config: Config,
    /// The compiled schemas.
    pub catalog: Catalog,
    /// S3.
    pub objects: object_store::ObjectStore,
    /// The histories.
    pub uploads: upload_store::UploadStore,
    /// What counts.
    pub chunks: chunk_store::ChunkStore,
    /// What owners' notices are made of.
    pub groups: notice_store::NoticeStore,
    /// The e-mail subscriptions of owners.
    pub subscriptions: subscription_store::SubscriptionStore,
}

/// Why a function cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Something is wrong with the environment.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The bundled schemas do not compile. The build checks them, so this is a bug.
    #[error("the bundled schemas do not compile: {0}")]
    Schemas(String),
    /// The default schema is none of the bundled ones.
    #[error("DEFAULT_SCHEMA is {0}, which is none of the bundled schemas")]
    DefaultSchema(String),
}

impl Services {
    /// From the environment of a function.
    ///
    /// # Errors
    /// When the environment is not what `template.yaml` makes it.
    pub async fn from_env() -> Result<Self, StartError> {
        Self::over(&sdk_config().await)
    }

    /// The same, over an SDK configuration that is there already.
    ///
    /// # Errors
    /// When the environment is not what `template.yaml` makes it.
    pub fn over(sdk: &SdkConfig) -> Result<Self, StartError> {
        let config = Config::from_env()?;
        let catalog = Catalog::bundled().map_err(|error| StartError::Schemas(error.to_string()))?;
        if catalog.applied(&config.default_schema).is_none() {
            return Err(StartError::DefaultSchema(config.default_schema.to_string()));
        }
        Ok(Self::new(config, sdk, catalog))
    }

    /// Over SDK clients of one SDK configuration.
    #[must_use]
    pub fn new(config: Config, sdk: &SdkConfig, catalog: Catalog) -> Self {
        let s3 = aws_sdk_s3::config::Builder::from(sdk)
            .force_path_style(config.s3_path_style)
            // Only checksums that we ask for: a presigned PUT must not sign one of an empty body.
            .request_checksum_calculation(aws_sdk_s3::config::RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(aws_sdk_s3::config::ResponseChecksumValidation::WhenRequired)
            .build();
        let (dynamodb, sns) = (aws_sdk_dynamodb::Client::new(sdk), aws_sdk_sns::Client::new(sdk));
        let (table, topic_arn) = (config.notices_table.clone(), config.notices_topic_arn.clone());
        let (uploads, chunks) = (config.uploads_table.clone(), config.chunks_table.clone());
        Self {
            objects: object_store::ObjectStore::new(aws_sdk_s3::Client::from_conf(s3)),
            uploads: upload_store::UploadStore::new(dynamodb.clone(), uploads, chunks.clone()),
            chunks: chunk_store::ChunkStore::new(dynamodb.clone(), chunks),
            groups: notice_store::NoticeStore::new(dynamodb.clone(), table.clone()),
            subscriptions: subscription_store::SubscriptionStore::new(dynamodb, sns, table, topic_arn),
            config,
            catalog,
        }
    }
}

/// How long nothing may come of an object that is being read. The SDK says 5 s, which S3 may need once in a while, and a
/// delivery is tried three times only.
const STALLED: Duration = Duration::from_secs(30);

/// The SDK's configuration from the environment, with limits on how long a call may take.
pub async fn sdk_config() -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .read_timeout(Duration::from_secs(20))
        .operation_attempt_timeout(Duration::from_secs(60))
        .build();
    let stalled = StalledStreamProtectionConfig::enabled().grace_period(STALLED).build();
    let config = aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts);
    config.stalled_stream_protection(stalled).http_client(http_client()).load().await
}

/// How long a connection is kept for the next call. AWS closes sooner or later what is not used: that is not to happen under
/// a call, least of all of one that is not tried again.
const IDLE: Duration = Duration::from_secs(20);

/// The HTTP client of every SDK client: rustls on ring.
#[must_use]
pub fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .pool_idle_timeout(IDLE)
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}

/// The present time.
#[must_use]
#[allow(clippy::disallowed_methods)] // the one place that reads the clock
pub fn clock() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
