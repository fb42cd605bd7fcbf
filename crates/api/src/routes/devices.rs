//! The devices with data, and their statistics in buckets of time.

mod links;

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use eventpulse_aws::adapters::chunk_store::answers::BucketsAnswer;
use eventpulse_aws::adapters::chunk_store::devices::Device;
use eventpulse_core::statistics::answer::{Bucket, BucketWidth, BucketWidthError, TooMuch};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api_error::ApiError;
use crate::auth::Owner;
use crate::cursor::Seal;
use crate::etag::tagged;
use crate::extract::{DevicePath, Path, Query};
use crate::model::{LocalTime, Numbers, Time};
use crate::routes::paging::{PageLimit, page_limit, position};
use crate::routes::statistics::{StatisticsParams, no_data, resolve_query};
use crate::state::App;
use links::DeviceLinks;

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
    /// The width of a bucket: a number and `s`, `m`, `h` (seconds, minutes, hours), `d`, `w`, `mo` or `y` (days, weeks,
    /// months, years); `1d` by default; at most `3660d`, `522w`, `1200mo` or `100y`.
    ///
    /// Seconds, minutes and hours are aligned to 1970-01-01T00:00:00Z. The others follow the calendar of the time zone
    /// `tz`: days are counted from 1970-01-01, weeks begin on Monday and are counted from 1970-01-05, and months and years
    /// are counted from the year 0000, so `3mo` are quarters and `10y` decades. Where clocks change, a day has 23 or 25
    /// hours.
    #[param(pattern = "^[1-9][0-9]{0,8}(s|m|h|d|w|mo|y)$", example = "1mo")]
    bucket: Option<String>,
    /// The time zone of buckets of days, weeks, months and years, as a name of the IANA database in any case; UTC by
    /// default. An error with buckets of seconds, minutes and hours.
    #[param(example = "Europe/Berlin")]
    tz: Option<String>,
    /// Quantiles to return: up to 20 different decimals from 0 to 1 with at most 15 decimal places, separated by commas.
    #[param(
        pattern = r"^(0(\.[0-9]{1,15})?|1(\.0{1,15})?)(,(0(\.[0-9]{1,15})?|1(\.0{1,15})?)){0,19}$",
        example = "0.05,0.5,0.95"
    )]
    quantiles: Option<String>,
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
    /// The width of a bucket: a number and `s`, `m`, `h` (seconds, minutes, hours), `d`, `w`, `mo` or `y` (days, weeks,
    /// months, years); `1d` by default; at most `3660d`, `522w`, `1200mo` or `100y`.
    ///
    /// Seconds, minutes and hours are aligned to 1970-01-01T00:00:00Z. The others follow the calendar of the time zone
    /// `tz`: days are counted from 1970-01-01, weeks begin on Monday and are counted from 1970-01-05, and months and years
    /// are counted from the year 0000, so `3mo` are quarters and `10y` decades. Where clocks change, a day has 23 or 25
    /// hours.
    #[param(pattern = "^[1-9][0-9]{0,8}(s|m|h|d|w|mo|y)$", example = "1mo")]
    bucket: Option<String>,
    /// The time zone of buckets of days, weeks, months and years, as a name of the IANA database in any case; UTC by
    /// default. An error with buckets of seconds, minutes and hours.
    #[param(example = "Europe/Berlin")]
    tz: Option<String>,
    /// Quantiles to return: up to 20 different decimals from 0 to 1 with at most 15 decimal places, separated by commas.
    #[param(
        pattern = r"^(0(\.[0-9]{1,15})?|1(\.0{1,15})?)(,(0(\.[0-9]{1,15})?|1(\.0{1,15})?)){0,19}$",
        example = "0.05,0.5,0.95"
    )]
    quantiles: Option<String>,
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
    /// The time zone of the buckets, as the IANA database writes it; null for UTC by default.
    #[schema(required)]
    tz: Option<String>,
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
    /// The start of the bucket (inclusive), with the offset of the time zone `tz`; in UTC without one. It may lie before
    /// `from`. Times before the introduction of standard time, whose offset has seconds, are in UTC.
    start: LocalTime,
    /// The end of the bucket (exclusive), in the form of `start`.
    end: LocalTime,
    #[serde(flatten)]
    numbers: Numbers,
}

impl BucketStatistics {
    fn new(width: &BucketWidth, Bucket { start, end, statistics }: Bucket) -> Self {
        let [start, end] = [start, end].map(|time| LocalTime(width.rfc3339(time)));
        Self { start, end, numbers: statistics.into() }
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
    let DeviceSeriesParams { device_id, measure, from, to, bucket, tz, quantiles } = params;
    let params = SeriesParams { measure, from, to, bucket, tz, quantiles };
    respond_with_series(&app, &owner, &headers, &device_id, params).await
}

async fn respond_with_series(
    app: &App,
    owner: &Owner,
    headers: &HeaderMap,
    device_id: &str,
    params: SeriesParams,
) -> Result<Response, ApiError> {
    let SeriesParams { measure, from, to, bucket, tz, quantiles } = params;
    let bucket = bucket.unwrap_or_else(|| "1d".to_owned());
    let width = BucketWidth::parse(&bucket, tz.as_deref()).map_err(invalid_width)?;
    let params = StatisticsParams { measure, from, to, quantiles };
    let (series, range, quantiles) = resolve_query(app, owner, device_id, &params).await?;
    let buckets = match app.services.chunks.buckets(&series, range.0, range.1, &width, quantiles).await? {
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
        tz: width.time_zone().map(str::to_owned),
        from: range.0.map(Time),
        to: range.1.map(Time),
        as_of: None,
        buckets: buckets.into_iter().map(|bucket| BucketStatistics::new(&width, bucket)).collect(),
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

fn invalid_width(error: BucketWidthError) -> ApiError {
    let parameter = match error {
        BucketWidthError::Width => "bucket",
        BucketWidthError::TimeZone | BucketWidthError::FixedWidthInZone => "tz",
    };
    ApiError::parameter(parameter, error.to_string())
}
