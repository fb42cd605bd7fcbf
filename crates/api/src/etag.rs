//! Entity tags: responses are not sent again while their content is unchanged.

use axum::response::{IntoResponse, Response};
use eventpulse_core::encoding::sha256;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::api_error::ApiError;

/// The number of hexadecimal digits of a tag: half of a SHA-256.
const TAG_DIGITS: usize = 32;

/// Returns `body` with a weak entity tag of `content`, which is the body without members that change on every request.
/// Returns 304 if the tag matches `If-None-Match`
/// ([RFC 9110](https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2)).
pub(crate) fn tagged<T: Serialize>(
    request: &HeaderMap,
    content: &impl Serialize,
    body: &T,
) -> Result<Response, ApiError> {
    let (Ok(content), Ok(body)) = (serde_json::to_vec(content), serde_json::to_vec(body)) else {
        return Err(ApiError::internal());
    };
    let digest = sha256(&content);
    let tag = format!("W/\"{}\"", digest.get(..TAG_DIGITS).unwrap_or(&digest));
    let mut known_tags = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let is_known =
        known_tags.any(|line| line.split(',').any(|known| known.trim() == "*" || opaque(known) == opaque(&tag)));
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, "application/json")], body).into_response()
    };
    let tag = HeaderValue::from_str(&tag).map_err(|_| ApiError::internal())?;
    response.headers_mut().insert(header::ETAG, tag);
    // The response belongs to one owner and may change at any time.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    Ok(response)
}

/// Returns the part of a tag that the weak comparison uses.
fn opaque(tag: &str) -> &str {
    let tag = tag.trim();
    tag.strip_prefix("W/").unwrap_or(tag)
}
