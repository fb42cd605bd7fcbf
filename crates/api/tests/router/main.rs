//! Responses of the routers that need no AWS service.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod caching;
#[path = "../common/mod.rs"]
mod common;
mod dynamodb;
mod media_types;
mod quotas;
mod repeated_requests;

use std::collections::BTreeSet;

use axum::body::Body;
use common::{app, call, claims, request};
use eventpulse_api::{manage, query};
use http::Request;
use serde_json::{Value, json};

#[tokio::test]
async fn invalid_requests_name_the_invalid_input() {
    let json = "application/json";
    let good = json!({ "file_name": "a.json", "content_type": "application/json", "size": 2 });
    let with = |member: &str, value: Value| {
        let mut body = good.clone();
        body[member] = value;
        body.to_string()
    };
    let keep = |seconds: Value| json!({ "keep_old_seconds": seconds }).to_string();
    let key = "/keys/key_00000000000000000000000000?force=true";
    let rotate = "/keys/key_00000000000000000000000000/rotate";
    let rows: Vec<(&str, &str, &str, String, u16, &str, &str)> = vec![
        ("POST", "/uploads", json, "{".into(), 400, "invalid-request", "ends within an object"),
        ("POST", "/uploads", json, "{} {}".into(), 400, "invalid-request", "another value follows"),
        ("POST", "/uploads", json, with("size", json!("2")), 400, "invalid-request", "/size"),
        ("POST", "/uploads", json, with("size", json!(5_368_709_121_u64)), 400, "invalid-request", "5 GiB"),
        (
            "POST",
            "/uploads",
            json,
            with("max_rejected", json!({ "ratio": "x" })),
            400,
            "invalid-request",
            "/max_rejected",
        ),
        ("POST", "/uploads", json, with("max_rejected", json!({ "ratio": 1.1 })), 400, "invalid-request", "0 to 1"),
        ("POST", "/uploads", json, with("sha256", json!("é".repeat(32))), 400, "invalid-request", "64 hexadecimal"),
        ("POST", "/uploads", json, with("file_name", json!("")), 400, "invalid-request", "/file_name"),
        ("POST", "/uploads", json, with("owner", json!("u2")), 400, "invalid-request", "owner"),
        ("POST", "/uploads", json, with("schema", json!("orders/1.0")), 400, "unknown-schema", "weather/1.0"),
        (
            "POST",
            "/uploads",
            json,
            json!(["a.json", "application/json", null, 2]).to_string(),
            400,
            "invalid-request",
            "array",
        ),
        ("POST", "/uploads", "text/plain", good.to_string(), 415, "unsupported-content-type", ""),
        ("POST", "/uploads", json, " ".repeat(70_000), 413, "body-too-large", ""),
        ("POST", "/validate", "", "{}".into(), 415, "unsupported-content-type", ""),
        ("POST", "/validate?schema=orders/1.0", json, "{}".into(), 400, "unknown-schema", ""),
        ("POST", "/validate?x=1", json, "{}".into(), 400, "invalid-request", "schema"),
        ("POST", "/validate", json, " ".repeat((4 << 20) + 1), 413, "body-too-large", ""),
        ("GET", "/uploads?state=lost", "", String::new(), 400, "invalid-request", "partially_accepted"),
        ("GET", "/uploads?limit=101", "", String::new(), 400, "invalid-request", "limit"),
        ("GET", "/uploads?limit=x", "", String::new(), 400, "invalid-request", "limit"),
        ("GET", "/uploads?limit=1&limit=2", "", String::new(), 400, "invalid-request", "limit"),
        ("GET", "/uploads?from=x", "", String::new(), 400, "invalid-request", "from"),
        ("GET", "/uploads?cursor=x", "", String::new(), 400, "invalid-cursor", ""),
        ("GET", "/uploads/x", "", String::new(), 400, "invalid-request", "upload_id"),
        ("GET", "/uploads/%FF", "", String::new(), 400, "invalid-request", ""),
        ("DELETE", "/quarantine/x", "", String::new(), 400, "invalid-request", "upload_id"),
        ("POST", "/keys", json, String::new(), 400, "invalid-request", "send a JSON object"),
        ("POST", "/keys", json, r#"{"name":""}"#.into(), 400, "invalid-request", "/name"),
        ("POST", "/keys", json, json!({ "name": "é".repeat(101) }).to_string(), 400, "invalid-request", "/name"),
        ("POST", "/keys", json, r#"{"name":7}"#.into(), 400, "invalid-request", "/name"),
        ("POST", "/keys", json, r#"{"plan":"faster"}"#.into(), 400, "invalid-request", "/plan"),
        ("POST", "/keys", json, r#"{"owner":"u2"}"#.into(), 400, "invalid-request", "owner"),
        ("POST", "/keys?plan=fast", json, "{}".into(), 400, "invalid-request", "plan"),
        ("POST", "/keys", "", "{}".into(), 415, "unsupported-content-type", ""),
        ("POST", "/keys", json, " ".repeat(70_000), 413, "body-too-large", ""),
        ("GET", "/keys?limit=0", "", String::new(), 400, "invalid-request", "limit"),
        ("GET", "/keys?state=active", "", String::new(), 400, "invalid-request", "state"),
        ("GET", "/keys?cursor=x", "", String::new(), 400, "invalid-cursor", ""),
        ("GET", "/keys/x", "", String::new(), 400, "invalid-request", "key_id"),
        ("GET", "/keys/up_00000000000000000000000000", "", String::new(), 400, "invalid-request", "key_id"),
        ("DELETE", "/keys/x", "", String::new(), 400, "invalid-request", "key_id"),
        ("DELETE", key, "", String::new(), 400, "invalid-request", "force"),
        ("POST", "/keys/x/rotate", json, "{}".into(), 400, "invalid-request", "key_id"),
        ("POST", rotate, json, keep(json!(604_801)), 400, "invalid-request", "7 days"),
        ("POST", rotate, json, keep(json!(-1)), 400, "invalid-request", "/keep_old_seconds"),
        ("POST", rotate, json, keep(json!(1.5)), 400, "invalid-request", "/keep_old_seconds"),
        ("POST", rotate, json, r#"{"keep":1}"#.into(), 400, "invalid-request", "keep_old_seconds"),
        ("POST", rotate, "", "{}".into(), 415, "unsupported-content-type", ""),
        ("PUT", "/notifications", json, String::new(), 400, "invalid-request", "send a JSON object"),
        ("PUT", "/notifications", json, "[]".into(), 400, "invalid-request", "array"),
        ("PUT", "/notifications", json, r#"{"kinds":[]}"#.into(), 400, "invalid-request", "/kinds"),
        ("PUT", "/notifications", json, r#"{"kinds":"new"}"#.into(), 400, "invalid-request", "/kinds"),
        ("PUT", "/notifications", json, r#"{"kinds":["new","old"]}"#.into(), 400, "invalid-request", "/kinds/1"),
        ("PUT", "/notifications", json, r#"{"kinds":["synthetic_check"]}"#.into(), 400, "invalid-request", "/kinds/0"),
        (
            "PUT",
            "/notifications",
            json,
            r#"{"kinds":["new","digest","new"]}"#.into(),
            400,
            "invalid-request",
            "/kinds/2",
        ),
        ("PUT", "/notifications", json, r#"{"email":"bob@example.com"}"#.into(), 400, "invalid-request", "email"),
        ("PUT", "/notifications?kinds=new", json, "{}".into(), 400, "invalid-request", "kinds"),
        ("PUT", "/notifications", "", "{}".into(), 415, "unsupported-content-type", ""),
        ("PUT", "/notifications", json, " ".repeat(70_000), 413, "body-too-large", ""),
        ("GET", "/notifications?owner=u2", "", String::new(), 400, "invalid-request", "owner"),
        ("DELETE", "/notifications?owner=u2", "", String::new(), 400, "invalid-request", "owner"),
        ("GET", "/nowhere", "", String::new(), 404, "no-such-route", ""),
    ];
    for (method, path, content_type, body, status, slug, expected) in rows {
        let mut request = request(method, path);
        if !content_type.is_empty() {
            request = request.header("content-type", content_type);
        }
        let (response, error, _) = call(manage(app()), request.body(Body::from(body)).unwrap()).await;
        assert_eq!(response.status().as_u16(), status, "{method} {path}: {error:#}");
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{method} {path}");
        assert_eq!(error["type"], format!("urn:eventpulse:problem:{slug}"), "{method} {path}: {error:#}");
        assert!(error.to_string().contains(expected), "{method} {path}: {error:#} does not contain {expected}");
    }
    let (response, ..) = call(manage(app()), request("PUT", "/uploads").body(Body::empty()).unwrap()).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (405, &"application/problem+json".parse().unwrap())
    );
    let allow: BTreeSet<&str> = response.headers()["allow"].to_str().unwrap().split(',').collect();
    assert_eq!(allow, BTreeSet::from(["GET", "HEAD", "POST"]));
    for (method, path) in [
        ("GET", "/uploads"),
        ("GET", "/keys"),
        ("POST", "/keys"),
        ("GET", "/keys/x"),
        ("DELETE", "/keys/x"),
        ("POST", "/keys/x/rotate"),
        ("GET", "/notifications"),
        ("PUT", "/notifications"),
        ("DELETE", "/notifications"),
    ] {
        let anonymous = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let (response, error, _) = call(manage(app()), anonymous).await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()["www-authenticate"]),
            (401, &"Bearer".parse().unwrap()),
            "{method} {path}"
        );
        assert_eq!(error["type"], "urn:eventpulse:problem:unauthorized", "{method} {path}");
    }
}

#[tokio::test]
async fn unverified_email_address_cannot_subscribe() {
    for (verified, says) in [("false", "ann@example.com, is not verified"), ("", "is not verified")] {
        let mut claims = claims();
        claims.0.insert("email_verified".to_owned(), verified.to_owned());
        let put = Request::builder().method("PUT").uri("/notifications").extension(claims);
        let put = put.header("content-type", "application/json").body(Body::from("{}")).unwrap();
        let (response, error, _) = call(manage(app()), put).await;
        assert_eq!((response.status().as_u16(), &error["type"]), (409, &json!("urn:eventpulse:problem:conflict")));
        assert!(error["detail"].as_str().unwrap().contains(says), "{error:#}");
    }
}

#[tokio::test]
async fn invalid_statistics_parameters_are_named() {
    for (path, names) in [
        ("/devices/%00/series?bucket=0s", "parameter bucket: expected a number and one of s, m, h, d, w, mo and y"),
        ("/series?device_id=a&bucket=month", "parameter bucket: expected"),
        ("/series?device_id=a&tz=Berlin", "parameter tz: expected the IANA name of a time zone, such as Europe/Berlin"),
        ("/devices/a/series?bucket=1mo&tz=", "parameter tz: expected the IANA name"),
        ("/devices/a/series?bucket=1mo&tz=..%2F..%2Fetc%2Fpasswd", "parameter tz: expected the IANA name"),
        ("/devices/a/series?tz=CET-1CEST", "parameter tz: expected the IANA name"),
        ("/devices/a/series?tz=Etc/GMT+1", "parameter tz: expected the IANA name"),
        (
            "/devices/a/series?bucket=1h&tz=Europe/Berlin",
            "parameter tz: expected no time zone with a bucket in s, m or h",
        ),
        ("/devices/a%2Fb%20c/stats?from=x", "from"),
        ("/devices/a/stats?quantiles=", "Invalid parameter quantiles: expected decimals from 0 to 1"),
        ("/devices/a/stats?quantiles=0.5,1.5", "such as 0.05,0.5,0.95; \"1.5\" is not such a decimal"),
        ("/devices/a/stats?quantiles=0.5,+0.9", "\" 0.9\" is not"),
        ("/devices/a/stats?quantiles=%2B0.5", "\"+0.5\" is not"),
        ("/devices/a/series?quantiles=%C3%A9", "\"é\" is not"),
        ("/?device_id=a&quantiles=0.5,0.50", "expected different quantiles, but 0.5 and 0.50 are equal"),
        (
            "/series?device_id=a&quantiles=0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0",
            "at most 20 quantiles, but found 21",
        ),
        ("/series?device_id=a&quantiles=0.5&quantiles=0.9", "quantiles"),
        ("/?from=2025-01-01T00:00:00Z", "device_id"),
        ("/?device_id=", "device_id"),
        ("/?device_id=a&from=2025-01-02T00:00:00Z&to=2025-01-01T00:00:00Z", "from"),
    ] {
        let (response, error, _) = call(query(app()), request("GET", path).body(Body::empty()).unwrap()).await;
        assert_eq!(response.status().as_u16(), 400, "{path}: {error:#}");
        assert!(error["detail"].as_str().unwrap().contains(names), "{path}: {error:#}");
    }
    let long = format!("/devices/{}/stats", "x".repeat(1025));
    let (response, ..) = call(query(app()), request("GET", &long).body(Body::empty()).unwrap()).await;
    assert_eq!(response.status().as_u16(), 400);
}

#[tokio::test]
async fn validate_returns_codes_positions_and_statistics() {
    let lines = "{\"device_id\":\"a\",\"timestamp\":\"2025-02-28T12:00:00Z\",\"value\":1}\n{\"device_id\":\"a\"}\n";
    let request = request("POST", "/validate").header("content-type", "application/x-ndjson");
    let (response, verdict, _) = call(manage(app()), request.body(Body::from(lines)).unwrap()).await;
    assert_eq!(response.status().as_u16(), 200, "{verdict:#}");
    assert_eq!((&verdict["outcome"], &verdict["accepted"]), (&json!("partially_accepted"), &json!(1)));
    assert_eq!(
        (&verdict["records"][0]["line"], &verdict["records"][0]["failures"][0]["code"]),
        (&json!(2), &json!("REQUIRED"))
    );
    assert_eq!(verdict["statistics"][0]["median"], 1.0);
}

#[tokio::test]
async fn cross_origin_requests_are_allowed_from_the_console_only() {
    for (origin, allowed) in [("https://console.example", true), ("https://evil.example", false)] {
        let preflight = Request::builder().method("OPTIONS").uri("/quarantine/x/retry").header("origin", origin);
        let preflight = preflight.header("access-control-request-method", "POST").body(Body::empty()).unwrap();
        let (response, ..) = call(manage(app()), preflight).await;
        assert_eq!(response.headers().get("access-control-allow-origin").is_some_and(|allow| allow == origin), allowed);
    }
}

#[tokio::test]
async fn health_returns_the_endpoint_for_devices() {
    let request = Request::builder().uri("/health").body(Body::empty()).unwrap();
    let (response, health, _) = call(query(app()), request).await;
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(health["data"], json!({ "url": "https://devices.example/v1/data", "key_cache_seconds": 60 }));
}
