//! Notices: groups and their life, from the upload to the mail.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::LogType;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use eventpulse_cli::BoxError;
use eventpulse_cli::dev::client::User;
use eventpulse_cli::dev::mailbox::{Mail, address};
use eventpulse_core::id::UploadId;
use eventpulse_core::upload::{SELF_TEST, State};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::Outcome;
use crate::devices::{key, send};
use crate::disturbances::{restore, without};
use crate::samples::assert_valid;
use crate::world::{OPERATOR_ADDRESS, World, document, reading};

/// How long mails may take: those of all tests go one after the other.
const PATIENCE: Duration = Duration::from_secs(180);
/// The least that may lie between two mails to one address.
const ONE_A_SECOND: Duration = Duration::from_secs(1);

/// A user who is mailed.
async fn subscriber(world: &World) -> Result<User, BoxError> {
    let user = world.user();
    world.client.subscribe(&user).await?;
    let to = address(&user.name);
    let asks = world.mailbox.wait(PATIENCE, |mail| mail.to == to && mail.confirm_url.is_some()).await;
    world.mailbox.confirm(&asks.ok_or("nobody asks to confirm")?).await?;
    Ok(user)
}

/// The notices that a user was mailed, in their order.
fn notices(world: &World, user: &User) -> Vec<Mail> {
    world.mailbox.to(&address(&user.name)).into_iter().filter(|mail| mail.confirm_url.is_none()).collect()
}

/// Waits until a user was mailed so many notices.
async fn wait_for(world: &World, user: &User, number: usize) -> Result<Vec<Mail>, BoxError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mails = notices(world, user);
        if mails.len() >= number {
            return Ok(mails);
        }
        if Instant::now() > deadline {
            let subjects: Vec<&String> = mails.iter().map(|mail| &mail.subject).collect();
            return Err(format!("{} of {number} notices: {subjects:#?}", mails.len()).into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Calls notify as its schedule does each minute. Returns the end of its log.
async fn minute(world: &World) -> Result<String, BoxError> {
    let event = std::fs::read_to_string(world.stack.root.join("events/minute.json"))?;
    invoke(world, "NotifyFunctionName", &event).await
}

async fn invoke(world: &World, function: &str, event: &str) -> Result<String, BoxError> {
    let invoke = world.lambda.invoke().function_name(world.output(function)).log_type(LogType::Tail);
    let output = invoke.payload(Blob::new(event)).send().await?;
    let log = output.log_result().map(|text| BASE64_STANDARD.decode(text)).transpose()?.unwrap_or_default();
    let log = String::from_utf8_lossy(&log).into_owned();
    match output.function_error() {
        Some(error) => Err(format!("{function}: {error}: {log}").into()),
        None => Ok(log),
    }
}

async fn upload(world: &World, user: &User, name: &str, body: &Value) -> Result<UploadId, BoxError> {
    Ok(world.upload(user, &document(name, body.to_string())).await?.id)
}

fn wrong_value(device: &str, second: u32) -> Value {
    json!({ "device_id": device, "timestamp": format!("2025-02-28T00:00:{second:02}Z"), "value": "warm" })
}

/// Posts messages with a key, many at a time. Returns the ids under which they were acknowledged.
async fn post_all(world: &Arc<World>, secret: &str, bodies: Vec<Value>) -> Result<Vec<String>, BoxError> {
    let places = Arc::new(tokio::sync::Semaphore::new(32));
    let mut calls = tokio::task::JoinSet::new();
    for body in bodies {
        let (world, secret, places) = (Arc::clone(world), secret.to_owned(), Arc::clone(&places));
        calls.spawn(async move {
            let _place = places.acquire_owned().await.map_err(|error| error.to_string())?;
            let reply = send(&world, &secret, &body).await.map_err(|error| error.to_string())?;
            let body = reply.expect(202).map_err(|error| error.to_string())?;
            Ok::<_, String>(body["upload_id"].as_str().unwrap_or_default().to_owned())
        });
    }
    let mut ids = Vec::new();
    while let Some(id) = calls.join_next().await {
        ids.push(id??);
    }
    Ok(ids)
}

/// The groups that a mail names.
fn groups(mail: &Mail) -> Vec<String> {
    let words = mail.text.split_whitespace().filter(|word| word.starts_with("grp_"));
    words.map(str::to_owned).collect()
}

/// Fails if any address was mailed more than once a second.
fn assert_spaced(world: &World) -> Outcome {
    let mut last: BTreeMap<String, SystemTime> = BTreeMap::new();
    for mail in world.mailbox.all().into_iter().filter(|mail| mail.confirm_url.is_none()) {
        let at = std::fs::metadata(&mail.file)?.modified()?;
        if let Some(before) = last.insert(mail.to.clone(), at) {
            let between = at.duration_since(before).unwrap_or_default();
            assert!(between >= ONE_A_SECOND, "{} was mailed again after {between:?}", mail.to);
        }
    }
    Ok(())
}

pub async fn new_repeating_resolved_and_back(world: Arc<World>) -> Outcome {
    let user = subscriber(&world).await?;
    for second in 0..3 {
        upload(&world, &user, "good.json", &reading("life", second, 1.0)).await?;
    }
    let first = upload(&world, &user, "bad\r\nBcc: x.json", &wrong_value("life", 10)).await?;
    let mails = wait_for(&world, &user, 1).await?;
    assert_eq!(mails[0].subject, "[EventPulse] 1 record rejected: TYPE /value (reading 1.0)");
    let text = &mails[0].text;
    for told in [
        "problem is new.",
        "must be a number, but is a string",
        "`/value` was a number in your last 3 uploads.",
        &format!("eventpulse quarantine show {first}"),
        &format!("{}/quarantine/{first}", world.client.api),
        "eventpulse notifications off",
    ] {
        assert!(text.contains(told), "{told:?} is not in\n{text}");
    }
    assert!(!text.contains("warm") && !text.lines().any(|line| line.starts_with("Bcc")), "{text}");
    let group = groups(&mails[0]).first().cloned().ok_or("no group")?;

    // The same failures twice more, in another file: nothing at once. Then one that passes.
    upload(&world, &user, "bad.ndjson", &wrong_value("life", 11)).await?;
    upload(&world, &user, "bad.ndjson", &wrong_value("life", 12)).await?;
    let good = upload(&world, &user, "good.json", &reading("life", 20, 1.0)).await?;
    let mails = wait_for(&world, &user, 2).await?;
    assert_eq!(mails[1].subject, "[EventPulse] Resolved: TYPE /value (reading 1.0)");
    assert!(mails[1].text.contains(good.as_str()) && groups(&mails[1]) == [group.clone()], "{}", mails[1].text);

    // It passes on, which is no news; then it comes back, which is.
    upload(&world, &user, "good.json", &reading("life", 21, 1.0)).await?;
    let back = upload(&world, &user, "bad.json", &wrong_value("life", 13)).await?;
    let mails = wait_for(&world, &user, 3).await?;
    assert!(mails[2].subject.starts_with("[EventPulse] Back again"), "{}", mails[2].subject);
    assert!(mails[2].text.contains(back.as_str()) && groups(&mails[2]) == [group.clone()], "{}", mails[2].text);

    // The digest tells the two that were not told before, once.
    let mails = wait_for(&world, &user, 4).await?;
    assert_eq!(mails[3].subject, "[EventPulse] Digest: 2 more uploads rejected, 1 known problem");
    assert!(
        mails[3].text.contains("2 uploads with 2 wrong records") && groups(&mails[3]) == [group],
        "{}",
        mails[3].text
    );
    minute(&world).await?;
    assert_eq!(notices(&world, &user).len(), 4, "and that is all");
    assert_spaced(&world)
}

pub async fn a_thousand_failures_of_one_group_are_two_mails(world: Arc<World>) -> Outcome {
    let user = subscriber(&world).await?;
    let (_, secret) = key(&world, &user, "fast").await?;
    let bodies = (0..1_000).map(
        |number| json!({ "device_id": "flood", "timestamp": "2025-02-28T00:00:00Z", "value": format!("{number}") }),
    );
    let begun = Instant::now();
    let ids = post_all(&world, &secret, bodies.collect()).await?;
    println!("1,000 acknowledged within {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let mails = wait_for(&world, &user, 2).await?;
    assert_eq!(mails[0].subject, "[EventPulse] Message rejected: TYPE /value (reading 1.0)");
    assert!(ids.iter().filter(|id| mails[0].text.contains(*id)).count() == 1, "{}", mails[0].text);
    // Whatever was not dealt with when the first digest went is in another one; here all of it was.
    assert_eq!(mails[1].subject, "[EventPulse] Digest: 999 more uploads rejected, 1 known problem");
    assert!(mails[1].text.contains("999 uploads with 999 wrong records"), "{}", mails[1].text);
    assert_eq!(groups(&mails[0]).first(), groups(&mails[1]).first());
    minute(&world).await?;
    assert_eq!(notices(&world, &user).len(), 2, "one at once, and one digest");
    assert_spaced(&world)
}

/// A weather record that is wrong in a way of its own.
fn wrong_weather(number: usize) -> Value {
    let mut record = json!({ "schema": "weather/1.0", "station": "Kyiv", "observed_at": "2025-02-28T00:00:00Z" });
    let mut rest = number + 1; // 0 would be right
    for measure in ["precipitation_mm", "temp_max_c", "temp_min_c", "wind_m_s"] {
        match rest % 3 {
            1 => record[measure] = json!("x"),
            2 => record[measure] = json!(-1_000),
            _ => {}
        }
        rest /= 3;
    }
    if rest % 2 == 1 {
        record["sky"] = json!("green");
    }
    rest /= 2;
    match rest % 4 {
        1 => record["station"] = json!(1),
        2 => record["station"] = json!(""),
        3 => record["station"] = json!("x".repeat(257)),
        _ => {}
    }
    rest /= 4;
    match rest {
        1 => record["observed_at"] = json!(1),
        2 => record["observed_at"] = json!("today"),
        _ => {}
    }
    record
}

pub async fn a_thousand_groups_go_within_the_rate_and_none_is_missing(world: Arc<World>) -> Outcome {
    let user = subscriber(&world).await?;
    let (_, secret) = key(&world, &user, "fast").await?;
    let ids = post_all(&world, &secret, (0..1_000).map(wrong_weather).collect()).await?;
    assert_eq!(ids.len(), 1_000);
    let deadline = Instant::now() + PATIENCE;
    let told = loop {
        let told: Vec<String> = notices(&world, &user)
            .iter()
            .flat_map(|mail| {
                let mut of_mail = groups(mail);
                of_mail.sort();
                of_mail.dedup(); // the first one's id is told twice, perhaps
                of_mail
            })
            .collect();
        if told.len() >= 1_000 || Instant::now() > deadline {
            break told;
        }
        minute(&world).await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    let distinct: BTreeSet<&String> = told.iter().collect();
    assert_eq!((told.len(), distinct.len()), (1_000, 1_000), "each group is told, and told once");
    let mails = notices(&world, &user);
    println!("1,000 groups in {} mails", mails.len());
    assert!(mails.len() <= 30, "{} mails", mails.len());
    let text: String = mails.iter().map(|mail| mail.text.as_str()).collect();
    let missing = ids.iter().filter(|id| !text.contains(*id)).count();
    assert_eq!(missing, 0, "each group names its upload");
    assert_spaced(&world)
}

pub async fn two_owners_with_like_failures_never_see_each_other(world: Arc<World>) -> Outcome {
    let (one, two) = (subscriber(&world).await?, subscriber(&world).await?);
    let mut uploads = Vec::new();
    for user in [&one, &two] {
        uploads.push(upload(&world, user, "same.json", &wrong_value("shared", 1)).await?);
    }
    upload(&world, &one, "good.json", &reading("shared", 2, 1.0)).await?;
    let of_one = wait_for(&world, &one, 2).await?;
    let of_two = wait_for(&world, &two, 1).await?;
    assert_eq!(of_two[0].subject, of_one[0].subject, "both hear of it as new");
    assert!(of_one[1].subject.contains("Resolved"), "{}", of_one[1].subject);
    for (mails, own, other) in [(&of_one, &uploads[0], &uploads[1]), (&of_two, &uploads[1], &uploads[0])] {
        assert!(mails[0].text.contains(own.as_str()));
        assert!(mails.iter().all(|mail| !mail.text.contains(other.as_str())));
    }
    assert!(!of_one.iter().any(|mail| mail.text.contains(&two.owner)));
    minute(&world).await?;
    assert_eq!(notices(&world, &two).len(), 1, "what one resolved the other has still");
    Ok(())
}

pub async fn what_is_no_news_is_not_mailed(world: Arc<World>) -> Outcome {
    let user = subscriber(&world).await?;
    let good = document("good.json", reading("quiet", 1, 1.0).to_string());
    assert_eq!(world.upload(&user, &good).await?.state(), State::Accepted);
    assert_eq!(world.upload(&user, &good).await?.state(), State::Duplicate);
    world.client.issue(&user, &good).await?; // never sent
    let id = upload(&world, &user, "bad.json", &wrong_value("quiet", 2)).await?;
    // The same delivery again, many times.
    let object = world.client.settled(&id).await?.object.ok_or("no object")?;
    for _ in 0..3 {
        world.deliver(&object, "again").await?;
    }
    wait_for(&world, &user, 1).await?;
    minute(&world).await?;
    let mails = notices(&world, &user);
    assert_eq!(mails.len(), 1, "{mails:#?}");
    assert!(mails[0].text.contains(id.as_str()));
    Ok(())
}

pub async fn machines_get_the_same_as_json(world: Arc<World>) -> Outcome {
    let user = world.user();
    let queue = world.sqs("create_queue", &json!({ "QueueName": "machine" })).await?["QueueUrl"].clone();
    let wanted = json!({ "QueueUrl": queue, "AttributeNames": ["QueueArn"] });
    let arn = world.sqs("get_queue_attributes", &wanted).await?["Attributes"]["QueueArn"].clone();
    let sns = aws_sdk_sns::Client::new(&world.client.sdk);
    let subscribe = sns.subscribe().topic_arn(&world.client.services.config.notices_topic_arn).protocol("sqs");
    let filter = json!({ "owner": [user.owner], "code": ["TYPE"], "schema": [{ "prefix": "reading/" }] });
    let subscribe = subscribe.endpoint(arn.as_str().unwrap_or_default()).attributes("FilterPolicy", filter.to_string());
    subscribe.attributes("RawMessageDelivery", "true").send().await?;

    upload(&world, &user, "other.json", &json!({ "device_id": "machine" })).await?; // REQUIRED: filtered out
    let bad = upload(&world, &user, "bad.json", &wrong_value("machine", 1)).await?;
    upload(&world, &user, "good.json", &reading("machine", 2, 1.0)).await?;
    let mut received: Vec<Value> = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while received.len() < 2 && Instant::now() < deadline {
        let receive = json!({ "QueueUrl": queue, "MessageAttributeNames": ["All"], "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1 });
        let answer = world.sqs("receive_message", &receive).await?;
        received.extend(answer["Messages"].as_array().cloned().unwrap_or_default());
    }
    let attribute = |message: &Value, name: &str| message["MessageAttributes"][name]["StringValue"].clone();
    let kinds: BTreeSet<String> = received.iter().map(|message| attribute(message, "kind").to_string()).collect();
    assert_eq!(kinds, BTreeSet::from([r#""new""#.to_owned(), r#""resolved""#.to_owned()]), "{received:#?}");
    for message in &received {
        let notice: Value = serde_json::from_str(message["Body"].as_str().unwrap_or_default())?;
        assert_valid(&world, "notice/2.0", &notice);
        assert_eq!((&notice["kind"], &notice["owner"]), (&attribute(message, "kind"), &json!(user.owner)));
        assert_eq!(attribute(message, "owner"), user.owner.as_str());
        assert!(attribute(message, "code").as_str().is_some_and(|codes| codes.contains("\"TYPE\"")), "{message:#}");
        assert_eq!(attribute(message, "schema"), r#"["reading/1.0"]"#);
        if notice["kind"] == "new" {
            assert!(notice.to_string().contains(bad.as_str()));
        }
    }
    Ok(())
}

/// The item of an owner's outbox.
async fn outbox(world: &World, user: &User) -> Result<(Value, u64), BoxError> {
    let (outbox, revision) = world.client.services.groups.outbox(&user.owner).await?;
    Ok((serde_json::to_value(outbox)?, revision))
}

pub async fn a_crash_between_publishing_and_recording_repeats_one_notice_at_most(world: Arc<World>) -> Outcome {
    let user = subscriber(&world).await?;
    // A sender that dies before it publishes: it may not. What it wrote down stands, and is sent once it may again.
    let whole = without(&world, "NotifyRole", "sns:Publish").await?;
    let first = upload(&world, &user, "first.json", &wrong_value("crash", 1)).await?;
    let deadline = Instant::now() + PATIENCE;
    while outbox(&world, &user).await?.0["sending"].is_null() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    restore(&world, whole).await?;
    let (begun, revision) = outbox(&world, &user).await?;
    assert!(!begun["sending"].is_null(), "{begun:#}");
    assert!(notices(&world, &user).is_empty());

    // As if that had been two minutes ago.
    let aged = |outbox: &Value| {
        let mut aged = outbox.clone();
        aged["sending"]["since"] = json!("2025-02-28T00:00:00Z");
        aged
    };
    store(&world, &user, &aged(&begun), revision).await?;
    minute(&world).await?;
    let mails = wait_for(&world, &user, 1).await?;
    assert!(mails[0].text.contains(first.as_str()));
    assert!(outbox(&world, &user).await?.0["sending"].is_null(), "it is crossed off");

    // A sender that died after it published: what it sent is sent once more, the same, and then it is over.
    let keys = begun["sending"]["what"]["tells"]["keys"].clone();
    let (mut sent, revision) = outbox(&world, &user).await?;
    sent["sending"] = aged(&begun)["sending"].clone();
    sent["tells"] = json!(1);
    let tell = json!({
        "at": "2025-02-28T00:00:00Z", "kind": "new", "group": groups(&mails[0])[0], "of": "reading/1",
        "upload_id": first, "revision": world.client.services.uploads.history(&first).await?.len() - 1,
    });
    let item = world.dynamodb.put_item().table_name(&world.client.services.config.notices_table);
    let item = item.item("pk", AttributeValue::S(format!("owner#{}", user.owner)));
    let item = item.item("sk", AttributeValue::S(keys[0].as_str().unwrap_or_default().to_owned()));
    item.item("tell", AttributeValue::S(tell.to_string())).send().await?;
    store(&world, &user, &sent, revision).await?;
    minute(&world).await?;
    let mails = wait_for(&world, &user, 2).await?;
    assert_eq!((&mails[0].subject, &mails[0].text), (&mails[1].subject, &mails[1].text));
    minute(&world).await?;
    assert_eq!(notices(&world, &user).len(), 2, "one repeat, and no more");
    Ok(())
}

async fn store(world: &World, user: &User, outbox: &Value, revision: u64) -> Outcome {
    let put = world.dynamodb.put_item().table_name(&world.client.services.config.notices_table);
    let put = put.item("pk", AttributeValue::S(format!("owner#{}", user.owner)));
    let put =
        put.item("sk", AttributeValue::S("state".to_owned())).item("outbox", AttributeValue::S(outbox.to_string()));
    let put = put.item("revision", AttributeValue::N(revision.to_string()));
    let put = put.item("due", AttributeValue::S("due".to_owned()));
    put.item("due_at", AttributeValue::S("2025-02-28T00:00:00.000000Z".to_owned())).send().await?;
    Ok(())
}

pub async fn the_self_test_goes_the_whole_way_and_mails_nobody(world: Arc<World>) -> Outcome {
    let begin = r#"{"self_test": "begin"}"#;
    let log = invoke(&world, "SelfTestFunctionName", begin).await?;
    let begun = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let begun = begun.filter_map(|line| line["upload_id"].as_str().map(str::to_owned)).next();
    let id = UploadId::parse(&begun.ok_or_else(|| format!("no upload id: {log}"))?)?;
    let upload = world.client.settled(&id).await?;
    assert_eq!((upload.intake.owner.as_str(), upload.state()), (SELF_TEST, State::Quarantined));
    assert!(upload.quarantined.is_some() && upload.noted);

    // It came through when notify says so, in the words that the alarm listens to.
    let logs = async || -> Result<usize, BoxError> {
        let script = "import boto3, json, os, sys\n\
                      logs = boto3.client('logs', region_name=os.environ['AWS_REGION'])\n\
                      pages = logs.get_paginator('filter_log_events').paginate(logGroupName=sys.argv[1])\n\
                      json.dump([event['message'] for page in pages for event in page['events']], sys.stdout)";
        let mut python = world.stack.python();
        let output = python.args(["-c", script, world.output("NotifyLogGroup")]).output().await?;
        let lines: Vec<String> =
            serde_json::from_slice(&output.stdout).map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())?;
        let lines = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        Ok(lines.filter(|line| line["message"] == "the self-test came through").count())
    };
    let deadline = Instant::now() + PATIENCE;
    while logs().await? == 0 {
        if Instant::now() > deadline {
            return Err("the self-test did not come through".into());
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let about = world.mailbox.about(id.as_str());
    assert!(about.is_empty(), "nobody is mailed, not even the operator: {about:#?}");

    // Twice the same is told twice: it is no group that repeats.
    let before = logs().await?;
    invoke(&world, "SelfTestFunctionName", begin).await?;
    while logs().await? == before {
        if Instant::now() > deadline + PATIENCE {
            return Err("the second self-test did not come through".into());
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

pub async fn the_operator_gets_everything_within_the_rate(world: Arc<World>) -> Outcome {
    let owners: Vec<User> = (0..3).map(|_| world.user()).collect();
    let mut ids = Vec::new();
    for (number, owner) in (0..).zip(&owners) {
        ids.push(upload(&world, owner, "bad.json", &wrong_value("operator", number)).await?);
    }
    for id in &ids {
        let mail =
            world.mailbox.wait(PATIENCE, |mail| mail.to == OPERATOR_ADDRESS && mail.text.contains(id.as_str())).await;
        assert!(mail.is_some(), "the operator heard nothing of {id}");
    }
    assert!(owners.iter().all(|owner| notices(&world, owner).is_empty()), "who did not subscribe is not mailed");
    assert_spaced(&world)
}
