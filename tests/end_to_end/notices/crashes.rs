//! Senders that die, and the deployment's test of itself.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use eventpulse_cli::BoxError;
use eventpulse_cli::dev::client::User;
use eventpulse_core::id::UploadId;
use eventpulse_core::upload::{SELF_TEST, State};
use serde_json::{Value, json};

use super::{groups, invoke, minute, notices, subscriber, upload, wait_for, wrong_value};
use crate::Outcome;
use crate::disturbances::{restore, without};
use crate::poll::{SOON, found, poll};
use crate::world::World;

/// The item of an owner's outbox.
async fn outbox(world: &World, user: &User) -> Result<(Value, u64), BoxError> {
    let (outbox, revision) = world.client.services.groups.outbox(&user.owner).await?;
    Ok((serde_json::to_value(outbox)?, revision))
}

/// Waits until nothing of an owner is being sent: mails come before that is written.
async fn crossed_off(world: &World, user: &User) -> Outcome {
    poll(SOON, async || {
        let (outbox, _) = outbox(world, user).await?;
        found(outbox["sending"].is_null().then_some(()), || format!("what was sent is not crossed off: {outbox:#}"))
    })
    .await
}

/// Waits until notify logged so many lines like this, or more, and returns how many.
async fn logged(world: &World, least: usize, is_meant: impl Fn(&Value) -> bool) -> Result<usize, BoxError> {
    poll(Duration::from_secs(1), async || {
        let number = log(world).await?.iter().filter(|line| is_meant(line)).count();
        found((number >= least).then_some(number), || format!("notify logged {number} such lines, not {least}"))
    })
    .await
}

/// What notify logged.
async fn log(world: &World) -> Result<Vec<Value>, BoxError> {
    let script = "import boto3, json, os, sys\n\
                  logs = boto3.client('logs', region_name=os.environ['AWS_REGION'])\n\
                  pages = logs.get_paginator('filter_log_events').paginate(logGroupName=sys.argv[1])\n\
                  json.dump([event['message'] for page in pages for event in page['events']], sys.stdout)";
    let mut python = world.stack.python();
    let output = python.args(["-c", script, world.output("NotifyLogGroup")]).output().await?;
    let lines: Vec<String> =
        serde_json::from_slice(&output.stdout).map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())?;
    Ok(lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

pub async fn a_crash_between_publishing_and_recording_repeats_one_notice_at_most(world: Arc<World>) -> Outcome {
    let user = subscriber(&world).await?;
    // A sender that dies before it publishes: it may not. What it wrote down stands, and is sent once it may again.
    let whole = without(&world, "NotifyRole", "sns:Publish").await?;
    let first = upload(&world, &user, "first.json", &wrong_value("crash", 1)).await?;
    // Its word that it is over, not the outbox: that is written before the turn is waited for, which may take until it may.
    let died = logged(&world, 1, |line| line["owner"] == user.owner.as_str() && line["level"] == "ERROR").await;
    restore(&world, whole).await?;
    died?;
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
    crossed_off(&world, &user).await?;

    // A sender that died after it published: what it sent is sent once more, the same, and then it is over.
    let keys = begun["sending"]["what"]["tells"]["keys"].clone();
    let (mut sent, revision) = outbox(&world, &user).await?;
    sent["sending"] = aged(&begun)["sending"].clone();
    (sent["tells"], sent["tells_since"]) = (json!(1), json!("2025-02-28T00:00:00Z"));
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
    crossed_off(&world, &user).await?;
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
    let came_through = |line: &Value| line["message"] == "the self-test came through";
    let before = logged(&world, 1, came_through).await?;
    let about = world.mailbox.about(id.as_str());
    assert!(about.is_empty(), "nobody is mailed, not even the operator: {about:#?}");

    // Twice the same is told twice: it is no group that repeats.
    invoke(&world, "SelfTestFunctionName", begin).await?;
    logged(&world, before + 1, came_through).await?;
    Ok(())
}
