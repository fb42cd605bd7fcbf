//! The quotas of an owner: the limit of requests, charges for uploads, and `GET /usage`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use eventpulse_core::time::Timestamp;
use eventpulse_core::usage::{Charge, DayUsage};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api_error::ApiError;
use crate::auth::{Claims, Owner};
use crate::extract::{NoParams, Query};
use crate::model::{QuotaState, Time};
use crate::state::App;

/// The use of an owner's quotas.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Usage {
    /// The time of the response.
    as_of: Time,
    /// The quotas. A request beyond one of them gets the status 429.
    quotas: Vec<QuotaState>,
}

/// Get the use of your quotas
///
/// Returns for each quota the used amount, the limit, the rest, and the time at which it is free again. Requests are
/// counted in slices of a twentieth of the limit; the first few in 10 seconds are not counted.
#[utoipa::path(get, path = "/usage", operation_id = "get_usage", tag = "meta",
    responses((status = 200, description = "The use of your quotas.", body = Usage)))]
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    owner: Owner,
    _: Query<NoParams>,
) -> Result<axum::Json<Usage>, ApiError> {
    let now = (app.clock)();
    let quotas = app.quotas.usage(&owner.0, now).await?.map(QuotaState::from).to_vec();
    Ok(axum::Json(Usage { as_of: Time(now), quotas }))
}

/// Refuses requests of an owner beyond its rate. Requests without a valid token reach their route, which refuses them.
pub(super) async fn limit_requests(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (issuer, client_id) = (&app.config.user_pool_issuer, &app.config.user_pool_client_id);
    let claims = request.extensions().get::<Claims>();
    let owner = claims.and_then(|claims| claims.owner(issuer, client_id).ok());
    if let Some(Owner(owner)) = owner {
        let now = (app.clock)();
        if let Some(exceeded) = app.quotas.admit(&owner, now).await {
            return ApiError::quota_exceeded(&exceeded, now).into_response();
        }
    }
    next.run(request).await
}

/// Charges an owner, and returns the counters.
///
/// # Errors
/// Returns a 429 if that exceeds a quota, and a 413 if it always will.
pub(super) async fn charge(
    app: &App,
    owner: &Owner,
    charge: &Charge,
    now: Timestamp,
) -> Result<Option<DayUsage>, ApiError> {
    if let Some(limit) = app.quotas.limits().bytes_per_day.filter(|limit| charge.bytes > *limit) {
        let detail = format!("The file is larger than your quota of {limit} bytes per day. Split or compress it.");
        return Err(ApiError::too_large(detail));
    }
    app.quotas.charge(&owner.0, charge, now).await.map_err(|exceeded| ApiError::quota_exceeded(&exceeded, now))
}

/// Takes a charge back if the request that caused it failed.
pub(super) async fn take_back_on_error<T>(
    app: &App,
    owner: &Owner,
    charge: &Charge,
    now: Timestamp,
    result: Result<T, ApiError>,
) -> Result<T, ApiError> {
    if result.is_err() {
        app.quotas.take_back(&owner.0, charge, now).await;
    }
    result
}
