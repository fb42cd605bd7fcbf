//! What there is data of, and buckets of it for plots.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use eventpulse_aws::adapters::chunk_store::answers::BucketsAnswer;
use eventpulse_aws::adapters::chunk_store::devices::Device;
use eventpulse_core::statistics::answer::{Bucket, TooMuch};
use eventpulse_core::statistics::summary::Statistics;
use http::HeaderMap;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::auth::Owner;
use crate::cursor::Seal;
use crate::etag::tagged;
use crate::extract::{Path, Query};
use crate::model::Time;
use crate::problem::ApiError;
use crate::routes::answers::{StatsParams, asked, nothing};
use crate::routes::uploads::list::{page_limit, position};
use crate::state::App;

/// The widest bucket, in days.
const MAX_BUCKET_DAYS: u64 = 3_660;

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParams {
    /// How many on a page, at most; 50 when it is left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// The `next` of the page before, as it is.
    cursor: Option<String>,
}

/// A page of devices.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeviceList {
    /// By name.
    devices: Vec<DeviceListed>,
    /// The cursor of the next page; null when this was the last.
    #[schema(required)]
    next: Option<String>,
}

/// A device.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeviceListed {
    /// Its id.
    device_id: String,
    /// What is measured of it.
    measures: Vec<String>,
    /// Where to go on.
    links: DeviceLinks,
}

/// Where to go on from a device.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeviceLinks {
    /// Its statistics.
    #[schema(format = "uri")]
    stats: String,
    /// The same in buckets.
    #[schema(format = "uri")]
    series: String,
}

/// The devices that you have data of.
#[utoipa::path(get, path = "/devices", operation_id = "list_devices", tag = "answers", params(PageParams, ("If-None-Match" = Option<String>, Header, description = "The `ETag` of an answer that you have.")),
    responses(
        (status = 200, description = "A page of them.", body = DeviceList, headers(("ETag" = String, description = "Weak."))),
        (status = 304, description = "It is that of `If-None-Match`.", headers(("ETag" = String, description = "Weak."))),
    ))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    owner: Owner,
    headers: HeaderMap,
    Query(params): Query<PageParams>,
) -> Result<Response, ApiError> {
    let seal = Seal { key: &app.config.cursor_key, owner: &owner.0, list: "devices", filters: &[] };
    let after = position(&seal, params.cursor.as_deref())?;
    let page = app.services.chunks.devices(&owner.0, page_limit(params.limit)?, after.as_deref()).await?;
    let listed = |Device { entity, measures }: Device| {
        let name = utf8_percent_encode(&entity, NON_ALPHANUMERIC);
        let device = format!("{}/devices/{name}", app.config.api_url);
        let links = DeviceLinks { stats: format!("{device}/stats"), series: format!("{device}/series") };
        DeviceListed { measures, links, device_id: entity }
    };
    let devices = page.items.into_iter().map(listed).collect();
    let answer = DeviceList { devices, next: page.next.map(|position| seal.close(&position)) };
    tagged(&headers, &answer, &answer)
}

/// Which measure, when, and how wide a bucket is.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SeriesParams {
    /// The measure. May be left out for a device that has one only.
    measure: Option<String>,
    /// Measured at this time or later.
    #[param(format = DateTime)]
    from: Option<String>,
    /// Measured before this time.
    #[param(format = DateTime)]
    to: Option<String>,
    /// How wide a bucket is: a number of seconds, minutes, hours or days; `1d` when it is left out. Buckets are aligned to
    /// 1970-01-01T00:00:00Z.
    #[param(pattern = "^[1-9][0-9]{0,8}[smhd]$", example = "1h")]
    bucket: Option<String>,
}

/// Statistics in buckets.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct DeviceSeries {
    /// The device.
    device_id: String,
    /// The measure.
    measure: String,
    /// How wide a bucket is.
    bucket: String,
    /// From when on; null for no bound.
    #[schema(required)]
    from: Option<Time>,
    /// Before when; null for no bound.
    #[schema(required)]
    to: Option<Time>,
    /// When the question was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required, nullable = false)]
    as_of: Option<Time>,
    /// Those that have values, in the order of time.
    buckets: Vec<BucketStatistics>,
}

/// The exact statistics of a bucket.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct BucketStatistics {
    /// When it begins; it ends where the next one would.
    start: Time,
    /// The number of values.
    #[schema(minimum = 1)]
    count: u64,
    /// The arithmetic mean.
    mean: f64,
    /// The median.
    median: f64,
    /// Of the sample (n - 1); null of a single value.
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

/// Exact statistics of a device bucket by bucket, for plots: at most 2,000 buckets, and 4,194,304 values.
#[utoipa::path(get, path = "/devices/{device_id}/series", operation_id = "series", tag = "answers",
    params(("device_id" = String, Path, description = "The device.", min_length = 1, max_length = 1024), SeriesParams,
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of an answer that you have.")),
    responses(
        (status = 200, description = "The buckets.", body = DeviceSeries, headers(("ETag" = String, description = "Weak; leaves out `as_of`."))),
        (status = 304, description = "They are those of `If-None-Match`.", headers(("ETag" = String, description = "Weak."))),
        (status = 404, description = "You have no values of this device, measure and time."),
    ))]
pub(crate) async fn series(
    State(app): State<Arc<App>>,
    owner: Owner,
    headers: HeaderMap,
    Path(device): Path<String>,
    Query(params): Query<SeriesParams>,
) -> Result<Response, ApiError> {
    let SeriesParams { measure, from, to, bucket } = params;
    let bucket = bucket.unwrap_or_else(|| "1d".to_owned());
    let width = width(&bucket)?;
    let (series, range) = asked(&app, &owner, &device, &StatsParams { measure, from, to }).await?;
    let buckets = match app.services.chunks.buckets(&series, range.0, range.1, width).await? {
        BucketsAnswer::Complete(buckets) => buckets,
        BucketsAnswer::TooMuch(reason) => return Err(too_much(reason)),
    };
    if buckets.is_empty() {
        return Err(nothing(&series));
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
    let answer = DeviceSeries { as_of: Some(Time((app.clock)())), ..content.clone() };
    tagged(&headers, &content, &answer)
}

fn too_much(too_much: TooMuch) -> ApiError {
    match too_much {
        TooMuch::Buckets => ApiError::parameter("bucket", format!("{too_much}: choose wider ones, or less time")),
        TooMuch::Points => ApiError::parameter("from", format!("{too_much}: choose less time")),
    }
}

/// The width of a bucket.
fn width(bucket: &str) -> Result<Duration, ApiError> {
    let wrong = || {
        ApiError::parameter(
            "bucket",
            format!("it is a number and s, m, h or d, such as 15m, and at most {MAX_BUCKET_DAYS}d"),
        )
    };
    let (digits, unit) = bucket.split_at_checked(bucket.len().saturating_sub(1)).ok_or_else(wrong)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    if digits.starts_with('0')
        || digits.is_empty()
        || digits.len() > 9
        || !digits.bytes().all(|digit| digit.is_ascii_digit())
    {
        return Err(wrong());
    }
    let seconds = digits.parse::<u64>().map_err(|_| wrong())? * seconds;
    if (1..=MAX_BUCKET_DAYS * 86_400).contains(&seconds) { Ok(Duration::from_secs(seconds)) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths() {
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
