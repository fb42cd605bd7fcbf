//! The services of a function: its configuration, schemas and adapters, created once per process.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::config::SharedHttpClient;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpConnector, http_client_fn};
use eventpulse_core::intake::schema::Catalog;
use eventpulse_core::time::Timestamp;

use crate::adapters::{chunk_store, notice_store, object_store, subscription_store, upload_store, usage_store};
use crate::config::Config;
use crate::environment::ConfigError;

/// The services of a function.
pub struct Services {
    /// The configuration.
    pub config: Config,
    /// The compiled schemas.
    pub catalog: Catalog,
    /// The objects in S3.
    pub objects: object_store::ObjectStore,
    /// The histories of uploads.
    pub uploads: upload_store::UploadStore,
    /// The chunks of accepted points.
    pub chunks: chunk_store::ChunkStore,
    /// The problems and pending notices of owners.
    pub notices: notice_store::NoticeStore,
    /// The counters of owners' quotas.
    pub usage: usage_store::UsageStore,
    /// The e-mail subscriptions of owners.
    pub subscriptions: subscription_store::SubscriptionStore,
}

/// The reason why a function cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The environment is incomplete or malformed.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The bundled schemas do not compile: a bug, because the build checks them.
    #[error("the bundled schemas do not compile: {0}")]
    Schemas(String),
    /// The default schema is not bundled.
    #[error("DEFAULT_SCHEMA is {0}, which is not a bundled schema")]
    DefaultSchema(String),
}

impl Services {
    /// Creates the services from the process's environment.
    ///
    /// # Errors
    /// Returns a [`StartError`] if the environment or the schemas are invalid.
    pub async fn from_env() -> Result<Self, StartError> {
        Self::over(&sdk_config().await)
    }

    /// Creates the services from the process's environment and an SDK configuration.
    ///
    /// # Errors
    /// Returns a [`StartError`] if the environment or the schemas are invalid.
    pub fn over(sdk: &SdkConfig) -> Result<Self, StartError> {
        let config = Config::from_env()?;
        let catalog = Catalog::bundled().map_err(|error| StartError::Schemas(error.to_string()))?;
        if catalog.applied(&config.default_schema).is_none() {
            return Err(StartError::DefaultSchema(config.default_schema.to_string()));
        }
        Ok(Self::new(config, sdk, catalog))
    }

    /// Creates the services over SDK clients of one SDK configuration.
    #[must_use]
    pub fn new(config: Config, sdk: &SdkConfig, catalog: Catalog) -> Self {
        let (dynamodb, sns) = (aws_sdk_dynamodb::Client::new(sdk), aws_sdk_sns::Client::new(sdk));
        let (table, topic_arn) = (config.notices_table.clone(), config.notices_topic_arn.clone());
        let (uploads, chunks) = (config.uploads_table.clone(), config.chunks_table.clone());
        let retention = config.quarantine_retention();
        Self {
            objects: object_store::ObjectStore::from_sdk(sdk, config.s3_path_style),
            uploads: upload_store::UploadStore::new(dynamodb.clone(), uploads, chunks.clone(), retention),
            chunks: chunk_store::ChunkStore::new(dynamodb.clone(), chunks),
            usage: usage_store::UsageStore::new(dynamodb.clone(), config.usage_table.clone()),
            notices: notice_store::NoticeStore::new(dynamodb.clone(), table.clone()),
            subscriptions: subscription_store::SubscriptionStore::new(dynamodb, sns, table, topic_arn),
            config,
            catalog,
        }
    }
}

/// The maximum time that a read of an object may stall. The SDK's default of 5 s is too short: S3 sometimes stalls
/// longer, and an event is delivered only three times.
const STALL_GRACE: Duration = Duration::from_secs(30);

/// Loads the SDK's configuration from the environment, with timeouts for calls.
pub async fn sdk_config() -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .read_timeout(Duration::from_secs(20))
        .operation_attempt_timeout(Duration::from_secs(60))
        .build();
    let stalled = StalledStreamProtectionConfig::enabled().grace_period(STALL_GRACE).build();
    let config = aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts);
    config.stalled_stream_protection(stalled).http_client(http_client()).load().await
}

/// The time after which an unused connection is closed. AWS closes idle connections; the client must close them first,
/// because a call that fails on a closed connection may not be retried.
const POOL_IDLE: Duration = Duration::from_secs(20);

/// Returns the HTTP client of every SDK client: rustls on ring.
///
/// All SDK clients with the same timeouts share one connector. The SDK's own client makes one for each SDK client, to see that it
/// can be made, and another one for the first call; each parses the root certificates of the system, a millisecond.
#[must_use]
pub fn http_client() -> SharedHttpClient {
    let connectors: Mutex<Vec<(HttpConnectorSettings, SharedHttpConnector)>> = Mutex::default();
    http_client_fn(move |settings, _| {
        let mut connectors = connectors.lock().unwrap_or_else(PoisonError::into_inner);
        let timeouts = |of: &HttpConnectorSettings| (of.connect_timeout(), of.read_timeout());
        if let Some((_, known)) = connectors.iter().find(|(known, _)| timeouts(known) == timeouts(settings)) {
            return known.clone();
        }
        let connector = Connector::builder()
            .connector_settings(settings.clone())
            .pool_idle_timeout(POOL_IDLE)
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build();
        let connector = SharedHttpConnector::new(connector);
        connectors.push((settings.clone(), connector.clone()));
        connector
    })
}

/// Returns the present time.
#[must_use]
#[allow(clippy::disallowed_methods)] // the only function that reads the clock
pub fn clock() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
