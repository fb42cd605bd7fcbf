//! What went wrong with a request, in the form of [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457). Each problem says
//! what is wrong and what to do.

use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::response::{IntoResponse, Response};
use eventpulse_aws::workflows::upload_commands::CommandOutcome;
use eventpulse_core::device::key_commands::KeyRefusal;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

/// A problem.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ApiError {
    /// What kind of problem it is: a name that does not change.
    #[serde(rename = "type")]
    #[schema(example = "urn:eventpulse:problem:not-found")]
    kind: String,
    /// The same for people.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What is wrong here, and what to do.
    detail: String,
    /// The request, for whoever looks into it.
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    /// Where it is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Place>,
}

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Place {
    /// JSON Pointer to the member of the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<String>,
    /// The parameter of the path or the query.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
    /// What is wrong with it.
    detail: String,
}

impl ApiError {
    /// A problem of a kind. `slug` ends its type.
    #[must_use]
    pub fn new(status: StatusCode, slug: &str, title: &'static str, detail: impl Into<String>) -> Self {
        let kind = format!("urn:eventpulse:problem:{slug}");
        Self { kind, title, status: status.as_u16(), detail: detail.into(), instance: None, errors: Vec::new() }
    }

    /// 400: a member of the body is wrong.
    #[must_use]
    pub fn member(pointer: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let at = if pointer.is_empty() { String::new() } else { format!("{pointer}: ") };
        let mut problem = Self::invalid(format!("The body is not as it should be: {at}{detail}."));
        problem.errors.push(Place { pointer: Some(pointer.to_owned()), parameter: None, detail });
        problem
    }

    /// 400: a parameter is wrong.
    #[must_use]
    pub fn parameter(name: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let mut problem = Self::invalid(format!("The parameter {name} is not as it should be: {detail}."));
        problem.errors.push(Place { pointer: None, parameter: Some(name.to_owned()), detail });
        problem
    }

    /// 400: something else is wrong with the request.
    #[must_use]
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid-request", "Invalid request", detail)
    }

    /// 400: a cursor that is none, or is another list's.
    #[must_use]
    pub fn cursor() -> Self {
        let detail = "The cursor is not one that this list gave to you for these filters. Begin without one, and pass \
                      `next` on as it is.";
        let mut problem = Self::new(StatusCode::BAD_REQUEST, "invalid-cursor", "Invalid cursor", detail);
        let place =
            Place { pointer: None, parameter: Some("cursor".to_owned()), detail: "not of this list".to_owned() };
        problem.errors.push(place);
        problem
    }

    /// The same of a schema that is not deployed.
    #[must_use]
    pub fn of_unknown_schema(self) -> Self {
        let Self { detail, errors, .. } = self;
        Self { errors, ..Self::new(StatusCode::BAD_REQUEST, "unknown-schema", "Unknown schema", detail) }
    }

    /// 401.
    #[must_use]
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Unauthorized", detail)
    }

    /// 404: not there, or not yours.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
    }

    /// 409.
    #[must_use]
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", "Not in this state", detail)
    }

    /// 413.
    #[must_use]
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "Body too large", detail)
    }

    /// 415.
    #[must_use]
    pub fn content_type(detail: impl Into<String>) -> Self {
        let (status, title) = (StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported content type");
        Self::new(status, "unsupported-content-type", title, detail)
    }

    /// 500: a defect of ours.
    #[must_use]
    pub fn internal() -> Self {
        let detail = "This is a defect of the service, and its operator is told. Trying again may help.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error", detail)
    }

    /// Names the request that it happened to.
    #[must_use]
    pub fn of_request(mut self, request_id: &str) -> Self {
        self.instance = Some(format!("urn:eventpulse:request:{request_id}"));
        self
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (self.status(), body).into_response();
        response.extensions_mut().insert(self.clone()); // for who knows the request's id
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self.status {
            401 => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            429 | 503 => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

/// AWS did not do its part. The only place where such an error is logged.
impl From<eventpulse_aws::Error> for ApiError {
    fn from(error: eventpulse_aws::Error) -> Self {
        tracing::error!(error = error.chain(), "the request failed");
        if error.is_retryable() {
            let detail = "A part of AWS did not answer in time. Nothing is lost: try again.";
            Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Unavailable", detail)
        } else {
            Self::internal()
        }
    }
}

impl ApiError {
    /// 404: the owner has no upload with this id.
    #[must_use]
    pub fn no_such_upload() -> Self {
        Self::not_found("You have no upload of this id. GET /uploads lists yours.")
    }

    /// Returns the value of a command that succeeded, or the error response of one that did not.
    ///
    /// # Errors
    /// 404 if the owner has no such upload; 409 if the command does not fit its state.
    pub fn of_command<T>(outcome: CommandOutcome<T>) -> Result<T, Self> {
        match outcome {
            CommandOutcome::Done(value) => Ok(value),
            CommandOutcome::Refused(refusal) => Err(Self::conflict(format!("This cannot be done: {refusal}."))),
            CommandOutcome::NotFound => Err(Self::no_such_upload()),
        }
    }
}

impl From<KeyRefusal> for ApiError {
    fn from(refusal: KeyRefusal) -> Self {
        match refusal {
            KeyRefusal::NotFound => Self::not_found("You have no key of this id. GET /keys lists yours."),
            reason => Self::conflict(format!("This cannot be done: {reason}.")),
        }
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        let text = rejection.body_text();
        let told = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
        match told.split_once(": ") {
            Some((name, detail)) => Self::parameter(name, detail),
            None => {
                let name = told.split('`').nth(1).unwrap_or("query").to_owned();
                Self::parameter(&name, told)
            }
        }
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        Self::invalid(format!("The path is not as it should be: {}.", rejection.body_text()))
    }
}

impl From<BytesRejection> for ApiError {
    fn from(rejection: BytesRejection) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Self::too_large(
                "The body is larger than this call takes. Send a large file by POST /uploads, or a large \
                             correction by POST /quarantine/{upload_id}/correction.",
            )
        } else {
            Self::invalid("The body broke off: send it again.")
        }
    }
}

/// No such route.
pub(crate) async fn no_such_route() -> ApiError {
    let detail = "There is no such path. GET /openapi.json tells those that there are.";
    ApiError::new(StatusCode::NOT_FOUND, "no-such-route", "No such path", detail)
}

/// A route, but not with this method.
pub(crate) async fn method_not_allowed() -> ApiError {
    let detail = "This path does not take this method. The header Allow tells those that it takes.";
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed", detail)
}
