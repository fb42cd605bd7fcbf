//! What comes with a request, or the problem with it.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use eventpulse_core::device::key::KeyId;
use eventpulse_core::id::UploadId;
use eventpulse_core::time::Timestamp;
use http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use crate::problem::ApiError;

/// How long an entity may be that is asked for by its name, in characters.
const MAX_DEVICE_CHARS: usize = 1024;

/// The parameters of the query: none that is not known, none twice.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(ApiError))]
pub(crate) struct Query<T>(pub T);

/// No parameters at all: one that nobody reads is a mistake.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoParams {}

/// The parameter of the path.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(ApiError))]
pub(crate) struct Path<T>(pub T);

/// The body, as it is.
pub(crate) struct Raw(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Raw {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        Ok(Self(Bytes::from_request(request, state).await?))
    }
}

/// The body, JSON.
pub(crate) struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let content_type = header_text(request.headers(), header::CONTENT_TYPE.as_str()).unwrap_or_default();
        let is_json =
            content_type.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case("application/json"));
        let Raw(bytes) = Raw::from_request(request, state).await?;
        if !is_json {
            return Err(ApiError::content_type("This call takes a body of the Content-Type application/json."));
        }
        if bytes.trim_ascii_start().first() == Some(&b'[') {
            // serde would take its elements for members.
            return Err(ApiError::member("", "it is an array, not an object"));
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

/// A header, if it is text.
pub(crate) fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The id of an upload in a path.
pub(crate) fn upload_id(text: &str) -> Result<UploadId, ApiError> {
    UploadId::parse(text).map_err(|error| ApiError::parameter("upload_id", error.to_string()))
}

/// The id of a key in a path.
pub(crate) fn key_id(text: &str) -> Result<KeyId, ApiError> {
    KeyId::parse(text).map_err(|error| ApiError::parameter("key_id", error.to_string()))
}

/// The name of a device in a path or a query.
pub(crate) fn device_id(text: &str) -> Result<&str, ApiError> {
    match text.chars().count() {
        0 => Err(ApiError::parameter("device_id", "name the device")),
        1..=MAX_DEVICE_CHARS => Ok(text),
        _ => Err(ApiError::parameter("device_id", format!("it has more than {MAX_DEVICE_CHARS} characters"))),
    }
}

/// From when, and until when.
pub(crate) type Range = (Option<Timestamp>, Option<Timestamp>);

/// A range of time: `from` is before `to`.
pub(crate) fn range(from: Option<&str>, to: Option<&str>) -> Result<Range, ApiError> {
    let time = |name: &str, text: Option<&str>| {
        text.map(|text| {
            Timestamp::parse(text).ok_or_else(|| {
                ApiError::parameter(name, "it is no RFC 3339 date-time such as 2025-02-28T12:00:00Z; write + as %2B")
            })
        })
        .transpose()
    };
    let range = (time("from", from)?, time("to", to)?);
    match range {
        (Some(from), Some(to)) if from >= to => Err(ApiError::parameter("from", "it is not before `to`")),
        range => Ok(range),
    }
}
