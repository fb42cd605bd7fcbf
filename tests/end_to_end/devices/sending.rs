//! Messages of devices: accepted, rejected and refused.

use std::sync::Arc;

use eventpulse_cli::BoxError;
use eventpulse_cli::dev::client::User;
use eventpulse_core::id::UploadId;
use eventpulse_core::upload::Upload;
use serde_json::{Value, json};

use super::{acknowledged, key, outcome, post, send};
use crate::TestResult;
use crate::messages::kept_body;
use crate::world::{World, reading};

const JSON: (&str, &str) = ("content-type", "application/json");

pub async fn message_is_accepted_and_counted(world: Arc<World>) -> TestResult {
    let (user, other) = (world.user(), world.user());
    let (key_id, secret) = key(&world, &user, "standard").await?;
    let body = json!({ "device_id": "12345", "timestamp": "2025-02-28T12:00:00Z", "value": 22.5 });
    let reply = send(&world, &secret, &body).await?;
    let status_url = reply.body["status_url"].clone();
    let id = acknowledged(reply)?;
    assert_eq!(status_url, format!("{}/uploads/{id}", world.client.api));
    let receipt = outcome(&world, &user, &id).await?;
    assert_eq!((&receipt["state"], &receipt["accepted"]), (&json!("accepted"), &json!(1)), "{receipt:#}");
    assert_eq!(receipt["history"][0]["event"], "message_posted");
    assert_eq!(
        receipt["size"],
        json!(body.to_string().len()),
        "the size is that of the message, not of its log object"
    );
    assert_eq!(receipt["history"][0]["by"], json!(key_id));
    assert_eq!(world.stats(&user, "12345").await?["mean"], 22.5);
    world.call(&other, "GET", &format!("/uploads/{id}"), Value::Null).await?.problem(404, "not-found")?;
    let listed = world.get(&user, "/uploads?state=accepted").await?;
    assert_eq!(listed["uploads"].as_array().map(Vec::len), Some(1));
    Ok(())
}

pub async fn array_with_a_wrong_element_is_partially_accepted(world: Arc<World>) -> TestResult {
    let user = world.user();
    let (_, secret) = key(&world, &user, "standard").await?;
    let mixed = json!([reading("12345", 1, 1.0), { "device_id": "12345", "value": "x" }, reading("12345", 2, 3.0)]);
    let receipt = outcome(&world, &user, &acknowledged(send(&world, &secret, &mixed).await?)?).await?;
    assert_eq!((&receipt["state"], &receipt["rejected"]), (&json!("partially_accepted"), &json!(1)));
    assert_eq!(world.stats(&user, "12345").await?["count"], 2);
    Ok(())
}

pub async fn message_of_another_schema_is_accepted(world: Arc<World>) -> TestResult {
    let user = world.user();
    let (_, secret) = key(&world, &user, "standard").await?;
    let weather = json!({ "schema": "weather/1.0", "station": "Kyiv ☀", "observed_at": "2025-02-28T00:00:00Z", "temp_max_c": 3.5 });
    let receipt = outcome(&world, &user, &acknowledged(send(&world, &secret, &weather).await?)?).await?;
    assert_eq!(receipt["state"], "accepted");
    assert_eq!(receipt["statistics"][0]["device_id"], "Kyiv ☀", "{receipt:#}");
    Ok(())
}

pub async fn message_that_no_schema_accepts_is_refused(world: Arc<World>) -> TestResult {
    let user = world.user();
    let (_, secret) = key(&world, &user, "fast").await?;
    let too_many: Vec<Value> = (0..501).map(|at| reading("many", at, 1.0)).collect();
    for (name, body) in [
        ("no JSON", "{".to_owned()),
        ("nothing", String::new()),
        ("text", "hello".to_owned()),
        ("a number", "7".to_owned()),
        ("missing members", json!({ "device_id": "x" }).to_string()),
        ("no record", "[]".to_owned()),
        ("no valid record", json!([{ "device_id": "x" }, 7]).to_string()),
        ("501 records", json!(too_many).to_string()),
    ] {
        let reply = post(&world, &[("x-api-key", &secret), JSON], body).await?;
        let problem = reply.problem(400, "invalid-request").map_err(|error| format!("{name}: {error}"))?;
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(detail.contains("device_id, timestamp, value") && detail.contains("500"), "{name}: {detail}");
    }
    assert_eq!(world.get(&user, "/uploads").await?["uploads"], json!([]), "a refused message leaves no trace");
    Ok(())
}

pub async fn message_of_500_records_is_accepted(world: Arc<World>) -> TestResult {
    let user = world.user();
    let (_, secret) = key(&world, &user, "fast").await?;
    let records: Vec<Value> = (0..500).map(|at| reading("many", at, 1.0)).collect();
    let receipt = outcome(&world, &user, &acknowledged(send(&world, &secret, &json!(records)).await?)?).await?;
    assert_eq!((&receipt["state"], &receipt["accepted"]), (&json!("accepted"), &json!(500)));
    Ok(())
}

pub async fn large_untyped_or_unauthorized_message_is_refused(world: Arc<World>) -> TestResult {
    let user = world.user();
    let (_, secret) = key(&world, &user, "fast").await?;
    let wide = json!({ "device_id": "x".repeat(300 << 10), "timestamp": "2025-02-28T12:00:00Z", "value": 1 });
    send(&world, &secret, &wide).await?.problem(413, "body-too-large")?;
    let body = reading("x", 0, 1.0).to_string();
    let csv = post(&world, &[("x-api-key", &secret), ("content-type", "text/csv")], body.clone()).await?;
    csv.problem(415, "unsupported-content-type")?;
    post(&world, &[JSON], body.clone()).await?.problem(401, "unauthorized")?;
    for wrong in ["ep_", "nonsense", &format!("{secret}x"), &format!("ep_{}", "A".repeat(43))] {
        post(&world, &[("x-api-key", wrong), JSON], body.clone()).await?.problem(403, "forbidden")?;
    }
    assert_eq!(world.get(&user, "/uploads").await?["uploads"], json!([]), "a refused message leaves no trace");
    Ok(())
}

/// Waits until the message is accepted. Returns its upload and its receipt.
async fn accepted(world: &World, user: &User, id: &str, name: &str) -> Result<(Upload, Value), BoxError> {
    let receipt = outcome(world, user, id).await.map_err(|error| format!("{name:?}: {error}"))?;
    assert_eq!(receipt["state"], "accepted", "{name:?}: {receipt:#}");
    let upload = world.client.services.uploads.load(&UploadId::parse(id)?).await?.ok_or("unknown upload")?;
    Ok((upload, receipt))
}

pub async fn hostile_bodies_reach_the_queue_unchanged(world: Arc<World>) -> TestResult {
    let user = world.user();
    let (_, secret) = key(&world, &user, "fast").await?;
    let hostile = [
        "&Action=DeleteQueue&QueueUrl=x",
        "\"}&MessageBody=eA==&MessageAttribute.1.Value.StringValue=other",
        "#set($context.authorizer.owner = 'other')$util.urlEncode('x')",
        "$input.path('$')#foreach($x in [1..9])$x#end",
        "line\nfeed\ttab \u{7f}\u{85}\u{fffe}\u{1f600} é %41%00 + = ; <xml/>",
        "${AWS::AccountId} {{resolve:secretsmanager:x}}",
    ];
    for (second, text) in (0..).zip(hostile) {
        let record = json!({ "device_id": text, "timestamp": reading("", second, 0.0)["timestamp"], "value": 1 });
        let id = acknowledged(send(&world, &secret, &record).await?)?;
        let (upload, receipt) = accepted(&world, &user, &id, text).await?;
        assert_eq!(receipt["statistics"][0]["device_id"], json!(text));
        assert_eq!(serde_json::from_slice::<Value>(&kept_body(&world, &upload).await?)?, record);
    }
    Ok(())
}

pub async fn hostile_headers_change_neither_owner_nor_queue_call(world: Arc<World>) -> TestResult {
    let (user, other) = (world.user(), world.user());
    let (_, secret) = key(&world, &user, "fast").await?;
    let long = "k".repeat(300);
    let keys = ["a&MessageBody=eA==&Action=PurgeQueue", "'\"\\$context.authorizer.owner #end", "%26x%3D1", &long];
    for (second, idempotency_key) in (100..).zip(keys) {
        let body = reading("hostile-header", second, 1.0).to_string();
        let headers = [
            ("x-api-key", secret.as_str()),
            JSON,
            ("idempotency-key", idempotency_key),
            ("owner", other.owner.as_str()),
            ("x-amzn-requestid", "up_m-chosen"),
            ("x-amzn-trace-id", "Root=1-&Action=DeleteQueue"),
        ];
        let id = acknowledged(post(&world, &headers, body.clone()).await?)?;
        let (upload, _) = accepted(&world, &user, &id, idempotency_key).await?;
        let kept = upload.message().and_then(|message| message.idempotency_key.clone());
        assert_eq!(kept.as_deref(), Some(&idempotency_key[..idempotency_key.len().min(255)]));
        let again = acknowledged(post(&world, &headers, body).await?)?;
        assert_eq!(outcome(&world, &user, &again).await?["duplicate_of"], json!(id), "{idempotency_key}");
    }
    assert_eq!(world.stats(&user, "hostile-header").await?["count"], 4);
    assert_eq!(world.get(&other, "/uploads").await?["uploads"], json!([]));
    Ok(())
}
