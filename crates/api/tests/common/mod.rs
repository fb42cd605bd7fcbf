//! An application without AWS, and requests to its routers.

#![allow(dead_code, reason = "each test file uses a part")]

use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use axum::Router;
use axum::body::Body;
use eventpulse_api::auth::Claims;
use eventpulse_api::state::{ApiConfig, App};
use eventpulse_aws::config::KeysConfig;
use eventpulse_aws::environment::Environment;
use eventpulse_aws::workflows::keys::Keys;
use eventpulse_aws::workflows::quotas::Quotas;
use eventpulse_aws::{Config, Services};
use eventpulse_core::intake::schema::Catalog;
use eventpulse_core::time::Timestamp;
use eventpulse_core::usage::Limits;
use http::{Request, Response};
use serde_json::Value;
use tower::ServiceExt as _;

/// Returns an application without AWS and without quotas.
pub fn app() -> Arc<App> {
    app_over(&SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build(), Limits::default())
}

/// Returns an application with small quotas over a stand-in for AWS.
pub fn app_at(endpoint: &str) -> Arc<App> {
    let credentials = Credentials::new("AKID", "secret", None, None, "test");
    let sdk = SdkConfig::builder().behavior_version(BehaviorVersion::latest()).endpoint_url(endpoint);
    let sdk = sdk.credentials_provider(SharedCredentialsProvider::new(credentials));
    let sdk = sdk.region(Region::new("eu-central-1")).http_client(eventpulse_aws::http_client()).build();
    let limits = Limits {
        requests_per_second: Some(2),
        open_uploads: Some(3),
        bytes_per_day: Some(1_000),
        rejected_records_per_hour: Some(10),
    };
    app_over(&sdk, limits)
}

fn app_over(sdk: &SdkConfig, limits: Limits) -> Arc<App> {
    let config = Config::read(Environment::new(|name| {
        let value = match name {
            "DEFAULT_SCHEMA" => "reading/1.0",
            "QUARANTINE_RETENTION_DAYS" => "90",
            _ => "x",
        };
        Some(value.to_owned())
    }));
    let keys = Keys::new(KeysConfig::read(Environment::new(|_| Some("x".to_owned()))).unwrap(), sdk);
    let services = Services::new(config.unwrap(), sdk, Catalog::bundled().unwrap());
    let config = ApiConfig {
        api_url: "https://api.example/v1".to_owned(),
        console_origin: Some("https://console.example".to_owned()),
        cursor_key: "0123456789abcdef0123456789abcdef".to_owned(),
        user_pool_issuer: "https://cognito-idp.eu-central-1.amazonaws.com/pool".to_owned(),
        user_pool_client_id: "client".to_owned(),
        cognito_endpoint: "https://cognito-idp.eu-central-1.amazonaws.com/".to_owned(),
        device_api_url: "https://devices.example/v1".to_owned(),
        key_cache_seconds: 60,
        limits,
    };
    // The stand-in shares its processors with other tests.
    let quotas = Quotas::new(services.usage.clone(), limits).with_patience(Duration::from_secs(60));
    Arc::new(App { services, keys: Some(keys), quotas, config, clock: || Timestamp::from_micros(0) })
}

pub fn claims() -> Claims {
    let claims = [
        ("token_use", "id"),
        ("iss", "https://cognito-idp.eu-central-1.amazonaws.com/pool"),
        ("aud", "client"),
        ("sub", "u1"),
        ("email", "ann@example.com"),
        ("email_verified", "true"),
    ];
    Claims(claims.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
}

pub async fn call(router: Router, request: Request<Body>) -> (Response<()>, Value, usize) {
    let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    (Response::from_parts(parts, ()), serde_json::from_slice(&bytes).unwrap_or_default(), bytes.len())
}

pub fn request(method: &str, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path).extension(claims())
}
