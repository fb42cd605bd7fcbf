//! What the routers answer without asking AWS.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_config::{BehaviorVersion, SdkConfig};
use axum::Router;
use axum::body::Body;
use eventpulse_api::auth::Claims;
use eventpulse_api::state::{ApiConfig, App};
use eventpulse_api::{manage, query};
use eventpulse_aws::config::KeysConfig;
use eventpulse_aws::environment::Environment;
use eventpulse_aws::workflows::keys::Keys;
use eventpulse_aws::{Config, Services};
use eventpulse_core::intake::schema::Catalog;
use eventpulse_core::time::Timestamp;
use http::{Request, Response};
use serde_json::{Value, json};
use tower::ServiceExt as _;

fn app() -> Arc<App> {
    let config = Config::read(Environment::new(|name| {
        Some(if name == "DEFAULT_SCHEMA" { "reading/1.0" } else { "x" }.to_owned())
    }));
    let sdk = SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build();
    let keys = Keys::new(KeysConfig::read(Environment::new(|_| Some("x".to_owned()))).unwrap(), &sdk);
    let services = Services::new(config.unwrap(), &sdk, Catalog::bundled().unwrap());
    let config = ApiConfig {
        api_url: "https://api.example/v1".to_owned(),
        console_origin: Some("https://console.example".to_owned()),
        cursor_key: "0123456789abcdef0123456789abcdef".to_owned(),
        user_pool_issuer: "https://cognito-idp.eu-central-1.amazonaws.com/pool".to_owned(),
        user_pool_client_id: "client".to_owned(),
        cognito_endpoint: "https://cognito-idp.eu-central-1.amazonaws.com/".to_owned(),
        quarantine_retention_days: 90,
        device_api_url: "https://devices.example/v1".to_owned(),
        key_cache_seconds: 60,
    };
    Arc::new(App { services, keys: Some(keys), config, clock: || Timestamp::from_micros(0) })
}

fn claims() -> Claims {
    let claims = [
        ("token_use", "id"),
        ("iss", "https://cognito-idp.eu-central-1.amazonaws.com/pool"),
        ("aud", "client"),
        ("sub", "u1"),
        ("email", "ann@example.com"),
        ("email_verified", "true"),
    ];
    Claims(claims.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
}

async fn call(router: Router, request: Request<Body>) -> (Response<()>, Value, usize) {
    let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    (Response::from_parts(parts, ()), serde_json::from_slice(&bytes).unwrap_or_default(), bytes.len())
}

fn request(method: &str, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path).extension(claims())
}

#[tokio::test]
async fn wrong_requests_are_problems_that_name_the_place() {
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
        ("POST", "/uploads", json, "{".into(), 400, "invalid-request", "EOF"),
        ("POST", "/uploads", json, "{} {}".into(), 400, "invalid-request", "missing field"),
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
        ("POST", "/keys", json, String::new(), 400, "invalid-request", "EOF"),
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
        ("PUT", "/notifications", json, String::new(), 400, "invalid-request", "EOF"),
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
    for (method, path, content_type, body, status, slug, names) in rows {
        let mut request = request(method, path);
        if !content_type.is_empty() {
            request = request.header("content-type", content_type);
        }
        let (response, problem, _) = call(manage(app()), request.body(Body::from(body)).unwrap()).await;
        assert_eq!(response.status().as_u16(), status, "{method} {path}: {problem:#}");
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{method} {path}");
        assert_eq!(problem["type"], format!("urn:eventpulse:problem:{slug}"), "{method} {path}: {problem:#}");
        assert!(problem.to_string().contains(names), "{method} {path}: {problem:#} does not name {names}");
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
        let (response, problem, _) = call(manage(app()), anonymous).await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()["www-authenticate"]),
            (401, &"Bearer".parse().unwrap()),
            "{method} {path}"
        );
        assert_eq!(problem["type"], "urn:eventpulse:problem:unauthorized", "{method} {path}");
    }
}

#[tokio::test]
async fn nobody_is_subscribed_at_an_address_that_is_not_verified() {
    for (verified, says) in [("false", "ann@example.com, is not verified"), ("", "is not verified")] {
        let mut claims = claims();
        claims.0.insert("email_verified".to_owned(), verified.to_owned());
        let put = Request::builder().method("PUT").uri("/notifications").extension(claims);
        let put = put.header("content-type", "application/json").body(Body::from("{}")).unwrap();
        let (response, problem, _) = call(manage(app()), put).await;
        assert_eq!((response.status().as_u16(), &problem["type"]), (409, &json!("urn:eventpulse:problem:conflict")));
        assert!(problem["detail"].as_str().unwrap().contains(says), "{problem:#}");
    }
}

#[tokio::test]
async fn a_device_is_named_by_any_text() {
    for (path, names) in [
        ("/devices/%00/series?bucket=0s", "bucket"),
        ("/devices/a%2Fb%20c/stats?from=x", "from"),
        ("/?from=2025-01-01T00:00:00Z", "device_id"),
        ("/?device_id=", "device_id"),
        ("/?device_id=a&from=2025-01-02T00:00:00Z&to=2025-01-01T00:00:00Z", "from"),
    ] {
        let (response, problem, _) = call(query(app()), request("GET", path).body(Body::empty()).unwrap()).await;
        assert_eq!(response.status().as_u16(), 400, "{path}: {problem:#}");
        assert!(problem["detail"].as_str().unwrap().contains(names), "{path}: {problem:#}");
    }
    let long = format!("/devices/{}/stats", "x".repeat(1025));
    let (response, ..) = call(query(app()), request("GET", &long).body(Body::empty()).unwrap()).await;
    assert_eq!(response.status().as_u16(), 400);
}

#[tokio::test]
async fn the_validator_tells_code_and_place() {
    let lines = "{\"device_id\":\"a\",\"timestamp\":\"2025-02-28T12:00:00Z\",\"value\":1}\n{\"device_id\":\"a\"}\n";
    let request = request("POST", "/validate").header("content-type", "application/x-ndjson");
    let (response, verdict, _) = call(manage(app()), request.body(Body::from(lines)).unwrap()).await;
    assert_eq!(response.status().as_u16(), 200, "{verdict:#}");
    assert_eq!((&verdict["outcome"], &verdict["accepted"]), (&json!("partially_accepted"), &json!(1)));
    assert_eq!(
        (&verdict["records"][0]["line"], &verdict["records"][0]["failures"][0]["code"]),
        (&json!(2), &json!("REQUIRED"))
    );
    assert_eq!(verdict["features"][0]["median"], 1.0);
}

#[tokio::test]
async fn only_the_console_s_origin_is_allowed() {
    for (origin, allowed) in [("https://console.example", true), ("https://evil.example", false)] {
        let preflight = Request::builder().method("OPTIONS").uri("/quarantine/x/retry").header("origin", origin);
        let preflight = preflight.header("access-control-request-method", "POST").body(Body::empty()).unwrap();
        let (response, ..) = call(manage(app()), preflight).await;
        assert_eq!(response.headers().get("access-control-allow-origin").is_some_and(|allow| allow == origin), allowed);
    }
}

#[tokio::test]
async fn health_tells_where_devices_send_to() {
    let request = Request::builder().uri("/health").body(Body::empty()).unwrap();
    let (response, health, _) = call(query(app()), request).await;
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(health["data"], json!({ "url": "https://devices.example/v1/data", "key_cache_seconds": 60 }));
}

#[tokio::test]
async fn the_document_is_whole_and_says_who_must_sign_in() {
    let request = Request::builder().uri("/openapi.json").body(Body::empty()).unwrap();
    let (_, document, _) = call(query(app()), request).await;
    assert_eq!(document["openapi"], "3.1.0");
    let (mut operations, mut ids) = (0, BTreeSet::new());
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            operations += 1;
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{method} {path}");
            let open = matches!(path.as_str(), "/health" | "/openapi.json");
            assert_eq!(operation["security"] == json!([]), open, "{method} {path}");
            assert_eq!(operation["responses"].get("401").is_none(), open, "{method} {path}");
            assert!(operation["summary"].as_str().or(operation["description"].as_str()).is_some(), "{method} {path}");
        }
    }
    assert_eq!(operations, 25);
    let kinds = &document["components"]["schemas"]["Wanted"]["properties"]["kinds"];
    assert_eq!((&kinds["minItems"], &kinds["uniqueItems"]), (&json!(1), &json!(true)), "{kinds:#}");
    assert!(document["components"]["schemas"]["Notifications"]["example"]["hint"].is_string());
    let post_data = &document["paths"]["/data"]["post"];
    assert_eq!(post_data["servers"], json!([{ "url": "https://devices.example/v1" }]));
    assert_eq!(post_data["security"], json!([{ "api_key": [] }]));
    for status in ["202", "400", "401", "403", "413", "415", "429", "503"] {
        assert!(post_data["responses"][status]["description"].is_string(), "{status}");
    }
    assert_eq!(document["components"]["schemas"]["Record.reading.1.0"]["properties"]["value"]["type"], "number");
    let text = document.to_string();
    assert!(!text.contains("\":null"), "nothing in it is null");
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer} leads nowhere");
    }
    assert_eq!(
        document["components"]["schemas"]["NewUpload"]["properties"]["schema"]["enum"],
        json!(["batch/1.0", "reading/1.0", "weather/1.0", null])
    );
}
