//! Error responses: problem details as defined by [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457). Each one says
//! what is wrong and what to do.

use axum::extract::path::ErrorKind;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::response::{IntoResponse, Response};
use eventpulse_aws::workflows::upload_commands::CommandOutcome;
use eventpulse_core::device::key_commands::KeyRefusal;
use eventpulse_core::time::Timestamp;
use eventpulse_core::usage::{Exceeded, Quota, QuotaUsage};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::model::QuotaState;

/// An error response: problem details as defined by RFC 9457.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ApiError {
    /// The type of the error. It never changes.
    #[serde(rename = "type")]
    #[schema(example = "urn:eventpulse:problem:not-found")]
    kind: String,
    /// A short name of the type for people.
    title: &'static str,
    /// The HTTP status code.
    status: u16,
    /// A description of this error and of its remedy.
    detail: String,
    /// The id of the request, for the operator of the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    /// The invalid parts of the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<InvalidInput>,
    /// The quota that the request exceeds.
    #[serde(skip_serializing_if = "Option::is_none")]
    quota: Option<QuotaState>,
    /// The header `Retry-After`, if it is not one second.
    #[serde(skip)]
    retry_after_seconds: Option<u64>,
}

/// An invalid part of a request.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct InvalidInput {
    /// JSON Pointer to the invalid member of the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<String>,
    /// The name of the invalid path or query parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
    /// A description of the error.
    detail: String,
}

impl ApiError {
    /// Creates an error whose type ends in `slug`.
    #[must_use]
    pub fn new(status: StatusCode, slug: &str, title: &'static str, detail: impl Into<String>) -> Self {
        let kind = format!("urn:eventpulse:problem:{slug}");
        let (status, detail) = (status.as_u16(), detail.into());
        Self { kind, title, status, detail, instance: None, errors: Vec::new(), quota: None, retry_after_seconds: None }
    }

    /// Creates a 400: a member of the body is invalid. `pointer` is empty for the body as a whole.
    #[must_use]
    pub fn member(pointer: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let position = if pointer.is_empty() { String::new() } else { format!(" at {pointer}") };
        let mut error = Self::invalid(format!("Invalid body{position}: {detail}."));
        error.errors.push(InvalidInput { pointer: Some(pointer.to_owned()), parameter: None, detail });
        error
    }

    /// Creates a 400: a path or query parameter is invalid. `detail` begins with "expected" where possible.
    #[must_use]
    pub fn parameter(name: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let mut error = Self::invalid(format!("Invalid parameter {name}: {detail}."));
        error.errors.push(InvalidInput { pointer: None, parameter: Some(name.to_owned()), detail });
        error
    }

    /// Creates a 400 for any other invalid request.
    #[must_use]
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid-request", "Invalid request", detail)
    }

    /// Creates a 400: the text is not a cursor, or it belongs to another list.
    #[must_use]
    pub fn cursor() -> Self {
        let expected = "expected the unchanged `next` of a previous page of this list with the same filters";
        let detail = format!("Invalid parameter cursor: {expected}. Request the first page without a cursor.");
        let mut error = Self::new(StatusCode::BAD_REQUEST, "invalid-cursor", "Invalid cursor", detail);
        let parameter = Some("cursor".to_owned());
        error.errors.push(InvalidInput { pointer: None, parameter, detail: expected.to_owned() });
        error
    }

    /// Changes the type of this error to `unknown-schema`.
    #[must_use]
    pub fn with_unknown_schema_type(self) -> Self {
        let Self { detail, errors, .. } = self;
        Self { errors, ..Self::new(StatusCode::BAD_REQUEST, "unknown-schema", "Unknown schema", detail) }
    }

    /// Creates a 401.
    #[must_use]
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Unauthorized", detail)
    }

    /// Creates the 403 of an owner who was offboarded.
    #[must_use]
    pub fn offboarded() -> Self {
        let detail =
            "The operator of this service ended your access. You can read until your token expires, but not send.";
        Self::new(StatusCode::FORBIDDEN, "offboarded", "Access ended", detail)
    }

    /// Creates a 404: the resource does not exist, or belongs to another owner.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
    }

    /// Creates a 409: the state of the resource does not allow the request.
    #[must_use]
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", "Conflict", detail)
    }

    /// Creates a 422: the idempotency key belongs to another request.
    #[must_use]
    pub fn idempotency_key_reused(upload_id: &str) -> Self {
        let detail = format!(
            "The Idempotency-Key was sent before with another request, which created {upload_id}. Send this request with \
             a key of its own."
        );
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused", "Idempotency key reused", detail)
    }

    /// Creates a 413.
    #[must_use]
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "Body too large", detail)
    }

    /// Creates a 415.
    #[must_use]
    pub fn content_type(detail: impl Into<String>) -> Self {
        let (status, title) = (StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported content type");
        Self::new(status, "unsupported-content-type", title, detail)
    }

    /// Creates a 429: the request exceeds a quota of its owner.
    #[must_use]
    pub fn quota_exceeded(exceeded: &Exceeded, now: Timestamp) -> Self {
        let (QuotaUsage { quota, used, limit, .. }, seconds) = (exceeded.usage, exceeded.retry_after_seconds(now));
        let limit = limit.unwrap_or_default();
        let wait =
            format!("Try again in {seconds} seconds. GET /usage shows your quotas; the operator can raise them.");
        let detail = match quota {
            Quota::Requests => format!("You sent more than {limit} requests in 10 seconds. {wait}"),
            Quota::OpenUploads => format!("{used} of your {limit} upload URLs have not expired. {wait}"),
            Quota::Bytes => format!("The request exceeds your {limit} bytes per day, of which {used} are used. {wait}"),
            Quota::RejectedRecords => format!(
                "{used} of your records were rejected in this hour; the limit is {limit}. Correct the sender first: GET \
                 /quarantine lists the failures. {wait}"
            ),
        };
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, "quota-exceeded", "Quota exceeded", detail);
        Self { quota: Some(exceeded.usage.into()), retry_after_seconds: Some(seconds), ..error }
    }

    /// Creates a 500: a defect of the service.
    #[must_use]
    pub fn internal() -> Self {
        let detail = "Internal error of the service; its operator is notified. Try again.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error", detail)
    }

    /// Adds the id of the request.
    #[must_use]
    pub fn with_request_id(mut self, request_id: &str) -> Self {
        self.instance = Some(format!("urn:eventpulse:request:{request_id}"));
        self
    }

    /// Returns the HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (self.status(), body).into_response();
        response.extensions_mut().insert(self.clone()); // `lambda` adds the request id
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self.status {
            401 => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            429 | 503 => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(self.retry_after_seconds.unwrap_or(1)));
            }
            _ => {}
        }
        response
    }
}

/// Logs the failure of an AWS call. No other code logs it.
impl From<eventpulse_aws::Error> for ApiError {
    fn from(error: eventpulse_aws::Error) -> Self {
        tracing::error!(error = error.chain(), "the request failed");
        if error.is_retryable() {
            let detail = "An AWS service did not respond in time. No data is lost: try again.";
            Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Unavailable", detail)
        } else {
            Self::internal()
        }
    }
}

impl ApiError {
    /// Returns the 404 of an upload that does not exist or belongs to another owner.
    #[must_use]
    pub fn no_such_upload() -> Self {
        Self::not_found("You have no upload with this id. GET /uploads lists your uploads.")
    }

    /// Returns the value of a command that succeeded.
    ///
    /// # Errors
    /// Returns 404 if the owner has no such upload, and 409 if the command conflicts with its state.
    pub fn of_command<T>(outcome: CommandOutcome<T>) -> Result<T, Self> {
        match outcome {
            CommandOutcome::Done(value) => Ok(value),
            CommandOutcome::Refused(refusal) => Err(Self::conflict(conflict_detail(refusal))),
            CommandOutcome::NotFound => Err(Self::no_such_upload()),
        }
    }
}

impl From<KeyRefusal> for ApiError {
    fn from(refusal: KeyRefusal) -> Self {
        match refusal {
            KeyRefusal::NotFound => Self::not_found("You have no key with this id. GET /keys lists your keys."),
            KeyRefusal::OwnerOffboarded => Self::offboarded(),
            reason => Self::conflict(conflict_detail(reason)),
        }
    }
}

fn conflict_detail(reason: impl std::fmt::Display) -> String {
    format!("The request conflicts with the state of the resource: {reason}.")
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        let kind = match rejection {
            PathRejection::FailedToDeserializePathParams(error) => Some(error.into_kind()),
            _ => None,
        };
        match kind {
            Some(ErrorKind::InvalidUtf8InPathParam { key }) => {
                Self::parameter(&key, "expected text in UTF-8, percent-encoded")
            }
            _ => Self::invalid("Invalid path: expected a path of GET /openapi.json with its parameters."),
        }
    }
}

impl From<BytesRejection> for ApiError {
    fn from(rejection: BytesRejection) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Self::too_large(
                "The body is too large for this operation. Use POST /uploads for a large file, and POST \
                 /quarantine/{upload_id}/correction for a large correction.",
            )
        } else {
            Self::invalid("The body ended early: send it again.")
        }
    }
}

/// Answers a request whose path matches no route.
pub(crate) async fn no_such_route() -> ApiError {
    let detail = "This path does not exist. GET /openapi.json lists the paths.";
    ApiError::new(StatusCode::NOT_FOUND, "no-such-route", "No such route", detail)
}

/// Answers a request whose path matches a route with other methods.
pub(crate) async fn method_not_allowed() -> ApiError {
    let detail = "This path does not support this method. The header Allow lists the methods.";
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed", detail)
}
