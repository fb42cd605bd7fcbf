//! The error responses that all operations share.

use eventpulse_core::time::Timestamp;
use eventpulse_core::usage::{DayUsage, Exceeded, Quota, QuotaUsage};
use http::StatusCode;
use serde_json::{Value, json};

use crate::api_error::ApiError;

/// The media type of error responses.
const PROBLEM_JSON: &str = "application/problem+json";

/// The errors of every operation with a token, in addition to those that its route declares.
const COMMON: [(&str, &str); 6] = [
    ("400", "The request is invalid. `errors` names the parameter or member."),
    ("401", "The token is missing or invalid. Sign in, and send the ID token."),
    (
        "429",
        "Too many requests, or a quota of yours is exceeded; `quota` names it. Wait for the seconds in `Retry-After`.",
    ),
    ("500", "An internal error of the service. Its operator is notified."),
    ("503", "An AWS service did not respond in time. Try again."),
    ("504", "The request took too long. Ask for less, or try again."),
];

/// Adds the common errors to an operation, and a body, headers and an example to each of its errors.
pub(super) fn add(operation: &mut Value) {
    let security = operation.get("security");
    let is_public = security.is_some_and(|security| *security == json!([{}]) || *security == json!([]));
    if is_public {
        operation["security"] = json!([]);
    }
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    for (status, description) in COMMON.iter().filter(|(status, _)| !is_public || !matches!(*status, "400" | "401")) {
        responses.entry(*status).or_insert_with(|| json!({ "description": description }));
    }
    for (status, response) in responses.iter_mut().filter(|(status, _)| status.starts_with(['4', '5'])) {
        let description = response["description"].as_str().unwrap_or_default();
        *response = error_response(status, description);
        match status.as_str() {
            "401" => add_header(
                response,
                "WWW-Authenticate",
                "The scheme `Bearer`. AWS renames it to `x-amzn-Remapped-WWW-Authenticate` if the token is valid but no ID \
                 token of this deployment.",
            ),
            "429" | "503" => add_header(response, "Retry-After", "The number of seconds to wait."),
            _ => {}
        }
    }
}

/// Returns the description of an error response.
pub(super) fn error_response(status: &str, description: &str) -> Value {
    json!({
        "description": description,
        "content": {
            PROBLEM_JSON: { "schema": { "$ref": "#/components/schemas/ApiError" }, "example": example(status) },
        },
    })
}

/// Returns the description of the error response to a device whose key is refused.
pub(super) fn refused_key(description: &str) -> Value {
    let detail = "The API key is unknown, revoked or replaced. Send a valid key in the header x-api-key.";
    let error = ApiError::new(StatusCode::FORBIDDEN, "forbidden", "Forbidden", detail);
    let mut response = error_response("403", description);
    response["content"][PROBLEM_JSON]["example"] = with_request_id(error);
    response
}

/// Adds a header to the description of a response.
pub(super) fn add_header(response: &mut Value, name: &str, description: &str) {
    response["headers"] = json!({ name: { "description": description, "schema": { "type": "string" } } });
}

/// Returns an error of this status, as the service sends it.
fn example(status: &str) -> Value {
    let error = match status {
        "401" => ApiError::unauthorized(
            "The token is not an ID token. Sign in, and send the ID token, not the access token.",
        ),
        "403" => ApiError::offboarded(), // of an owner; `POST /data` has another
        "404" => ApiError::not_found("You have no resource with this id."),
        "409" => ApiError::conflict(
            "The request conflicts with the state of the resource: the upload was withdrawn: send the data as a new upload.",
        ),
        "413" => ApiError::too_large("The body is too large for this operation. Use POST /uploads for a large file."),
        "415" => ApiError::content_type("Invalid Content-Type: expected application/json."),
        "422" => ApiError::idempotency_key_reused("up_01JMZ3S2V8Q9W4X5Y6Z7A8B9C0"),
        "429" => {
            let now = Timestamp::from_secs(1_740_744_000); // 2025-02-28T12:00:00Z
            let (retry_at, limit) = (DayUsage::end_of_day(now), Some(1 << 40));
            let usage = QuotaUsage { quota: Quota::Bytes, used: 1_099_511_600_000, limit, resets_at: Some(retry_at) };
            ApiError::quota_exceeded(&Exceeded { usage, retry_at }, now)
        }
        "503" => ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "Unavailable",
            "An AWS service did not respond in time. No data is lost: try again.",
        ),
        "504" => ApiError::new(
            StatusCode::GATEWAY_TIMEOUT,
            "timeout",
            "Timeout",
            "The request took longer than 29 seconds. Ask for less, or try again.",
        ),
        "400" => ApiError::parameter("from", "expected an RFC 3339 date-time such as 2025-02-28T12:00:00Z"),
        _ => ApiError::internal(),
    };
    with_request_id(error)
}

fn with_request_id(error: ApiError) -> Value {
    serde_json::to_value(error.with_request_id("8f0c1d9e-5a43-4c1b-9a66-0d5c2f3b7e11")).unwrap_or_default()
}
