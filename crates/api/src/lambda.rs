//! A router behind API Gateway: the claims that it checked go into the request, and one line of log comes out.

use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use http::Method;
use lambda_http::RequestExt as _;
use lambda_http::request::RequestContext;
use serde_json::Value;
use tracing::Instrument as _;

use crate::auth::Claims;
use crate::problem::ApiError;

/// Serves a router until the function ends.
///
/// # Errors
/// When the runtime cannot be spoken to.
pub async fn serve(router: Router) -> Result<(), lambda_http::Error> {
    lambda_http::run(with_context(router)).await
}

/// The router, with what API Gateway tells of each request.
fn with_context(router: Router) -> Router {
    router.route_layer(from_fn(note_route)).layer(from_fn(note_request))
}

/// The route that a request took.
#[derive(Debug, Clone)]
struct Route(String);

/// Tells the log line the route rather than the path: that may hold names.
async fn note_route(path: MatchedPath, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.extensions_mut().insert(Route(path.as_str().to_owned()));
    response
}

async fn note_request(mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
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
    if let Some(problem) = response.extensions_mut().remove::<ApiError>().filter(|_| method != Method::HEAD) {
        let problem = problem.of_request(&request_id);
        *response.body_mut() = Body::from(serde_json::to_vec(&problem).unwrap_or_default());
        response.headers_mut().remove(http::header::CONTENT_LENGTH);
    }
    let _entered = span.enter();
    let route = response.extensions().get::<Route>().map_or("none", |route| route.0.as_str());
    let (status, duration_ms) =
        (response.status().as_u16(), u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX));
    tracing::info!(method = method.as_str(), route, status, duration_ms, "answered");
    response
}

/// The claims, as API Gateway hands them on: all of them text.
fn claims(fields: &std::collections::HashMap<String, Value>) -> Option<Claims> {
    let claims = fields.get("claims")?.as_object()?;
    let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
    Some(Claims(claims.iter().filter_map(text).collect()))
}
