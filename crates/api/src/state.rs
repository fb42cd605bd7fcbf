//! The state that all handlers share, created once per process.

use eventpulse_aws::Services;
use eventpulse_aws::adapters::key_store::KeyStore;
use eventpulse_core::time::Timestamp;

/// The state that all handlers share.
pub struct App {
    /// The AWS services.
    pub services: Services,
    /// The keys of devices; `None` in the function that only reads, which has no access to them.
    pub keys: Option<KeyStore>,
    /// The configuration.
    pub config: ApiConfig,
    /// Returns the present time.
    pub clock: fn() -> Timestamp,
}

/// The configuration of the API's functions, in addition to [`eventpulse_aws::Config`]. `template.yaml` sets it.
#[derive(Clone, PartialEq)]
pub struct ApiConfig {
    /// `API_URL`: the URL of the stage, without a trailing slash.
    pub api_url: String,
    /// `CONSOLE_ORIGIN`: the origin from which browsers may send requests; none if it is empty.
    pub console_origin: Option<String>,
    /// `CURSOR_KEY`: the secret key that authenticates cursors, at least 32 characters.
    pub cursor_key: String,
    /// `USER_POOL_ISSUER`: the issuer of ID tokens.
    pub user_pool_issuer: String,
    /// `USER_POOL_CLIENT_ID`: the audience of ID tokens.
    pub user_pool_client_id: String,
    /// `COGNITO_ENDPOINT`: the URL at which clients sign in.
    pub cognito_endpoint: String,
    /// `QUARANTINE_RETENTION_DAYS`: the number of days for which quarantined data is kept.
    pub quarantine_retention_days: i64,
    /// `DEVICE_API_URL`: the URL of the stage for devices, without a trailing slash.
    pub device_api_url: String,
    /// `KEY_CACHE_SECONDS`: the number of seconds for which a revoked key may stay valid.
    pub key_cache_seconds: u32,
}

/// Omits the cursor key.
impl std::fmt::Debug for ApiConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiConfig").field("api_url", &self.api_url).finish_non_exhaustive()
    }
}

/// What is wrong with the environment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the environment lacks or misstates: {}", .0.join(", "))]
pub struct ConfigError(pub Vec<&'static str>);

impl ApiConfig {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// Every variable that is missing or malformed.
    #[allow(clippy::disallowed_methods)] // the one place here that reads the environment
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Reads variables wherever they are.
    ///
    /// # Errors
    /// Every variable that is missing or malformed.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut wrong = Vec::new();
        let mut need = |name: &'static str| {
            lookup(name).filter(|value| !value.is_empty()).unwrap_or_else(|| {
                wrong.push(name);
                String::new()
            })
        };
        let config = Self {
            api_url: need("API_URL").trim_end_matches('/').to_owned(),
            console_origin: lookup("CONSOLE_ORIGIN").filter(|origin| !origin.is_empty()),
            cursor_key: need("CURSOR_KEY"),
            user_pool_issuer: need("USER_POOL_ISSUER"),
            user_pool_client_id: need("USER_POOL_CLIENT_ID"),
            cognito_endpoint: need("COGNITO_ENDPOINT"),
            quarantine_retention_days: need("QUARANTINE_RETENTION_DAYS").parse().unwrap_or(0),
            device_api_url: need("DEVICE_API_URL").trim_end_matches('/').to_owned(),
            key_cache_seconds: 0,
        };
        let key_cache_seconds = need("KEY_CACHE_SECONDS").parse();
        if !config.cursor_key.is_empty() && config.cursor_key.len() < 32 {
            wrong.push("CURSOR_KEY (it is shorter than 32 characters)");
        }
        if config.quarantine_retention_days < 1 && !wrong.contains(&"QUARANTINE_RETENTION_DAYS") {
            wrong.push("QUARANTINE_RETENTION_DAYS (it is no number of days)");
        }
        if key_cache_seconds.is_err() && !wrong.contains(&"KEY_CACHE_SECONDS") {
            wrong.push("KEY_CACHE_SECONDS (it is no number of seconds)");
        }
        let config = Self { key_cache_seconds: key_cache_seconds.unwrap_or(0), ..config };
        if wrong.is_empty() { Ok(config) } else { Err(ConfigError(wrong)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let error = ApiConfig::from_lookup(|name| match name {
            "API_URL" => Some("https://x/v1".to_owned()),
            "CURSOR_KEY" => Some("short".to_owned()),
            "QUARANTINE_RETENTION_DAYS" => Some("many".to_owned()),
            "KEY_CACHE_SECONDS" => Some("a minute".to_owned()),
            _ => None,
        });
        let expected = [
            "USER_POOL_ISSUER",
            "USER_POOL_CLIENT_ID",
            "COGNITO_ENDPOINT",
            "DEVICE_API_URL",
            "CURSOR_KEY (it is shorter than 32 characters)",
            "QUARANTINE_RETENTION_DAYS (it is no number of days)",
            "KEY_CACHE_SECONDS (it is no number of seconds)",
        ];
        assert_eq!(error.unwrap_err().0, expected);
    }
}
