//! The devices with data, and their statistics in buckets of time.

mod links;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use eventpulse_aws::adapters::chunk_store::answers::BucketsAnswer;
use eventpulse_aws::adapters::chunk_store::devices::Device;
use eventpulse_core::statistics::answer::{Bucket, TooMuch};
use eventpulse_core::statistics::summary::Statistics;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api_error::ApiError;
use crate::auth::Owner;
use crate::cursor::Seal;
use crate::etag::tagged;
use crate::extract::{DevicePath, Path, Query};
use crate::model::Time;
use crate::routes::paging::{PageLimit, page_limit, position};
use crate::routes::statistics::{StatisticsParams, no_data, resolve_query};
use crate::state::App;
use links::DeviceLinks;

/// The width of the widest bucket, in days.
const MAX_BUCKET_DAYS: u64 = 3_660;

/// The query parameters of `GET /devices`.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParams {
    /// The maximum number of items per page; 50 by default.
    #[param(value_type = Option<usize>, minimum = 1, maximum = 100)]
    limit: Option<PageLimit>,
    /// The unchanged `next` of the previous page.
    cursor: Option<String>,
}

/// A page of devices.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeviceList {
    /// The devices, ordered by id.
    devices: Vec<DeviceSummary>,
    /// The cursor of the next page; null on the last page.
    #[schema(required)]
    next: Option<String>,
}

/// A device with data.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeviceSummary {
    /// The id of the device.
    device_id: String,
    /// The measures of the device.
    measures: Vec<String>,
    /// Links to related resources.
    links: DeviceLinks,
}

/// List devices
///
/// Returns the devices with accepted values and their measures, one page at a time. A response with the entity tag of
/// `If-None-Match` is not sent again.
#[utoipa::path(get, path = "/devices", operation_id = "list_devices", tag = "statistics",
    params(PageParams,
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of an earlier response.")),
    responses(
        (status = 200, description = "A page of devices.", body = DeviceList,
            headers(("ETag" = String, description = "A weak entity tag."))),
        (status = 304, description = "The page has the entity tag of `If-None-Match`.",
            headers(("ETag" = String, description = "The weak entity tag."))),
    ))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    owner: Owner,
    headers: HeaderMap,
    Query(params): Query<PageParams>,
) -> Result<Response, ApiError> {
    let seal = Seal { key: &app.config.cursor_key, owner: &owner.0, list: "devices", filters: &[] };
    let after = position(&seal, params.cursor.as_deref())?;
    let page = app.services.chunks.devices(&owner.0, page_limit(params.limit), after.as_deref()).await?;
    let summary = |Device { entity, measures }: Device| {
        let links = DeviceLinks::of(&app.config.api_url, &entity);
        DeviceSummary { measures, links, device_id: entity }
    };
    let devices = page.items.into_iter().map(summary).collect();
    let body = DeviceList { devices, next: page.next.map(|position| seal.close(&position)) };
    tagged(&headers, &body, &body)
}

/// The query parameters of `GET /devices/{device_id}/series`.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SeriesParams {
    /// The measure. Optional for a device with only one measure.
    measure: Option<String>,
    /// Include values measured at or after this time.
    #[param(format = DateTime)]
    from: Option<String>,
    /// Include values measured before this time.
    #[param(format = DateTime)]
    to: Option<String>,
    /// The width of a bucket: a number of seconds, minutes, hours or days; `1d` by default. Buckets are aligned to
    /// 1970-01-01T00:00:00Z.
    #[param(pattern = "^[1-9][0-9]{0,8}[smhd]$", example = "1h")]
    bucket: Option<String>,
}

/// The query parameters of `GET /series`.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeviceSeriesParams {
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
    /// The width of a bucket: a number of seconds, minutes, hours or days; `1d` by default. Buckets are aligned to
    /// 1970-01-01T00:00:00Z.
    #[param(pattern = "^[1-9][0-9]{0,8}[smhd]$", example = "1h")]
    bucket: Option<String>,
}

/// The statistics of one measure of a device, in buckets of time.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct DeviceSeries {
    /// The id of the device.
    device_id: String,
    /// The measure.
    measure: String,
    /// The width of a bucket.
    bucket: String,
    /// The start of the range of time (inclusive); null for no bound.
    #[schema(required)]
    from: Option<Time>,
    /// The end of the range of time (exclusive); null for no bound.
    #[schema(required)]
    to: Option<Time>,
    /// The time of the response.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required, nullable = false)]
    as_of: Option<Time>,
    /// The buckets with values, ordered by time.
    buckets: Vec<BucketStatistics>,
}

/// The exact statistics of one bucket.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct BucketStatistics {
    /// The start of the bucket (inclusive).
    start: Time,
    /// The number of values.
    #[schema(minimum = 1)]
    count: u64,
    /// The arithmetic mean.
    mean: f64,
    /// The median.
    median: f64,
    /// The sample standard deviation (n - 1); null for a single value.
    #[schema(required)]
    standard_deviation: Option<f64>,
    /// The smallest value.
    min: f64,
    /// The largest value.
    max: f64,
}

impl From<Bucket> for BucketStatistics {
    fn from(Bucket { start, statistics }: Bucket) -> Self {
        let Statistics { count, mean, median, standard_deviation, min, max, .. } = statistics;
        Self { start: Time(start), count, mean, median, standard_deviation, min, max }
    }
}

/// Get the statistics of a device in buckets of time
///
/// Returns exact statistics of one measure for each bucket with values, for plots. A request may cover at most 2,000
/// buckets and 4,194,304 values. A response with the entity tag of `If-None-Match` is not sent again.
#[utoipa::path(get, path = "/devices/{device_id}/series", operation_id = "get_series", tag = "statistics",
    params(DevicePath, SeriesParams,
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of an earlier response.")),
    responses(
        (status = 200, description = "The buckets.", body = DeviceSeries,
            headers(("ETag" = String, description = "A weak entity tag that ignores `as_of`."))),
        (status = 304, description = "The buckets have the entity tag of `If-None-Match`.",
            headers(("ETag" = String, description = "The weak entity tag."))),
        (status = 404, description = "You have no values for this device, measure and range of time."),
    ))]
pub(crate) async fn get_series(
    State(app): State<Arc<App>>,
    owner: Owner,
    headers: HeaderMap,
    Path(DevicePath { device_id }): Path<DevicePath>,
    Query(params): Query<SeriesParams>,
) -> Result<Response, ApiError> {
    respond_with_series(&app, &owner, &headers, &device_id, params).await
}

/// Get the statistics of the device in a query parameter in buckets of time
///
/// Returns exact statistics of one measure for each bucket with values. Equivalent to `GET /devices/{device_id}/series`,
/// for device ids that cannot be part of a path, such as `.`. A response with the entity tag of `If-None-Match` is not
/// sent again.
#[utoipa::path(get, path = "/series", operation_id = "get_series_by_query", tag = "statistics",
    params(DeviceSeriesParams,
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of an earlier response.")),
    responses(
        (status = 200, description = "The buckets.", body = DeviceSeries,
            headers(("ETag" = String, description = "A weak entity tag that ignores `as_of`."))),
        (status = 304, description = "The buckets have the entity tag of `If-None-Match`.",
            headers(("ETag" = String, description = "The weak entity tag."))),
        (status = 404, description = "You have no values for this device, measure and range of time."),
    ))]
pub(crate) async fn get_series_by_query(
    State(app): State<Arc<App>>,
    owner: Owner,
    headers: HeaderMap,
    Query(params): Query<DeviceSeriesParams>,
) -> Result<Response, ApiError> {
    let DeviceSeriesParams { device_id, measure, from, to, bucket } = params;
    respond_with_series(&app, &owner, &headers, &device_id, SeriesParams { measure, from, to, bucket }).await
}

async fn respond_with_series(
    app: &App,
    owner: &Owner,
    headers: &HeaderMap,
    device_id: &str,
    params: SeriesParams,
) -> Result<Response, ApiError> {
    let SeriesParams { measure, from, to, bucket } = params;
    let bucket = bucket.unwrap_or_else(|| "1d".to_owned());
    let width = width(&bucket)?;
    let (series, range) = resolve_query(app, owner, device_id, &StatisticsParams { measure, from, to }).await?;
    let buckets = match app.services.chunks.buckets(&series, range.0, range.1, width).await? {
        BucketsAnswer::Complete(buckets) => buckets,
        BucketsAnswer::TooMuch(reason) => return Err(too_much(reason)),
    };
    if buckets.is_empty() {
        return Err(no_data(&series));
    }
    let content = DeviceSeries {
        device_id: series.entity,
        measure: series.measure,
        bucket,
        from: range.0.map(Time),
        to: range.1.map(Time),
        as_of: None,
        buckets: buckets.into_iter().map(BucketStatistics::from).collect(),
    };
    let body = DeviceSeries { as_of: Some(Time((app.clock)())), ..content.clone() };
    tagged(headers, &content, &body)
}

fn too_much(too_much: TooMuch) -> ApiError {
    match too_much {
        TooMuch::Buckets => {
            ApiError::parameter("bucket", format!("{too_much}; expected wider buckets or a shorter range of time"))
        }
        TooMuch::Points => ApiError::parameter("from", format!("{too_much}; expected a shorter range of time")),
    }
}

/// Parses the width of a bucket.
fn width(bucket: &str) -> Result<Duration, ApiError> {
    let invalid = || {
        ApiError::parameter(
            "bucket",
            format!("expected a number and one of s, m, h and d, such as 15m, at most {MAX_BUCKET_DAYS}d"),
        )
    };
    let (digits, unit) = bucket.split_at_checked(bucket.len().saturating_sub(1)).ok_or_else(invalid)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(invalid()),
    };
    if digits.starts_with('0')
        || digits.is_empty()
        || digits.len() > 9
        || !digits.bytes().all(|digit| digit.is_ascii_digit())
    {
        return Err(invalid());
    }
    let seconds = digits.parse::<u64>().map_err(|_| invalid())? * seconds;
    if (1..=MAX_BUCKET_DAYS * 86_400).contains(&seconds) { Ok(Duration::from_secs(seconds)) } else { Err(invalid()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_widths_are_parsed_strictly() {
        for (bucket, expected) in
            [("1s", Some(1)), ("15m", Some(900)), ("1h", Some(3_600)), ("3660d", Some(316_224_000))]
        {
            assert_eq!(width(bucket).ok(), expected.map(Duration::from_secs), "{bucket}");
        }
        for bucket in ["", "d", "0s", "01s", "1", "1w", "-1s", "+1s", "1.5h", "3661d", "999999999d", "1 h", "1é", "é"]
        {
            assert!(width(bucket).is_err(), "{bucket}");
        }
    }
}
