//! The contract of the upload store.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use eventpulse_aws::adapters::upload_store::batch::{BatchAppend, IdempotencyClaim, IdempotencyKey, NewUpload};
use eventpulse_aws::adapters::upload_store::lists::{ListFilter, QuarantineFilter};
use eventpulse_aws::adapters::upload_store::open_counters::{OpenTotals, StoredState};
use eventpulse_aws::adapters::upload_store::{Append, ClaimOutcome};
use eventpulse_aws::error::Kind;
use eventpulse_core::encoding::sha256;
use eventpulse_core::id::OwnerId;
use eventpulse_core::intake::failure::{Failure, FailureCode};
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{
    ObjectVersion, QuarantineLocation, QuarantineStatus, RecordedEvent, RetryForm, Upload, UploadEvent, UploadState,
    commands,
};

use super::{Received, at, received, unique_id, unique_owner};
use crate::TestResult;
use crate::poll::{SOON, found, poll};
use crate::world::World;

/// Seconds of a day.
const DAY: i64 = 86_400;
const DAY_OF_TIME: Duration = Duration::from_secs(86_400);

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
    let at_first = Upload::fold(upload.id().clone(), &events[..1])?;
    assert_eq!(uploads.append(&upload, &StoredState::NOTHING, &events).await?, Append::Done);
    assert_eq!(uploads.append(&upload, &StoredState::NOTHING, &events).await?, Append::Conflict, "it exists");
    assert_eq!(
        uploads.append(&upload, &StoredState::of(&at_first), &events[1..]).await?,
        Append::Conflict,
        "a stale revision"
    );
    assert_eq!(uploads.history(upload.id()).await?, events);
    assert_eq!(uploads.load(upload.id()).await?, Some(upload));
    Ok(())
}

pub async fn claim_is_acquired_once_and_taken_for_others(world: Arc<World>) -> TestResult {
    let uploads = &world.client.services.uploads;
    let owner = unique_owner();
    let (first, second) = (received(&owner, 0)?, received(&owner, 1)?);
    let digest = sha256(b"body");
    let nothing = StoredState::NOTHING;
    let claim = async |new: &Received| uploads.claim(&digest, &[], &new.upload, &nothing, &new.events).await;
    assert_eq!(claim(&first).await?, ClaimOutcome::Acquired);
    assert_eq!(claim(&first).await?, ClaimOutcome::Conflict, "the history grew");
    assert_eq!(claim(&second).await?, ClaimOutcome::TakenBy(first.upload.id().clone()));
    assert!(uploads.history(second.upload.id()).await?.is_empty(), "nothing is written");
    uploads.release(&owner, &digest, second.upload.id()).await?;
    assert_eq!(claim(&second).await?, ClaimOutcome::TakenBy(first.upload.id().clone()), "not its own claim");
    uploads.release(&owner, &digest, first.upload.id()).await?;
    uploads.release(&owner, &digest, first.upload.id()).await?;
    assert_eq!(claim(&second).await?, ClaimOutcome::Acquired);
    let of_other_owner = received(&unique_owner(), 0)?;
    assert_eq!(claim(&of_other_owner).await?, ClaimOutcome::Acquired, "claims belong to one owner");
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
        ("other upload, after the end", &second, "2", 15 * DAY, IdempotencyClaim::Acquired),
    ] {
        let claim = uploads.claim_idempotency_key(upload, &key(body), at(seconds)).await?;
        assert_eq!(claim, expected, "{name}");
    }
    Ok(())
}

pub async fn late_versions_are_counted_outside_the_history(world: Arc<World>) -> TestResult {
    let uploads = &world.client.services.uploads;
    let Received { upload, events } = received(&unique_owner(), 0)?;
    uploads.append(&upload, &StoredState::NOTHING, &events).await?;
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
    let owner = unique_owner();
    let Received { mut upload, events } = received(&owner, 0)?;
    uploads.append(&upload, &StoredState::NOTHING, &events).await?;
    let failed = || UploadEvent::DeliveryFailed { reason: "x".repeat(100_000), correlation_id: "c".to_owned() };
    let (mut refused, mut stored) = (None, upload.clone());
    for _ in 0..5 {
        let (before, event) = (StoredState::of(&upload), RecordedEvent::new(at(1), failed()));
        upload.apply(&event);
        match uploads.append(&upload, &before, &[event]).await {
            Ok(_) => stored = upload.clone(),
            Err(error) => {
                refused = Some(error.kind);
                break;
            }
        }
    }
    assert_eq!(refused, Some(Kind::HistoryFull));
    let (before, event) = (StoredState::of(&stored), RecordedEvent::new(at(1), failed()));
    let claimed = uploads.claim("digest", &[], &upload, &before, &[event]).await;
    assert_eq!(claimed.err().map(|error| error.kind), Some(Kind::HistoryFull), "in a transaction");
    let counted = async || uploads.open_totals(&owner, at(2)).await.map(|totals| totals.pending);
    assert_eq!(counted().await?, 1);
    uploads.mark_full(&stored).await?;
    assert_eq!((counted().await?, uploads.recount_open(&owner, at(2)).await?.pending), (0, 0), "not open any more");
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
        uploads.append(&upload, &StoredState::NOTHING, &events).await?;
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
    let open = uploads.count_open(&owner, at(10)).await?;
    assert_eq!((open.pending.count, open.quarantined.count), (5, 0));
    Ok(())
}

pub async fn counters_of_open_uploads_equal_a_recount(world: Arc<World>) -> TestResult {
    let uploads = &world.client.services.uploads;
    let owner = unique_owner();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut expected = OpenTotals::default();
    for number in 0..12 {
        let Received { mut upload, events } = received(&owner, number)?;
        assert_eq!(uploads.append(&upload, &StoredState::NOTHING, &events).await?, Append::Done);
        for _ in 0..number % 7 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // Some are quarantined so long ago that their objects have expired.
            let now = at(number - if random >> 60 < 4 { 100 * DAY } else { 0 });
            let Some(events) = next_events(&upload, random >> 33) else { break };
            let stored = StoredState::of(&upload);
            let events: Vec<_> = events.into_iter().map(|event| RecordedEvent::new(now, event)).collect();
            events.iter().for_each(|event| upload.apply(event));
            assert_eq!(uploads.append(&upload, &stored, &events).await?, Append::Done);
            assert_eq!(uploads.append(&upload, &stored, &events).await?, Append::Conflict, "counts nothing");
        }
        let is_kept = upload.quarantined_at().is_some_and(|quarantined_at| quarantined_at > at(-90 * DAY));
        match (upload.state(), upload.quarantine_status(Timestamp::MAX)) {
            (UploadState::Received | UploadState::Failed, _) => expected.pending += 1,
            (_, Some(QuarantineStatus::Open)) if is_kept => expected.quarantined += 1,
            _ => {}
        }
    }
    assert!(expected.pending > 0 && expected.quarantined > 0, "{expected:?}");
    wait_for_index(&world, &owner, 12).await?;
    poll(SOON, async || {
        let totals = uploads.open_totals(&owner, at(20)).await?;
        found((totals == expected).then_some(()), || format!("the counters are {totals:?} instead of {expected:?}"))
    })
    .await?;
    assert_eq!(uploads.recount_open(&owner, at(20)).await?, expected);
    let open = uploads.count_open(&owner, at(20)).await?;
    let listed = uploads.list_quarantine(&owner, &QuarantineFilter::default(), 100, None, at(20)).await?.items;
    assert_eq!((open.quarantined.count, listed.len()), (expected.quarantined, open.quarantined.upload_ids.len()));
    let after_expiry = uploads.count_open(&owner, at(91 * DAY + 20)).await?;
    assert_eq!((after_expiry.quarantined, after_expiry.pending.count), (Default::default(), expected.pending));
    let listed = uploads.list_quarantine(&owner, &QuarantineFilter::default(), 100, None, at(91 * DAY + 20)).await?;
    assert_eq!(listed.items, [], "expired");
    Ok(())
}

/// Returns the events of a possible next append.
fn next_events(upload: &Upload, choice: u64) -> Option<Vec<UploadEvent>> {
    let reject = || commands::reject(upload, Failure::new(FailureCode::ObjectMissing, "", "gone"), "reading/1.0");
    let received = |key: &str, retry_form| UploadEvent::Received {
        object: ObjectVersion {
            bucket: "process".to_owned(),
            key: key.to_owned(),
            version_id: format!("retry {}", upload.attempt()),
            size: 2,
            line: None,
        },
        correlation_id: "contract".to_owned(),
        retry_form,
    };
    let status = upload.quarantine_status(at(1_000));
    let (is_decided, is_moved) = (upload.decision().is_some(), upload.quarantine_location().is_some());
    Some(match (upload.pending_retry(), status) {
        (Some(retry), _) => vec![received(&retry.key, Some(RetryForm::Corrected))],
        (None, Some(QuarantineStatus::Open)) => match choice % 4 {
            0 => commands::discard(upload, at(1_000)).ok()?,
            1 => commands::request_correction(upload, "application/json", DAY_OF_TIME, at(1_000)).ok()?,
            _ => return None,
        },
        _ if is_decided && !is_moved && !upload.is_withdrawn() && upload.rejection().is_some() => {
            let location =
                QuarantineLocation { bucket: "q".to_owned(), key: None, records: false, report_key: "r".to_owned() };
            vec![UploadEvent::Quarantined { location }, UploadEvent::OccurrenceRecorded { problems: Vec::new() }]
        }
        _ if !is_decided => match choice % 3 {
            0 => {
                let (reason, correlation_id) = ("died".to_owned(), "contract".to_owned());
                vec![UploadEvent::DeliveryFailed { reason, correlation_id }]
            }
            _ => reject(),
        },
        _ => return None,
    })
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
