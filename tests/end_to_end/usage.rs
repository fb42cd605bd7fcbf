//! Quotas of owners, and repeated requests.

use std::collections::BTreeSet;
use std::sync::Arc;

use eventpulse_cli::BoxError;
use eventpulse_cli::dev::client::User;
use eventpulse_core::usage::{Charge, RequestWindow};
use serde_json::{Value, json};

use crate::TestResult;
use crate::devices::{self, acknowledged};
use crate::poll::{SOON, found, poll};
use crate::world::{World, document, reading};

/// The default of the parameter `OwnerBytesPerDay`.
const BYTES_PER_DAY: u64 = 1 << 40;
/// The default of the parameter `OwnerRequestsPerSecond`.
const REQUESTS_PER_SECOND: u64 = 50;

/// Returns the use of a quota.
async fn used(world: &World, user: &User, quota: &str) -> Result<u64, BoxError> {
    let usage = world.get(user, "/usage").await?;
    let quotas = usage["quotas"].as_array().ok_or("no quotas")?.iter();
    let quota = quotas.clone().find(|state| state["name"] == quota).ok_or("no such quota")?;
    Ok(quota["used"].as_u64().ok_or("no amount")?)
}

async fn wait_for(world: &World, user: &User, quota: &str, amount: u64) -> TestResult {
    poll(SOON, async || {
        let used = used(world, user, quota).await?;
        found((used == amount).then_some(()), || format!("{quota}: {used}, not {amount}"))
    })
    .await
}

pub async fn uploads_messages_and_rejected_records_are_counted(world: Arc<World>) -> TestResult {
    let user = world.user();
    let good = document("good.json", reading("counted", 0, 1.0).to_string());
    let bad = document("bad.ndjson", "{}\n{}\n{}\n");
    let sent = (good.bytes.len() + bad.bytes.len()) as u64;
    world.upload_by_rest(&user, &good).await?;
    world.upload_by_rest(&user, &bad).await?;
    wait_for(&world, &user, "open_uploads", 2).await?;
    wait_for(&world, &user, "rejected_records", 3).await?;
    wait_for(&world, &user, "bytes", sent).await?;

    let (_, key) = devices::key(&world, &user, "standard").await?;
    let message = reading("counted", 1, 2.0);
    let id = acknowledged(devices::send(&world, &key, &message).await?)?;
    devices::outcome(&world, &user, &id).await?;
    wait_for(&world, &user, "bytes", sent + message.to_string().len() as u64).await?;
    let id =
        acknowledged(devices::send(&world, &key, &json!({ "device_id": "d", "timestamp": "x", "value": 1 })).await?)?;
    devices::outcome(&world, &user, &id).await?;
    wait_for(&world, &user, "rejected_records", 4).await
}

pub async fn upload_beyond_the_quota_is_refused_and_what_was_issued_is_processed(world: Arc<World>) -> TestResult {
    let (user, neighbour) = (world.user(), world.user());
    let sample = document("late.json", reading("late", 0, 1.0).to_string());
    let issued = world.client.issue(&user, &sample).await?;
    let charge = Charge { bytes: BYTES_PER_DAY, ..Charge::default() };
    world.client.services.usage.add(&user.owner, &charge, eventpulse_aws::clock()).await?;

    let request = json!({ "file_name": "a.json", "content_type": "application/json", "size": 2 });
    let refused = world.call(&user, "POST", "/uploads", request.clone()).await?;
    let retry_after: u64 = refused.header("retry-after").parse()?;
    assert!((1..=86_400).contains(&retry_after), "{retry_after}");
    let error = refused.problem(429, "quota-exceeded")?;
    assert_eq!((&error["quota"]["name"], &error["quota"]["left"]), (&json!("bytes"), &json!(0)), "{error:#}");
    world.call(&neighbour, "POST", "/uploads", request).await?.expect(201)?;

    let status = world.client.put(&issued, sample.bytes.clone()).await?;
    assert_eq!(status, 200);
    assert_eq!(world.outcome(&user, issued.upload_id.as_str()).await?["state"], "accepted");
    Ok(())
}

pub async fn owner_without_requests_left_is_refused_until_the_window_ends(world: Arc<World>) -> TestResult {
    let (user, neighbour) = (world.user(), world.user());
    // The window may end before the functions ask.
    for _ in 0..5 {
        let window = RequestWindow::at(eventpulse_aws::clock(), REQUESTS_PER_SECOND);
        while world.client.services.usage.take_slice(&user.owner, window).await? {}
        for _ in 0..40 {
            let reply = world.call(&user, "GET", "/uploads", Value::Null).await?;
            if reply.status != 429 {
                reply.expect(200)?;
                continue;
            }
            let retry_after: u64 = reply.header("retry-after").parse()?;
            assert!((1..=10).contains(&retry_after), "{retry_after}");
            let error = reply.problem(429, "quota-exceeded")?;
            assert_eq!(error["quota"]["name"], "requests", "{error:#}");
            world.call(&neighbour, "GET", "/uploads", Value::Null).await?.expect(200)?;
            return Ok(());
        }
    }
    Err("no request is refused".into())
}

pub async fn repeated_post_of_an_upload_creates_one_upload(world: Arc<World>) -> TestResult {
    let user = world.user();
    let sample = document("once.json", reading("once", 0, 1.0).to_string());
    let token = format!("Bearer {}", user.token);
    let post = async |size: usize| {
        let body = json!({ "file_name": "once.json", "content_type": "application/json", "size": size });
        let headers =
            [("authorization", token.as_str()), ("content-type", "application/json"), ("idempotency-key", "once")];
        world.send("POST", "/uploads", &headers, body.to_string().into_bytes()).await
    };
    let size = sample.bytes.len();
    let (a, b, c, d) = tokio::join!(post(size), post(size), post(size), post(size));
    let mut answers = Vec::new();
    for reply in [a?, b?, c?, d?] {
        answers.push(reply.expect(201)?);
    }
    let ids: BTreeSet<String> = answers.iter().map(|answer| answer["upload_id"].to_string()).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(used(&world, &user, "open_uploads").await?, 1);
    let listed = world.get(&user, "/uploads").await?;
    assert_eq!(listed["uploads"].as_array().map(Vec::len), Some(1), "{listed:#}");
    post(size + 1).await?.problem(422, "idempotency-key-reused")?;

    // The URL of a repeated answer works.
    let answer = post(size).await?.expect(201)?;
    let mut put = world.http.put(answer["url"].as_str().ok_or("no url")?).body(sample.bytes.clone());
    for (name, value) in answer["headers"].as_object().ok_or("no headers")? {
        put = put.header(name, value.as_str().unwrap_or_default());
    }
    assert_eq!(put.send().await?.status().as_u16(), 200);
    let id = answer["upload_id"].as_str().unwrap_or_default().to_owned();
    assert_eq!(world.outcome(&user, &id).await?["state"], "accepted");
    let receipt = post(size).await?.expect(200)?;
    assert_eq!((&receipt["upload_id"], &receipt["state"]), (&json!(id), &json!("accepted")), "{receipt:#}");
    Ok(())
}

pub async fn announced_type_with_parameters_and_capitals_is_uploaded(world: Arc<World>) -> TestResult {
    let user = world.user();
    let bytes = reading("typed", 0, 1.0).to_string();
    let content_type = "Application/JSON; charset=UTF-8";
    let request = json!({ "file_name": "typed", "content_type": content_type, "size": bytes.len() });
    let issued = world.call(&user, "POST", "/uploads", request).await?.expect(201)?;
    assert_eq!(issued["headers"]["content-type"], content_type, "{issued:#}");
    let mut put = world.http.put(issued["url"].as_str().ok_or("no url")?).body(bytes);
    for (name, value) in issued["headers"].as_object().ok_or("no headers")? {
        put = put.header(name, value.as_str().unwrap_or_default());
    }
    assert_eq!(put.send().await?.status().as_u16(), 200);
    let receipt = world.outcome(&user, issued["upload_id"].as_str().unwrap_or_default()).await?;
    assert_eq!(receipt["state"], "accepted", "{receipt:#}");
    Ok(())
}

pub async fn links_of_every_device_lead_to_it(world: Arc<World>) -> TestResult {
    let user = world.user();
    let devices = [".", "..", "%2E", "/", "a/../b", "?", "#", " ", "+", "é", "a b&c=d"];
    let records: Vec<Value> = devices.iter().map(|device| reading(device, 0, 1.0)).collect();
    world.upload_by_rest(&user, &document("devices.ndjson", crate::owners::lines(&records))).await?;
    let listed = poll(SOON, async || {
        let listed = world.get(&user, "/devices").await?;
        let count = listed["devices"].as_array().map_or(0, Vec::len);
        found((count == devices.len()).then_some(listed), || format!("{count} devices"))
    })
    .await?;
    for device in listed["devices"].as_array().ok_or("no devices")? {
        for link in ["stats", "series"] {
            let url = device["links"][link].as_str().ok_or("no link")?;
            let reply = world.http.get(url).bearer_auth(&user.token).send().await?;
            let status = reply.status().as_u16();
            let body: Value = serde_json::from_slice(&reply.bytes().await?)?;
            assert_eq!((status, &body["device_id"]), (200, &device["device_id"]), "{url}: {body:#}");
        }
    }
    Ok(())
}
