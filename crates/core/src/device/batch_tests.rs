use super::*;
use crate::statistics::series::Point;

const HOUR: i64 = 3_600_000_000;

/// A message of `points` (time in hours, value) of each of some devices.
fn member(upload: &str, devices: &[&str], points: &[(i64, f64)]) -> BatchCandidate {
    let chunk = |device: &&str| {
        let series = Series { owner: "u".parse().unwrap(), entity: (*device).into(), measure: "value".into() };
        let point = |&(hour, value): &(i64, f64)| Point { time: Timestamp::from_micros(hour * HOUR), value };
        Chunk::new(series, upload, 0, points.iter().map(point).collect()).unwrap()
    };
    let items = vec![format!("upload#{upload}"), format!("digest#{upload}")];
    BatchCandidate { items, bytes: 1_000, chunks: devices.iter().map(chunk).collect() }
}

/// The members of a group, and of each chunk how many points and uploads it has.
type Told = (Vec<usize>, Vec<(u64, usize)>);

fn told(groups: &[WriteBatch]) -> Vec<Told> {
    let told = |group: &WriteBatch| {
        let chunks = group.chunks.iter().map(|chunk| (chunk.summary().count(), chunk.uploads().len()));
        (group.members.iter().map(|member| member.place).collect(), chunks.collect())
    };
    groups.iter().map(told).collect()
}

#[test]
fn readings_of_one_series_are_one_chunk() {
    let members =
        [member("a", &["d1"], &[(2, 1.0)]), member("b", &["d2"], &[(1, 1.0)]), member("c", &["d1"], &[(1, 3.0)])];
    let groups = plan(&members);
    assert_eq!(told(&groups), [(vec![2, 0, 1], vec![(2, 2), (1, 1)])]);
    let sort_key = groups[0].chunks[0].sort_key();
    let shared = vec![SharedChunk { entity: "d1".into(), measure: "value".into(), sort_key }];
    let of = |place| groups[0].members.iter().find(|member| member.place == place).unwrap();
    assert_eq!(of(0), &BatchedMessage { place: 0, own: 0, shared: shared.clone() });
    assert_eq!(of(2), &BatchedMessage { place: 2, own: 0, shared });
    assert_eq!(of(1), &BatchedMessage { place: 1, own: 1, shared: vec![] });
}

#[test]
fn a_shared_chunk_spans_a_day_at_most() {
    let members =
        [member("a", &["d"], &[(0, 1.0)]), member("b", &["d"], &[(24, 1.0)]), member("c", &["d"], &[(25, 1.0)])];
    assert_eq!(told(&plan(&members)), [(vec![0, 1, 2], vec![(2, 2), (1, 1)])]);
}

#[test]
fn a_transaction_takes_a_hundred_actions() {
    let one_series: Vec<BatchCandidate> =
        (0..120).map(|at| member(&format!("m{at:03}"), &["d"], &[(1, 1.0)])).collect();
    let groups = plan(&one_series);
    let sizes: Vec<_> = groups.iter().map(|group| group.members.len() * 2 + group.chunks.len()).collect();
    assert_eq!(sizes, [99, 99, 45]);
    let many_series: Vec<BatchCandidate> =
        (0..120).map(|at| member(&format!("m{at:03}"), &[&format!("d{at:03}")], &[(1, 1.0)])).collect();
    let groups = plan(&many_series);
    assert!(groups.iter().all(|group| group.members.len() * 2 + group.chunks.len() <= MAX_ACTIONS));
    assert_eq!(groups.iter().map(|group| group.members.len()).sum::<usize>(), 120);
    assert_eq!(groups.len(), 4);
}

#[test]
fn who_fits_no_group_is_in_none() {
    let devices: Vec<String> = (0..99).map(|at| format!("d{at}")).collect();
    let devices: Vec<&str> = devices.iter().map(String::as_str).collect();
    let large = BatchCandidate { bytes: 4 << 20, ..member("large", &["d"], &[(1, 1.0)]) };
    let twin = BatchCandidate { items: vec!["digest#a".into()], ..member("twin", &["d"], &[(1, 1.0)]) };
    let members = [member("wide", &devices, &[(1, 1.0)]), member("a", &["d"], &[(1, 1.0)]), large, twin];
    let groups = plan(&members);
    assert_eq!(groups.iter().flat_map(|group| &group.members).map(|member| member.place).collect::<Vec<_>>(), [1]);
    assert!(plan(&[]).is_empty());
}
