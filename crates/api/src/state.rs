//! The state of the routers, created once per process.

use eventpulse_aws::Services;
use eventpulse_aws::environment::{ConfigError, Environment};
use eventpulse_aws::workflows::keys::Keys;
use eventpulse_aws::workflows::quotas::Quotas;
use eventpulse_core::time::Timestamp;
use eventpulse_core::usage::Limits;

/// The minimum length of `CURSOR_KEY` in characters.
const MIN_CURSOR_KEY_CHARS: usize = 32;

/// The state of the routers.
pub struct App {
    /// The AWS services.
    pub services: Services,
    /// The keys of devices. `None` in the function query, which has no permission to manage keys.
    pub keys: Option<Keys>,
    /// The quotas of the owners.
    pub quotas: Quotas,
    /// The configuration.
    pub config: ApiConfig,
    /// The present time.
    pub clock: fn() -> Timestamp,
}

/// The configuration of the API's functions, in addition to [`eventpulse_aws::Config`]. `template.yaml` sets the
/// variables.
#[derive(Clone, PartialEq)]
pub struct ApiConfig {
    /// `API_URL`: the URL of the stage, without a slash at the end.
    pub api_url: String,
    /// `CONSOLE_ORIGIN`: the origin of the pages that may call the API. `None` if it is empty.
    pub console_origin: Option<String>,
    /// `CURSOR_KEY`: the key that seals cursors, at least 32 characters.
    pub cursor_key: String,
    /// `USER_POOL_ISSUER`: the issuer of the tokens.
    pub user_pool_issuer: String,
    /// `USER_POOL_CLIENT_ID`: the client id of the user pool, the audience of the tokens.
    pub user_pool_client_id: String,
    /// `COGNITO_ENDPOINT`: the endpoint for signing in.
    pub cognito_endpoint: String,
    /// `DEVICE_API_URL`: the URL of the stage for devices, without a slash at the end.
    pub device_api_url: String,
    /// `KEY_CACHE_SECONDS`: the maximum time for which a revoked key may still be accepted, in seconds.
    pub key_cache_seconds: u32,
    /// `OWNER_REQUESTS_PER_SECOND`, `OWNER_OPEN_UPLOADS`, `OWNER_BYTES_PER_DAY`, `OWNER_REJECTED_RECORDS_PER_HOUR`: the
    /// limits of each owner. 0 is no limit.
    pub limits: Limits,
}

/// Shows only the URL, not the cursor key.
impl std::fmt::Debug for ApiConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiConfig").field("api_url", &self.api_url).finish_non_exhaustive()
    }
}

impl ApiConfig {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// Returns a [`ConfigError`] with every variable that is missing or malformed.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(Environment::of_process())
    }

    /// Reads an environment.
    ///
    /// # Errors
    /// Returns a [`ConfigError`] with every variable that is missing or malformed.
    pub fn read(mut environment: Environment<'_>) -> Result<Self, ConfigError> {
        let long_enough = |key: &str| (key.len() >= MIN_CURSOR_KEY_CHARS).then(|| key.to_owned());
        let config = Self {
            api_url: environment.required("API_URL").trim_end_matches('/').to_owned(),
            console_origin: environment.optional("CONSOLE_ORIGIN"),
            cursor_key: environment.parsed("CURSOR_KEY", "32 or more characters", long_enough).unwrap_or_default(),
            user_pool_issuer: environment.required("USER_POOL_ISSUER"),
            user_pool_client_id: environment.required("USER_POOL_CLIENT_ID"),
            cognito_endpoint: environment.required("COGNITO_ENDPOINT"),
            device_api_url: environment.required("DEVICE_API_URL").trim_end_matches('/').to_owned(),
            key_cache_seconds: environment.number("KEY_CACHE_SECONDS", 0..=3_600),
            limits: limits(&mut environment),
        };
        environment.finish(Some(config))
    }
}

fn limits(environment: &mut Environment<'_>) -> Limits {
    let mut limit = |name: &str| Some(environment.number(name, 0..=u64::MAX)).filter(|limit| *limit > 0);
    Limits {
        requests_per_second: limit("OWNER_REQUESTS_PER_SECOND"),
        open_uploads: limit("OWNER_OPEN_UPLOADS"),
        bytes_per_day: limit("OWNER_BYTES_PER_DAY"),
        rejected_records_per_hour: limit("OWNER_REJECTED_RECORDS_PER_HOUR"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_invalid_variables_are_reported_at_once() {
        let environment = Environment::new(|name| match name {
            "API_URL" => Some("https://x/v1".to_owned()),
            "CURSOR_KEY" => Some("short".to_owned()),
            "KEY_CACHE_SECONDS" => Some("a minute".to_owned()),
            _ => None,
        });
        let expected = [
            "CURSOR_KEY (expected 32 or more characters)",
            "USER_POOL_ISSUER",
            "USER_POOL_CLIENT_ID",
            "COGNITO_ENDPOINT",
            "DEVICE_API_URL",
            "KEY_CACHE_SECONDS (expected a whole number from 0 to 3600)",
            "OWNER_REQUESTS_PER_SECOND",
            "OWNER_OPEN_UPLOADS",
            "OWNER_BYTES_PER_DAY",
            "OWNER_REJECTED_RECORDS_PER_HOUR",
        ];
        assert_eq!(ApiConfig::read(environment).unwrap_err().0, expected);
    }
}
