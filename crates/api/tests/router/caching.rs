//! No cache may store a response that may hold a secret.

use axum::body::Body;
use axum::extract::Request;
use eventpulse_api::{manage, query};

use crate::common::{app, call, request};

/// Returns a request for each operation of the OpenAPI document, and one for a path that does not exist.
async fn requests() -> Vec<(String, Request)> {
    let document = call(query(app()), request("GET", "/openapi.json").body(Body::empty()).unwrap()).await.1;
    let mut requests = vec![("no route".to_owned(), request("GET", "/nowhere").body(Body::empty()).unwrap())];
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let upload = "up_00000000000000000000000000";
            let uri = path.replace("{upload_id}", upload).replace("{key_id}", "key_00000000000000000000000000");
            let method = method.to_uppercase();
            let sent = request(&method, &uri.replace("{device_id}", "d")).header("content-type", "application/json");
            requests.push((format!("{method} {path}"), sent.body(Body::from("{}")).unwrap()));
        }
    }
    requests
}

#[tokio::test]
async fn no_answer_of_any_route_may_be_stored() {
    let requests = requests().await;
    assert!(requests.len() > 25, "{} requests", requests.len());
    for (name, request) in requests {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        for router in [query(app()), manage(app())] {
            let request = Request::from_parts(parts.clone(), Body::from(body.clone()));
            let (response, ..) = call(router, request).await;
            let caching = response.headers().get("cache-control").map(|value| value.to_str().unwrap());
            assert_eq!(caching, Some("no-store"), "{name}: {}", response.status());
        }
    }
}
