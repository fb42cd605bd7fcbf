//! Limits of the device API, large bursts, and messages in the dead-letter queue.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use eventpulse_cli::BoxError;
use serde_json::{Value, json};

use super::{acknowledged, key, outcome, send};
use crate::TestResult;
use crate::disturbances::{restore, without};
use crate::http::Reply;
use crate::poll::{SOON, found, poll};
use crate::world::{World, reading};

pub async fn each_key_is_throttled_separately(world: Arc<World>) -> TestResult {
    let user = world.user();
    let ((_, slow), (_, other)) = (key(&world, &user, "standard").await?, key(&world, &user, "standard").await?);
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..80 {
        let (world, slow) = (Arc::clone(&world), slow.clone());
        calls.spawn(async move {
            let reply = send(&world, &slow, &reading("throttled", number, 1.0)).await.map_err(|e| e.to_string())?;
            Ok::<Reply, String>(reply)
        });
    }
    let (mut taken, mut throttled) = (Vec::new(), 0);
    while let Some(call) = calls.join_next().await {
        let reply = call??;
        if reply.status == 202 {
            taken.push(acknowledged(reply)?);
            continue;
        }
        assert!(reply.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0), "{reply:?}");
        reply.problem(429, "too-many-requests")?;
        throttled += 1;
    }
    assert!(throttled > 0, "80 parallel calls exceed the burst limit of 20");
    assert!(taken.len() >= 20);
    acknowledged(send(&world, &other, &reading("throttled", 99, 1.0)).await?)?;
    for id in &taken {
        assert_eq!(outcome(&world, &user, id).await?["state"], "accepted", "every acknowledged message is accepted");
    }
    Ok(())
}

pub async fn burst_of_five_thousand_messages_is_settled_completely(world: Arc<World>) -> TestResult {
    const MESSAGES: u32 = 5_000;
    const DEVICES: u32 = 50;
    let user = world.user();
    let (_, secret) = key(&world, &user, "fast").await?;
    let body = |number: u32| {
        let (device, second) = (format!("burst-{}", number % DEVICES), number / DEVICES);
        match number % 20 {
            7 => {
                json!({ "device_id": device, "timestamp": format!("2025-02-30T00:00:{:02}Z", second % 60), "value": number })
            }
            _ => reading(&device, second, f64::from(number)),
        }
    };
    let mut calls = tokio::task::JoinSet::new();
    let permits = Arc::new(tokio::sync::Semaphore::new(32));
    for number in 0..MESSAGES {
        let (world, secret, body, permits) = (Arc::clone(&world), secret.clone(), body(number), Arc::clone(&permits));
        calls.spawn(async move {
            let _permit = permits.acquire_owned().await.map_err(|error| error.to_string())?;
            let reply = send(&world, &secret, &body).await.map_err(|error| error.to_string())?;
            acknowledged(reply).map(|id| (id, number % 20 == 7)).map_err(|error| error.to_string())
        });
    }
    let mut sent = BTreeMap::new();
    while let Some(call) = calls.join_next().await {
        let (id, is_bad) = call??;
        sent.insert(id, is_bad);
    }
    assert_eq!(sent.len(), MESSAGES as usize, "the ids are unique");

    let outcomes = poll(Duration::from_secs(2), async || {
        let mut outcomes = BTreeMap::new();
        let mut path = "/uploads?limit=100".to_owned();
        loop {
            let page = world.get(&user, &path).await?;
            for upload in page["uploads"].as_array().ok_or("no list")? {
                let state = upload["state"].as_str().unwrap_or_default().to_owned();
                if matches!(state.as_str(), "accepted" | "quarantined") {
                    outcomes
                        .insert(upload["upload_id"].as_str().unwrap_or_default().to_owned(), state == "quarantined");
                }
            }
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/uploads?limit=100&cursor={next}");
        }
        let seen = outcomes.len();
        found((seen >= sent.len()).then_some(outcomes), || format!("{seen} of {} messages have an outcome", sent.len()))
    })
    .await?;
    assert_eq!(outcomes, sent, "every acknowledged message is accepted or quarantined as expected");
    let mut count = 0;
    for device in 0..DEVICES {
        let answer = world.stats(&user, &format!("burst-{device}")).await?;
        let numbers = (0..MESSAGES).filter(|number| number % DEVICES == device && number % 20 != 7);
        let numbers: Vec<f64> = numbers.map(f64::from).collect();
        count += numbers.len();
        if numbers.is_empty() {
            assert_eq!(answer, Value::Null);
            continue;
        }
        let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
        assert_eq!(answer["count"], json!(numbers.len()), "burst-{device}");
        assert_eq!(answer["mean"], mean, "burst-{device}");
    }
    assert_eq!(count, 4_750);
    Ok(())
}

pub async fn dead_letters_are_redriven_by_one_command(world: Arc<World>) -> TestResult {
    let user = world.user();
    let (_, secret) = key(&world, &user, "fast").await?;
    let (queue, dead) =
        (world.output("MessageQueueUrl").to_owned(), world.output("MessageDeadLetterQueueUrl").to_owned());
    let arn = world.output("MessageDeadLetterQueueArn").to_owned();
    world
        .sqs("set_queue_attributes", &json!({ "QueueUrl": queue, "Attributes": { "VisibilityTimeout": "1" } }))
        .await?;
    let failed = async || -> Result<u64, BoxError> {
        let lines = world.logs("IngestMessageLogGroup").await?;
        Ok(lines.iter().filter_map(|line| line["failed"].as_u64()).sum())
    };
    let failed_before = failed().await?;
    let whole = without(&world, "IngestMessageRole", "s3:PutObject").await?;
    let wait_for_dead_letters = async |wanted: &str| {
        poll(SOON, async || {
            let asked = json!({ "QueueUrl": dead, "AttributeNames": ["ApproximateNumberOfMessages"] });
            let answer = world.sqs("get_queue_attributes", &asked).await?;
            let seen = &answer["Attributes"]["ApproximateNumberOfMessages"];
            found((*seen == wanted).then_some(()), || {
                format!("{seen} messages are in the dead-letter queue, not {wanted}")
            })
        })
        .await
    };
    let dead_lettered: Result<_, BoxError> = async {
        let mut sent = Vec::new();
        for second in 0..12 {
            sent.push(acknowledged(send(&world, &secret, &reading("redriven", second, f64::from(second))).await?)?);
        }
        wait_for_dead_letters("12").await?;
        // An invocation may still process the fifth delivery of a message.
        poll(Duration::from_secs(1), async || {
            let failures = failed().await? - failed_before;
            found((failures >= 60).then_some(()), || format!("{failures} of 60 deliveries failed"))
        })
        .await?;
        Ok(sent)
    }
    .await;
    restore(&world, whole).await?;
    world
        .sqs("set_queue_attributes", &json!({ "QueueUrl": queue, "Attributes": { "VisibilityTimeout": "720" } }))
        .await?;
    let sent = dead_lettered?; // each message is moved after five receives, and none is lost
    assert_eq!(world.stats(&user, "redriven").await?, Value::Null);

    world.sqs("start_message_move_task", &json!({ "SourceArn": arn })).await?;
    for id in &sent {
        assert_eq!(outcome(&world, &user, id).await?["state"], "accepted", "the id is the acknowledged one");
    }
    wait_for_dead_letters("0").await?;
    assert_eq!(world.stats(&user, "redriven").await?["count"], 12);

    // A second delivery of an accepted message, redriven by mistake, changes nothing.
    let copy = json!({
        "QueueUrl": queue,
        "MessageBody": BASE64_STANDARD.encode(reading("redriven", 3, 3.0).to_string()),
        "MessageAttributes": {
            "owner": { "DataType": "String", "StringValue": user.owner },
            "correlation_id": { "DataType": "String", "StringValue": sent[3].trim_start_matches("up_m-") },
        },
    });
    world.sqs("send_message", &copy).await?;
    let asked = json!({ "QueueUrl": queue, "AttributeNames": ["All"] });
    poll(SOON, async || {
        let answer = world.sqs("get_queue_attributes", &asked).await?;
        let none = |name: &str| answer["Attributes"][name] == "0";
        let is_done = none("ApproximateNumberOfMessages") && none("ApproximateNumberOfMessagesNotVisible");
        found(is_done.then_some(()), || format!("the copy is still in the queue: {answer}"))
    })
    .await?;
    wait_for_dead_letters("0").await?;
    assert_eq!(world.stats(&user, "redriven").await?["count"], 12);
    Ok(())
}
