//! Deliveries that come twice, at the same time, late, or after a crash.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::config::{HttpClient, RuntimeComponents, SharedHttpClient};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use eventpulse_aws::workflows::delivery::Delivery;
use eventpulse_aws::workflows::failed_delivery::{FailedDelivery, record_failed_delivery};
use eventpulse_aws::workflows::process_upload::{DeliveryOutcome, process_upload};
use eventpulse_aws::{Services, clock};
use eventpulse_cli::BoxError;
use eventpulse_cli::dev::report_on;
use eventpulse_core::id::{OwnerId, UploadId};
use eventpulse_core::intake::schema::Catalog;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{Decision, ObjectVersion, RecordedEvent, Upload, UploadEvent, UploadState};
use serde_json::Value;

use crate::TestResult;
use crate::world::{World, document, kinds, reading};

/// Puts an object where nothing listens or, under `uploads/`, where EventBridge does.
async fn put(world: &World, key: &str, body: &str) -> Result<ObjectVersion, BoxError> {
    let bucket = world.process_bucket().to_owned();
    let put = world.client.s3.put_object().bucket(&bucket).key(key).content_type("application/x-ndjson");
    let version_id = put.body(body.as_bytes().to_vec().into()).send().await?.version_id.ok_or("no version")?;
    Ok(ObjectVersion { bucket, key: key.to_owned(), version_id, size: body.len() as u64, line: None })
}

fn id_of(object: &ObjectVersion) -> UploadId {
    UploadId::of_object(&object.bucket, &object.key, &object.version_id)
}

/// Good, mixed and bad lines of a device.
fn bodies(device: &str) -> [(&'static str, String, UploadState, u64); 3] {
    let good = format!("{}\n{}\n", reading(device, 1, 1.0), reading(device, 2, 2.0));
    [
        ("accepted", good.clone(), UploadState::Accepted, 2),
        ("mixed", format!("{good}{{\"device_id\":\"{device}\"}}\n"), UploadState::PartiallyAccepted, 2),
        ("bad", format!("{{\"device_id\":\"{device}\"}}\n"), UploadState::Quarantined, 0),
    ]
}

pub async fn twice_in_any_interleaving_is_once(world: Arc<World>) -> TestResult {
    for round in 0..3 {
        for (name, _, state, count) in bodies("") {
            let device = format!("interleaved-{name}-{round}");
            let body = bodies(&device).into_iter().find(|row| row.0 == name).ok_or("no body")?.1;
            let object = put(&world, &format!("uploads/{device}.ndjson"), &body).await?;
            let deliveries = (0..4).map(|number| {
                let (world, object) = (Arc::clone(&world), object.clone());
                tokio::spawn(async move {
                    world.deliver(&object, &format!("again-{number}")).await.map_err(|e| e.to_string())
                })
            });
            for delivery in deliveries.collect::<Vec<_>>() {
                let answer = delivery.await??;
                assert_eq!(answer.error, None, "{name}: {} {}", answer.payload, answer.log);
            }
            let upload = world.client.settled(&id_of(&object)).await?;
            assert_eq!(upload.state(), state, "{name}");
            let found = world.statistics(OwnerId::OPERATOR, &device).await?.map_or(0, |statistics| statistics.count);
            assert_eq!(found, count, "{name} counts once");
            let history = world.client.services.uploads.history(upload.id()).await?;
            assert!(kinds(&history).values().all(|count| *count == 1), "{name}: {:?}", kinds(&history));
        }
    }
    Ok(())
}

pub async fn the_same_bytes_at_the_same_time_count_once(world: Arc<World>) -> TestResult {
    let (user, other) = (world.user(), world.user());
    let body = format!("{}\n{}\n", reading("same", 1, 10.0), reading("same", 2, 20.0));
    let uploads = (0..6).map(|number| {
        let (world, user, body) = (Arc::clone(&world), user.clone(), body.clone());
        tokio::spawn(async move {
            world.upload(&user, &document(&format!("copy-{number}.ndjson"), body)).await.map_err(|e| e.to_string())
        })
    });
    let mut accepted: Vec<Upload> = Vec::new();
    let mut duplicates = Vec::new();
    for upload in uploads.collect::<Vec<_>>() {
        let upload = upload.await??;
        match upload.decision() {
            Some(Decision::Duplicate { of }) => duplicates.push(of.clone()),
            _ => accepted.push(upload),
        }
    }
    assert_eq!((accepted.len(), duplicates.len()), (1, 5));
    assert!(duplicates.iter().all(|of| of == accepted[0].id()), "each names the one that counts");
    assert_eq!(world.statistics(&user.owner, "same").await?.map(|statistics| statistics.count), Some(2));
    let theirs = world.upload(&other, &document("copy.ndjson", body)).await?;
    assert_eq!(theirs.state(), UploadState::Accepted, "another owner's like bytes are another owner's");
    Ok(())
}

/// Puts a stored history back to its first events, as if the function had died behind them an hour ago.
async fn rewind(world: &World, id: &UploadId, history: &[RecordedEvent], keep: usize) -> Result<(), BoxError> {
    let mut texts = Vec::new();
    for event in &history[..keep] {
        let mut event = event.clone();
        event.at = Timestamp::from_micros(event.at.as_micros() - 3_600_000_000);
        texts.push(AttributeValue::S(serde_json::to_string(&event)?));
    }
    let put = world.dynamodb.put_item().table_name(&world.client.services.config.uploads_table);
    let put = put.item("pk", AttributeValue::S(format!("upload#{id}"))).item("history", AttributeValue::L(texts));
    put.item("revision", AttributeValue::N(keep.to_string())).send().await?;
    Ok(())
}

pub async fn what_is_owed_is_resumed_after_a_crash_at_every_step(world: Arc<World>) -> TestResult {
    for (name, _, state, count) in bodies("") {
        let device = format!("crash-{name}");
        let body = bodies(&device).into_iter().find(|row| row.0 == name).ok_or("no body")?.1;
        let object = put(&world, &format!("uploads/{device}.ndjson"), &body).await?;
        let id = id_of(&object);
        let whole = world.client.settled(&id).await?;
        let history = world.client.services.uploads.history(&id).await?;
        // A fully rejected object is removed after its decision is stored, so before that it is still there.
        let decided =
            history.iter().position(|event| matches!(event.fact, UploadEvent::Decided { .. })).ok_or("undecided")?;
        let first = if state == UploadState::Quarantined { decided + 1 } else { 1 };
        for keep in first..=history.len() {
            rewind(&world, &id, &history, keep).await?;
            let answer = world.deliver(&object, "resumed").await?;
            assert_eq!(answer.error, None, "{name} after {keep} events: {} {}", answer.payload, answer.log);
            let resumed = world.client.settled(&id).await?;
            assert_eq!(resumed.state(), state, "{name} after {keep} events");
            assert_eq!(resumed.quarantine_location(), whole.quarantine_location(), "{name} after {keep} events");
            assert_eq!(resumed.is_occurrence_recorded(), whole.is_occurrence_recorded(), "{name} after {keep} events");
            let again = world.client.services.uploads.history(&id).await?;
            assert_eq!(kinds(&again), kinds(&history), "{name} after {keep} events");
            let found = world.statistics(OwnerId::OPERATOR, &device).await?.map_or(0, |statistics| statistics.count);
            assert_eq!(found, count, "{name} after {keep} events");
        }
    }
    Ok(())
}

pub async fn many_series_are_written_once_or_withdrawn(world: Arc<World>) -> TestResult {
    // More chunks than one transaction takes: the claim comes first, then the chunks, then the decision.
    let body: String = (0..120).map(|device| format!("{}\n", reading(&format!("many-{device}"), 1, 5.0))).collect();
    let object = put(&world, "uploads/many.ndjson", &body).await?;
    let id = id_of(&object);
    let upload = world.client.settled(&id).await?;
    assert_eq!((upload.state(), upload.accepted()), (UploadState::Accepted, 120));
    let history = world.client.services.uploads.history(&id).await?;
    let began =
        history.iter().position(|event| matches!(event.fact, UploadEvent::AcceptanceBegan { .. })).ok_or("in one")?;
    let count = async |device: &str| -> Result<u64, BoxError> {
        Ok(world.statistics(OwnerId::OPERATOR, device).await?.map_or(0, |statistics| statistics.count))
    };
    for keep in [1, began + 1] {
        rewind(&world, &id, &history, keep).await?;
        let answer = world.deliver(&object, "resumed").await?;
        assert_eq!(answer.error, None, "after {keep} events: {} {}", answer.payload, answer.log);
        let again = world.client.services.uploads.history(&id).await?;
        assert_eq!(kinds(&again), kinds(&history), "after {keep} events");
        assert_eq!((count("many-0").await?, count("many-119").await?), (1, 1), "after {keep} events");
    }
    // Given up while its chunks were being written: nothing of it may count, and its bytes may be sent again.
    rewind(&world, &id, &history, began + 1).await?;
    let delivery = Delivery {
        bucket: object.bucket.clone(),
        key: object.key.clone(),
        version_id: Some(object.version_id.clone()),
        size: object.size,
        correlation_id: "given-up".to_owned(),
    };
    let given_up = FailedDelivery { delivery, reason: "Sandbox.Timedout".to_owned(), deaths: 3 };
    record_failed_delivery(&world.client.services, &given_up, clock).await?;
    let upload = world.client.settled(&id).await?;
    assert_eq!(
        upload.rejection().and_then(|r| r.primary_failure()).map(|f| f.code.as_str()),
        Some("PROCESSING_FAILED")
    );
    assert_eq!((count("many-0").await?, count("many-119").await?), (0, 0), "it is withdrawn");
    // Given up twice at one moment: the second one finds what the first one decided, and all that it owes.
    let history = world.client.services.uploads.history(&id).await?;
    let decided =
        history.iter().position(|event| matches!(event.fact, UploadEvent::Decided { .. })).ok_or("undecided")?;
    rewind(&world, &id, &history, decided + 1).await?;
    record_failed_delivery(&world.client.services, &given_up, clock).await?;
    assert_eq!(world.client.settled(&id).await?.state(), UploadState::Quarantined);
    let second = put(&world, "uploads/many-again.ndjson", &body).await?;
    assert_eq!(world.client.settled(&id_of(&second)).await?.state(), UploadState::Accepted, "and no duplicate");
    assert_eq!(count("many-0").await?, 1);
    Ok(())
}

pub async fn an_object_deleted_before_it_is_read(world: Arc<World>) -> TestResult {
    let object = put(&world, "uploads/deleted.ndjson", &reading("deleted", 0, 1.0).to_string()).await?;
    let id = id_of(&object);
    world.client.settled(&id).await?;
    // As if nothing had happened yet but the deletion.
    let delete = world.dynamodb.delete_item().table_name(&world.client.services.config.uploads_table);
    delete.key("pk", AttributeValue::S(format!("upload#{id}"))).send().await?;
    let delete = world.client.s3.delete_object().bucket(&object.bucket).key(&object.key);
    delete.version_id(&object.version_id).send().await?;
    let answer = world.deliver(&object, "too-late").await?;
    assert_eq!(answer.error, None, "{}", answer.payload);
    let upload = world.client.settled(&id).await?;
    assert_eq!(upload.rejection().and_then(|r| r.primary_failure()).map(|f| f.code.as_str()), Some("OBJECT_MISSING"));
    assert_eq!(
        upload.quarantine_location().map(|quarantined| &quarantined.key),
        Some(&None),
        "there is nothing to keep"
    );
    assert_eq!(report_on(&world.client, &upload).await?["upload_failure"]["code"], "OBJECT_MISSING");
    // Told once; by which notice depends on what else of the operator's failed so.
    let history = world.client.services.uploads.history(&id).await?;
    assert_eq!(kinds(&history).get("occurrence_recorded"), Some(&1));
    Ok(())
}

pub async fn logs_carry_one_correlation_id_and_no_payload(world: Arc<World>) -> TestResult {
    for (name, body, ..) in bodies("payload-of-mine") {
        let object = put(&world, &format!("elsewhere/logged-{name}.ndjson"), &body).await?;
        // Not under uploads/, so only this invocation sees it, and is denied it: that is logged as well.
        let denied = world.deliver(&object, &format!("trace-{name}")).await?;
        assert!(denied.error.is_some());
        let object = put(&world, &format!("uploads/logged-{name}.ndjson"), &body).await?;
        world.client.settled(&id_of(&object)).await?;
        let answer = world.deliver(&object, &format!("trace-{name}")).await?;
        for log in [denied.log, answer.log] {
            let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
            let ours: Vec<&Value> = lines.iter().filter(|line| line.get("level").is_some()).collect();
            assert!(!ours.is_empty(), "{name}: nothing was logged: {log}");
            for line in ours {
                assert_eq!(line["span"]["correlation_id"], format!("trace-{name}"), "{name}: {line}");
            }
            assert!(!log.contains("payload-of-mine") && !log.contains("X-Amz-Signature"), "{name}: {log}");
        }
    }
    Ok(())
}

/// Counts the requests of an SDK client.
#[derive(Debug, Clone)]
struct Counting {
    inner: SharedHttpClient,
    count: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct CountingConnector {
    inner: SharedHttpConnector,
    count: Arc<AtomicUsize>,
}

impl HttpClient for Counting {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(CountingConnector { inner, count: Arc::clone(&self.count) })
    }
}

impl HttpConnector for CountingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.inner.call(request)
    }
}

pub async fn a_small_upload_takes_at_most_five_round_trips(world: Arc<World>) -> TestResult {
    let count = Arc::new(AtomicUsize::new(0));
    let client = Counting { inner: eventpulse_aws::http_client(), count: Arc::clone(&count) };
    let sdk = world.client.sdk.to_builder().http_client(client).build();
    let services = Services::new(world.client.services.config.clone(), &sdk, Catalog::bundled()?);
    let object = put(&world, "elsewhere/small.ndjson", &reading("small", 0, 1.0).to_string()).await?;
    let delivery = Delivery {
        bucket: object.bucket.clone(),
        key: object.key.clone(),
        version_id: Some(object.version_id.clone()),
        size: object.size,
        correlation_id: "counted".to_owned(),
    };
    let outcome = process_upload(&services, &delivery, clock).await?;
    let DeliveryOutcome::Settled(upload) = outcome else { return Err("not settled".into()) };
    assert_eq!(upload.state(), UploadState::Accepted);
    let trips = count.load(Ordering::Relaxed);
    // Until it counts, three. Then it is counted in its owner's profile; and, as groups of the operator are open, is news.
    assert!(trips <= 5, "{trips} round trips");
    println!("{trips} round trips");
    Ok(())
}
