//! Statistics of a device, and what they stand on.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use eventpulse_aws::adapters::upload_store::lists;
use eventpulse_core::statistics::series::Series;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::auth::Owner;
use crate::etag::tagged;
use crate::extract::{Path, Query, Range, device_id, range};
use crate::model::Time;
use crate::problem::ApiError;
use crate::state::App;

/// Of which device, which measure, and when.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeviceParams {
    /// The device.
    #[param(min_length = 1, max_length = 1024, example = "12345")]
    device_id: String,
    /// The measure. May be left out for a device that has one only.
    measure: Option<String>,
    /// Measured at this time or later.
    #[param(format = DateTime)]
    from: Option<String>,
    /// Measured before this time.
    #[param(format = DateTime)]
    to: Option<String>,
}

/// Which measure, and when.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StatsParams {
    /// The measure. May be left out for a device that has one only.
    pub(crate) measure: Option<String>,
    /// Measured at this time or later.
    #[param(format = DateTime)]
    pub(crate) from: Option<String>,
    /// Measured before this time.
    #[param(format = DateTime)]
    pub(crate) to: Option<String>,
}

/// Statistics, and what they stand on.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct DeviceStatistics {
    /// The device.
    device_id: String,
    /// The measure.
    measure: String,
    /// From when on; null for no bound.
    #[schema(required)]
    from: Option<Time>,
    /// Before when; null for no bound.
    #[schema(required)]
    to: Option<Time>,
    /// The number of values.
    #[schema(minimum = 1)]
    count: u64,
    /// The arithmetic mean.
    mean: f64,
    /// The middle value, or the mean of the two middle ones.
    median: f64,
    /// Of the sample (n - 1); null of a single value.
    #[schema(required)]
    standard_deviation: Option<f64>,
    /// The smallest value.
    min: f64,
    /// The largest value.
    max: f64,
    /// When the earliest value was measured.
    first: Time,
    /// When the latest value was measured.
    last: Time,
    /// Always true: no number here is an estimate.
    exact: bool,
    /// When the question was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required, nullable = false)]
    as_of: Option<Time>,
    /// What the numbers stand on.
    uploads: StandsOn,
}

/// What the numbers stand on.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct StandsOn {
    /// The uploads that the values came with.
    included: Tally,
    /// Uploads of yours that might hold more values of this device.
    excluded: Excluded,
}

/// Uploads that no answer holds. What is in them is not known, so these are all of yours.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Excluded {
    /// Something of these lies in quarantine.
    quarantined: Tally,
    /// These arrived and have no outcome yet.
    pending: Tally,
}

/// How many, and some of them.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Tally {
    /// How many.
    count: u64,
    /// Of those included at most 100, of those excluded the 10 newest.
    upload_ids: Vec<String>,
}

impl From<lists::OpenCount> for Tally {
    fn from(lists::OpenCount { count, upload_ids }: lists::OpenCount) -> Self {
        Self { count, upload_ids }
    }
}

/// Exact statistics of a device.
#[utoipa::path(get, path = "/", operation_id = "device_statistics", tag = "answers", params(DeviceParams, ("If-None-Match" = Option<String>, Header, description = "The `ETag` of an answer that you have.")),
    responses(
        (status = 200, description = "The statistics.", body = DeviceStatistics, headers(("ETag" = String, description = "Weak; leaves out `as_of`."))),
        (status = 304, description = "They are those of `If-None-Match`.", headers(("ETag" = String, description = "Weak."))),
        (status = 404, description = "You have no values of this device, measure and time."),
    ))]
pub(crate) async fn of_device(
    State(app): State<Arc<App>>,
    owner: Owner,
    headers: HeaderMap,
    Query(params): Query<DeviceParams>,
) -> Result<Response, ApiError> {
    let DeviceParams { device_id, measure, from, to } = params;
    answer(&app, &owner, &headers, &device_id, &StatsParams { measure, from, to }).await
}

/// Exact statistics of a device.
#[utoipa::path(get, path = "/devices/{device_id}/stats", operation_id = "statistics", tag = "answers",
    params(("device_id" = String, Path, description = "The device.", min_length = 1, max_length = 1024), StatsParams,
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of an answer that you have.")),
    responses(
        (status = 200, description = "The statistics.", body = DeviceStatistics, headers(("ETag" = String, description = "Weak; leaves out `as_of`."))),
        (status = 304, description = "They are those of `If-None-Match`.", headers(("ETag" = String, description = "Weak."))),
        (status = 404, description = "You have no values of this device, measure and time."),
    ))]
pub(crate) async fn stats(
    State(app): State<Arc<App>>,
    owner: Owner,
    headers: HeaderMap,
    Path(device): Path<String>,
    Query(params): Query<StatsParams>,
) -> Result<Response, ApiError> {
    answer(&app, &owner, &headers, &device, &params).await
}

async fn answer(
    app: &App,
    owner: &Owner,
    headers: &HeaderMap,
    device: &str,
    params: &StatsParams,
) -> Result<Response, ApiError> {
    let (series, range) = asked(app, owner, device, params).await?;
    let (answered, open) =
        tokio::join!(app.services.chunks.answer(&series, range.0, range.1), app.services.uploads.count_open(&owner.0));
    let Some(answered) = answered? else { return Err(nothing(&series)) };
    let (open, statistics) = (open?, answered.statistics);
    let content = DeviceStatistics {
        device_id: series.entity,
        measure: series.measure,
        from: range.0.map(Time),
        to: range.1.map(Time),
        count: statistics.count,
        mean: statistics.mean,
        median: statistics.median,
        standard_deviation: statistics.standard_deviation,
        min: statistics.min,
        max: statistics.max,
        first: Time(statistics.first),
        last: Time(statistics.last),
        exact: true,
        as_of: None,
        uploads: StandsOn {
            included: Tally { count: answered.uploads.count, upload_ids: answered.uploads.upload_ids },
            excluded: Excluded { quarantined: open.quarantined.into(), pending: open.pending.into() },
        },
    };
    let answer = DeviceStatistics { as_of: Some(Time((app.clock)())), ..content.clone() };
    tagged(headers, &content, &answer)
}

/// The series and the time that are asked for.
pub(crate) async fn asked(
    app: &App,
    owner: &Owner,
    device: &str,
    params: &StatsParams,
) -> Result<(Series, Range), ApiError> {
    let device = device_id(device)?;
    let range = range(params.from.as_deref(), params.to.as_deref())?;
    let measure = match &params.measure {
        Some(measure) => measure.clone(),
        None => only_measure(app, owner, device).await?,
    };
    Ok((Series { owner: owner.0.clone(), entity: device.to_owned(), measure }, range))
}

async fn only_measure(app: &App, owner: &Owner, device: &str) -> Result<String, ApiError> {
    let mut measures = app.services.chunks.measures(&owner.0, device).await?;
    match measures.len() {
        0 => Err(ApiError::not_found("You have no values of this device. GET /devices lists those that you have.")),
        1 => Ok(measures.remove(0)),
        _ => Err(ApiError::parameter(
            "measure",
            format!("the device has several, name one of them: {}", measures.join(", ")),
        )),
    }
}

pub(crate) fn nothing(series: &Series) -> ApiError {
    let Series { entity, measure, .. } = series;
    ApiError::not_found(format!(
        "You have no values of the measure {measure:?} of the device {entity:?} in this range of time. GET /devices lists \
         those that you have."
    ))
}
