//! Retries of calls over real HTTP.

use serde_json::{Value, json};

use crate::client::api::Api;
use crate::client::error::ClientError;
use crate::client::scripted::{Scripted, Step};

fn busy(status: u16, retry_after: &'static str) -> Step {
    Step::Answer(status, Some(retry_after), json!({ "title": "Busy", "detail": "Try again." }))
}

fn done() -> Step {
    Step::Answer(200, None, json!({ "done": true }))
}

/// The calls of the API that a repetition does not change.
async fn repeatable(api: &Api, method: &str) -> Result<Value, ClientError> {
    match method {
        "GET" => api.get("/uploads", &[]).await,
        "DELETE" => api.delete("/keys/key_1").await,
        "PUT" => api.put_json("/notifications", &json!({})).await,
        _ => api.post_json_with_key("/uploads", &json!({ "size": 1 }), "the key").await,
    }
}

#[tokio::test]
async fn repeatable_calls_go_on_after_bad_gateways_throttling_and_broken_connections() {
    for method in ["GET", "DELETE", "PUT", "POST"] {
        let steps = vec![Step::Answer(502, None, Value::Null), busy(429, "0"), Step::Reset, busy(503, "0"), done()];
        let server = Scripted::start(|_| vec![(method, steps)]).await;
        let (api, lines, _home) = server.api();
        assert_eq!(repeatable(&api, method).await.unwrap(), json!({ "done": true }), "{method}");
        let requests = server.requests.lock().unwrap().clone();
        assert_eq!(requests.len(), 5, "{method}: {requests:?}");
        assert!(requests.iter().all(|request| *request == requests[0]), "{method}: {requests:?}");
        assert_eq!(requests[0].1, if method == "POST" { "the key" } else { "" }, "{method}");
        let expected = [
            "the service is busy (502); trying again in 1 s",
            "too many requests (429); trying again in 1 s",
            "the connection broke; trying again in 1 s",
            "the service is busy (503); trying again in 1 s",
        ];
        assert_eq!(*lines.lock().unwrap(), expected, "{method}");
    }
}

#[tokio::test]
async fn call_that_may_have_had_its_effect_is_not_repeated() {
    let rows = [
        ("a bad gateway", vec![Step::Answer(502, None, json!({})), done()], 1, Err("Bad Gateway (502)")),
        ("unavailable", vec![busy(503, "0"), done()], 1, Err("Busy (503): Try again.")),
        ("throttled", vec![busy(429, "0"), busy(429, "0"), done()], 3, Ok(json!({ "done": true }))),
    ];
    for (name, steps, asked, expected) in rows {
        let server = Scripted::start(|_| vec![("POST", steps)]).await;
        let (api, ..) = server.api();
        let found = api.post_json("/keys", &json!({ "plan": "fast" })).await.map_err(|error| error.to_string());
        assert_eq!(found, expected.map_err(str::to_owned), "{name}");
        assert_eq!(server.asked(), vec!["POST /v1/keys"; asked], "{name}");
    }
    let server = Scripted::start(|_| vec![("POST", vec![Step::Reset])]).await;
    let (api, lines, _home) = server.api();
    let error = api.post_bytes("/quarantine/up_1/retry", None, None, Vec::new()).await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
    assert_eq!((server.asked().len(), lines.lock().unwrap().len()), (1, 0));
}

#[tokio::test]
async fn retries_end_with_the_last_error() {
    let rows = [
        ("for ever", busy(503, "0"), 5, "Busy (503): Try again."),
        ("for long", busy(429, "31"), 1, "Busy (429): Try again."),
        ("refused", Step::Answer(404, None, json!({})), 1, "Not Found (404)"),
        ("elsewhere", Step::Answer(302, None, json!({})), 1, "Found (302)"),
    ];
    for (name, step, least, expected) in rows {
        let server = Scripted::start(|_| vec![("GET", vec![step])]).await;
        let (api, ..) = server.api();
        let error = api.get("/uploads", &[]).await.unwrap_err().to_string();
        assert_eq!(error, expected, "{name}");
        let asked = server.asked().len();
        assert!(if least == 1 { asked == 1 } else { asked >= least }, "{name}: {asked} attempts");
    }
}

#[tokio::test]
async fn call_is_repeated_while_no_connection_is_made() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = Scripted { url: format!("http://{closed}"), requests: Default::default() };
    let (api, lines, _home) = server.api();
    let error = api.post_json("/keys", &json!({})).await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
    let lines = lines.lock().unwrap();
    assert!(lines.len() >= 3, "{lines:?}");
    assert_eq!(lines[0], "the service cannot be reached; trying again in 1 s");
}
