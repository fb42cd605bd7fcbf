//! What anybody may ask, without a token.

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use http::header;
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi;
use crate::state::App;

/// That the API is up, how to sign in, and where devices send to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`.
    #[schema(example = "ok")]
    status: &'static str,
    /// The version of the service.
    version: &'static str,
    /// How to sign in.
    sign_in: SignIn,
    /// Where devices send to.
    data: Data,
}

/// Where devices send single measurements to, by a key of `POST /keys` in the header `x-api-key`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Data {
    /// Where to post to.
    #[schema(format = "uri")]
    url: String,
    /// How long a key that was revoked or replaced may still work, in seconds.
    key_cache_seconds: u32,
}

/// Cognito's `InitiateAuth` with the flow `USER_PASSWORD_AUTH` gives the ID token.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignIn {
    /// Where to post to.
    #[schema(format = "uri")]
    endpoint: String,
    /// As which client of the user pool.
    client_id: String,
    /// The region of the user pool.
    region: String,
}

/// That the API is up, how to sign in, and where devices send to.
#[utoipa::path(get, path = "/health", operation_id = "health", tag = "meta", security(()),
    responses((status = 200, description = "It is.", body = Health)))]
pub(crate) async fn health(State(app): State<Arc<App>>) -> impl IntoResponse {
    // https://cognito-idp.<region>.amazonaws.com/<pool>
    let region = app.config.user_pool_issuer.split('.').nth(1).unwrap_or_default().to_owned();
    let sign_in = SignIn {
        endpoint: app.config.cognito_endpoint.clone(),
        client_id: app.config.user_pool_client_id.clone(),
        region,
    };
    let data =
        Data { url: format!("{}/data", app.config.device_api_url), key_cache_seconds: app.config.key_cache_seconds };
    axum::Json(Health { status: "ok", version: env!("CARGO_PKG_VERSION"), sign_in, data })
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", operation_id = "openapi", tag = "meta", security(()),
    responses((status = 200, description = "OpenAPI 3.1.", body = serde_json::Value)))]
pub(crate) async fn document(State(app): State<Arc<App>>) -> impl IntoResponse {
    let text = serde_json::to_string(&openapi::document(&app)).unwrap_or_default();
    ([(header::CONTENT_TYPE, "application/json")], text)
}
