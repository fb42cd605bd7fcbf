use super::*;
use crate::statistics::series::Point;

const HOUR: i64 = 3_600_000_000;

/// The number in the id of a message's upload.
type Number = u8;

fn upload_id(number: Number) -> UploadId {
    UploadId::new(Timestamp::from_micros(0), [number; 10])
}

/// A message with points (time in hours, value) of each of some devices.
fn candidate(number: Number, devices: &[&str], points: &[(i64, f64)]) -> BatchCandidate<Number> {
    let upload_id = upload_id(number);
    let chunk = |device: &&str| {
        let series = Series { owner: "u".parse().unwrap(), entity: (*device).into(), measure: "value".into() };
        let point = |&(hour, value): &(i64, f64)| Point { time: Timestamp::from_micros(hour * HOUR), value };
        Chunk::new(series, upload_id.as_str(), 0, points.iter().map(point).collect()).unwrap()
    };
    let items = vec![format!("upload#{upload_id}"), format!("digest#{upload_id}")];
    let chunks = devices.iter().map(chunk).collect();
    let acknowledged_at = Timestamp::from_secs(i64::from(number));
    BatchCandidate { message: number, upload_id, acknowledged_at, items, bytes: 1_000, chunks }
}

/// The messages of a batch, and the points and uploads of each of its chunks.
type Summary = (Vec<Number>, Vec<(u64, usize)>);

fn summarize(plan: &BatchPlan<Number>) -> Vec<Summary> {
    let of_batch = |batch: &WriteBatch<Number>| {
        let chunks = batch.chunks.iter().map(|chunk| (chunk.summary().count(), chunk.uploads().len()));
        (batch.members.iter().map(|member| member.candidate.message).collect(), chunks.collect())
    };
    plan.batches.iter().map(of_batch).collect()
}

#[test]
fn readings_of_one_series_are_one_chunk() {
    let candidates =
        [candidate(0, &["d1"], &[(2, 1.0)]), candidate(1, &["d2"], &[(1, 1.0)]), candidate(2, &["d1"], &[(1, 3.0)])];
    let plan = plan_batches(Vec::from(candidates));
    assert_eq!(summarize(&plan), [(vec![2, 0, 1], vec![(2, 2), (1, 1)])]);
    let batch = &plan.batches[0];
    let shared =
        vec![SharedChunk { entity: "d1".into(), measure: "value".into(), sort_key: batch.chunks[0].sort_key() }];
    let chunks_of = |number| {
        let member = batch.members.iter().find(|member| member.candidate.message == number).unwrap();
        (member.own_chunks, member.shared_chunks.clone())
    };
    assert_eq!(chunks_of(0), (0, shared.clone()));
    assert_eq!(chunks_of(1), (1, vec![]));
    assert_eq!(chunks_of(2), (0, shared));
}

#[test]
fn a_message_can_be_planned_again_with_its_own_chunks() {
    let first = plan_batches(vec![candidate(0, &["d"], &[(1, 1.0)]), candidate(1, &["d"], &[(2, 2.0)])]);
    assert_eq!(summarize(&first), [(vec![0, 1], vec![(2, 2)])]);
    let members = first.batches.into_iter().flat_map(|batch| batch.members);
    let again = members.map(|member| member.candidate).filter(|candidate| candidate.message == 1);
    assert_eq!(summarize(&plan_batches(again.collect())), [(vec![1], vec![(1, 1)])]);
}

#[test]
fn a_shared_chunk_spans_a_day_at_most() {
    let candidates =
        [candidate(0, &["d"], &[(0, 1.0)]), candidate(1, &["d"], &[(24, 1.0)]), candidate(2, &["d"], &[(25, 1.0)])];
    assert_eq!(summarize(&plan_batches(Vec::from(candidates))), [(vec![0, 1, 2], vec![(2, 2), (1, 1)])]);
}

#[test]
fn a_transaction_takes_a_hundred_actions() {
    let one_series = plan_batches((0..120).map(|number| candidate(number, &["d"], &[(1, 1.0)])).collect());
    let actions = |batch: &WriteBatch<Number>| batch.members.len() * 2 + batch.chunks.len();
    assert_eq!(one_series.batches.iter().map(actions).collect::<Vec<_>>(), [99, 99, 45]);
    let of_own_series = |number| candidate(number, &[&format!("d{number:03}")], &[(1, 1.0)]);
    let many_series = plan_batches((0..120).map(of_own_series).collect());
    assert!(many_series.batches.iter().all(|batch| actions(batch) <= MAX_ACTIONS));
    assert_eq!(many_series.batches.iter().map(|batch| batch.members.len()).sum::<usize>(), 120);
    assert_eq!(many_series.batches.len(), 4);
}

#[test]
fn of_messages_with_the_same_item_the_first_acknowledged_is_batched() {
    let same_digest = |number, hour| {
        let of_both = vec![format!("upload#{}", upload_id(number)), "digest#both".to_owned()];
        BatchCandidate { items: of_both, ..candidate(number, &["d"], &[(hour, 1.0)]) }
    };
    // The later one has the earlier reading, which would put it first.
    for order in [vec![same_digest(1, 9), same_digest(2, 1)], vec![same_digest(2, 1), same_digest(1, 9)]] {
        let plan = plan_batches(order);
        assert_eq!((summarize(&plan), plan.unbatched), (vec![(vec![1], vec![(1, 1)])], vec![2]));
    }
}

#[test]
fn a_message_that_fits_no_batch_is_unbatched() {
    let devices: Vec<String> = (0..99).map(|number| format!("d{number}")).collect();
    let devices: Vec<&str> = devices.iter().map(String::as_str).collect();
    let too_many_chunks = candidate(0, &devices, &[(1, 1.0)]);
    let fitting = candidate(1, &["d"], &[(1, 1.0)]);
    let too_large = BatchCandidate { bytes: 4 << 20, ..candidate(2, &["d"], &[(1, 1.0)]) };
    let same_digest = vec![format!("digest#{}", upload_id(1))];
    let conflicting = BatchCandidate { items: same_digest, ..candidate(3, &["d"], &[(1, 1.0)]) };
    let mut plan = plan_batches(vec![too_many_chunks, fitting, too_large, conflicting]);
    assert_eq!(summarize(&plan), [(vec![1], vec![(1, 1)])]);
    plan.unbatched.sort_unstable();
    assert_eq!(plan.unbatched, [0, 2, 3]);
    assert!(plan_batches(Vec::<BatchCandidate<Number>>::new()).batches.is_empty());
}
