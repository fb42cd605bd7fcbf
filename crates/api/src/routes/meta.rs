//! Public operations: they need no token.

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use http::header;
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi;
use crate::state::App;

/// The status of the service, and the addresses that a client needs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// Always `ok`.
    #[schema(example = "ok")]
    status: &'static str,
    /// The version of the service.
    version: &'static str,
    /// The parameters for signing in.
    sign_in: SignIn,
    /// The endpoint for devices.
    data: DataEndpoint,
}

/// The endpoint to which devices send data, with a key of `POST /keys` in the header `x-api-key`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DataEndpoint {
    /// The URL for `POST` requests.
    #[schema(format = "uri")]
    url: String,
    /// The number of seconds for which a revoked or replaced key may stay valid.
    key_cache_seconds: u32,
}

/// The parameters for Cognito's `InitiateAuth` with the flow `USER_PASSWORD_AUTH`, which returns the ID token.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignIn {
    /// The URL of Cognito.
    #[schema(format = "uri")]
    endpoint: String,
    /// The id of the user pool client.
    client_id: String,
    /// The AWS region of the user pool.
    region: String,
}

/// Get the status of the service
///
/// Returns the version of the service, the parameters for signing in, and the endpoint for devices. Needs no token.
#[utoipa::path(get, path = "/health", operation_id = "get_health", tag = "meta", security(()),
    responses((status = 200, description = "The service is available.", body = Health)))]
pub(crate) async fn health(State(app): State<Arc<App>>) -> impl IntoResponse {
    // https://cognito-idp.<region>.amazonaws.com/<pool>
    let region = app.config.user_pool_issuer.split('.').nth(1).unwrap_or_default().to_owned();
    let sign_in = SignIn {
        endpoint: app.config.cognito_endpoint.clone(),
        client_id: app.config.user_pool_client_id.clone(),
        region,
    };
    let data = DataEndpoint {
        url: format!("{}/data", app.config.device_api_url),
        key_cache_seconds: app.config.key_cache_seconds,
    };
    axum::Json(Health { status: "ok", version: env!("CARGO_PKG_VERSION"), sign_in, data })
}

/// Get this document
///
/// Returns the OpenAPI 3.1 description of all operations. Needs no token.
#[utoipa::path(get, path = "/openapi.json", operation_id = "get_openapi_document", tag = "meta", security(()),
    responses((status = 200, description = "The OpenAPI document.", body = serde_json::Value)))]
pub(crate) async fn document(State(app): State<Arc<App>>) -> impl IntoResponse {
    let text = serde_json::to_string(&openapi::document(&app)).unwrap_or_default();
    ([(header::CONTENT_TYPE, "application/json")], text)
}
