use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use eventpulse_core::intake::reader::Media;
use eventpulse_core::intake::schema::SchemaRef;

use super::*;

const NDJSON: &str = "application/x-ndjson";

fn spec() -> InspectionSpec {
    InspectionSpec {
        owner: "u1".parse().unwrap(),
        upload_id: UploadId::of_object("", "", ""),
        attempt: 0,
        input: InputForm::Records,
        media: Media::parse(Some(NDJSON), None, "").unwrap(),
        schema: None,
        default_schema: SchemaRef::parse("reading/1.0").unwrap(),
        max_rejected: None,
        known_sha256: None,
        limits: limits(),
        bounds: Bounds::REQUEST,
    }
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn lines(count: u64, line: impl Fn(u64) -> String) -> Vec<u8> {
    (0..count).map(|index| line(index) + "\n").collect::<String>().into_bytes()
}

/// A small compressed body holds a great deal of work. The number of records that are looked at, and of the bytes that are
/// decompressed, has a bound, whatever the body holds.
#[test]
fn the_work_for_a_bomb_is_bounded() {
    let reading = |value: &str| format!(r#"{{"device_id":"d","timestamp":"2025-02-28T12:00:00Z","value":{value}}}"#);
    let mixed = |index: u64| if index.is_multiple_of(2) { "{}".to_owned() } else { "1".to_owned() };
    let failures = |index: u64| {
        let readings = format!("{},", r#"{"timestamp":1,"value":true}"#).repeat(100);
        format!(r#"{{"schema":"batch/1.0","device_id":"d{index}","readings":[{readings}1]}}"#)
    };
    // The name, the body, the status, the most records to look at.
    for (name, content, status, records) in [
        ("a million records without members", lines(1_000_000, |_| "{}".to_owned()), 200, 10_000),
        ("a million records that are no JSON", lines(1_000_000, |_| "x".to_owned()), 200, 10_000),
        ("wrong in turns", lines(1_000_000, mixed), 413, 10_001),
        ("member names that occur once", lines(500_000, |index| format!(r#"{{"n{index}":1}}"#)), 200, 10_000),
        ("schemas that do not exist", lines(500_000, |index| format!(r#"{{"schema":"s{index}/1.0"}}"#)), 200, 10_000),
        ("valid records", lines(200_000, |_| reading("1")), 413, 100_000),
        ("many failures in each record", lines(3_000, failures), 413, 202),
        ("deep nesting", lines(100_000, |_| format!("{}{}", "[".repeat(60), "]".repeat(60))), 200, 10_000),
        ("nesting beyond the limit", lines(100_000, |_| "[".repeat(100)), 200, 10_000),
        ("long strings", lines(64, |_| reading(&format!("\"{}\"", "x".repeat(1 << 20)))), 413, 16),
        ("blank lines", vec![b'\n'; 64 << 20], 413, 0),
        ("one string", format!("\"{}\"", "x".repeat(64 << 20)).into_bytes(), 413, 0),
    ] {
        let body = gzip(&content);
        assert!(body.len() < 4 << 20, "{name}");
        let catalog = Catalog::bundled().unwrap();
        let inspector = inspect(&catalog, spec(), &body, || false);
        assert!(inspector.records() <= records, "{name}: {} records", inspector.records());
        assert!(inspector.content_bytes() <= MAX_CONTENT_BYTES, "{name}: {} bytes", inspector.content_bytes());
        let answered = inspection(inspector).map_or_else(|error| error.status().as_u16(), |_| 200);
        assert_eq!(answered, status, "{name}");
    }
}

#[test]
fn empty_gzip_members_are_counted() {
    let catalog = Catalog::bundled().unwrap();
    let status = |members| {
        let body = [gzip(b"").repeat(members - 1), gzip(b"{}")].concat();
        let inspected = inspection(inspect(&catalog, spec(), &body, || false));
        inspected.map_or_else(|error| error.status().as_u16(), |_| 200)
    };
    let most = usize::try_from(MAX_GZIP_MEMBERS).unwrap();
    assert_eq!((status(most), status(most + 1)), (200, 413));
}

#[test]
fn an_inspection_ends_with_its_time() {
    let catalog = Catalog::bundled().unwrap();
    let (asked, body) = (Arc::new(AtomicU64::new(0)), lines(5_000, |_| "{}".to_owned()));
    let clock = Arc::clone(&asked);
    let inspector = inspect(&catalog, spec(), &body, move || clock.fetch_add(1, Ordering::Relaxed) >= 100);
    assert!((90..=100).contains(&inspector.records()), "{} records", inspector.records());
    assert_eq!(asked.load(Ordering::Relaxed), 101, "at least one question for each record, none afterwards");
    assert_eq!(inspection(inspector).unwrap_err().status(), 413);
    assert!(inspection(inspect(&catalog, spec(), &body, || false)).is_ok());
}
