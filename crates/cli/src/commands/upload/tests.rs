//! Uploads over real HTTP to a server that fails in between.

use std::io::Write as _;

use indicatif::ProgressDrawTarget;
use serde_json::{Value, json};

use super::*;
use crate::client::scripted::{Scripted, Step};

const WAITING: Waiting = Waiting { no_wait: false, timeout: 5 };

fn answer(status: u16, body: Value) -> Step {
    Step::Answer(status, None, body)
}

fn receipt(state: &str) -> Step {
    answer(200, json!({ "upload_id": "up_1", "state": state, "accepted": 1 }))
}

fn issued(url: &str) -> Value {
    json!({ "upload_id": "up_1", "state": "issued", "url": format!("{url}/put?X-Amz-Signature=s"), "headers": {} })
}

/// Uploads a file to a server that reacts to `POST`, `PUT` and `GET` in this way.
async fn upload(post: Vec<Step>, put: Vec<Step>, get: Vec<Step>) -> (Result<Sent, ClientError>, Scripted) {
    let server = Scripted::start(|url| {
        let post = post.into_iter().chain([answer(201, issued(url))]).collect();
        vec![("POST", post), ("PUT", put), ("GET", get)]
    })
    .await;
    let (api, _, _home) = server.api();
    let mut file = tempfile::Builder::new().suffix(".json").tempfile().unwrap();
    file.write_all(b"[1]").unwrap();
    let options = UploadOptions { schema: None, max_rejected: None, content_type: None, content_encoding: None };
    let bars = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
    let sent = upload_one(&api, file.path(), &options, WAITING, &bars).await;
    (sent, server)
}

#[tokio::test]
async fn repeated_requests_for_an_upload_have_one_idempotency_key() {
    let post = vec![answer(502, Value::Null), Step::Answer(429, Some("0"), json!({})), Step::Reset];
    let (sent, server) = upload(post, vec![answer(200, Value::Null)], vec![receipt("accepted")]).await;
    let sent = sent.unwrap();
    assert_eq!((sent.receipt["state"].as_str(), sent.error.is_none()), (Some("accepted"), true));
    let requests = server.requests.lock().unwrap().clone();
    let keys: Vec<&str> =
        requests.iter().filter(|(request, _)| request == "POST /v1/uploads").map(|(_, key)| key.as_str()).collect();
    assert_eq!(keys.len(), 4, "{requests:?}");
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert!((1..=255).contains(&keys[0].len()) && keys[0].bytes().all(|byte| byte.is_ascii_graphic()), "{keys:?}");
    let (_, other) = upload(Vec::new(), vec![answer(200, Value::Null)], vec![receipt("accepted")]).await;
    assert_ne!(other.requests.lock().unwrap()[0].1, keys[0], "each file has its own key");
}

#[tokio::test]
async fn put_without_an_answer_is_judged_by_the_receipt() {
    let (issued, accepted) = (|| receipt("issued"), || receipt("accepted"));
    let ok = || answer(200, Value::Null);
    type Row = (&'static str, Vec<Step>, Vec<Step>, usize, Result<(), &'static str>);
    let rows: Vec<Row> = vec![
        ("busy storage", vec![answer(503, Value::Null), ok()], vec![issued(), accepted()], 2, Ok(())),
        ("broken, nothing arrived", vec![Step::Reset, ok()], vec![issued(), accepted()], 2, Ok(())),
        ("broken, the file arrived", vec![Step::Reset, answer(500, Value::Null)], vec![accepted()], 1, Ok(())),
        (
            "broken, and used at the next attempt",
            vec![Step::Reset, answer(412, Value::Null)],
            vec![issued(), accepted()],
            2,
            Ok(()),
        ),
        ("another attempt is going on", vec![answer(409, Value::Null), ok()], vec![issued(), accepted()], 2, Ok(())),
        ("used before", vec![answer(412, Value::Null)], vec![accepted()], 1, Err("used already")),
        ("expired or changed", vec![answer(403, Value::Null)], vec![issued()], 1, Err("Try again")),
        ("other bytes", vec![answer(400, Value::Null)], vec![issued()], 1, Err("Try again")),
        ("broken, then expired", vec![Step::Reset, answer(403, Value::Null)], vec![issued()], 2, Err("Try again")),
        (
            "broken, then expired after it arrived",
            vec![Step::Reset, answer(403, Value::Null)],
            vec![issued(), accepted()],
            2,
            Ok(()),
        ),
    ];
    for (name, put, get, puts, expected) in rows {
        let (sent, server) = upload(Vec::new(), put, get).await;
        match (sent, expected) {
            (Ok(sent), Ok(())) => assert_eq!(sent.receipt["state"], "accepted", "{name}"),
            (Err(error), Err(text)) => assert!(error.to_string().contains(text), "{name}: {error}"),
            (sent, _) => panic!("{name}: {:?}", sent.err()),
        }
        let asked = server.asked();
        assert_eq!(asked.iter().filter(|request| request.starts_with("PUT /put?")).count(), puts, "{name}: {asked:?}");
    }
}

#[tokio::test]
async fn storage_that_never_answers_ends_the_upload() {
    let (sent, server) = upload(Vec::new(), vec![answer(503, Value::Null)], vec![receipt("issued")]).await;
    assert_eq!(sent.err().unwrap().to_string(), "S3 refused the file with status 503. Try again.");
    assert!(server.asked().iter().filter(|request| request.starts_with("PUT")).count() >= 4);
}

#[test]
fn table_shows_outcomes_and_next_steps() {
    let rows = [
        json!({ "file": "good.json", "receipt": { "upload_id": "up_1", "state": "accepted", "accepted": 3, "rejected": 0 } }),
        json!({ "file": "bad.json", "receipt": { "upload_id": "up_2", "state": "quarantined", "accepted": 0, "rejected": 1,
            "failures": [{ "code": "TYPE", "pointer": "/value", "line": 1 }], "quarantine": { "status": "open" },
            "notifications": { "state": "none" } } }),
        json!({ "file": "a\u{1b}[2J.json", "receipt": null, "error": "cannot read it" }),
    ];
    let expected = "\
file             outcome      accepted  rejected  upload  first failure
good.json        accepted            3         0  up_1
bad.json         quarantined         0         1  up_2    TYPE at /value, line 1
a\\u{1b}[2J.json  not sent                                 cannot read it
next: eventpulse quarantine show up_2
nobody gets e-mails about rejected uploads: eventpulse notifications
";
    assert_eq!(text(&rows), expected);
}
