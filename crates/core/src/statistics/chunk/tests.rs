use super::*;
use crate::time::Timestamp;

fn series() -> Series {
    Series { owner: "u1".parse().unwrap(), entity: "12345".into(), measure: "value".into() }
}

fn point(micros: i64, value: f64) -> Point {
    Point { time: Timestamp::from_micros(micros), value }
}

fn chunk() -> Chunk {
    Chunk::new(series(), "up_1", 3, vec![point(5, 1.5), point(2, 2.5), point(5, 0.5)]).unwrap()
}

#[test]
fn chunks_are_restored_from_their_parts() {
    let chunk = chunk();
    assert_eq!(chunk.points().unwrap(), [point(2, 2.5), point(5, 1.5), point(5, 0.5)]);
    assert_eq!((chunk.upload_id(), chunk.segment(), chunk.class()), ("up_1", 3, SpanClass::Day));
    assert_eq!(chunk.partition_key(), series().partition_key());
    let summary = chunk.summary().to_bytes();
    let again = Chunk::from_parts(
        series(),
        chunk.uploads().to_vec(),
        Vec::new(),
        3,
        &summary,
        chunk.compressed_points().to_vec(),
    )
    .unwrap();
    assert_eq!(again, chunk);
    assert_eq!(again.sort_key(), "day#1970-01-01T00:00:00.000002Z#up_1#0000000003");
}

#[test]
fn invalid_parts_are_rejected() {
    assert_eq!(Chunk::new(series(), "up_1", 0, vec![]), None);
    assert_eq!(Chunk::new(series(), "up_1", 0, vec![point(0, f64::NAN)]), None);
    assert_eq!(Chunk::new(series(), "up_1", 0, vec![point(0, 1.0); MAX_POINTS + 1]), None);
    assert!(Chunk::new(series(), "up_1", 0, vec![point(0, 1.0); MAX_POINTS]).is_some());
    let chunk = chunk();
    let from_parts = |uploads: &[&str], summary: &[u8], points: &[u8]| {
        let uploads = uploads.iter().map(|upload| (*upload).to_owned()).collect();
        Chunk::from_parts(series(), uploads, Vec::new(), 0, summary, points.to_vec())
    };
    let summary = chunk.summary().to_bytes();
    assert_eq!(from_parts(&[], &summary, chunk.compressed_points()), Err(CorruptChunk::NoUpload));
    assert_eq!(from_parts(&["up_1"], b"", chunk.compressed_points()), Err(CorruptChunk::Summary(InvalidSummary)));
    assert_eq!(from_parts(&["up_1"], &summary, b"").unwrap().points(), Err(CorruptChunk::Points));
    let other = Chunk::new(series(), "up_1", 0, vec![point(2, 2.5)]).unwrap();
    assert_eq!(
        from_parts(&["up_1"], &summary, other.compressed_points()).unwrap().points(),
        Err(CorruptChunk::Mismatch)
    );
}

#[test]
fn size_is_an_upper_bound() {
    for name in ["", "12345", "#%", &"#".repeat(199), &"x".repeat(599), &"é".repeat(3000)] {
        let series = Series { owner: "u1".parse().unwrap(), entity: name.into(), measure: name.into() };
        let chunk = Chunk::new(series, "up_01ARZ3NDEKTSV4RRFFQ69G5FAV", 0, vec![point(0, 0.1), point(1, 0.7)]).unwrap();
        let listing_key = chunk.series().listing_key();
        assert!(listing_key.len() <= 1024, "{}", listing_key.len());
        let keys = chunk.partition_key().len() + chunk.sort_key().len() + listing_key.len();
        let attributes = "u1".len()
            + 2 * name.len()
            + chunk.upload_id().len()
            + chunk.summary().to_bytes().len()
            + chunk.compressed_points().len();
        let least = keys + attributes + "pkskupload_idownerseriesentitymeasuresegmentsummarypoints".len();
        assert!((least..least + 1000).contains(&chunk.size_bytes()), "{} {least}", chunk.size_bytes());
    }
}

#[test]
fn the_largest_chunk_fits_an_item() {
    let mut state = 1u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state ^ state >> 29
    };
    let range = Timestamp::MAX.as_micros() as u64 - 1;
    let points = (0..MAX_POINTS).map(|_| {
        let time = (random() % range) as i64;
        point(time, f64::from_bits(random() & !(1 << 62)))
    });
    let chunk = Chunk::new(series(), "up_1", 0, points.collect()).unwrap();
    assert!(chunk.compressed_points().len() < 100_000, "{}", chunk.compressed_points().len());
}
