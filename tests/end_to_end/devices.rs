//! Devices: from an API key to statistics, through the gateway, the queue and the function.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use eventpulse_cli::BoxError;
use eventpulse_cli::dev::client::User;
use eventpulse_core::id::UploadId;
use serde_json::{Value, json};

use crate::TestResult;
use crate::disturbances::{restore, without};
use crate::http::Reply;
use crate::messages::kept_body;
use crate::poll::{SOON, found, poll};
use crate::world::{World, reading};

/// How long a revoked key may go on working here: see `LOCAL_PARAMETERS`.
const KEY_CACHE: Duration = Duration::from_secs(5);

/// Makes a key. Returns its id and its secret.
pub async fn key(world: &World, user: &User, plan: &str) -> Result<(String, String), BoxError> {
    let made = world.call(user, "POST", "/keys", json!({ "name": "test", "plan": plan })).await?.expect(201)?;
    let text = |name: &str| made[name].as_str().unwrap_or_default().to_owned();
    Ok((text("key_id"), text("api_key")))
}

/// Posts to the devices' API.
async fn post(world: &World, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Result<Reply, BoxError> {
    let mut request = world.http.post(format!("{}/data", world.output("DeviceApiUrl"))).body(body.into());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Reply::of(request.send().await?).await
}

/// Posts JSON with a key.
pub async fn send(world: &World, key: &str, body: &Value) -> Result<Reply, BoxError> {
    post(world, &[("x-api-key", key), ("content-type", "application/json")], body.to_string()).await
}

/// The id under which a message was acknowledged.
fn acknowledged(reply: Reply) -> Result<String, BoxError> {
    let body = reply.expect(202)?;
    Ok(body["upload_id"].as_str().ok_or("no upload_id")?.to_owned())
}

/// Waits for the outcome of an acknowledged message, which may not have been taken from the queue yet.
async fn outcome(world: &World, user: &User, id: &str) -> Result<Value, BoxError> {
    poll(SOON, async || {
        let reply = world.call(user, "GET", &format!("/uploads/{id}"), Value::Null).await?;
        found((reply.status != 404).then_some(()), || format!("{id} is still not known"))
    })
    .await?;
    world.outcome(user, id).await
}

pub async fn from_a_key_to_statistics(world: Arc<World>) -> TestResult {
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
    assert_eq!(receipt["size"], json!(body.to_string().len()), "its own size, not that of the log it lies in");
    assert_eq!(receipt["history"][0]["by"], json!(key_id));
    assert_eq!(world.stats(&user, "12345").await?["mean"], 22.5);
    world.call(&other, "GET", &format!("/uploads/{id}"), Value::Null).await?.problem(404, "not-found")?;

    // An array, one element of which is wrong; and another schema.
    let mixed = json!([reading("12345", 1, 1.0), { "device_id": "12345", "value": "x" }, reading("12345", 2, 3.0)]);
    let receipt = outcome(&world, &user, &acknowledged(send(&world, &secret, &mixed).await?)?).await?;
    assert_eq!((&receipt["state"], &receipt["rejected"]), (&json!("partially_accepted"), &json!(1)));
    let weather = json!({ "schema": "weather/1.0", "station": "Kyiv ☀", "observed_at": "2025-02-28T00:00:00Z", "temp_max_c": 3.5 });
    let receipt = outcome(&world, &user, &acknowledged(send(&world, &secret, &weather).await?)?).await?;
    assert_eq!(receipt["features"][0]["device_id"], "Kyiv ☀", "{receipt:#}");
    assert_eq!(world.stats(&user, "12345").await?["count"], 3);

    let listed = world.get(&user, "/uploads?state=accepted").await?;
    assert_eq!(listed["uploads"].as_array().map(Vec::len), Some(2));
    Ok(())
}

pub async fn what_no_schema_could_accept_is_refused_at_once(world: Arc<World>) -> TestResult {
    let user = world.user();
    let (_, secret) = key(&world, &user, "fast").await?;
    let json_type = ("content-type", "application/json");
    let five_hundred: Vec<Value> = (0..500).map(|at| reading("many", at, 1.0)).collect();
    let too_many: Vec<Value> = (0..501).map(|at| reading("many", at, 1.0)).collect();
    for (name, body) in [
        ("no JSON", "{".to_owned()),
        ("nothing", String::new()),
        ("text", "hello".to_owned()),
        ("a number", "7".to_owned()),
        ("missing members", json!({ "device_id": "x" }).to_string()),
        ("no record", "[]".to_owned()),
        ("no record that could be right", json!([{ "device_id": "x" }, 7]).to_string()),
        ("501 records", json!(too_many).to_string()),
    ] {
        let reply = post(&world, &[("x-api-key", &secret), json_type], body).await?;
        let problem = reply.problem(400, "invalid-request").map_err(|error| format!("{name}: {error}"))?;
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(detail.contains("device_id, timestamp, value") && detail.contains("500"), "{name}: {detail}");
    }
    let wide = json!({ "device_id": "x".repeat(300 << 10), "timestamp": "2025-02-28T12:00:00Z", "value": 1 });
    send(&world, &secret, &wide).await?.problem(413, "body-too-large")?;
    let body = reading("x", 0, 1.0).to_string();
    let csv = post(&world, &[("x-api-key", &secret), ("content-type", "text/csv")], body.clone()).await?;
    csv.problem(415, "unsupported-content-type")?;
    post(&world, &[json_type], body.clone()).await?.problem(401, "unauthorized")?;
    for wrong in ["ep_", "nonsense", &format!("{secret}x"), &format!("ep_{}", "A".repeat(43))] {
        post(&world, &[("x-api-key", wrong), json_type], body.clone()).await?.problem(403, "forbidden")?;
    }
    let receipt = outcome(&world, &user, &acknowledged(send(&world, &secret, &json!(five_hundred)).await?)?).await?;
    assert_eq!((&receipt["state"], &receipt["accepted"]), (&json!("accepted"), &json!(500)));
    let uploads = world.get(&user, "/uploads").await?["uploads"].clone();
    assert_eq!(uploads.as_array().map(Vec::len), Some(1), "what was refused left no trace: {uploads:#}");
    Ok(())
}

pub async fn nothing_that_a_client_sends_changes_the_call(world: Arc<World>) -> TestResult {
    let (user, other) = (world.user(), world.user());
    let (_, secret) = key(&world, &user, "fast").await?;
    let hostile = [
        "&Action=DeleteQueue&QueueUrl=x",
        "\"}&MessageBody=eA==&MessageAttribute.1.Value.StringValue=other",
        "#set($context.authorizer.owner = 'other')$util.urlEncode('x')",
        "$input.path('$')#foreach($x in [1..9])$x#end",
        "line\nfeed\ttab \u{7f}\u{85}\u{fffe}\u{1f600} é %41%00 + = ; <xml/>",
        "${AWS::AccountId} {{resolve:secretsmanager:x}}",
    ];
    for (number, text) in hostile.iter().enumerate() {
        let second = u32::try_from(number)?;
        let record = json!({ "device_id": text, "timestamp": reading("", second, 0.0)["timestamp"], "value": 1 });
        let id = acknowledged(send(&world, &secret, &record).await?)?;
        let receipt = outcome(&world, &user, &id).await.map_err(|error| format!("{text:?}: {error}"))?;
        assert_eq!(receipt["state"], "accepted", "{text:?}: {receipt:#}");
        assert_eq!(receipt["features"][0]["device_id"], json!(text));
        let upload = world.client.services.uploads.load(&UploadId::parse(&id)?).await?.ok_or("not known")?;
        assert_eq!(serde_json::from_slice::<Value>(&kept_body(&world, &upload).await?)?, record, "to the letter");
    }
    // Of headers, those that HTTP lets through.
    let long = "k".repeat(300);
    let keys = ["a&MessageBody=eA==&Action=PurgeQueue", "'\"\\$context.authorizer.owner #end", "%26x%3D1", &long];
    for (number, idempotency_key) in (100..).zip(keys) {
        let body = reading("hostile-header", number, 1.0).to_string();
        let headers = [
            ("x-api-key", secret.as_str()),
            ("content-type", "application/json"),
            ("idempotency-key", idempotency_key),
            ("owner", other.owner.as_str()),
            ("x-amzn-requestid", "up_m-chosen"),
            ("x-amzn-trace-id", "Root=1-&Action=DeleteQueue"),
        ];
        let id = acknowledged(post(&world, &headers, body.clone()).await?)?;
        assert_eq!(outcome(&world, &user, &id).await?["state"], "accepted", "{idempotency_key}");
        let upload = world.client.services.uploads.load(&UploadId::parse(&id)?).await?.ok_or("not known")?;
        let kept = upload.message().and_then(|message| message.idempotency_key.clone());
        assert_eq!(kept.as_deref(), Some(&idempotency_key[..idempotency_key.len().min(255)]));
        let again = acknowledged(post(&world, &headers, body).await?)?;
        assert_eq!(outcome(&world, &user, &again).await?["duplicate_of"], json!(id), "{idempotency_key}");
    }
    assert_eq!(world.stats(&user, "hostile-header").await?["count"], 4);
    assert_eq!(world.get(&other, "/uploads").await?["uploads"], json!([]));
    Ok(())
}

pub async fn keys_are_made_listed_rotated_and_revoked(world: Arc<World>) -> TestResult {
    let (user, other) = (world.user(), world.user());
    let (key_id, first) = key(&world, &user, "standard").await?;
    let (rotated_id, old) = key(&world, &user, "standard").await?;
    let listed = world.get(&user, "/keys").await?;
    assert_eq!(listed["keys"].as_array().map(Vec::len), Some(2));
    for secret in [&first, &old] {
        assert!(!listed.to_string().contains(secret.as_str()), "a key is shown once");
    }
    let path = format!("/keys/{key_id}");
    for (method, path) in [("GET", &path), ("DELETE", &path), ("POST", &format!("{path}/rotate"))] {
        world.call(&other, method, path, json!({})).await?.problem(404, "not-found")?;
    }
    assert_eq!(world.get(&other, "/keys").await?["keys"], json!([]));
    let data = world.get(&user, "/health").await?["data"].clone();
    assert_eq!(data["url"], format!("{}/data", world.output("DeviceApiUrl")));
    assert_eq!(data["key_cache_seconds"], json!(KEY_CACHE.as_secs()));

    // In use, then revoked and rotated: within the cache time they stop.
    let mut second = 0;
    let mut body = || {
        second += 1;
        reading("keys", second, 1.0)
    };
    for secret in [&first, &old] {
        acknowledged(send(&world, secret, &body()).await?)?;
    }
    let revoked = world.call(&user, "DELETE", &path, Value::Null).await?.expect(200)?;
    assert_eq!(revoked["state"], "revoked");
    world.call(&user, "DELETE", &path, Value::Null).await?.expect(200)?;
    let rotate = format!("/keys/{rotated_id}/rotate");
    let rotated = world.call(&user, "POST", &rotate, json!({})).await?.expect(200)?;
    assert_eq!(rotated["key_id"], json!(rotated_id));
    let new = rotated["api_key"].as_str().ok_or("no key")?.to_owned();
    acknowledged(send(&world, &new, &body()).await?)?;
    tokio::time::sleep(KEY_CACHE + Duration::from_secs(1)).await;
    for secret in [&first, &old] {
        send(&world, secret, &body()).await?.problem(403, "forbidden")?;
    }
    acknowledged(send(&world, &new, &body()).await?)?;
    // The old one of a rotation may go on for a while.
    let kept = world.call(&user, "POST", &rotate, json!({ "keep_old_seconds": 3600 })).await?.expect(200)?;
    tokio::time::sleep(KEY_CACHE + Duration::from_secs(1)).await;
    acknowledged(send(&world, &new, &body()).await?)?;
    acknowledged(send(&world, kept["api_key"].as_str().unwrap_or_default(), &body()).await?)?;
    // Revoked, both end.
    world.call(&user, "DELETE", &format!("/keys/{rotated_id}"), Value::Null).await?.expect(200)?;
    tokio::time::sleep(KEY_CACHE + Duration::from_secs(1)).await;
    for secret in [new.as_str(), kept["api_key"].as_str().unwrap_or_default()] {
        send(&world, secret, &body()).await?.problem(403, "forbidden")?;
    }
    let listed = world.get(&user, "/keys").await?;
    let states: Vec<&Value> = listed["keys"].as_array().ok_or("no list")?.iter().map(|key| &key["state"]).collect();
    assert_eq!(states, ["revoked", "revoked"]);
    world.call(&user, "POST", &rotate, json!({})).await?.problem(409, "conflict")?;
    Ok(())
}

pub async fn each_key_has_a_rate_of_its_own(world: Arc<World>) -> TestResult {
    let user = world.user();
    let ((_, slow), (_, other)) = (key(&world, &user, "standard").await?, key(&world, &user, "standard").await?);
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..200 {
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
    assert!(throttled > 0, "200 calls at once, of which a burst of 20 is taken");
    assert!(taken.len() >= 20);
    acknowledged(send(&world, &other, &reading("throttled", 99, 1.0)).await?)?;
    for id in &taken {
        assert_eq!(outcome(&world, &user, id).await?["state"], "accepted", "what was acknowledged counts");
    }
    Ok(())
}

pub async fn a_burst_of_five_thousand_is_told_to_the_last_one(world: Arc<World>) -> TestResult {
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
    let places = Arc::new(tokio::sync::Semaphore::new(32));
    for number in 0..MESSAGES {
        let (world, secret, body, places) = (Arc::clone(&world), secret.clone(), body(number), Arc::clone(&places));
        calls.spawn(async move {
            let _place = places.acquire_owned().await.map_err(|error| error.to_string())?;
            let reply = send(&world, &secret, &body).await.map_err(|error| error.to_string())?;
            acknowledged(reply).map(|id| (id, number % 20 == 7)).map_err(|error| error.to_string())
        });
    }
    let mut sent = BTreeMap::new();
    while let Some(call) = calls.join_next().await {
        let (id, is_bad) = call??;
        sent.insert(id, is_bad);
    }
    assert_eq!(sent.len(), MESSAGES as usize, "each has an id of its own");

    let told = poll(Duration::from_secs(2), async || {
        let mut told = BTreeMap::new();
        let mut path = "/uploads?limit=100".to_owned();
        loop {
            let page = world.get(&user, &path).await?;
            for upload in page["uploads"].as_array().ok_or("no list")? {
                let state = upload["state"].as_str().unwrap_or_default().to_owned();
                if matches!(state.as_str(), "accepted" | "quarantined") {
                    told.insert(upload["upload_id"].as_str().unwrap_or_default().to_owned(), state == "quarantined");
                }
            }
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/uploads?limit=100&cursor={next}");
        }
        let seen = told.len();
        found((seen >= sent.len()).then_some(told), || format!("{seen} of {} messages have an outcome", sent.len()))
    })
    .await?;
    assert_eq!(told, sent, "accepted and quarantined are what was acknowledged, each as it should be");
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
        assert!(answer["mean"].as_f64().is_some_and(|found| (found - mean).abs() < 1e-9), "burst-{device}: {answer}");
    }
    assert_eq!(count, 4_750);
    Ok(())
}

pub async fn what_was_given_up_comes_back_by_one_command(world: Arc<World>) -> TestResult {
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
        let done = lines.iter().filter(|line| line["message"] == "a batch is done");
        Ok(done.filter_map(|line| line["failed"].as_u64()).sum())
    };
    let failed_before = failed().await?;
    let whole = without(&world, "IngestMessageRole", "s3:PutObject").await?;
    let set_aside = async |wanted: &str| {
        poll(SOON, async || {
            let asked = json!({ "QueueUrl": dead, "AttributeNames": ["ApproximateNumberOfMessages"] });
            let answer = world.sqs("get_queue_attributes", &asked).await?;
            let seen = &answer["Attributes"]["ApproximateNumberOfMessages"];
            found((*seen == wanted).then_some(()), || format!("{seen} messages are set aside, not {wanted}"))
        })
        .await
    };
    let given_up: Result<_, BoxError> = async {
        let mut sent = Vec::new();
        for second in 0..12 {
            sent.push(acknowledged(send(&world, &secret, &reading("redriven", second, f64::from(second))).await?)?);
        }
        set_aside("12").await?;
        // Whoever received one for the fifth time may still be at it.
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
    let sent = given_up?; // after five receives each is set aside, and none is lost
    assert_eq!(world.stats(&user, "redriven").await?, Value::Null);

    world.sqs("start_message_move_task", &json!({ "SourceArn": arn })).await?;
    for id in &sent {
        assert_eq!(outcome(&world, &user, id).await?["state"], "accepted", "under the id that was acknowledged");
    }
    set_aside("0").await?;
    assert_eq!(world.stats(&user, "redriven").await?["count"], 12);

    // A copy of a message that counts already, brought back by mistake, changes nothing.
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
        found(is_done.then_some(()), || format!("the copy is not dealt with: {answer}"))
    })
    .await?;
    set_aside("0").await?;
    assert_eq!(world.stats(&user, "redriven").await?["count"], 12);
    Ok(())
}
