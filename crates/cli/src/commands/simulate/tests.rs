//! A whole run against a service in this process.

use std::net::Ipv4Addr;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use clap::Parser;

use super::*;
use crate::client::profile::{self, Profile};

/// What it was asked, and what it took: the owners' API and the devices' API in one.
#[derive(Clone, Default)]
struct Service(Arc<Mutex<(Vec<String>, Vec<Value>)>>);

async fn answer(State(service): State<Service>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let key = head.headers.get("x-api-key").map_or("", |value| value.to_str().unwrap()).to_owned();
    let host = head.headers["host"].to_str().unwrap().to_owned();
    let body: Value = serde_json::from_slice(&to_bytes(body, 1 << 20).await.unwrap()).unwrap_or_default();
    let mut service = service.0.lock().unwrap();
    let asked = format!("{} {}", head.method, head.uri.path());
    let name = body["name"].as_str().unwrap_or_default();
    service.0.push(format!("{asked} {} {}", body["plan"].as_str().unwrap_or_default(), &name[..name.len().min(9)]));
    let (status, value) = match asked.as_str() {
        "GET /v1/health" => {
            (200, json!({ "data": { "url": format!("http://{host}/v1/data"), "key_cache_seconds": 60 } }))
        }
        "POST /v1/keys" => (201, json!({ "key_id": "key_1", "api_key": "ep_made" })),
        "DELETE /v1/keys/key_1" => (200, json!({ "key_id": "key_1", "state": "revoked" })),
        "POST /v1/data" if key == "ep_made" || key == "ep_given" => {
            let id = format!("up_m-{:08}", service.1.len());
            let is_good = body["value"].is_number()
                && body["timestamp"] != "2025-02-30T00:00:00Z"
                && body["device_id"] != ""
                && body["firmware"].is_null();
            let (state, good) = if is_good { ("accepted", 1) } else { ("quarantined", 0) };
            service.1.push(json!({ "upload_id": id, "state": state, "accepted": good, "rejected": 1 - good }));
            (202, json!({ "upload_id": id }))
        }
        "POST /v1/data" => (403, json!({ "title": "Forbidden", "detail": "No such key." })),
        "GET /v1/uploads" => (200, json!({ "uploads": service.1, "next": null })),
        _ => (404, Value::Null),
    };
    Response::builder().status(status).body(Body::from(value.to_string())).unwrap()
}

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

/// A run with these arguments: its account, and what the service was asked, each call once.
async fn ran(arguments: &[&str]) -> (Value, Vec<String>) {
    let (_said, stop) = watch::channel(0);
    ran_until(arguments, stop).await
}

async fn ran_until(arguments: &[&str], stop: watch::Receiver<u8>) -> (Value, Vec<String>) {
    let service = Service::default();
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(service.clone());
    tokio::spawn(async { axum::serve(listener, router).await });
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("profile.json");
    let profile = Profile {
        api: format!("{url}/v1"),
        endpoint: String::new(),
        client_id: String::new(),
        username: "ada".to_owned(),
        id_token: "token".to_owned(),
        refresh_token: "refresh".to_owned(),
        expires_at: i64::MAX,
    };
    profile::save(&path, &profile).unwrap();
    let mut args = Cli::parse_from(["simulate"].iter().chain(arguments)).args;
    args.key = args.key.filter(|_| arguments.contains(&"--key")); // and none of the environment
    let (document, unrevoked) = simulate(&Api::open(path).unwrap(), &args, true, stop).await.unwrap();
    assert!(unrevoked.is_none());
    let mut asked = service.0.lock().unwrap().0.clone();
    asked.dedup();
    (document, asked.iter().map(|it| it.trim_end().to_owned()).collect())
}

#[tokio::test]
async fn run_creates_and_revokes_its_key() {
    let (document, asked) = ran(&["--events", "200", "--rate", "2000", "--bad", "10%", "--seed", "7"]).await;
    assert_eq!((&document["well"], &document["acknowledged"]), (&json!(true), &json!(200)), "{document}");
    let outcomes = &document["outcomes"];
    assert!(outcomes["quarantined"].as_u64().unwrap() > 0);
    assert_eq!(outcomes["accepted"].as_u64().unwrap() + outcomes["quarantined"].as_u64().unwrap(), 200);
    let expected =
        ["GET /v1/health", "POST /v1/keys fast simulate", "POST /v1/data", "GET /v1/uploads", "DELETE /v1/keys/key_1"];
    assert_eq!(asked, expected);
    assert!(text(&document).ends_with("seed 7\n"), "{}", text(&document));
}

#[tokio::test]
async fn stopped_run_revokes_its_key() {
    let (said, stop) = watch::channel(0);
    let stopping = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        said.send_replace(1);
    };
    let arguments = ["--duration", "1h", "--rate", "100"];
    let ((document, asked), ()) = tokio::join!(ran_until(&arguments, stop), stopping);
    assert_eq!(document["well"], true, "{document}");
    assert!((2..100).contains(&document["sent"].as_u64().unwrap()), "{document}");
    assert_eq!(asked.last().unwrap(), "DELETE /v1/keys/key_1");
}

#[tokio::test]
async fn given_key_is_used_and_not_revoked() {
    let (document, asked) = ran(&["--events", "3", "--rate", "8", "--key", "ep_given"]).await;
    assert_eq!(document["well"], true, "{document}");
    assert_eq!(asked, ["GET /v1/health", "POST /v1/data", "GET /v1/uploads"]);
}

#[tokio::test]
async fn refused_key_ends_the_run() {
    let (document, asked) = ran(&["--key", "ep_wrong"]).await;
    assert_eq!((&document["well"], &document["sent"]), (&json!(false), &json!(1)));
    assert_eq!(document["refusals"], json!([{ "why": "Forbidden (403): No such key.", "count": 1 }]));
    assert_eq!(asked, ["GET /v1/health", "POST /v1/data"]);
}

#[test]
fn invalid_arguments_are_refused() {
    for wrong in [
        &["--events", "5", "--duration", "60s"][..],
        &["--batch", "0"],
        &["--batch", "501"],
        &["--bad", "2"],
        &["--rate", "0"],
    ] {
        assert!(Cli::try_parse_from(["simulate"].iter().chain(wrong)).is_err(), "{wrong:?}");
    }
}

#[test]
fn invalid_key_is_refused_without_repeating_it() {
    for wrong in ["key_secret", "ep_secret secret", "ep_secret\r\nx: y"] {
        let error = given_key(Some(wrong)).unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }
    for (given, expected) in [(None, None), (Some(" "), None), (Some(" ep_secret\n"), Some("ep_secret"))] {
        assert_eq!(given_key(given).unwrap(), expected);
    }
}
