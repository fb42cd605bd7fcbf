//! Quotas of an owner.

use std::sync::Arc;

use axum::body::Body;
use eventpulse_api::state::App;
use eventpulse_api::{manage, query};
use http::Response;
use serde_json::{Value, json};

use crate::common::{app_at, call, claims, request};
use crate::dynamodb;

async fn post(app: &Arc<App>, path: &str, body: &Value) -> (Response<()>, Value) {
    let request = request("POST", path).header("content-type", "application/json");
    let (response, body, _) = call(manage(Arc::clone(app)), request.body(Body::from(body.to_string())).unwrap()).await;
    (response, body)
}

/// Returns the use and the rest of the quotas of `GET /usage`.
async fn usage(app: &Arc<App>) -> Vec<(String, u64, u64)> {
    let (response, usage, _) =
        call(query(Arc::clone(app)), request("GET", "/usage").body(Body::empty()).unwrap()).await;
    assert_eq!(response.status().as_u16(), 200, "{usage:#}");
    let quotas = usage["quotas"].as_array().unwrap().iter();
    let quota = |quota: &Value| {
        (quota["name"].as_str().unwrap().to_owned(), quota["used"].as_u64().unwrap(), quota["left"].as_u64().unwrap())
    };
    quotas.map(quota).collect()
}

#[tokio::test]
async fn upload_beyond_a_quota_is_refused_with_the_quota_and_charges_nothing() {
    let (address, tables) = dynamodb::start().await;
    let app = app_at(&format!("http://{address}")); // 3 open URLs, 1,000 bytes, 10 rejected records, 2 requests a second
    let upload = |size: u64| json!({ "file_name": "a.json", "content_type": "application/json", "size": size });
    let (response, first) = post(&app, "/uploads", &upload(600)).await;
    assert_eq!((response.status().as_u16(), &first["quotas"][1]["left"]), (201, &json!(400)), "{first:#}");

    let (response, error) = post(&app, "/uploads", &upload(401)).await;
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (429, &"86400".parse().unwrap()));
    assert_eq!(error["type"], "urn:eventpulse:problem:quota-exceeded", "{error:#}");
    let expected =
        json!({ "name": "bytes", "used": 600, "limit": 1000, "left": 400, "resets_at": "1970-01-02T00:00:00Z" });
    assert_eq!(error["quota"], expected);
    let id = first["upload_id"].as_str().unwrap();
    let correction = json!({ "content_type": "application/json", "size": 401 });
    let (response, error) = post(&app, &format!("/quarantine/{id}/correction"), &correction).await;
    assert_eq!(response.status().as_u16(), 429, "{error:#}");
    let (response, error) = post(&app, "/uploads", &upload(1_001)).await;
    assert_eq!(response.status().as_u16(), 413, "no wait helps: {error:#}");
    // A refused command charges nothing either.
    let correction = json!({ "content_type": "application/json", "size": 400 });
    let (response, error) = post(&app, &format!("/quarantine/{id}/correction"), &correction).await;
    assert_eq!(response.status().as_u16(), 409, "{error:#}");

    for _ in 0..2 {
        assert_eq!(post(&app, "/uploads", &upload(0)).await.0.status().as_u16(), 201);
    }
    let app = app_at(&format!("http://{address}")); // another process, with requests left
    let (response, error) = post(&app, "/uploads", &upload(0)).await;
    assert_eq!((response.status().as_u16(), &error["quota"]["name"]), (429, &json!("open_uploads")), "{error:#}");
    assert_eq!(
        response.headers()["retry-after"],
        "600",
        "the URLs count until the five minutes after their expiry end"
    );
    let named = |name: &str, used, left| (name.to_owned(), used, left);
    let others = [named("open_uploads", 3, 0), named("bytes", 600, 400), named("rejected_records", 0, 10)];
    assert_eq!(usage(&app).await[1..], others);

    let day = tables.lock().unwrap().items.iter_mut().find(|(pk, _)| pk.starts_with("usage#")).map(|(pk, item)| {
        item.insert("rejected_00".to_owned(), json!({ "N": "10" }));
        pk.clone()
    });
    assert_eq!(day.as_deref(), Some("usage#u1#1970-01-01"));
    let (response, error) = post(&app, &format!("/quarantine/{id}/retry"), &json!({})).await;
    assert_eq!((response.status().as_u16(), &error["quota"]["name"]), (429, &json!("rejected_records")), "{error:#}");
    assert_eq!(response.headers()["retry-after"], "3600");
}

#[tokio::test]
async fn flood_of_one_owner_is_refused_without_a_call_and_delays_no_other() {
    let (address, tables) = dynamodb::start().await;
    let app = app_at(&format!("http://{address}"));
    let get = |sub: &str| {
        let mut claims = claims();
        claims.0.insert("sub".to_owned(), sub.to_owned());
        http::Request::builder().uri("/uploads/x").extension(claims).body(Body::empty()).unwrap()
    };
    let mut statuses = Vec::new();
    for _ in 0..100 {
        let (response, ..) = call(manage(Arc::clone(&app)), get("u1")).await;
        statuses.push(response.status().as_u16());
    }
    // Five requests need no slice; the budget is 20, in slices of 1.
    let admitted = statuses.iter().filter(|status| **status == 400).count();
    assert_eq!((admitted, &statuses[24..27]), (25, [400, 429, 429].as_slice()), "{statuses:?}");
    assert_eq!(tables.lock().unwrap().calls.len(), 21);
    let (response, error, _) = call(manage(Arc::clone(&app)), get("u1")).await;
    assert_eq!(
        (response.headers()["retry-after"].to_str().unwrap(), &error["quota"]["name"]),
        ("10", &json!("requests"))
    );
    let (response, ..) = call(manage(Arc::clone(&app)), get("u2")).await;
    assert_eq!((response.status().as_u16(), tables.lock().unwrap().calls.len()), (400, 21));
}

#[tokio::test]
async fn requests_are_admitted_while_the_counters_are_out_of_reach() {
    let app = app_at("http://127.0.0.1:1");
    for _ in 0..7 {
        let request = request("GET", "/uploads/x").body(Body::empty()).unwrap();
        let (response, error, _) = call(manage(Arc::clone(&app)), request).await;
        assert_eq!(response.status().as_u16(), 400, "{error:#}");
    }
}
