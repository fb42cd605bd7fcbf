//! The contract of the upload store.

use std::collections::BTreeSet;
use std::sync::Arc;

use eventpulse_aws::adapters::upload_store::batch::{BatchAppend, IdempotencyClaim, IdempotencyKey, NewUpload};
use eventpulse_aws::adapters::upload_store::lists::ListFilter;
use eventpulse_aws::adapters::upload_store::{Append, ClaimOutcome};
use eventpulse_aws::error::Kind;
use eventpulse_core::encoding::sha256;
use eventpulse_core::id::OwnerId;
use eventpulse_core::upload::{RecordedEvent, UploadEvent, UploadState};

use super::{Received, at, received, unique_id, unique_owner};
use crate::TestResult;
use crate::poll::{SOON, found, poll};
use crate::world::World;

fn new_upload(Received { upload, events }: Received, body: &str, idempotency_key: Option<&str>) -> NewUpload {
    let body_sha256 = sha256(body.as_bytes());
    let key = |key: &str| IdempotencyKey { digest: sha256(key.as_bytes()), body_sha256: body_sha256.clone() };
    NewUpload { upload, events, idempotency_key: idempotency_key.map(key), sha256: body_sha256 }
}

pub async fn unknown_upload_is_none(world: Arc<World>) -> TestResult {
    let uploads = &world.client.services.uploads;
    let id = unique_id();
    assert!(uploads.history(&id).await?.is_empty());
    assert_eq!(uploads.load(&id).await?, None);
    Ok(())
}

pub async fn append_at_a_stale_revision_is_a_conflict(world: Arc<World>) -> TestResult {
    let uploads = &world.client.services.uploads;
    let Received { upload, events } = received(&unique_owner(), 0)?;
    assert_eq!(uploads.append(&upload, 0, &events).await?, Append::Done);
    assert_eq!(uploads.append(&upload, 0, &events).await?, Append::Conflict, "it exists");
    assert_eq!(uploads.append(&upload, 1, &events[1..]).await?, Append::Conflict, "a stale revision");
    assert_eq!(uploads.history(upload.id()).await?, events);
    assert_eq!(uploads.load(upload.id()).await?, Some(upload));
    Ok(())
}

pub async fn claim_is_acquired_once_and_taken_for_others(world: Arc<World>) -> TestResult {
    let uploads = &world.client.services.uploads;
    let owner = unique_owner();
    let (first, second) = (received(&owner, 0)?, received(&owner, 1)?);
    let digest = sha256(b"body");
    let claim =
        async |new: &Received, revision: usize| uploads.claim(&digest, &[], &new.upload, revision, &new.events).await;
    assert_eq!(claim(&first, 0).await?, ClaimOutcome::Acquired);
    assert_eq!(claim(&first, 0).await?, ClaimOutcome::Conflict, "the history grew");
    assert_eq!(claim(&second, 0).await?, ClaimOutcome::TakenBy(first.upload.id().clone()));
    assert!(uploads.history(second.upload.id()).await?.is_empty(), "nothing is written");
    uploads.release(&owner, &digest, second.upload.id()).await?;
    assert_eq!(claim(&second, 0).await?, ClaimOutcome::TakenBy(first.upload.id().clone()), "not its own claim");
    uploads.release(&owner, &digest, first.upload.id()).await?;
    uploads.release(&owner, &digest, first.upload.id()).await?;
    assert_eq!(claim(&second, 0).await?, ClaimOutcome::Acquired);
    let of_other_owner = received(&unique_owner(), 0)?;
    assert_eq!(claim(&of_other_owner, 0).await?, ClaimOutcome::Acquired, "claims belong to one owner");
    Ok(())
}

pub async fn batch_with_known_uploads_writes_nothing_and_names_them(world: Arc<World>) -> TestResult {
    let uploads = &world.client.services.uploads;
    let owner = unique_owner();
    let first = [new_upload(received(&owner, 0)?, "1", Some("key 1")), new_upload(received(&owner, 1)?, "2", None)];
    assert_eq!(uploads.append_batch(&first, &[], at(1)).await?, BatchAppend::Done);
    let same_digest = new_upload(received(&owner, 2)?, "2", None);
    let same_key = new_upload(received(&owner, 3)?, "3", Some("key 1"));
    let unknown = new_upload(received(&owner, 4)?, "4", Some("key 4"));
    let known = BTreeSet::from([same_digest.upload.id().clone(), same_key.upload.id().clone()]);
    let second = [same_digest, unknown, same_key];
    assert_eq!(uploads.append_batch(&second, &[], at(4)).await?, BatchAppend::Known(known));
    for new in &second {
        assert!(uploads.history(new.upload.id()).await?.is_empty(), "nothing is written");
    }
    Ok(())
}

pub async fn idempotency_key_belongs_to_the_first_upload_until_it_expires(world: Arc<World>) -> TestResult {
    const DAYS: i64 = 86_400;
    let uploads = &world.client.services.uploads;
    let owner = unique_owner();
    let (first, second) = (received(&owner, 0)?.upload, received(&owner, 1)?.upload);
    let key = |body: &str| IdempotencyKey { digest: sha256(b"key"), body_sha256: sha256(body.as_bytes()) };
    let earlier = |same_body| IdempotencyClaim::Earlier { upload_id: first.id().clone(), same_body };
    for (name, upload, body, seconds, expected) in [
        ("first", &first, "1", 0, IdempotencyClaim::Acquired),
        ("again", &first, "1", 1, IdempotencyClaim::Acquired),
        ("other upload, same body", &second, "1", 2, earlier(true)),
        ("other upload, other body", &second, "2", 3, earlier(false)),
        ("other upload, after the end", &second, "2", 15 * DAYS, IdempotencyClaim::Acquired),
    ] {
        let claim = uploads.claim_idempotency_key(upload, &key(body), at(seconds)).await?;
        assert_eq!(claim, expected, "{name}");
    }
    Ok(())
}

pub async fn late_versions_are_counted_outside_the_history(world: Arc<World>) -> TestResult {
    let uploads = &world.client.services.uploads;
    let Received { upload, events } = received(&unique_owner(), 0)?;
    uploads.append(&upload, 0, &events).await?;
    for expected in 1..=3 {
        uploads.count_late_version(upload.id()).await?;
        let stored = uploads.read(upload.id()).await?.ok_or("no upload")?;
        assert_eq!((stored.late_versions, &stored.upload, &stored.history), (expected, &upload, &events));
    }
    let unknown = unique_id();
    uploads.count_late_version(&unknown).await?;
    assert_eq!(uploads.read(&unknown).await?, None, "the count creates no upload");
    Ok(())
}

pub async fn full_history_is_a_kind_of_failure_and_a_final_state(world: Arc<World>) -> TestResult {
    let uploads = &world.client.services.uploads;
    let Received { mut upload, events } = received(&unique_owner(), 0)?;
    uploads.append(&upload, 0, &events).await?;
    let failed = || UploadEvent::DeliveryFailed { reason: "x".repeat(100_000), correlation_id: "c".to_owned() };
    let (mut refused, mut stored) = (None, upload.clone());
    for _ in 0..5 {
        let (revision, event) = (upload.revision(), RecordedEvent::new(at(1), failed()));
        upload.apply(&event);
        match uploads.append(&upload, revision, &[event]).await {
            Ok(_) => stored = upload.clone(),
            Err(error) => {
                refused = Some(error.kind);
                break;
            }
        }
    }
    assert_eq!(refused, Some(Kind::TooLarge));
    let (revision, event) = (stored.revision(), RecordedEvent::new(at(1), failed()));
    let claimed = uploads.claim("digest", &[], &upload, revision, &[event]).await;
    assert_eq!(claimed.err().map(|error| error.kind), Some(Kind::TooLarge), "in a transaction");
    uploads.mark_full(upload.id()).await?;
    let full = uploads.load(upload.id()).await?.ok_or("no upload")?;
    assert_eq!((full.state(), full.next_step(), full.revision()), (UploadState::Failed, None, stored.revision()));
    assert!(full.failure_reason().is_some_and(|reason| reason.contains("full")), "{:?}", full.failure_reason());
    Ok(())
}

pub async fn lists_are_paged_to_the_end_newest_first(world: Arc<World>) -> TestResult {
    let uploads = &world.client.services.uploads;
    let owner = unique_owner();
    let mut expected = Vec::new();
    for seconds in 0..5 {
        let Received { upload, events } = received(&owner, seconds)?;
        uploads.append(&upload, 0, &events).await?;
        expected.insert(0, upload.id().clone());
    }
    wait_for_index(&world, &owner, expected.len()).await?;
    for limit in [1, 2, 5, 100] {
        let (mut ids, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = uploads.list(&owner, &ListFilter::default(), limit, after.as_deref(), at(10)).await?;
            assert!(page.items.len() <= limit, "{limit}");
            ids.extend(page.items.into_iter().map(|item| item.upload_id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(ids, expected, "{limit}");
    }
    let filter = ListFilter { state: Some(UploadState::Received), from: Some(at(1)), to: Some(at(3)) };
    let page = uploads.list(&owner, &filter, 100, None, at(10)).await?;
    assert_eq!(page.items.into_iter().map(|item| item.upload_id).collect::<Vec<_>>(), expected[2..4]);
    let open = uploads.count_open(&owner).await?;
    assert_eq!((open.pending.count, open.quarantined.count), (5, 0));
    Ok(())
}

/// Waits until the index lists `count` uploads.
async fn wait_for_index(world: &World, owner: &OwnerId, count: usize) -> TestResult {
    poll(SOON, async || {
        let page = world.client.services.uploads.list(owner, &ListFilter::default(), 100, None, at(10)).await?;
        let listed = page.items.len();
        found((listed == count).then_some(()), || format!("the index lists {listed} of {count} uploads"))
    })
    .await
}
