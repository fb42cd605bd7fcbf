use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response as Answer};
use serde_json::json;

use super::*;

/// An API that accepts the token `new`, and a Cognito that gives it for the refresh token `refresh`.
async fn serve(answer: impl Fn(&Request, u32) -> Answer + Clone + Send + Sync + 'static) -> (Api, tempfile::TempDir) {
    let calls = Arc::new(AtomicU32::new(0));
    let handler = move |headers: HeaderMap, request: Request| {
        let (answer, calls) = (answer.clone(), Arc::clone(&calls));
        async move {
            if headers.contains_key("x-amz-target") {
                return json_answer(200, &json!({ "AuthenticationResult": { "IdToken": "new", "ExpiresIn": 3600 } }));
            }
            if headers.get("authorization").is_none_or(|token| token != "Bearer new") {
                return json_answer(401, &json!({ "title": "Unauthorized", "detail": "no" }));
            }
            answer(&request, calls.fetch_add(1, Ordering::Relaxed))
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("profile.json");
    let profile = Profile {
        api: url.clone(),
        endpoint: url,
        client_id: "client".into(),
        username: "ann".into(),
        id_token: "old".into(),
        refresh_token: "refresh".into(),
        expires_at: i64::MAX,
    };
    profile::save(&path, &profile).unwrap();
    (Api::open(path).unwrap(), directory)
}

fn json_answer(status: u16, body: &Value) -> Answer {
    let status = axum::http::StatusCode::from_u16(status).unwrap();
    (status, [("content-type", "application/json"), ("retry-after", "0")], body.to_string()).into_response()
}

#[tokio::test]
async fn a_token_that_is_refused_is_exchanged_once_and_kept() {
    let (mut api, _directory) = serve(|_, _| json_answer(200, &json!({ "ok": true }))).await;
    assert_eq!(api.get("/x", &[]).await.unwrap()["ok"], true);
    let kept = profile::load(&api.path).unwrap();
    assert_eq!((kept.id_token.as_str(), kept.refresh_token.as_str()), ("new", "refresh"));
    let (mut api, _directory) =
        serve(|_, _| json_answer(401, &json!({ "title": "Unauthorized", "detail": "no" }))).await;
    assert!(matches!(api.get("/x", &[]).await, Err(ClientError::Problem { status: 401, .. })));
}

#[tokio::test]
async fn a_token_about_to_expire_is_exchanged_before_it_is_sent() {
    let (mut api, _directory) = serve(|_, calls| json_answer(200, &json!({ "calls": calls }))).await;
    api.profile.expires_at = clock().as_micros() / 1_000_000 + FRESH_SECONDS - 1;
    assert_eq!(api.get("/x", &[]).await.unwrap()["calls"], 0);
    assert_eq!(api.profile.id_token, "new");
}

#[tokio::test]
async fn lists_are_followed_to_their_end_and_no_further_than_wanted() {
    let pages = |request: &Request, _| {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let (items, next) =
            if query.contains("cursor=two%2Bx") { (vec![3, 4], None) } else { (vec![1, 2], Some("two+x")) };
        json_answer(200, &json!({ "items": items, "next": next }))
    };
    let (mut api, _directory) = serve(pages).await;
    assert_eq!(api.pages("/x", &[("code", "A B")], "items", usize::MAX).await.unwrap(), [1, 2, 3, 4]);
    assert_eq!(api.pages("/x", &[], "items", 3).await.unwrap(), [1, 2, 3]);
    assert_eq!(api.pages("/x", &[], "items", 2).await.unwrap(), [1, 2]);
}

#[tokio::test]
async fn what_is_refused_for_the_moment_is_asked_again() {
    let (mut api, _directory) = serve(|_, calls| {
        json_answer(if calls < 3 { [429, 503][calls as usize % 2] } else { 200 }, &json!({ "calls": calls }))
    })
    .await;
    assert_eq!(api.get("/x", &[]).await.unwrap()["calls"], 3);
    let (mut api, _directory) =
        serve(|_, _| json_answer(503, &json!({ "title": "Unavailable", "detail": "no" }))).await;
    let error = api.get("/x", &[]).await.unwrap_err();
    assert_eq!((error.to_string().as_str(), error.exit_code()), ("Unavailable: no", 3));
}

#[tokio::test]
async fn a_problem_tells_the_places() {
    let problem = json!({ "title": "Invalid request", "detail": "The body is not as it should be.",
        "errors": [{ "pointer": "/size", "detail": "too large" }, { "parameter": "from", "detail": "no time" }] });
    let (mut api, _directory) = serve(move |_, _| json_answer(400, &problem)).await;
    let Err(ClientError::Problem { status, title, errors, .. }) = api.get("/x", &[]).await else {
        panic!("no problem")
    };
    assert_eq!(
        (status, title.as_str(), errors),
        (400, "Invalid request", vec!["/size: too large".into(), "from: no time".into()])
    );
    let (mut api, _directory) = serve(|_, _| json_answer(502, &json!("nonsense"))).await;
    assert!(matches!(api.get("/x", &[]).await, Err(ClientError::Problem { status: 502, .. })));
}
