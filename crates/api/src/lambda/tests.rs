//! The real conversion of `lambda_http`, on events with hostile values.

use axum::routing::any;
use lambda_http::Context;
use serde_json::json;

use super::*;

/// Values that a client can send, or that a gateway could pass on.
const HOSTILE: [&str; 24] = [
    "",
    " ",
    "a b",
    "\t",
    "http",
    "https",
    "://",
    "ht tp",
    "javascript",
    "1",
    "-",
    "\u{0}",
    "\r\n",
    "\n x: y",
    "\u{7f}",
    "é",
    "\u{202e}",
    "\u{1f600}",
    "[::1",
    "a:b:c",
    "example.com:99999",
    "user@",
    "%",
    "%zz",
];

/// The headers that a client, a browser or a gateway sends.
const HEADERS: [&str; 22] = [
    "Host",
    "X-Forwarded-Proto",
    "X-Forwarded-For",
    "X-Forwarded-Port",
    "X-Forwarded-Host",
    "Forwarded",
    "Via",
    "Accept",
    "Authorization",
    "Content-Type",
    "Content-Encoding",
    "Content-Length",
    "Cookie",
    "Origin",
    "Referer",
    "Range",
    "If-None-Match",
    "Transfer-Encoding",
    "Upgrade",
    "User-Agent",
    "X-Amzn-Trace-Id",
    "X-Amz-Cf-Id",
];

fn event() -> Value {
    json!({
        "resource": "/{proxy+}", "path": "/health", "httpMethod": "GET",
        "headers": { "Host": "api.example", "X-Forwarded-Proto": "https" },
        "multiValueHeaders": { "Host": ["api.example"], "X-Forwarded-Proto": ["https"] },
        "queryStringParameters": null, "multiValueQueryStringParameters": null,
        "pathParameters": { "proxy": "health" }, "stageVariables": null,
        "requestContext": {
            "requestId": "r1", "stage": "v1", "domainName": "api.example", "httpMethod": "GET", "path": "/v1/health",
            "authorizer": { "claims": { "sub": "u1" } }, "identity": {},
        },
        "body": null, "isBase64Encoded": false,
    })
}

/// Answers an event by a router that panics at `/v1/panic`.
async fn answered(event: Value) -> Value {
    let healthy = any(|request: Request| async move {
        format!("{:?}", request.extensions().get::<Claims>().and_then(|claims| claims.0.get("sub")))
    });
    let panics = any(|| async {
        if true {
            panic!("a handler");
        }
    });
    let router = Router::new().route("/v1/health", healthy).route("/v1/panic", panics);
    let service = Adapter::from(with_context(router));
    let event = LambdaEvent::new(event, Context::default());
    serde_json::to_value(answer(service, event).await.unwrap()).unwrap()
}

async fn status(event: Value) -> u64 {
    answered(event).await["statusCode"].as_u64().unwrap()
}

#[tokio::test]
async fn a_request_keeps_its_claims_and_its_answer() {
    let answer = answered(event()).await;
    assert_eq!((&answer["statusCode"], &answer["body"]), (&json!(200), &json!("Some(\"u1\")")));
}

#[tokio::test]
async fn hostile_values_in_every_header_get_a_normal_answer() {
    for header in HEADERS {
        for value in HOSTILE.map(str::to_owned).into_iter().chain(["x".repeat(100_000)]) {
            let mut single = event();
            single["headers"][header] = json!(value);
            assert_eq!(status(single).await, 200, "{header}: {}", value.escape_debug());
            let mut multiple = event();
            multiple["multiValueHeaders"][header] = json!(["a", value]);
            assert_eq!(status(multiple).await, 200, "{header}, repeated: {}", value.escape_debug());
        }
    }
    for name in HOSTILE {
        let mut named = event();
        named["headers"][name] = json!("x");
        named["multiValueHeaders"][name] = json!(["x", "y"]);
        assert_eq!(status(named).await, 200, "{}", name.escape_debug());
    }
}

#[tokio::test]
async fn hostile_values_elsewhere_get_an_answer() {
    for value in HOSTILE.map(str::to_owned).into_iter().chain(["x".repeat(100_000), "é".repeat(20_000)]) {
        for (name, path, answers) in [
            ("path", value.clone(), [404, 404]),
            ("path behind a slash", format!("/{value}"), [404, 404]),
            ("path behind the stage", format!("/health/../{value}"), [404, 200]),
        ] {
            let mut event = event();
            event["path"] = json!(path);
            let status = status(event).await;
            assert!(answers.contains(&status), "{name}: {status} for {}", value.escape_debug());
        }
        for member in ["queryStringParameters", "multiValueQueryStringParameters"] {
            let mut event = event();
            let of = if member.starts_with('m') { json!([value, "x"]) } else { json!(value) };
            event[member] = json!({ value.as_str(): of, "x": of });
            assert!([200, 404].contains(&status(event).await), "{member}: {}", value.escape_debug());
        }
        for pointer in ["/requestContext/domainName", "/requestContext/stage", "/pathParameters/proxy", "/body"] {
            let mut event = event();
            *event.pointer_mut(pointer).unwrap() = json!(value);
            event["isBase64Encoded"] = json!(pointer == "/body");
            assert!([200, 404].contains(&status(event).await), "{pointer}: {}", value.escape_debug());
        }
        let mut event = event();
        event["httpMethod"] = json!(value);
        assert!([200, 400].contains(&status(event).await), "method: {}", value.escape_debug());
    }
}

#[tokio::test]
async fn an_event_that_is_no_request_gets_400() {
    let mut without_context = event();
    without_context.as_object_mut().unwrap().remove("requestContext");
    for (name, event) in
        [("null", Value::Null), ("text", json!("x")), ("array", json!([])), ("members", without_context)]
    {
        let answer = answered(event).await;
        assert_eq!(answer["statusCode"], 400, "{name}");
        assert_eq!(answer["headers"]["content-type"], "application/problem+json", "{name}");
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!(body["type"], "urn:eventpulse:problem:invalid-request", "{name}");
    }
}

#[tokio::test]
async fn a_panic_is_answered_and_the_next_request_too() {
    let mut panicking = event();
    panicking["path"] = json!("/panic");
    assert_eq!(status(panicking).await, 500);
    assert_eq!(status(event()).await, 200);
}
