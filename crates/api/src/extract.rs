//! Extractors of parameters and bodies. Invalid input becomes an [`ApiError`].

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use eventpulse_core::device::key::KeyId;
use eventpulse_core::id::{DeviceId, MAX_DEVICE_BYTES, UploadId};
use eventpulse_core::intake::reader::{Format, Media};
use eventpulse_core::time::Timestamp;
use http::{HeaderMap, HeaderName, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use utoipa::IntoParams;

use crate::api_error::ApiError;

/// The query parameters. Unknown and repeated parameters are errors.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(ApiError))]
pub(crate) struct Query<T>(pub T);

/// An empty set of query parameters: any parameter is an error.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoParams {}

/// The path parameters.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(ApiError))]
pub(crate) struct Path<T>(pub T);

/// The path parameter of an operation on an upload.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct UploadPath {
    /// The id of the upload.
    #[param(pattern = "^up_([0-7][0-9A-HJKMNP-TV-Z]{25}|m-[A-Za-z0-9_=-]{8,64})$")]
    pub upload_id: String,
}

/// The path parameter of an operation on a key.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct KeyPath {
    /// The id of the key.
    #[param(pattern = "^key_[0-7][0-9A-HJKMNP-TV-Z]{25}$")]
    pub key_id: String,
}

/// The path parameter of an operation on a device.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct DevicePath {
    /// The id of the device.
    #[param(min_length = 1, max_length = 1024)]
    pub device_id: String,
}

/// The body as bytes.
pub(crate) struct Raw(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Raw {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        Ok(Self(Bytes::from_request(request, state).await?))
    }
}

/// The body as JSON.
pub(crate) struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let content_type = header_text(request.headers(), header::CONTENT_TYPE);
        let is_json = Media::parse(content_type, None, "").is_ok_and(|media| media.format == Format::Json);
        let Raw(bytes) = Raw::from_request(request, state).await?;
        if !is_json {
            return Err(ApiError::content_type("Invalid Content-Type: expected application/json."));
        }
        if bytes.trim_ascii_start().first() == Some(&b'[') {
            // serde accepts an array in place of an object.
            return Err(ApiError::member("", "expected an object, not an array"));
        }
        let mut deserializer = serde_json::Deserializer::from_slice(&bytes);
        let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            let token = |segment: &Segment| match segment {
                Segment::Seq { index } => format!("/{index}"),
                segment => format!("/{}", segment.to_string().replace('~', "~0").replace('/', "~1")),
            };
            let pointer: String = error.path().iter().map(token).collect();
            ApiError::member(pointer.trim_end_matches("/?"), error.inner().to_string())
        })?;
        deserializer.end().map_err(|error| ApiError::member("", error.to_string()))?;
        Ok(Self(value))
    }
}

/// Returns a header if its value is text.
pub(crate) fn header_text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The most characters of a header `Idempotency-Key`.
const MAX_IDEMPOTENCY_KEY_CHARS: usize = 255;

/// Reads the header `Idempotency-Key`.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let mut values = headers.get_all("idempotency-key").iter();
    let (Some(value), next) = (values.next(), values.next()) else { return Ok(None) };
    let key = value.to_str().ok().map(str::trim).filter(|key| {
        let is_printable = key.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        is_printable && (1..=MAX_IDEMPOTENCY_KEY_CHARS).contains(&key.len())
    });
    match (key, next) {
        (Some(key), None) => Ok(Some(key)),
        _ => {
            let expected =
                format!("expected one header of 1 to {MAX_IDEMPOTENCY_KEY_CHARS} printable ASCII characters");
            Err(ApiError::parameter("Idempotency-Key", expected))
        }
    }
}

/// Parses the id of an upload in a path.
pub(crate) fn upload_id(text: &str) -> Result<UploadId, ApiError> {
    UploadId::parse(text).map_err(|error| ApiError::parameter("upload_id", format!("expected an upload id; {error}")))
}

/// Parses the id of a key in a path.
pub(crate) fn key_id(text: &str) -> Result<KeyId, ApiError> {
    KeyId::parse(text).map_err(|error| ApiError::parameter("key_id", format!("expected a key id; {error}")))
}

/// Parses the id of a device in a path or a query.
pub(crate) fn device_id(text: &str) -> Result<DeviceId, ApiError> {
    DeviceId::parse(text)
        .map_err(|_| ApiError::parameter("device_id", format!("expected 1 to {MAX_DEVICE_BYTES} bytes")))
}

/// Reads the media type of data in the body of a request.
pub(crate) fn media(headers: &HeaderMap, file_name: &str) -> Result<Media, ApiError> {
    let (content_type, encoding) =
        (header_text(headers, header::CONTENT_TYPE), header_text(headers, header::CONTENT_ENCODING));
    Media::parse(content_type, encoding, file_name)
        .map_err(|failure| ApiError::content_type(format!("Unsupported content type: {}.", failure.message)))
}

/// The bounds of a range of time: from (inclusive) and to (exclusive).
pub(crate) type TimeRange = (Option<Timestamp>, Option<Timestamp>);

/// Parses a range of time. `from` must be before `to`.
pub(crate) fn time_range(from: Option<&str>, to: Option<&str>) -> Result<TimeRange, ApiError> {
    let time = |name: &str, text: Option<&str>| {
        text.map(|text| {
            Timestamp::parse(text).ok_or_else(|| {
                ApiError::parameter(
                    name,
                    "expected an RFC 3339 date-time such as 2025-02-28T12:00:00Z (encode + as %2B)",
                )
            })
        })
        .transpose()
    };
    let range = (time("from", from)?, time("to", to)?);
    match range {
        (Some(from), Some(to)) if from >= to => Err(ApiError::parameter("from", "expected a time before `to`")),
        range => Ok(range),
    }
}
