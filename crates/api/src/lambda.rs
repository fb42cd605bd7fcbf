//! Runs a router behind API Gateway: adds the verified claims to each request, and logs one line per request.
//!
//! A request reaches the router through the conversion of `lambda_http`, which panics on values that a client can choose. So
//! the event is made safe for it before, and a panic that is left becomes a 500.

mod safe_event;

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use http::Method;
use lambda_http::aws_lambda_events::apigw::ApiGatewayProxyResponse;
use lambda_http::aws_lambda_events::encodings;
use lambda_http::request::{LambdaRequest, RequestContext};
use lambda_http::{Adapter, LambdaEvent, RequestExt as _, Service, lambda_runtime};
use serde::Serialize;
use serde_json::Value;
use tracing::Instrument as _;

use crate::api_error::ApiError;
use crate::auth::Claims;

/// Serves requests until the Lambda function stops.
///
/// # Errors
/// Returns an error when the Lambda runtime API fails.
pub async fn serve(router: Router) -> Result<(), lambda_http::Error> {
    let service = Adapter::from(with_context(router));
    lambda_runtime::run(lambda_http::service_fn(move |event| answer(service.clone(), event))).await
}

/// The answer to an event.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Answer<R> {
    /// The answer of the router.
    Routed(R),
    /// The answer to an event that does not reach the router.
    Refused(Box<ApiGatewayProxyResponse>),
}

/// Answers an event of API Gateway: 400 if it is no request, 500 if answering it panics.
async fn answer<S>(mut service: S, event: LambdaEvent<Value>) -> Result<Answer<S::Response>, S::Error>
where
    S: Service<LambdaEvent<LambdaRequest>>,
{
    let LambdaEvent { mut payload, context } = event;
    safe_event::make_safe(&mut payload);
    let request = match serde_json::from_value::<LambdaRequest>(payload) {
        Ok(request) => request,
        Err(error) => {
            tracing::warn!(error = error.to_string(), "the event is not a request");
            return Ok(refused(ApiError::invalid("The request cannot be read: check its method, path and headers.")));
        }
    };
    let answering = async move { service.call(LambdaEvent { payload: request, context }).await };
    match AssertUnwindSafe(answering).catch_unwind().await {
        Ok(answered) => Ok(Answer::Routed(answered?)),
        Err(_) => {
            tracing::error!("answering a request panicked");
            Ok(refused(ApiError::internal()))
        }
    }
}

fn refused<R>(error: ApiError) -> Answer<R> {
    let mut response = ApiGatewayProxyResponse::default();
    response.status_code = error.status().as_u16().into();
    response.body = serde_json::to_string(&error).ok().map(encodings::Body::Text);
    let (parts, _) = error.into_response().into_parts();
    response.headers = parts.headers;
    Answer::Refused(Box::new(response))
}

/// Adds the claims, the request id and the log line to every request.
fn with_context(router: Router) -> Router {
    router.route_layer(from_fn(record_route)).layer(from_fn(handle_request))
}

/// The route that a request matched.
#[derive(Debug, Clone)]
struct Route(String);

/// Passes the route to the log line. The path itself may contain names of devices.
async fn record_route(path: MatchedPath, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.extensions_mut().insert(Route(path.as_str().to_owned()));
    response
}

/// Passes the claims on, adds the request id to an error response, and logs the request.
async fn handle_request(mut request: Request, next: Next) -> Response {
    let started_at = Instant::now();
    let (claims, request_id) = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV1(context)) => {
            (claims(&context.authorizer.fields), context.request_id.clone().unwrap_or_default())
        }
        _ => (None, String::new()),
    };
    if let Some(claims) = claims {
        request.extensions_mut().insert(claims);
    }
    let method = request.method().clone();
    let span = tracing::info_span!("request", request_id);
    let mut response = next.run(request).instrument(span.clone()).await;
    if let Some(error) = response.extensions_mut().remove::<ApiError>().filter(|_| method != Method::HEAD) {
        let error = error.with_request_id(&request_id);
        *response.body_mut() = Body::from(serde_json::to_vec(&error).unwrap_or_default());
        response.headers_mut().remove(http::header::CONTENT_LENGTH);
    }
    let _entered = span.enter();
    let route = response.extensions().get::<Route>().map_or("none", |route| route.0.as_str());
    let (status, duration_ms) =
        (response.status().as_u16(), u64::try_from(started_at.elapsed().as_millis()).unwrap_or(u64::MAX));
    tracing::info!(method = method.as_str(), route, status, duration_ms, "request answered");
    response
}

/// Reads the claims in the request context of API Gateway, which are all text.
fn claims(fields: &std::collections::HashMap<String, Value>) -> Option<Claims> {
    let claims = fields.get("claims")?.as_object()?;
    let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
    Some(Claims(claims.iter().filter_map(text).collect()))
}

#[cfg(test)]
mod tests;
