//! Batches of messages for ingest-message: overlapping, repeated, partly wrong, and during failures of AWS.

use std::sync::Arc;

use aws_sdk_lambda::primitives::Blob;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use eventpulse_cli::BoxError;
use eventpulse_cli::dev::client::User;
use eventpulse_core::encoding::sha256;
use eventpulse_core::id::UploadId;
use eventpulse_core::upload::{Decision, Upload};
use serde_json::{Value, json};

use crate::TestResult;
use crate::disturbances::{restore, without, without_statement};
use crate::poll::{SOON, found, poll};
use crate::world::{World, reading};

/// A message as the queue delivers it.
pub struct Sent {
    name: String,
    event: Value,
}

impl Sent {
    pub fn id(&self) -> UploadId {
        UploadId::of_message(&self.name).expect("an id")
    }
}

/// Builds a message of this user in the form that API Gateway sends. `name` must be unique.
pub fn message(user: &User, name: &str, body: &Value) -> Sent {
    let name = format!("{name:_>16}");
    let attribute = |value: &str| json!({ "stringValue": value, "dataType": "String" });
    let event = json!({
        "messageId": format!("message-{name}"),
        "receiptHandle": "x",
        "body": BASE64_STANDARD.encode(body.to_string()),
        "attributes": { "ApproximateReceiveCount": "1", "SentTimestamp": "1740744000123" },
        "messageAttributes": { "owner": attribute(&user.owner), "correlation_id": attribute(&name) },
        "eventSource": "aws:sqs",
    });
    Sent { name, event }
}

/// Adds the header `Idempotency-Key` to a message.
fn with_key(mut sent: Sent, key: &str) -> Sent {
    sent.event["messageAttributes"]["idempotency_key"] = json!({ "stringValue": key, "dataType": "String" });
    sent
}

/// Sets the time of the acknowledgement, in milliseconds since 1970.
fn posted_at(mut sent: Sent, milliseconds: i64) -> Sent {
    let time = json!({ "stringValue": milliseconds.to_string(), "dataType": "String" });
    sent.event["messageAttributes"]["posted_at"] = time;
    sent
}

/// Invokes ingest-message with a batch. Returns the batch indexes to redeliver.
pub async fn deliver(world: &World, batch: &[&Sent]) -> Result<Vec<usize>, BoxError> {
    let records: Vec<&Value> = batch.iter().map(|sent| &sent.event).collect();
    let invoke = world.lambda.invoke().function_name(world.output("IngestMessageFunctionName"));
    let output = invoke.payload(Blob::new(json!({ "Records": records }).to_string())).send().await?;
    let payload: Value = serde_json::from_slice(output.payload().map(Blob::as_ref).unwrap_or_default())?;
    if let Some(error) = output.function_error() {
        return Err(format!("{error}: {payload}").into());
    }
    let failed = payload["batchItemFailures"].as_array().ok_or("no answer")?.iter();
    let index = |failure: &Value| batch.iter().position(|sent| sent.event["messageId"] == failure["itemIdentifier"]);
    Ok(failed.filter_map(index).collect())
}

pub async fn outcome(world: &World, sent: &Sent) -> Result<Upload, BoxError> {
    world.client.services.uploads.load(&sent.id()).await?.ok_or_else(|| format!("{} is not known", sent.id()).into())
}

async fn states(world: &World, batch: &[&Sent]) -> Result<Vec<&'static str>, BoxError> {
    let mut states = Vec::new();
    for sent in batch {
        states.push(outcome(world, sent).await?.state().as_str());
    }
    Ok(states)
}

/// Returns ten messages, of which the fourth is wrong.
fn one_bad_of_ten(user: &User, device: &str) -> Vec<Sent> {
    let body = |second: u32| match second {
        3 => json!({ "device_id": device, "timestamp": "2025-02-30T00:00:00Z", "value": 1 }),
        _ => reading(device, second, f64::from(second)),
    };
    (0..10).map(|second| message(user, &format!("{device}-{second}"), &body(second))).collect()
}

pub async fn bad_message_does_not_affect_its_batch(world: Arc<World>) -> TestResult {
    let user = world.user();
    let batch = one_bad_of_ten(&user, "ten");
    let batch: Vec<&Sent> = batch.iter().collect();
    assert_eq!(deliver(&world, &batch).await?, Vec::<usize>::new());
    let mut expected = ["accepted"; 10];
    expected[3] = "quarantined";
    assert_eq!(states(&world, &batch).await?, expected);
    let answer = world.stats(&user, "ten").await?;
    assert_eq!((&answer["count"], &answer["mean"]), (&json!(9), &json!(42.0 / 9.0)));
    assert_eq!(answer["uploads"]["included"]["count"], 9);

    // The quarantine holds the body of the bad message, and its owner corrects it.
    let id = batch[3].id().to_string();
    let item = world.get(&user, &format!("/quarantine/{id}")).await?;
    assert_eq!(item["report"]["groups"][0]["code"], "FORMAT", "{item:#}");
    let url = item["download"]["object"]["url"].as_str().ok_or("no link")?;
    let held = world.http.get(url).send().await?.bytes().await?;
    assert_eq!(serde_json::from_slice::<Value>(&held)?["timestamp"], "2025-02-30T00:00:00Z");
    assert_eq!(world.mails_about(&batch[3].id()).await.len(), 1, "the owner is notified once");
    let fixed = reading("ten", 3, 3.0).to_string();
    world.retry(&user, &id, Some(("application/json", &fixed))).await?.expect(202)?;
    world.receipt(&user, &id, |receipt| receipt["state"] == "accepted").await?;
    assert_eq!(world.stats(&user, "ten").await?["count"], 10);

    let all_bad: Vec<Sent> =
        (0..10).map(|at| message(&user, &format!("bad-{at}"), &json!({ "device_id": at }))).collect();
    let all_bad: Vec<&Sent> = all_bad.iter().collect();
    assert_eq!(deliver(&world, &all_bad).await?, Vec::<usize>::new(), "messages with wrong data are not redelivered");
    assert_eq!(states(&world, &all_bad).await?, ["quarantined"; 10]);
    Ok(())
}

/// The gateway's model has the same limit, but AWS does not promise to enforce it.
pub async fn message_of_501_records_is_quarantined_without_the_gateway(world: Arc<World>) -> TestResult {
    let user = world.user();
    let records = |count: u32| (0..count).map(|second| reading("many", second, 1.0)).collect::<Value>();
    let (most, more) = (message(&user, "most", &records(500)), message(&user, "more", &records(501)));
    assert_eq!(deliver(&world, &[&most, &more]).await?, Vec::<usize>::new());
    assert_eq!(states(&world, &[&most, &more]).await?, ["accepted", "quarantined"]);
    let receipt = world.get(&user, &format!("/uploads/{}", more.id())).await?;
    assert_eq!(receipt["failures"][0]["code"], "TOO_MANY_RECORDS", "{receipt:#}");
    assert_eq!(world.stats(&user, "many").await?["count"], 500);
    Ok(())
}

pub async fn unfinished_message_is_redelivered(world: Arc<World>) -> TestResult {
    let user = world.user();
    let batch = one_bad_of_ten(&user, "transient");
    let batch: Vec<&Sent> = batch.iter().collect();
    let whole = without_statement(&world, "IngestMessageRole", "RecordOccurrences").await?;
    let failed = deliver(&world, &batch).await;
    restore(&world, whole).await?;
    assert_eq!(failed?, [3], "only the message whose occurrence cannot be recorded");
    assert_eq!(world.stats(&user, "transient").await?["count"], 9);
    poll(SOON, async || {
        let failed = deliver(&world, &[batch[3]]).await?;
        found(failed.is_empty().then_some(()), || "the first delivery still counts as running".to_owned())
    })
    .await?;
    assert_eq!(states(&world, &[batch[3]]).await?, ["quarantined"]);
    assert_eq!(world.mails_about(&batch[3].id()).await.len(), 1);

    // If the raw log cannot be written, nothing is stored and the whole batch is redelivered.
    let batch: Vec<Sent> =
        (0..3).map(|at| message(&user, &format!("no-log-{at}"), &reading("no-log", at, 1.0))).collect();
    let batch: Vec<&Sent> = batch.iter().collect();
    let whole = without(&world, "IngestMessageRole", "s3:PutObject").await?;
    let failed = deliver(&world, &batch).await;
    restore(&world, whole).await?;
    assert_eq!(failed?, [0, 1, 2]);
    assert_eq!(world.stats(&user, "no-log").await?, Value::Null);
    assert_eq!(deliver(&world, &batch).await?, Vec::<usize>::new());
    assert_eq!(world.stats(&user, "no-log").await?["count"], 3);
    Ok(())
}

pub async fn repeated_message_counts_once(world: Arc<World>) -> TestResult {
    let user = world.user();
    let sent: Vec<Sent> =
        (0..15).map(|at| message(&user, &format!("twice-{at}"), &reading("twice", at, f64::from(at)))).collect();
    let all: Vec<&Sent> = sent.iter().collect();
    // Deliver overlapping batches in parallel, and one message twice in a batch.
    let overlapping: Vec<&Sent> = all[5..].iter().chain(&all[5..7]).copied().collect();
    let (first, second, third) =
        tokio::join!(deliver(&world, &all[..10]), deliver(&world, &overlapping), deliver(&world, &all));
    let failed = [first?, second?, third?].concat();
    assert_eq!(failed, Vec::<usize>::new());
    for _ in 0..2 {
        assert_eq!(deliver(&world, &all).await?, Vec::<usize>::new());
    }
    assert_eq!(states(&world, &all).await?, ["accepted"; 15]);
    let answer = world.stats(&user, "twice").await?;
    assert_eq!((&answer["count"], &answer["mean"]), (&json!(15), &json!(7.0)));
    assert_eq!(answer["uploads"]["included"]["count"], 15);
    for sent in &all {
        let history = world.client.services.uploads.history(&sent.id()).await?;
        assert_eq!(history.len(), 3, "posted, received, decided, once each: {history:?}");
    }

    // Different messages with the same bytes count once, as uploads do.
    let body = reading("same", 0, 1.0);
    let same: Vec<Sent> = (0..3).map(|at| message(&user, &format!("same-{at}"), &body)).collect();
    let same: Vec<&Sent> = same.iter().collect();
    assert_eq!(deliver(&world, &same).await?, Vec::<usize>::new());
    let mut sorted_states = states(&world, &same).await?;
    sorted_states.sort_unstable();
    assert_eq!(sorted_states, ["accepted", "duplicate", "duplicate"]);
    assert_eq!(world.stats(&user, "same").await?["count"], 1);

    // The same holds for a partially accepted message, independently of its corrections.
    let partly = json!([reading("partly", 0, 1.0), { "device_id": "partly" }]);
    let (one, two) = (message(&user, "partly-1", &partly), message(&user, "partly-2", &partly));
    assert_eq!(deliver(&world, &[&one]).await?, Vec::<usize>::new());
    world.retry(&user, one.id().as_str(), Some(("application/json", "{}"))).await?.expect(202)?;
    world.outcome(&user, one.id().as_str()).await?;
    assert_eq!(deliver(&world, &[&two]).await?, Vec::<usize>::new());
    assert_eq!(states(&world, &[&one, &two]).await?, ["partially_accepted", "duplicate"]);
    assert_eq!(world.stats(&user, "partly").await?["count"], 1);

    // A message of many points and days is processed as a single, and does not affect its batch.
    let days: Vec<Value> = (0..1_500)
        .map(|at| {
            let (day, minute) = (1 + at / 500, at % 500);
            json!({ "timestamp": format!("2025-03-{day:02}T{:02}:{:02}:00Z", minute / 60, minute % 60), "value": at })
        })
        .collect();
    let wide = message(&user, "days-0", &json!({ "schema": "batch/1.0", "device_id": "days", "readings": days }));
    let others: Vec<Sent> = (0..60)
        .map(|at| message(&user, &format!("days-{}", at + 1), &reading(&format!("days-{at}"), at, 1.0)))
        .collect();
    let batch: Vec<&Sent> = others.iter().chain([&wide]).collect();
    assert_eq!(deliver(&world, &batch).await?, Vec::<usize>::new());
    assert_eq!(states(&world, &batch).await?, ["accepted"; 61]);
    assert_eq!(world.stats(&user, "days").await?["count"], 1_500);
    Ok(())
}

pub async fn messages_with_one_idempotency_key_count_once(world: Arc<World>) -> TestResult {
    let (user, other) = (world.user(), world.user());
    let keyed = |user: &User, name: &str, value: f64, key: &str| {
        with_key(message(user, name, &reading("keyed", 0, value)), key)
    };
    let first = keyed(&user, "keyed-1", 1.0, "boot-1/1");
    let again = keyed(&user, "keyed-2", 1.0, "boot-1/1");
    let changed = keyed(&user, "keyed-3", 2.0, "boot-1/1");
    let others = keyed(&other, "keyed-4", 3.0, "boot-1/1");
    assert_eq!(deliver(&world, &[&first, &again, &changed, &others]).await?, Vec::<usize>::new());
    let batch = [&first, &again, &changed, &others];
    assert_eq!(states(&world, &batch).await?, ["accepted", "duplicate", "quarantined", "accepted"]);
    assert_eq!(outcome(&world, &again).await?.duplicate_of(), Some(&first.id()));
    let receipt = world.get(&user, &format!("/uploads/{}", changed.id())).await?;
    assert_eq!(receipt["failures"][0]["code"], "IDEMPOTENCY_KEY_REUSED", "{receipt:#}");
    assert!(receipt["failures"][0]["message"].as_str().is_some_and(|text| text.contains(first.id().as_str())));
    assert_eq!(world.stats(&user, "keyed").await?["count"], 1);
    assert_eq!(world.stats(&other, "keyed").await?["mean"], 3.0);

    // The first acknowledged message gets the key, whatever its place in the batch, its readings and its outcome.
    let posted = |sent: Sent, second: u32| posted_at(sent, 1_740_744_000_000 + i64::from(second) * 1_000);
    let ordered =
        |name: &str, value: f64, key: &str| with_key(message(&user, name, &reading("ordered", 0, value)), key);
    let late = posted(ordered("keyed-a", 8.0, "order"), 2);
    let early = posted(ordered("keyed-b", 9.0, "order"), 1);
    let wrong = json!({ "device_id": "ordered", "timestamp": "2025-02-28T00:00:00Z", "value": "wrong" });
    let early_wrong = posted(with_key(message(&user, "keyed-c", &wrong), "wrong first"), 1);
    let late_right = posted(ordered("keyed-d", 10.0, "wrong first"), 2);
    let batch = [&late, &early, &late_right, &early_wrong];
    assert_eq!(deliver(&world, &batch).await?, Vec::<usize>::new());
    assert_eq!(states(&world, &batch).await?, ["quarantined", "accepted", "quarantined", "quarantined"]);
    for (sent, code) in
        [(&late, "IDEMPOTENCY_KEY_REUSED"), (&late_right, "IDEMPOTENCY_KEY_REUSED"), (&early_wrong, "TYPE")]
    {
        let receipt = world.get(&user, &format!("/uploads/{}", sent.id())).await?;
        assert_eq!(receipt["failures"][0]["code"], code, "{receipt:#}");
    }

    // In parallel batches, one of the two bodies is accepted and the other is quarantined.
    let (a, b) = (keyed(&user, "keyed-5", 5.0, "k"), keyed(&user, "keyed-6", 6.0, "k"));
    let (one, two) = ([&a], [&b]);
    let (one, two) = tokio::join!(deliver(&world, &one), deliver(&world, &two));
    assert_eq!([one?, two?].concat(), Vec::<usize>::new());
    let mut sorted_states = states(&world, &[&a, &b]).await?;
    sorted_states.sort_unstable();
    assert_eq!(sorted_states, ["accepted", "quarantined"]);

    // After a withdrawal, the same body is accepted under the same key.
    let path = format!("/uploads/{}", first.id());
    world.call(&user, "DELETE", &path, Value::Null).await?.expect(200)?;
    let resent = keyed(&user, "keyed-7", 1.0, "boot-1/1");
    assert_eq!(deliver(&world, &[&resent]).await?, Vec::<usize>::new());
    assert_eq!(states(&world, &[&first, &resent]).await?, ["withdrawn", "accepted"]);

    // The owner retries the changed body without a correction.
    world.retry(&user, changed.id().as_str(), None).await?.expect(202)?;
    world.receipt(&user, changed.id().as_str(), |receipt| receipt["state"] == "accepted").await?;
    assert_eq!(world.stats(&user, "keyed").await?["count"], 3);
    Ok(())
}

pub async fn withdrawn_message_leaves_its_shared_chunk(world: Arc<World>) -> TestResult {
    let user = world.user();
    let sent: Vec<Sent> =
        (0..20).map(|at| message(&user, &format!("shared-{at}"), &reading("shared", at, f64::from(at)))).collect();
    let all: Vec<&Sent> = sent.iter().collect();
    assert_eq!(deliver(&world, &all).await?, Vec::<usize>::new());
    let query = world.dynamodb.query().table_name(&world.client.services.config.chunks_table);
    let query = query.key_condition_expression("pk = :series");
    let series = eventpulse_core::statistics::series::Series {
        owner: user.owner.clone(),
        entity: "shared".to_owned(),
        measure: "value".to_owned(),
    };
    let pk = aws_sdk_dynamodb::types::AttributeValue::S(series.partition_key());
    let chunks = query.expression_attribute_values(":series", pk).send().await?;
    assert_eq!(chunks.count(), 1, "twenty messages share one chunk");

    let path = |sent: &Sent| format!("/uploads/{}", sent.id());
    world.call(&user, "DELETE", &path(all[7]), Value::Null).await?.expect(200)?;
    let answer = world.stats(&user, "shared").await?;
    assert_eq!((&answer["count"], &answer["mean"]), (&json!(19), &json!((190.0 - 7.0) / 19.0)));
    assert_eq!(answer["uploads"]["included"]["count"], 19);
    // The answer for a range names the uploads with points in the range, not all uploads of the chunk.
    let range = "/devices/shared/stats?from=2025-02-28T00:00:05Z&to=2025-02-28T00:00:09Z";
    let answer = world.get(&user, range).await?;
    assert_eq!((&answer["count"], &answer["uploads"]["included"]["count"]), (&json!(3), &json!(3)));

    // Withdraw the others in parallel, except one.
    let rest = all.iter().enumerate().filter(|(at, _)| *at != 7 && *at != 11).map(|(_, sent)| path(sent));
    let mut calls = tokio::task::JoinSet::new();
    for path in rest {
        let (world, user) = (Arc::clone(&world), user.clone());
        calls.spawn(async move {
            let reply = world.call(&user, "DELETE", &path, Value::Null).await.map_err(|error| error.to_string())?;
            if reply.status == 200 { Ok(()) } else { Err(format!("{path}: {reply:?}")) }
        });
    }
    while let Some(call) = calls.join_next().await {
        call??;
    }
    let answer = world.stats(&user, "shared").await?;
    assert_eq!((&answer["count"], &answer["mean"]), (&json!(1), &json!(11.0)));
    world.call(&user, "DELETE", &path(all[11]), Value::Null).await?.expect(200)?;
    assert_eq!(world.stats(&user, "shared").await?, Value::Null);

    // A withdrawn record can be sent again, and counts.
    let again = message(&user, "shared-again", &reading("shared", 7, 7.0));
    assert_eq!(deliver(&world, &[&again]).await?, Vec::<usize>::new());
    assert_eq!(world.stats(&user, "shared").await?["count"], 1);
    Ok(())
}

/// Returns the stored body of a message: from its line of the raw log, or from an object of its own.
pub async fn kept_body(world: &World, upload: &Upload) -> Result<Vec<u8>, BoxError> {
    let object = upload.object().ok_or("no object")?;
    let kept = world.object(&object.bucket, &object.key, Some(&object.version_id)).await?.ok_or("it is gone")?;
    let Some(number) = object.line else { return Ok(kept) };
    let line = kept.split(|byte| *byte == b'\n').nth(usize::try_from(number)? - 1).ok_or("no such line")?;
    let line: Value = serde_json::from_slice(line)?;
    assert_eq!((&line["upload_id"], &line["owner"]), (&json!(upload.id().as_str()), &json!(&upload.origin().owner)));
    Ok(line["body"].as_str().ok_or("no body")?.as_bytes().to_vec())
}

pub async fn raw_log_holds_every_accepted_message(world: Arc<World>) -> TestResult {
    let user = world.user();
    let mut sent: Vec<Sent> =
        (0..8).map(|at| message(&user, &format!("log-{at}"), &reading("log", at, f64::from(at)))).collect();
    // The last two are processed as singles: one is partly wrong, one has too many devices for a batch.
    let wide: Vec<Value> = (0..40).map(|at| reading(&format!("log-{at}"), at, 1.0)).collect();
    sent.push(message(&user, "log-partly", &json!([reading("log", 9, 9.0), { "device_id": "log" }])));
    sent.push(message(&user, "log-wide", &json!(wide)));
    let batch: Vec<&Sent> = sent.iter().collect();
    assert_eq!(deliver(&world, &batch).await?, Vec::<usize>::new());
    for sent in batch {
        let upload = outcome(&world, sent).await?;
        let Some(Decision::Accepted { sha256: counted, .. }) = upload.decision() else {
            return Err(format!("not accepted: {upload:?}").into());
        };
        let kept = kept_body(&world, &upload).await?;
        assert_eq!(&sha256(&kept), counted, "the stored body has the accepted digest");
        assert_eq!(BASE64_STANDARD.encode(&kept), sent.event["body"], "the stored body equals the sent body");
    }
    assert_eq!(world.stats(&user, "log").await?["count"], 9);
    Ok(())
}
