//! Uploads of the same bytes at the same time: one counts, the others wait for its outcome.

use std::sync::Arc;

use eventpulse_cli::BoxError;
use eventpulse_core::id::{OwnerId, UploadId};
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{RecordedEvent, Upload, UploadState};
use serde_json::json;

use super::crash_recovery::{ManyChunks, counts};
use super::{id_of, put, rewind, store_history};
use crate::TestResult;
use crate::world::{World, document, kinds, reading};

/// The number of series of a file whose chunks take some seconds to write.
const SERIES: usize = 6_000;

pub async fn simultaneous_uploads_of_one_large_file_count_once(world: Arc<World>) -> TestResult {
    let user = world.user();
    let line = |device: usize| format!("{}\n", reading(&format!("large-{device}"), 1, 5.0));
    let body: String = (0..SERIES).map(line).collect();
    let uploads = (0..3).map(|number| {
        let (world, user, body) = (Arc::clone(&world), user.clone(), body.clone());
        tokio::spawn(async move {
            world.upload(&user, &document(&format!("copy-{number}.ndjson"), body)).await.map_err(|e| e.to_string())
        })
    });
    let mut settled = Vec::new();
    for upload in uploads.collect::<Vec<_>>() {
        settled.push(upload.await??);
    }
    let (accepted, others): (Vec<Upload>, Vec<Upload>) =
        settled.into_iter().partition(|upload| upload.state() == UploadState::Accepted);
    assert_eq!((accepted.len(), accepted[0].accepted()), (1, SERIES as u64));
    let mut waited = 0;
    for other in &others {
        assert_eq!((other.state(), other.duplicate_of()), (UploadState::Duplicate, Some(accepted[0].id())));
        let history = world.client.services.uploads.history(other.id()).await?;
        waited += kinds(&history).get("waiting_began").copied().unwrap_or(0);
    }
    assert!(waited > 0, "no upload had to wait: the test needs a larger file");
    for device in [0, SERIES - 1] {
        let statistics = world.statistics(&user.owner, &format!("large-{device}")).await?;
        assert_eq!(statistics.map(|statistics| statistics.count), Some(1), "large-{device}");
    }
    let receipt = world.get(&user, &format!("/uploads/{}", others[0].id())).await?;
    assert_eq!(receipt["duplicate_of"], json!(accepted[0].id().as_str()));
    Ok(())
}

/// Cuts the history of an upload back to its claim, as if it were writing its chunks at this moment.
async fn hold_claim(world: &World, holder: &ManyChunks) -> TestResult {
    let now = |event: &RecordedEvent| RecordedEvent { at: eventpulse_aws::clock(), ..event.clone() };
    let events: Vec<RecordedEvent> = holder.history[..holder.claimed].iter().map(now).collect();
    store_history(world, &holder.id, &events).await
}

/// Waits until an upload waits for another one.
async fn waiting(world: &World, id: &UploadId) -> Result<Upload, BoxError> {
    world.client.wait(id, |upload| upload.state() == UploadState::Waiting).await
}

pub async fn waiting_uploads_take_over_when_their_holder_fails(world: Arc<World>) -> TestResult {
    // The holder returned an error three times and is `failed`, or died three times and is quarantined.
    for (deaths, state) in [(0, UploadState::Failed), (3, UploadState::Quarantined)] {
        let prefix = format!("taken-over-{deaths}");
        let holder = ManyChunks::upload(&world, &prefix).await?;
        hold_claim(&world, &holder).await?;
        let second = put(&world, &format!("uploads/{prefix}-2.ndjson"), &holder.body).await?;
        let third = put(&world, &format!("uploads/{prefix}-3.ndjson"), &holder.body).await?;
        let (second, third) = (id_of(&second), id_of(&third));
        waiting(&world, &second).await?;
        waiting(&world, &third).await?;
        holder.record_failure(&world, deaths).await?;
        let failed = world.client.services.uploads.load(&holder.id).await?.ok_or("no holder")?;
        assert_eq!((failed.state(), failed.open_claim()), (state, None), "{deaths} deaths");
        let mut states = Vec::new();
        for id in [&second, &third] {
            states.push(world.client.settled(id).await?.state().as_str());
        }
        states.sort_unstable();
        assert_eq!(states, ["accepted", "duplicate"], "{deaths} deaths");
        assert_eq!(counts(&world, &prefix).await?, (1, 1), "{deaths} deaths");
        if state == UploadState::Failed {
            let answer = world.deliver(&holder.object, "again").await?;
            assert_eq!(answer.error, None, "{} {}", answer.payload, answer.log);
            let again = world.client.settled(&holder.id).await?;
            assert_eq!(again.state(), UploadState::Duplicate, "the failed holder is delivered again");
            assert_eq!(counts(&world, &prefix).await?, (1, 1), "the failed holder is delivered again");
        }
    }
    Ok(())
}

pub async fn claim_of_a_dead_holder_lapses(world: Arc<World>) -> TestResult {
    let holder = ManyChunks::upload(&world, "lapsed").await?;
    // No failure is recorded, and the last event is an hour old.
    rewind(&world, &holder.id, &holder.history, holder.claimed).await?;
    let second = put(&world, "uploads/lapsed-2.ndjson", &holder.body).await?;
    let second = world.client.settled(&id_of(&second)).await?;
    assert_eq!((second.state(), second.accepted()), (UploadState::Accepted, 120));
    let failed = world.client.services.uploads.load(&holder.id).await?.ok_or("no holder")?;
    assert_eq!((failed.state(), failed.open_claim()), (UploadState::Failed, None));
    assert_eq!(counts(&world, "lapsed").await?, (1, 1));
    let answer = world.deliver(&holder.object, "late").await?;
    assert_eq!(answer.error, None, "{} {}", answer.payload, answer.log);
    let late = world.client.settled(&holder.id).await?;
    assert_eq!((late.state(), late.duplicate_of()), (UploadState::Duplicate, Some(second.id())));
    assert_eq!(counts(&world, "lapsed").await?, (1, 1));
    Ok(())
}

pub async fn claim_of_a_lost_upload_is_released(world: Arc<World>) -> TestResult {
    let holder = ManyChunks::upload(&world, "lost").await?;
    // As if the item had expired: the claim names an upload that is gone, with its chunks.
    world.client.services.chunks.delete_of_upload(&holder.id, None).await?;
    let delete = world.dynamodb.delete_item().table_name(&world.client.services.config.uploads_table);
    let key = aws_sdk_dynamodb::types::AttributeValue::S(format!("upload#{}", holder.id));
    delete.key("pk", key).send().await?;
    let second = put(&world, "uploads/lost-2.ndjson", &holder.body).await?;
    assert_eq!(world.client.settled(&id_of(&second)).await?.state(), UploadState::Accepted);
    assert_eq!(counts(&world, "lost").await?, (1, 1));
    Ok(())
}

pub async fn waiting_upload_is_processed_when_its_holder_is_withdrawn(world: Arc<World>) -> TestResult {
    let services = &world.client.services;
    let holder = ManyChunks::upload(&world, "withdrawn-holder").await?;
    let requested = eventpulse_core::upload::UploadEvent::WithdrawalRequested { by: OwnerId::operator() };
    let now = eventpulse_aws::clock();
    let events = [holder.history.clone(), vec![RecordedEvent::new(now, requested)]].concat();
    store_history(&world, &holder.id, &events).await?;
    let second = put(&world, "uploads/withdrawn-holder-2.ndjson", &holder.body).await?;
    let second = id_of(&second);
    waiting(&world, &second).await?;
    // The owner repeats the call, and it completes.
    let now: Timestamp = eventpulse_aws::clock();
    eventpulse_aws::workflows::upload_commands::withdraw(services, &OwnerId::operator(), &holder.id, now).await?;
    assert_eq!(world.client.settled(&second).await?.state(), UploadState::Accepted);
    assert_eq!(counts(&world, "withdrawn-holder").await?, (1, 1));
    Ok(())
}
