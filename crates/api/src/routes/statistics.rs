//! Exact statistics of a device, and the uploads that they include and exclude.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use eventpulse_aws::adapters::upload_store::lists::open;
use eventpulse_core::statistics::quantile::Quantiles;
use eventpulse_core::statistics::series::Series;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api_error::ApiError;
use crate::auth::Owner;
use crate::etag::tagged;
use crate::extract::{DevicePath, Path, Query, TimeRange, device_id, quantiles, time_range};
use crate::model::{Numbers, Time};
use crate::state::App;

/// The query parameters of `GET /`.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeviceParams {
    /// The id of the device.
    #[param(min_length = 1, max_length = 1024, example = "12345")]
    device_id: String,
    /// The measure. Optional for a device with only one measure.
    measure: Option<String>,
    /// Include values measured at or after this time.
    #[param(format = DateTime)]
    from: Option<String>,
    /// Include values measured before this time.
    #[param(format = DateTime)]
    to: Option<String>,
    /// Quantiles to return: up to 20 different decimals from 0 to 1 with at most 15 decimal places, separated by commas.
    #[param(
        pattern = r"^(0(\.[0-9]{1,15})?|1(\.0{1,15})?)(,(0(\.[0-9]{1,15})?|1(\.0{1,15})?)){0,19}$",
        example = "0.05,0.5,0.95"
    )]
    quantiles: Option<String>,
}

/// The query parameters of `GET /devices/{device_id}/stats`.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StatisticsParams {
    /// The measure. Optional for a device with only one measure.
    pub(crate) measure: Option<String>,
    /// Include values measured at or after this time.
    #[param(format = DateTime)]
    pub(crate) from: Option<String>,
    /// Include values measured before this time.
    #[param(format = DateTime)]
    pub(crate) to: Option<String>,
    /// Quantiles to return: up to 20 different decimals from 0 to 1 with at most 15 decimal places, separated by commas.
    #[param(
        pattern = r"^(0(\.[0-9]{1,15})?|1(\.0{1,15})?)(,(0(\.[0-9]{1,15})?|1(\.0{1,15})?)){0,19}$",
        example = "0.05,0.5,0.95"
    )]
    pub(crate) quantiles: Option<String>,
}

/// The statistics of one measure of a device.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct DeviceStatistics {
    /// The id of the device.
    device_id: String,
    /// The measure.
    measure: String,
    /// The start of the range of time (inclusive); null for no bound.
    #[schema(required)]
    from: Option<Time>,
    /// The end of the range of time (exclusive); null for no bound.
    #[schema(required)]
    to: Option<Time>,
    #[serde(flatten)]
    numbers: Numbers,
    /// The time of the earliest value.
    first: Time,
    /// The time of the latest value.
    last: Time,
    /// Always true: no number is an estimate.
    exact: bool,
    /// The time of the response.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required, nullable = false)]
    as_of: Option<Time>,
    /// The uploads that the numbers include and exclude.
    uploads: Provenance,
}

/// The uploads that the numbers include and exclude.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Provenance {
    /// The uploads that contributed values.
    included: UploadCount,
    /// Your uploads that may contain further values of this device.
    excluded: ExcludedUploads,
}

/// Uploads that no statistics include. Their contents are unknown, so these are all of your uploads in these states.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ExcludedUploads {
    /// Uploads with quarantined data that has not expired.
    quarantined: UploadCount,
    /// Uploads that arrived and are not decided yet.
    pending: UploadCount,
}

/// A number of uploads, with the ids of some of them.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct UploadCount {
    /// The number of uploads.
    count: u64,
    /// The ids of at most 100 included uploads, or of the 10 newest excluded ones.
    upload_ids: Vec<String>,
}

impl From<open::OpenCount> for UploadCount {
    fn from(open::OpenCount { count, upload_ids }: open::OpenCount) -> Self {
        Self { count, upload_ids }
    }
}

/// Get the statistics of the device in a query parameter
///
/// Returns exact statistics of one measure of a device over a range of time. Equivalent to
/// `GET /devices/{device_id}/stats`. A response with the entity tag of `If-None-Match` is not sent again.
#[utoipa::path(get, path = "/", operation_id = "get_statistics_by_query", tag = "statistics",
    params(DeviceParams,
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of an earlier response.")),
    responses(
        (status = 200, description = "The statistics.", body = DeviceStatistics,
            headers(("ETag" = String, description = "A weak entity tag that ignores `as_of`."))),
        (status = 304, description = "The statistics have the entity tag of `If-None-Match`.",
            headers(("ETag" = String, description = "The weak entity tag."))),
        (status = 404, description = "You have no values for this device, measure and range of time."),
    ))]
pub(crate) async fn get_by_query(
    State(app): State<Arc<App>>,
    owner: Owner,
    headers: HeaderMap,
    Query(params): Query<DeviceParams>,
) -> Result<Response, ApiError> {
    let DeviceParams { device_id, measure, from, to, quantiles } = params;
    respond(&app, &owner, &headers, &device_id, &StatisticsParams { measure, from, to, quantiles }).await
}

/// Get the statistics of a device
///
/// Returns exact statistics of one measure of a device over a range of time, with the uploads that they include and
/// exclude. A response with the entity tag of `If-None-Match` is not sent again.
#[utoipa::path(get, path = "/devices/{device_id}/stats", operation_id = "get_statistics", tag = "statistics",
    params(DevicePath, StatisticsParams,
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of an earlier response.")),
    responses(
        (status = 200, description = "The statistics.", body = DeviceStatistics,
            headers(("ETag" = String, description = "A weak entity tag that ignores `as_of`."))),
        (status = 304, description = "The statistics have the entity tag of `If-None-Match`.",
            headers(("ETag" = String, description = "The weak entity tag."))),
        (status = 404, description = "You have no values for this device, measure and range of time."),
    ))]
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    owner: Owner,
    headers: HeaderMap,
    Path(DevicePath { device_id }): Path<DevicePath>,
    Query(params): Query<StatisticsParams>,
) -> Result<Response, ApiError> {
    respond(&app, &owner, &headers, &device_id, &params).await
}

async fn respond(
    app: &App,
    owner: &Owner,
    headers: &HeaderMap,
    device: &str,
    params: &StatisticsParams,
) -> Result<Response, ApiError> {
    let (series, range, quantiles) = resolve_query(app, owner, device, params).await?;
    let (answer, open) = tokio::join!(
        app.services.chunks.answer_with_quantiles(&series, range.0, range.1, &quantiles),
        app.services.uploads.count_open(&owner.0, (app.clock)())
    );
    let Some(answer) = answer? else { return Err(no_data(&series)) };
    let (open, statistics) = (open?, answer.statistics);
    let content = DeviceStatistics {
        device_id: series.entity,
        measure: series.measure,
        from: range.0.map(Time),
        to: range.1.map(Time),
        first: Time(statistics.first),
        last: Time(statistics.last),
        numbers: statistics.into(),
        exact: true,
        as_of: None,
        uploads: Provenance {
            included: UploadCount { count: answer.uploads.count, upload_ids: answer.uploads.upload_ids },
            excluded: ExcludedUploads { quarantined: open.quarantined.into(), pending: open.pending.into() },
        },
    };
    let body = DeviceStatistics { as_of: Some(Time((app.clock)())), ..content.clone() };
    tagged(headers, &content, &body)
}

/// Returns the series, the range of time and the quantiles that a request names. Looks up the measure if the request names
/// none.
pub(crate) async fn resolve_query(
    app: &App,
    owner: &Owner,
    device: &str,
    params: &StatisticsParams,
) -> Result<(Series, TimeRange, Quantiles), ApiError> {
    let device = device_id(device)?;
    let range = time_range(params.from.as_deref(), params.to.as_deref())?;
    let quantiles = quantiles(params.quantiles.as_deref())?;
    let measure = match &params.measure {
        Some(measure) => measure.clone(),
        None => only_measure(app, owner, &device).await?,
    };
    Ok((Series { owner: owner.0.clone(), entity: device.into(), measure }, range, quantiles))
}

async fn only_measure(app: &App, owner: &Owner, device: &str) -> Result<String, ApiError> {
    let mut measures = app.services.chunks.measures(&owner.0, device).await?;
    match measures.len() {
        0 => Err(ApiError::not_found("You have no values of this device. GET /devices lists your devices.")),
        1 => Ok(measures.remove(0)),
        _ => Err(ApiError::parameter("measure", format!("expected one of: {}", measures.join(", ")))),
    }
}

/// Returns the 404 for a series without values in the range of time.
pub(crate) fn no_data(series: &Series) -> ApiError {
    let Series { entity, measure, .. } = series;
    ApiError::not_found(format!(
        "You have no values of the measure {measure:?} of the device {entity:?} in this range of time. GET /devices \
         lists your devices."
    ))
}
