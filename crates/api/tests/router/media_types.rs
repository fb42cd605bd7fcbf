//! Every entrance for data accepts and refuses the same media types.

use axum::body::Body;
use eventpulse_api::manage;
use http::Request;
use serde_json::json;

use crate::common::{app, call, request};

/// The id of an upload that does not exist.
const ID: &str = "up_00000000000000000000000000";

/// Returns a request with this media type for each entrance.
fn entrances(content_type: &str) -> Vec<(&'static str, Request<Body>)> {
    let post = |path: &str, content_type: &str, body: String| {
        request("POST", path).header("content-type", content_type).body(Body::from(body)).unwrap()
    };
    let upload = json!({ "file_name": "a.json", "content_type": content_type, "size": 2 });
    let correction = json!({ "content_type": content_type, "size": 2 });
    let is_json = content_type.split(';').next().unwrap().eq_ignore_ascii_case("application/json");
    let mut entrances = vec![
        ("the member of POST /uploads", post("/uploads", "application/json", upload.to_string())),
        ("POST /validate", post("/validate", content_type, "{}".to_owned())),
        ("POST /quarantine/{upload_id}/retry", post(&format!("/quarantine/{ID}/retry"), content_type, "{}".to_owned())),
        (
            "the member of POST /quarantine/{upload_id}/correction",
            post(&format!("/quarantine/{ID}/correction"), "application/json", correction.to_string()),
        ),
    ];
    if is_json {
        let upload = json!({ "file_name": "a.json", "content_type": "application/json", "size": 2 });
        entrances.push(("the header of POST /uploads", post("/uploads", content_type, upload.to_string())));
        entrances.push(("the header of POST /keys", post("/keys", content_type, "{}".to_owned())));
        entrances.push(("the header of PUT /notifications", {
            let put = request("PUT", "/notifications").header("content-type", content_type);
            put.body(Body::from("{}")).unwrap()
        }));
    }
    entrances
}

#[tokio::test]
async fn every_entrance_takes_the_same_media_types() {
    for (content_type, is_accepted) in [
        ("application/json", true),
        ("APPLICATION/JSON", true),
        ("application/json; charset=utf-8", true),
        ("application/json;charset=UTF-8", true),
        ("application/json; charset=\"utf-8\"; version=1", true),
        ("Application/X-NDJSON; Charset=UTF-8", true),
        ("application/ndjson", true),
        ("application/jsonl", true),
        ("application/x-jsonlines", true),
        ("application/json; charset=utf-16", false),
        ("application/jsonp", false),
        ("application/json, text/csv", false),
        ("text/json", false),
    ] {
        for (entrance, request) in entrances(content_type) {
            let (response, error, _) = call(manage(app()), request).await;
            // Behind the check, an entrance that needs AWS fails here with a 5xx.
            let is_refused = matches!(response.status().as_u16(), 400 | 415);
            assert_eq!(is_refused, !is_accepted, "{entrance}, {content_type}: {} {error:#}", response.status());
        }
    }
}
