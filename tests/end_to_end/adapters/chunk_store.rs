//! The contract of the chunk store.

use std::sync::Arc;

use eventpulse_core::id::{OwnerId, UploadId};
use eventpulse_core::statistics::chunk::Chunk;
use eventpulse_core::statistics::series::{Point, Series};

use super::{at, unique_id, unique_owner};
use crate::TestResult;
use crate::world::World;

fn series(owner: &OwnerId, entity: &str, measure: &str) -> Series {
    Series { owner: owner.clone(), entity: entity.to_owned(), measure: measure.to_owned() }
}

fn chunk(series: &Series, upload: &UploadId, segment: u32, seconds: i64) -> Chunk {
    let points = vec![Point { time: at(seconds), value: 1.5 }];
    Chunk::new(series.clone(), upload.as_str(), segment, points).expect("a chunk of one point")
}

pub async fn chunks_written_twice_count_once(world: Arc<World>) -> TestResult {
    let chunks = &world.client.services.chunks;
    let (series, upload) = (series(&unique_owner(), "a b+c%2Bé", "value"), unique_id());
    // More than one batch of 25.
    let written: Vec<Chunk> = (0..60_u32).map(|number| chunk(&series, &upload, number, number.into())).collect();
    for attempt in ["first", "second"] {
        chunks.write(&written).await?;
        let answer = chunks.answer(&series, None, None).await?.ok_or("no answer")?;
        assert_eq!((answer.statistics.count, answer.uploads.count), (60, 1), "{attempt}");
    }
    let range = chunks.answer(&series, Some(at(10)), Some(at(20))).await?.ok_or("no answer")?;
    assert_eq!(range.statistics.count, 10);
    assert_eq!(chunks.answer(&series, Some(at(60)), None).await?, None, "no points");
    Ok(())
}

pub async fn chunks_of_one_attempt_are_deleted(world: Arc<World>) -> TestResult {
    let chunks = &world.client.services.chunks;
    let (series, upload) = (series(&unique_owner(), "d", "value"), unique_id());
    let second_attempt = eventpulse_core::statistics::chunk::first_segment(1);
    chunks.write(&[chunk(&series, &upload, 0, 0), chunk(&series, &upload, second_attempt, 1)]).await?;
    assert_eq!(chunks.delete_of_upload(&upload, Some(1)).await?, 1);
    assert_eq!(chunks.of_upload(&series, &upload).await?.ok_or("no points")?.count, 1);
    assert_eq!(chunks.delete_of_upload(&upload, None).await?, 1);
    assert_eq!(chunks.delete_of_upload(&upload, None).await?, 0, "a repetition");
    assert_eq!(chunks.of_upload(&series, &upload).await?, None);
    Ok(())
}

pub async fn uploads_are_removed_from_a_shared_chunk(world: Arc<World>) -> TestResult {
    let chunks = &world.client.services.chunks;
    let series = series(&unique_owner(), "d", "value");
    let ids = [unique_id(), unique_id(), unique_id()];
    let parts: Vec<Chunk> = (0..).zip(&ids).map(|(seconds, id)| chunk(&series, id, 0, seconds)).collect();
    let shared = Chunk::merge(&parts.iter().collect::<Vec<_>>(), 0).ok_or("no shared chunk")?;
    let sort_key = shared.sort_key();
    chunks.write(&[shared]).await?;
    let [first, second, third] = &ids;
    let removed = tokio::join!(
        chunks.remove_upload(&series, &sort_key, first),
        chunks.remove_upload(&series, &sort_key, second),
        chunks.remove_upload(&series, &sort_key, first),
    );
    removed.0?;
    removed.1?;
    removed.2?;
    let answer = chunks.answer(&series, None, None).await?.ok_or("no answer")?;
    assert_eq!(answer.uploads.upload_ids, [third.to_string()]);
    chunks.remove_upload(&series, &sort_key, third).await?;
    assert_eq!(chunks.answer(&series, None, None).await?, None);
    chunks.remove_upload(&series, &sort_key, third).await?;
    Ok(())
}

pub async fn devices_are_paged_to_the_end(world: Arc<World>) -> TestResult {
    let chunks = &world.client.services.chunks;
    let (owner, upload) = (unique_owner(), unique_id());
    let entities = ["a", "a b", "a+b", "a%2Bb", "b", "é"];
    let mut written = Vec::new();
    for entity in entities {
        for (number, measure) in (0..).zip(["humidity", "value"]) {
            // More entries of one series than a query reads.
            let count = if entity == "a" { 120 } else { 1 };
            let series = series(&owner, entity, measure);
            written.extend((0..count).map(|second| chunk(&series, &upload, second, i64::from(second) + number)));
        }
    }
    chunks.write(&written).await?;
    for limit in [1, 2, 100] {
        let (mut found, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = chunks.devices(&owner, limit, after.as_deref()).await?;
            assert!(page.items.len() <= limit, "{limit}");
            found.extend(page.items);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let mut names: Vec<&str> = found.iter().map(|device| device.entity.as_str()).collect();
        names.sort_unstable();
        let mut expected = entities;
        expected.sort_unstable();
        assert_eq!(names, expected, "{limit}");
        assert!(found.iter().all(|device| device.measures == ["humidity", "value"]), "{limit}: {found:?}");
    }
    assert_eq!(chunks.measures(&owner, "a").await?, ["humidity", "value"]);
    assert!(chunks.measures(&owner, "none").await?.is_empty());
    Ok(())
}
