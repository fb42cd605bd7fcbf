//! Missing permissions, and uploads that kill the function.

use std::sync::Arc;

use eventpulse_aws::adapters::object_store::Head;
use eventpulse_aws::workflows::issue::Issued;
use eventpulse_cli::BoxError;
use eventpulse_cli::dev::client::User;
use eventpulse_cli::dev::samples::Sample;
use eventpulse_core::upload::{ObjectVersion, Step, UploadState};
use serde_json::{Value, json};

use crate::TestResult;
use crate::world::{World, document, gzip, reading};

/// Removes an action from a role. Returns the original policy for [`restore`].
pub async fn without(world: &World, role: &str, action: &str) -> Result<(String, String, Value), BoxError> {
    let (role, name, policy) = world.policy(role).await?;
    let mut less = policy.clone();
    let mut taken = 0;
    for statement in less["Statement"].as_array_mut().ok_or("no statements")? {
        if let Some(actions) = statement["Action"].as_array_mut() {
            let before = actions.len();
            actions.retain(|one| one != action);
            taken += before - actions.len();
        } else if statement["Action"] == action {
            statement["Action"] = "sts:GetCallerIdentity".into();
            taken += 1;
        }
    }
    assert!(taken > 0, "the role does not have {action}: {policy:#}");
    world.put_policy(&role, &name, &less).await?;
    Ok((role, name, policy))
}

/// Removes a statement from a role. Returns the original policy for [`restore`].
pub async fn without_statement(world: &World, role: &str, sid: &str) -> Result<(String, String, Value), BoxError> {
    let (role, name, policy) = world.policy(role).await?;
    let mut less = policy.clone();
    let statements = less["Statement"].as_array_mut().ok_or("no statements")?;
    let before = statements.len();
    statements.retain(|statement| statement["Sid"] != sid);
    assert_eq!(statements.len(), before - 1, "the role has no {sid}: {policy:#}");
    world.put_policy(&role, &name, &less).await?;
    Ok((role, name, policy))
}

pub async fn restore(world: &World, (role, name, policy): (String, String, Value)) -> TestResult {
    world.put_policy(&role, &name, &policy).await
}

/// Uploads a document without waiting for the outcome. Returns the issued upload and the object version.
async fn send(world: &World, user: &User, sample: &Sample) -> Result<(Issued, ObjectVersion), BoxError> {
    let issued = world.client.issue(user, sample).await?;
    assert_eq!(world.client.put(&issued, sample.bytes.clone()).await?, 200);
    let (bucket, key) = (world.process_bucket().to_owned(), issued.key.clone());
    let Head { version_id, size, .. } =
        world.client.services.objects.head(&bucket, &key, None).await?.ok_or("not there")?;
    Ok((issued, ObjectVersion { bucket, key, version_id, size, line: None }))
}

pub async fn missing_permission_fails_the_delivery_until_restored(world: Arc<World>) -> TestResult {
    let user = world.user();
    let whole = without_statement(&world, "IngestObjectRole", "RecordOccurrences").await?;
    let denied: Result<_, BoxError> = async {
        let id = world.client.upload(&user, &document("x.json", "{}")).await?;
        let decided = world.client.wait(&id, |upload| upload.next_step() != Some(Step::Process)).await?;
        let object = decided.object().cloned().ok_or("no object")?;
        let denied = world.deliver(&object, "denied").await?;
        let mails = world.mailbox.about(id.as_str());
        Ok((id, object, denied, mails))
    }
    .await;
    restore(&world, whole).await?;
    let (id, object, denied, mails) = denied?;
    assert!(denied.error.is_some(), "the delivery fails if its occurrence cannot be recorded");
    assert!(denied.payload.to_string().contains("Denied"), "{}", denied.payload);
    assert!(mails.is_empty(), "{mails:#?}");
    let healed = world.deliver(&object, "healed").await?;
    assert_eq!(healed.error, None, "{}", healed.payload);
    let upload = world.client.settled(&id).await?;
    assert_eq!((upload.state(), world.mails_about(upload.id()).await.len()), (UploadState::Quarantined, 1));
    Ok(())
}

pub async fn unreadable_upload_becomes_failed_and_recovers(world: Arc<World>) -> TestResult {
    let user = world.user();
    let sample = document("x.json", reading("healed", 0, 7.0).to_string());
    let whole = without(&world, "IngestObjectRole", "s3:GetObjectVersion").await?;
    let failed: Result<_, BoxError> = async {
        let (issued, object) = send(&world, &user, &sample).await?;
        let failed = world.client.wait(&issued.upload_id, |upload| upload.state() == UploadState::Failed).await?;
        Ok((issued, object, failed))
    }
    .await;
    restore(&world, whole).await?;
    let (issued, object, failed) = failed?;
    assert!(failed.failure_reason().is_some_and(|reason| reason.contains("Denied")), "{failed:?}");
    assert!(
        world.mailbox.about(issued.upload_id.as_str()).is_empty(),
        "no mail is sent about a failure that the owner cannot fix"
    );
    assert!(world.object(&object.bucket, &object.key, None).await?.is_some(), "the object is kept");
    let healed = world.deliver(&object, "healed").await?;
    assert_eq!(healed.error, None, "{} {}", healed.payload, healed.log);
    let upload = world.client.settled(&issued.upload_id).await?;
    assert_eq!((upload.state(), upload.accepted()), (UploadState::Accepted, 1));
    Ok(())
}

pub async fn upload_that_kills_the_function_is_quarantined(world: Arc<World>) -> TestResult {
    let user = world.user();
    // Takes far longer than the function's timeout of one second.
    let lines: String = (0..20_000).map(|second| format!("{}\n", reading("slow", second, 1.0))).collect();
    let sample = document("slow.ndjson.gz", gzip(lines.as_bytes()).repeat(500)); // gzip members may follow one another
    let function = world.output("IngestObjectFunctionName").to_owned();
    let set_timeout = async |seconds| {
        let update = world.lambda.update_function_configuration().function_name(&function).timeout(seconds);
        update.send().await.map_err(BoxError::from)
    };
    set_timeout(1).await?;
    let settled: Result<_, BoxError> = async {
        let (issued, object) = send(&world, &user, &sample).await?;
        world.deliver_later(&object, "poison").await?; // EventBridge may deliver an event twice
        Ok((object, world.client.settled(&issued.upload_id).await?))
    }
    .await;
    set_timeout(900).await?;
    let (object, upload) = settled?;
    assert_eq!(upload.state(), UploadState::Quarantined);
    assert_eq!(
        upload.rejection().and_then(|r| r.primary_failure()).map(|f| f.code.as_str()),
        Some("PROCESSING_FAILED")
    );
    let quarantined = upload.quarantine_location().ok_or("not in quarantine")?;
    let held = world.object(&quarantined.bucket, quarantined.key.as_deref().unwrap_or_default(), None).await?;
    assert!(held == Some(sample.bytes), "the quarantine holds the sent bytes");
    assert_eq!(world.object(&object.bucket, &object.key, Some(&object.version_id)).await?, None);
    assert_eq!(world.statistics(&user.owner, "slow").await?, None, "no record counts towards statistics");
    assert_eq!(world.mails_about(upload.id()).await.len(), 1);

    // The operator has removed the cause. The owner retries the same bytes, and they count once.
    world.retry(&user, upload.id().as_str(), None).await?.expect(202)?;
    let receipt =
        world.receipt(&user, upload.id().as_str(), |receipt| receipt["quarantine"]["status"] == "resolved").await?;
    assert_eq!((&receipt["state"], &receipt["accepted"]), (&json!("accepted"), &json!(10_000_000)));
    assert_eq!(world.statistics(&user.owner, "slow").await?.map(|statistics| statistics.count), Some(10_000_000));
    Ok(())
}
