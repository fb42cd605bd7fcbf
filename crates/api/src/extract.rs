//! Extractors of parameters and bodies. Invalid input becomes an [`ApiError`].

mod json_value;
mod mismatch;
mod query_text;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use eventpulse_core::device::key::KeyId;
use eventpulse_core::id::{DeviceId, MAX_DEVICE_BYTES, UploadId};
use eventpulse_core::intake::date_time::time_advice;
use eventpulse_core::intake::reader::{Format, Media};
use eventpulse_core::statistics::quantile::Quantiles;
use eventpulse_core::time::Timestamp;
use http::request::Parts;
use http::{HeaderMap, HeaderName, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::IntoParams;

use crate::api_error::ApiError;
use json_value::JsonValue;

/// The query parameters. Unknown and repeated parameters are errors.
pub(crate) struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let parsed = query_text::parse(parts.uri.query().unwrap_or_default());
        parsed.map(Self).map_err(|error| ApiError::parameter(&error.path, error.detail("parameter")))
    }
}

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
        json(&bytes).map(Self)
    }
}

/// Reads a value from JSON. The text is checked by the rules for records, so that every parser would read the same.
fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    eventpulse_core::intake::json::check(bytes).map_err(|failure| {
        let (line, byte) = (failure.line.unwrap_or(1), failure.byte_offset.unwrap_or(0));
        ApiError::member(&failure.pointer, format!("{} (line {line}, byte {byte})", failure.message))
    })?;
    let value: Value = serde_json::from_slice(bytes).map_err(|_| ApiError::internal())?;
    T::deserialize(JsonValue(&value)).map_err(|error| ApiError::member(&error.path, error.detail("member")))
}

/// Returns a header if its value is text.
pub(crate) fn header_text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The maximum number of characters of a header `Idempotency-Key`.
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
                let advice = time_advice(text);
                ApiError::parameter(
                    name,
                    format!("expected an RFC 3339 date-time such as 2025-02-28T12:00:00Z{advice}"),
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

/// Parses the parameter `quantiles`; none if it is absent.
pub(crate) fn quantiles(text: Option<&str>) -> Result<Quantiles, ApiError> {
    let parsed = text.map(Quantiles::parse).transpose();
    parsed.map(Option::unwrap_or_default).map_err(|error| ApiError::parameter("quantiles", error.to_string()))
}

#[cfg(test)]
mod tests;
