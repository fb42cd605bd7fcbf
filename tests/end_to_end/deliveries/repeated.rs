//! Deliveries that come twice, in parallel, or after their object was deleted.

use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use eventpulse_cli::dev::report_on;
use eventpulse_core::id::OwnerId;
use eventpulse_core::upload::{Decision, Upload, UploadState};

use super::{bodies, id_of, put};
use crate::TestResult;
use crate::world::{World, document, kinds, reading};

pub async fn parallel_deliveries_of_one_object_count_once(world: Arc<World>) -> TestResult {
    for attempt in 0..3 {
        for (name, _, state, count) in bodies("") {
            let device = format!("interleaved-{name}-{attempt}");
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

pub async fn parallel_uploads_of_equal_bytes_count_once(world: Arc<World>) -> TestResult {
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
    assert!(duplicates.iter().all(|of| of == accepted[0].id()), "each duplicate names the accepted upload");
    assert_eq!(world.statistics(&user.owner, "same").await?.map(|statistics| statistics.count), Some(2));
    let theirs = world.upload(&other, &document("copy.ndjson", body)).await?;
    assert_eq!(theirs.state(), UploadState::Accepted, "equal bytes of another owner are no duplicate");
    Ok(())
}

pub async fn deleted_object_is_quarantined_as_missing(world: Arc<World>) -> TestResult {
    let object = put(&world, "uploads/deleted.ndjson", &reading("deleted", 0, 1.0).to_string()).await?;
    let id = id_of(&object);
    world.client.settled(&id).await?;
    // Delete the history and the object, as if the object had been deleted before its first delivery.
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
        "the quarantine has no object"
    );
    assert_eq!(report_on(&world.client, &upload).await?["upload_failure"]["code"], "OBJECT_MISSING");
    // The occurrence is recorded once. Its notice depends on the operator's other failures, so it is not checked.
    let history = world.client.services.uploads.history(&id).await?;
    assert_eq!(kinds(&history).get("occurrence_recorded"), Some(&1));
    Ok(())
}
