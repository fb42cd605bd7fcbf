//! The routes of both functions. The documentation of an operation stands beside its handler.

pub mod devices;
pub mod keys;
pub mod meta;
pub mod notifications;
mod paging;
pub mod quarantine;
pub mod statistics;
pub mod uploads;
mod usage;
pub mod validate;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse as _, Response};
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH, LOCATION,
    RETRY_AFTER,
};
use http::{HeaderValue, Method};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::CorsLayer;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt as _};
use utoipa_axum::routes;

use crate::api_error::{ApiError, method_not_allowed, no_such_route};
use crate::state::App;

/// The header under which a client may repeat a request.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The largest JSON body of an operation without data.
const MAX_JSON_BYTES: usize = 64 << 10;
/// The largest body of an operation with data. Lambda limits a request to 6 MiB, including the overhead of base 64.
pub(crate) const MAX_DATA_BYTES: usize = 4 << 20;

/// Returns random bytes, for ids and secrets.
fn random<const N: usize>() -> Result<[u8; N], ApiError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| ApiError::internal())?;
    Ok(bytes)
}

/// Returns the routes of the function query: statistics and public operations.
pub(crate) fn query_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(statistics::get_by_query))
        .routes(routes!(statistics::get))
        .routes(routes!(devices::list))
        .routes(routes!(devices::get_series))
        .routes(routes!(devices::get_series_by_query))
        .routes(routes!(usage::get))
        .routes(routes!(meta::health))
        .routes(routes!(meta::document))
}

/// Returns the routes of the function manage: everything else.
pub(crate) fn manage_routes() -> OpenApiRouter<Arc<App>> {
    let data = DefaultBodyLimit::max(MAX_DATA_BYTES);
    OpenApiRouter::new()
        .routes(routes!(uploads::create, uploads::list::list))
        .routes(routes!(uploads::get, uploads::withdraw))
        .routes(routes!(quarantine::list::list))
        .routes(routes!(quarantine::get, quarantine::discard))
        .routes(routes!(quarantine::retry).layer(data))
        .routes(routes!(quarantine::correction))
        .routes(routes!(validate::validate).layer(data))
        .routes(routes!(keys::create, keys::list))
        .routes(routes!(keys::get, keys::revoke))
        .routes(routes!(keys::rotate))
        .routes(routes!(notifications::get, notifications::put, notifications::delete))
}

/// Returns the router of the function query: statistics and public operations.
pub fn query(app: Arc<App>) -> Router {
    finish(query_routes(), app)
}

/// Returns the router of the function manage: everything else.
pub fn manage(app: Arc<App>) -> Router {
    finish(manage_routes(), app)
}

fn finish(routes: OpenApiRouter<Arc<App>>, app: Arc<App>) -> Router {
    let (router, _) = routes.split_for_parts();
    let router = router
        .fallback(no_such_route)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(MAX_JSON_BYTES))
        .layer(CatchPanicLayer::custom(|_| {
            tracing::error!("a handler panicked");
            ApiError::internal().into_response()
        }));
    let limit_requests = from_fn_with_state(Arc::clone(&app), usage::limit_requests);
    let router = router.layer(limit_requests).layer(map_response(forbid_storing));
    // The outermost layer: the console can read every response.
    let router = match cors(app.config.console_origin.as_deref()) {
        Some(cors) => router.layer(cors),
        None => router,
    };
    router.with_state(app)
}

/// Forbids caches to store a response, unless its route says how to cache it. Responses may hold secrets: presigned URLs
/// and keys. A new route is therefore safe without a line of its own.
async fn forbid_storing(mut response: Response) -> Response {
    response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Allows cross-origin requests from the console only.
fn cors(origin: Option<&str>) -> Option<CorsLayer> {
    let origin = HeaderValue::from_str(origin?).ok()?;
    let cors = CorsLayer::new()
        .allow_origin([origin])
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE, CONTENT_ENCODING, IF_NONE_MATCH, IDEMPOTENCY_KEY])
        .expose_headers([ETAG, LOCATION, RETRY_AFTER])
        .max_age(std::time::Duration::from_secs(3600));
    Some(cors)
}
