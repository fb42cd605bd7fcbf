//! Makes an event of API Gateway safe for the conversion of `lambda_http`.
//!
//! The conversion builds a URL from `X-Forwarded-Proto`, `Host`, the stage and the path, and unwraps the result; it also
//! unwraps the body's base64. An event with one header that is not valid is refused as a whole. The router needs neither the
//! scheme nor the host: the deployment's own URLs are configured.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue};
use serde_json::Value;

/// The headers from which the conversion builds the beginning of a URL.
const OF_THE_URL: [&str; 2] = ["host", "x-forwarded-proto"];
/// The maximum size of path and query in bytes, percent-encoded: `http` refuses longer URLs. API Gateway ends at 10 KiB.
const MAX_URL_BYTES: usize = 60_000;
/// The maximum growth of a byte that is percent-encoded.
const ENCODED: usize = 3;

/// Removes or replaces everything that the conversion cannot take. The event remains what it was otherwise.
pub(super) fn make_safe(event: &mut Value) {
    if !event.is_object() {
        return; // it is no request
    }
    for (member, is_valid) in [("headers", is_value as fn(&mut Value) -> bool), ("multiValueHeaders", are_values)] {
        if let Some(headers) = event.get_mut(member).and_then(Value::as_object_mut) {
            headers.retain(|name, value| is_name(name) && is_valid(value));
        }
    }
    let is_path = is_path(event);
    if let Some(context) = event.get_mut("requestContext").and_then(Value::as_object_mut) {
        // Without this name and the header, the conversion uses stage and path alone.
        context.remove("domainName");
        if !is_path {
            context.remove("stage");
        }
    }
    if !is_path {
        // No route has it.
        event["path"] = Value::from("/-");
        for member in ["queryStringParameters", "multiValueQueryStringParameters"] {
            event[member] = Value::Null;
        }
    }
    let is_encoded = event.get("isBase64Encoded").and_then(Value::as_bool).unwrap_or_default();
    let body = event.get("body").and_then(Value::as_str).unwrap_or_default();
    if is_encoded && STANDARD.decode(body).is_err() {
        event["isBase64Encoded"] = Value::from(false);
    }
}

fn is_name(name: &str) -> bool {
    HeaderName::from_bytes(name.as_bytes()).is_ok_and(|name| !OF_THE_URL.contains(&name.as_str()))
}

fn is_value(value: &mut Value) -> bool {
    value.as_str().is_some_and(|value| HeaderValue::from_str(value).is_ok())
}

/// Removes the invalid values of a header.
fn are_values(values: &mut Value) -> bool {
    let Some(values) = values.as_array_mut() else { return false };
    values.retain_mut(is_value);
    !values.is_empty()
}

/// Returns whether stage, path and query make a URL.
fn is_path(event: &Value) -> bool {
    let Some(path) = event.get("path").and_then(Value::as_str) else { return false };
    let query: usize = ["queryStringParameters", "multiValueQueryStringParameters"]
        .iter()
        .filter_map(|member| event.get(member))
        .map(|parameters| parameters.to_string().len())
        .sum();
    let stage = event.pointer("/requestContext/stage").and_then(Value::as_str).unwrap_or_default();
    path.starts_with('/') && (stage.len() + path.len() + query) * ENCODED <= MAX_URL_BYTES
}
