//! Crashes of senders, and the synthetic check.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use eventpulse_aws::adapters::notice_store::PublishLease;
use eventpulse_aws::clock;
use eventpulse_cli::BoxError;
use eventpulse_cli::dev::client::User;
use eventpulse_core::id::{OwnerId, UploadId};
use eventpulse_core::upload::UploadState;
use serde_json::{Value, json};

use super::{
    invoke, notices, outbox, problems, run_schedule, subscriber, upload, wait_for, wait_for_publication, wrong_value,
};
use crate::TestResult;
use crate::disturbances::{restore, without};
use crate::poll::{SOON, found, poll};
use crate::world::World;

/// A time in the past at which every publish lease has expired.
const LONG_AGO: &str = "2025-02-28T00:00:00Z";

/// Waits until notify has logged at least `least` matching lines. Returns their number.
async fn logged(world: &World, least: usize, is_meant: impl Fn(&Value) -> bool) -> Result<usize, BoxError> {
    poll(Duration::from_secs(1), async || {
        let number = world.logs("NotifyLogGroup").await?.iter().filter(|line| is_meant(line)).count();
        found((number >= least).then_some(number), || format!("notify logged {number} such lines, not {least}"))
    })
    .await
}

pub async fn crash_between_publishing_and_recording_repeats_at_most_one_notice(world: Arc<World>) -> TestResult {
    let user = subscriber(&world).await?;
    // A sender fails before it publishes, for lack of the permission. The outbox keeps the publication, and notify
    // sends it once the permission is restored.
    let whole = without(&world, "NotifyRole", "sns:Publish").await?;
    let dead: Result<_, BoxError> = async {
        let first = upload(&world, &user, "first.json", &wrong_value("crash", 1)).await?;
        logged(&world, 1, |line| line["owner"] == user.owner.as_str() && line["level"] == "ERROR").await?;
        Ok((first, edit(&world, &user, age).await?))
    }
    .await;
    let mails = notices(&world, &user);
    restore(&world, whole).await?;
    let (first, begun) = dead?;
    assert!(mails.is_empty(), "{mails:#?}");
    run_schedule(&world).await?;
    let mails = wait_for(&world, &user, 1).await?;
    assert!(mails[0].text.contains(first.as_str()));
    wait_for_publication(&world, &user).await?;

    // A sender crashes after it published. Notify sends the same notice once more, and then no further one.
    let pending = json!({
        "at": LONG_AGO, "kind": "new", "problem_id": problems(&mails[0])[0], "kind_of_upload": "reading/1",
        "upload_id": first, "revision": world.client.services.uploads.history(&first).await?.len() - 1,
    });
    let key = begun["publication"]["entry"]["pending"]["keys"][0].as_str().unwrap_or_default().to_owned();
    let item = item_of(&world, &user, key).item("pending_notice", AttributeValue::S(pending.to_string()));
    item.send().await?;
    let publishing = |outbox: &mut Value| {
        outbox["publication"] = begun["publication"].clone();
        (outbox["pending"], outbox["pending_since"]) = (json!(1), json!(LONG_AGO));
        age(outbox)
    };
    edit(&world, &user, publishing).await?;
    run_schedule(&world).await?;
    let mails = wait_for(&world, &user, 2).await?;
    assert_eq!((&mails[0].subject, &mails[0].text), (&mails[1].subject, &mails[1].text));
    wait_for_publication(&world, &user).await?;
    run_schedule(&world).await?;
    assert_eq!(notices(&world, &user).len(), 2, "the notice is repeated once");
    Ok(())
}

/// Makes the publication in an outbox look abandoned. Returns `false` if there is no publication.
fn age(outbox: &mut Value) -> bool {
    let is_sending = !outbox["publication"].is_null();
    if is_sending {
        outbox["publication"]["begun_at"] = json!(LONG_AGO);
    }
    is_sending
}

/// Changes an owner's outbox with a conditional write, as notify does, once `change` returns `true`. Returns the
/// previous outbox.
async fn edit(world: &World, user: &User, change: impl Fn(&mut Value) -> bool) -> Result<Value, BoxError> {
    poll(SOON, async || {
        let (before, revision) = outbox(world, user).await?;
        let mut after = before.clone();
        if !change(&mut after) {
            return found(None, || format!("the outbox cannot be changed yet: {before:#}"));
        }
        let put = item_of(world, user, "outbox".to_owned()).item("outbox", AttributeValue::S(after.to_string()));
        let put = put.item("revision", AttributeValue::N((revision + 1).to_string()));
        let put = put.item("due", AttributeValue::S("outbox".to_owned()));
        let put = put.item("due_at", AttributeValue::S("2025-02-28T00:00:00.000000Z".to_owned()));
        let put = put.condition_expression("revision = :read");
        match put.expression_attribute_values(":read", AttributeValue::N(revision.to_string())).send().await {
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => {
                found(None, || format!("another writer changed revision {revision}"))
            }
            put => put.map(|_| ControlFlow::Break(before)).map_err(BoxError::from),
        }
    })
    .await
}

fn item_of(world: &World, user: &User, sort_key: String) -> PutItemFluentBuilder {
    let put = world.dynamodb.put_item().table_name(&world.client.services.config.notices_table);
    put.item("pk", AttributeValue::S(format!("owner#{}", user.owner))).item("sk", AttributeValue::S(sort_key))
}

pub async fn abandoned_publish_lease_expires(world: Arc<World>) -> TestResult {
    let user = subscriber(&world).await?;
    let table = &world.client.services.notices;
    let take = async || {
        poll(SOON, async || match table.acquire_publish_lease(clock()).await? {
            PublishLease::Acquired { expires_at } => Ok(ControlFlow::Break(expires_at)),
            PublishLease::Held { until } => {
                Ok(ControlFlow::Continue(format!("another sender holds the lease until {until}")))
            }
        })
        .await
    };
    let ended = take().await?;
    table.release_publish_lease(ended, clock()).await?;
    let until = take().await?;
    assert!(until.as_micros() - clock().as_micros() <= 20_000_000, "{until} is too far off");
    // The release leaves an expired lease in place, since another sender may hold it.
    table.release_publish_lease(ended, clock()).await?;
    assert_eq!(table.acquire_publish_lease(clock()).await?, PublishLease::Held { until });

    let bad = upload(&world, &user, "bad.json", &wrong_value("lease", 1)).await?;
    run_schedule(&world).await?;
    let mails = wait_for(&world, &user, 1).await?;
    assert!(mails[0].text.contains(bad.as_str()));
    let mailed = std::fs::metadata(&mails[0].file)?.modified()?.duration_since(SystemTime::UNIX_EPOCH)?;
    assert!(i64::try_from(mailed.as_micros())? >= until.as_micros(), "it was sent during another sender's lease");
    Ok(())
}

pub async fn synthetic_message_is_counted_and_found_by_the_next_check(world: Arc<World>) -> TestResult {
    let event = include_str!("../../../events/minute.json");
    let mut event: Value = serde_json::from_str(event)?;
    event["id"] = json!("5ca1ab1e-0000-4000-8000-000000000001");
    event["time"] = json!(clock().to_string());
    let send = json!({ "QueueUrl": world.output("MessageQueueUrl"), "MessageBody": event.to_string() });
    world.sqs("send_message", &send).await?;
    let id = UploadId::of_message("5ca1ab1e-0000-4000-8000-000000000001")?;
    let upload = world.client.settled(&id).await?;
    assert_eq!((upload.origin().owner.as_str(), upload.state()), (OwnerId::SYNTHETIC_CHECK, UploadState::Accepted));
    let log = invoke(&world, "SyntheticCheckFunctionName", r#"{"synthetic_check": "start"}"#).await?;
    assert!(log.contains("the synthetic query passed"), "{log}");
    Ok(())
}

pub async fn synthetic_check_is_published_and_mails_nobody(world: Arc<World>) -> TestResult {
    let begin = r#"{"synthetic_check": "start"}"#;
    let log = invoke(&world, "SyntheticCheckFunctionName", begin).await?;
    let begun = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let begun = begun.filter_map(|line| line["upload_id"].as_str().map(str::to_owned)).next();
    let id = UploadId::parse(&begun.ok_or_else(|| format!("no upload id: {log}"))?)?;
    let upload = world.client.settled(&id).await?;
    assert_eq!((upload.origin().owner.as_str(), upload.state()), (OwnerId::SYNTHETIC_CHECK, UploadState::Quarantined));
    assert!(upload.quarantine_location().is_some() && upload.is_occurrence_recorded());

    // The check passes when notify logs the message that the alarm counts.
    let passed = |line: &Value| line["message"] == "the synthetic check passed";
    let before = logged(&world, 1, passed).await?;
    let about = world.mailbox.about(id.as_str());
    assert!(about.is_empty(), "no mail is sent, not even to the operator: {about:#?}");

    // A second check publishes a second notice. It does not count as a repeated problem.
    invoke(&world, "SyntheticCheckFunctionName", begin).await?;
    logged(&world, before + 1, passed).await?;
    Ok(())
}
