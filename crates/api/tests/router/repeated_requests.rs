//! `Idempotency-Key` of `POST /uploads`.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::Request;
use eventpulse_api::manage;
use eventpulse_api::state::App;
use serde_json::{Value, json};

use crate::common::{app_at, call, request};
use crate::dynamodb::{self, Tables};

async fn start() -> (Arc<App>, Arc<Mutex<Tables>>) {
    let (address, tables) = dynamodb::start().await;
    (app_at(&format!("http://{address}")), tables)
}

fn post(key: Option<&str>, size: u64) -> Request {
    let body = json!({ "size": size, "file_name": "a.json", "content_type": "application/json" });
    let mut request = request("POST", "/uploads").header("content-type", "application/json");
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    request.body(Body::from(body.to_string())).unwrap()
}

async fn send(app: &Arc<App>, key: Option<&str>, size: u64) -> (u16, Value) {
    let (response, body, _) = call(manage(Arc::clone(app)), post(key, size)).await;
    assert_eq!(response.headers()["cache-control"], "no-store", "{body:#}");
    (response.status().as_u16(), body)
}

#[tokio::test]
async fn repeated_request_returns_the_same_upload() {
    let (app, tables) = start().await;
    let (status, first) = send(&app, Some("k 1"), 2).await;
    assert_eq!((status, &first["state"]), (201, &json!("issued")), "{first:#}");
    let (status, second) = send(&app, Some("k 1"), 2).await;
    assert_eq!((status, &second["upload_id"]), (201, &first["upload_id"]), "{second:#}");
    assert!(second["url"].as_str().is_some_and(|url| url.contains("X-Amz-Signature")), "{second:#}");
    assert_eq!(second["expires_at"], first["expires_at"]);
    for (name, key) in [("another key", Some("k 2")), ("no key", None)] {
        let (status, other) = send(&app, key, 2).await;
        assert_eq!(status, 201, "{name}: {other:#}");
        assert_ne!(other["upload_id"], first["upload_id"], "{name}");
    }
    let (status, error) = send(&app, Some("k 1"), 3).await;
    assert_eq!((status, &error["type"]), (422, &json!("urn:eventpulse:problem:idempotency-key-reused")), "{error:#}");
    assert!(error["detail"].as_str().unwrap().contains(first["upload_id"].as_str().unwrap()), "{error:#}");
    let uploads = tables.lock().unwrap().items.keys().filter(|pk| pk.starts_with("upload#")).count();
    assert_eq!(uploads, 3);
}

#[tokio::test]
async fn parallel_requests_with_one_key_create_one_upload() {
    let (app, tables) = start().await;
    let calls: Vec<_> = (0..3) // each is charged until it finds the key taken
        .map(|_| {
            tokio::spawn({
                let app = Arc::clone(&app);
                async move { send(&app, Some("k"), 2).await }
            })
        })
        .collect();
    let mut ids = BTreeSet::new();
    for answer in calls {
        let (status, body) = answer.await.unwrap();
        assert_eq!(status, 201, "{body:#}");
        ids.insert(body["upload_id"].to_string());
    }
    let tables = tables.lock().unwrap();
    let uploads = tables.items.keys().filter(|pk| pk.starts_with("upload#")).count();
    assert_eq!((ids.len(), uploads), (1, 1), "{ids:?}");
    let charged: Vec<&Value> =
        tables.items.iter().filter(|(pk, _)| pk.starts_with("usage#")).map(|(_, item)| &item["bytes"]).collect();
    assert_eq!(charged, [&json!({ "N": "2" })], "an upload is charged once");
}

#[tokio::test]
async fn request_is_repeated_with_a_receipt_after_the_file_arrived() {
    let (app, tables) = start().await;
    let (_, first) = send(&app, Some("k"), 2).await;
    let id = first["upload_id"].as_str().unwrap();
    let received = json!({ "v": 1, "at": "1970-01-01T00:00:01Z", "event": "received", "correlation_id": "c",
        "object": { "bucket": "b", "key": "k", "version_id": "v", "size": 2 } });
    {
        let mut tables = tables.lock().unwrap();
        let item = tables.items.get_mut(&format!("upload#{id}")).unwrap();
        item["history"]["L"].as_array_mut().unwrap().push(json!({ "S": received.to_string() }));
    }
    let (status, receipt) = send(&app, Some("k"), 2).await;
    assert_eq!(
        (status, &receipt["upload_id"], &receipt["state"]),
        (200, &json!(id), &json!("received")),
        "{receipt:#}"
    );
    assert!(receipt.get("url").is_none(), "{receipt:#}");
}

#[tokio::test]
async fn unusable_key_is_refused() {
    let (app, _) = start().await;
    for (name, key) in [("empty", ""), ("blank", " "), ("a tab", "a\tb"), ("too long", &*"k".repeat(256))] {
        let (status, error) = send(&app, Some(key), 2).await;
        assert_eq!((status, &error["errors"][0]["parameter"]), (400, &json!("Idempotency-Key")), "{name}: {error:#}");
    }
    let mut twice = post(Some("a"), 2);
    twice.headers_mut().append("idempotency-key", "b".parse().unwrap());
    let mut not_ascii = post(Some("a"), 2);
    not_ascii.headers_mut().insert("idempotency-key", http::HeaderValue::from_bytes("é".as_bytes()).unwrap());
    for request in [twice, not_ascii] {
        let (response, error, _) = call(manage(Arc::clone(&app)), request).await;
        assert_eq!(response.status().as_u16(), 400, "{error:#}");
    }
    let longest = "k".repeat(255);
    assert_eq!(send(&app, Some(&longest), 2).await.0, 201);
}
