//! Processing that is resumed after a crash, and deliveries that failed for good.

use std::sync::Arc;

use eventpulse_aws::clock;
use eventpulse_aws::workflows::failed_delivery::{FailedDelivery, record_failed_delivery};
use eventpulse_cli::BoxError;
use eventpulse_core::id::{OwnerId, UploadId};
use eventpulse_core::upload::{ObjectVersion, RecordedEvent, UploadEvent, UploadState};

use super::{bodies, delivery, id_of, put, rewind};
use crate::TestResult;
use crate::world::{World, kinds, reading};

pub async fn crash_after_each_event_is_resumed(world: Arc<World>) -> TestResult {
    for (name, _, state, count) in bodies("") {
        let device = format!("crash-{name}");
        let body = bodies(&device).into_iter().find(|row| row.0 == name).ok_or("no body")?.1;
        let object = put(&world, &format!("uploads/{device}.ndjson"), &body).await?;
        let id = id_of(&object);
        let whole = world.client.settled(&id).await?;
        let history = world.client.services.uploads.history(&id).await?;
        // A fully rejected object is removed after its decision, so only crashes after the decision can be replayed.
        let decided =
            history.iter().position(|event| matches!(event.event, UploadEvent::Decided { .. })).ok_or("undecided")?;
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

/// An upload with more chunks than fit in one transaction. It stores the claim, then the chunks, then the decision.
pub(super) struct ManyChunks {
    pub(super) body: String,
    pub(super) object: ObjectVersion,
    pub(super) id: UploadId,
    pub(super) history: Vec<RecordedEvent>,
    /// The number of events up to and including the claim.
    pub(super) claimed: usize,
}

impl ManyChunks {
    /// Uploads 120 series, whose names begin with `prefix`.
    pub(super) async fn upload(world: &World, prefix: &str) -> Result<Self, BoxError> {
        let line = |device: usize| format!("{}\n", reading(&format!("{prefix}-{device}"), 1, 5.0));
        let body: String = (0..120).map(line).collect();
        let object = put(world, &format!("uploads/{prefix}.ndjson"), &body).await?;
        let id = id_of(&object);
        let upload = world.client.settled(&id).await?;
        assert_eq!((upload.state(), upload.accepted()), (UploadState::Accepted, 120));
        let history = world.client.services.uploads.history(&id).await?;
        let began = history.iter().position(|event| matches!(event.event, UploadEvent::AcceptanceBegan { .. }));
        let claimed = began.ok_or("the upload took one transaction")? + 1;
        Ok(Self { body, object, id, history, claimed })
    }

    /// Cuts the history back to the claim, with all chunks written, and records a permanently failed delivery.
    async fn fail(&self, world: &World) -> TestResult {
        rewind(world, &self.id, &self.history, self.claimed).await?;
        self.record_failure(world, 3).await
    }

    /// Records a permanently failed delivery after so many deaths.
    pub(super) async fn record_failure(&self, world: &World, deaths: u32) -> TestResult {
        let delivery = delivery(&self.object, "failed");
        let failed = FailedDelivery { delivery, reason: "Sandbox.Timedout".to_owned(), deaths };
        record_failed_delivery(&world.client.services, &failed, clock).await?;
        Ok(())
    }
}

/// Returns the number of points in the first and in the last series.
pub(super) async fn counts(world: &World, prefix: &str) -> Result<(u64, u64), BoxError> {
    let count = async |number: u32| -> Result<u64, BoxError> {
        let statistics = world.statistics(OwnerId::OPERATOR, &format!("{prefix}-{number}")).await?;
        Ok(statistics.map_or(0, |statistics| statistics.count))
    };
    Ok((count(0).await?, count(119).await?))
}

pub async fn crash_while_writing_chunks_is_resumed(world: Arc<World>) -> TestResult {
    let upload = ManyChunks::upload(&world, "resumed").await?;
    for keep in [1, upload.claimed] {
        rewind(&world, &upload.id, &upload.history, keep).await?;
        let answer = world.deliver(&upload.object, "resumed").await?;
        assert_eq!(answer.error, None, "after {keep} events: {} {}", answer.payload, answer.log);
        let again = world.client.services.uploads.history(&upload.id).await?;
        assert_eq!(kinds(&again), kinds(&upload.history), "after {keep} events");
        assert_eq!(counts(&world, "resumed").await?, (1, 1), "after {keep} events");
    }
    Ok(())
}

pub async fn failed_delivery_while_writing_chunks_is_rolled_back(world: Arc<World>) -> TestResult {
    let upload = ManyChunks::upload(&world, "rolled-back").await?;
    upload.fail(&world).await?;
    let failed = world.client.settled(&upload.id).await?;
    let code =
        failed.rejection().and_then(|rejection| rejection.primary_failure()).map(|failure| failure.code.as_str());
    assert_eq!(code, Some("PROCESSING_FAILED"));
    assert_eq!(counts(&world, "rolled-back").await?, (0, 0), "no chunk is left");
    Ok(())
}

pub async fn failed_delivery_recorded_twice_ends_in_quarantine(world: Arc<World>) -> TestResult {
    let upload = ManyChunks::upload(&world, "failed-twice").await?;
    upload.fail(&world).await?;
    // As if the first call had crashed after it stored the decision. The second call performs all remaining steps.
    let history = world.client.services.uploads.history(&upload.id).await?;
    let decided = history.iter().position(|event| matches!(event.event, UploadEvent::Decided { .. }));
    rewind(&world, &upload.id, &history, decided.ok_or("no decision")? + 1).await?;
    upload.record_failure(&world, 3).await?;
    assert_eq!(world.client.settled(&upload.id).await?.state(), UploadState::Quarantined);
    Ok(())
}

pub async fn bytes_of_a_rolled_back_upload_can_be_sent_again(world: Arc<World>) -> TestResult {
    let upload = ManyChunks::upload(&world, "sent-again").await?;
    upload.fail(&world).await?;
    let second = put(&world, "uploads/sent-again-2.ndjson", &upload.body).await?;
    let state = world.client.settled(&id_of(&second)).await?.state();
    assert_eq!(state, UploadState::Accepted, "the bytes are not a duplicate");
    assert_eq!(counts(&world, "sent-again").await?, (1, 1));
    Ok(())
}
