//! Entity tags: an answer that has not changed is not sent again.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::problem::ApiError;

/// An answer under a weak tag of `content`: the answer without what changes though nothing has. 304 when the client has
/// it already ([RFC 9110](https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2)).
pub(crate) fn tagged<T: Serialize>(
    request: &HeaderMap,
    content: &impl Serialize,
    answer: &T,
) -> Result<Response, ApiError> {
    let (Ok(content), Ok(body)) = (serde_json::to_vec(content), serde_json::to_vec(answer)) else {
        return Err(ApiError::internal());
    };
    let digest: String = Sha256::digest(content).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("W/\"{digest}\"");
    let mut known = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let is_known = known.any(|line| line.split(',').any(|known| known.trim() == "*" || weakly(known) == weakly(&tag)));
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, "application/json")], body).into_response()
    };
    let tag = HeaderValue::from_str(&tag).map_err(|_| ApiError::internal())?;
    response.headers_mut().insert(header::ETAG, tag);
    // It is one owner's, and may change at any time.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    Ok(response)
}

/// A tag as the weak comparison takes it.
fn weakly(tag: &str) -> &str {
    let tag = tag.trim();
    tag.strip_prefix("W/").unwrap_or(tag)
}
