use std::io::Write as _;

use super::*;
use crate::id::UploadId;
use crate::intake::digest::Sha256Digest;
use crate::intake::failure::FailureCode;
use crate::intake::position::ReadUntil;
use crate::intake::reader::{Limits, Media};
use crate::intake::schema::SchemaRef;

/// Bounds that a short upload exceeds.
const SMALL: Bounds = Bounds { records: None, rejected: 5, failures: 20, rejected_bytes: 2_000, chunks: 3 };

/// Returns the spec of an upload of readings as NDJSON.
pub(crate) fn spec(bounds: Bounds, max_rejected: Option<MaxRejected>) -> InspectionSpec {
    InspectionSpec {
        owner: "u1".parse().unwrap(),
        upload_id: UploadId::of_object("bucket", "key", "version"),
        attempt: 0,
        input: InputForm::Records,
        media: Media::parse(Some("application/x-ndjson"), None, "").unwrap(),
        schema: None,
        default_schema: SchemaRef::parse("reading/1.0").unwrap(),
        max_rejected,
        known_sha256: None,
        limits: Limits::default(),
        bounds,
    }
}

/// Inspects content in pieces, and returns the number of inspected records with the inspection.
fn inspect(content: &str, spec: InspectionSpec, retention: Retention, piece: usize) -> (u64, Inspection) {
    let catalog = Catalog::bundled().unwrap();
    let mut inspector = Inspector::new(&catalog, spec, retention);
    for mut piece in content.as_bytes().chunks(piece) {
        inspector.push(&mut piece);
    }
    inspector.finish();
    assert!(inspector.content_bytes() <= content.len() as u64);
    (inspector.records(), inspector.inspection())
}

fn reading(device: &str) -> String {
    format!("{{\"device_id\":\"{device}\",\"timestamp\":\"2025-02-28T12:00:00Z\",\"value\":1}}\n")
}

fn code(inspection: &Inspection) -> Option<FailureCode> {
    inspection.rejections.upload_failure().map(|failure| failure.code)
}

#[test]
fn reading_stops_when_the_first_records_are_rejected_for_one_reason() {
    let first = MAX_SAME_REASON_RECORDS;
    let same = "{}\n".repeat(12_000);
    let accepted_first = format!("{}{same}", reading("d"));
    let (few, other_last) = ("{}\n".repeat(9_999), format!("{}1\n{{}}\n{{}}\n", "{}\n".repeat(9_999)));
    // The content, whether nothing is accepted, and the number of records that are read if reading stops.
    for (name, content, is_rejected, read) in [
        ("the same reason", same.as_str(), true, Some(first)),
        ("one record fewer", &few, true, None),
        ("another reason in the last of them", &other_last, true, None),
        ("behind an accepted record", &accepted_first, false, None),
    ] {
        let (records, inspection) = inspect(content, spec(Bounds::UPLOAD, None), Retention::Bounded, 1 << 16);
        let read_until = read.map(|records| ReadUntil { records, line: records, byte_offset: (records - 1) * 3 });
        assert_eq!(inspection.rejections.read_until(), read_until, "{name}");
        assert_eq!(records, read.unwrap_or(content.lines().count() as u64), "{name}");
        assert_eq!(
            (code(&inspection), inspection.accepted == 0),
            (None, is_rejected),
            "{name}: the reason is in the records"
        );
        assert_eq!(inspection.rejections.summary().read_until, read_until, "{name}");
    }
}

#[test]
fn reading_stops_behind_max_rejected_once_the_report_is_full() {
    let count = Some(MaxRejected::Count(2));
    let few = format!("{}{}{}", reading("d"), "{}\n".repeat(4), reading("d"));
    let many = format!("{}{}", reading("d"), "{}\n1\n".repeat(1_000));
    for (name, content, max_rejected, rejected, read, message) in [
        ("few", &few, count, 4, None, "4 of 6 records are wrong, more than max_rejected allows"),
        (
            "many",
            &many,
            count,
            1_001,
            Some(1_002),
            "1001 of the first 1002 records are wrong, more than max_rejected allows",
        ),
        (
            "a share is known at the end only",
            &many,
            Some(MaxRejected::Ratio(0.5)),
            2_000,
            None,
            "2000 of 2001 records are wrong, more than max_rejected allows",
        ),
    ] {
        let (records, inspection) = inspect(content, spec(Bounds::UPLOAD, max_rejected), Retention::Bounded, 1 << 10);
        assert_eq!(code(&inspection), Some(FailureCode::TooManyRejected), "{name}");
        assert_eq!(inspection.rejections.upload_failure().unwrap().message, message, "{name}");
        assert_eq!(inspection.rejections.rejected(), rejected, "{name}");
        assert_eq!(inspection.rejections.read_until().map(|until| until.records), read, "{name}");
        assert_eq!(records, read.unwrap_or(content.lines().count() as u64), "{name}");
    }
}

#[test]
fn each_bound_stops_the_reading_in_every_retention() {
    use FailureCode::{TooManyRecords, TooManyRejected, TooManySeries};
    let devices: String = (0..9).map(|device| reading(&device.to_string())).collect();
    let failures = format!("{{\"schema\":\"batch/1.0\",\"device_id\":\"d\",\"readings\":[{}1]}}\n", "1,".repeat(8));
    let (mixed, wide) = ("{}\n1\n".repeat(9), format!("{{\"a\":\"{}\"}}\n", "x".repeat(900)));
    let (failures, wide) =
        (format!("{}{failures}{failures}{mixed}", reading("d")), format!("{}{mixed}", wide.repeat(3)));
    let of = |records| Bounds { records: Some(records), ..Bounds::UPLOAD };
    for (name, content, bounds, expected, records) in [
        ("rejected records", mixed.as_str(), SMALL, TooManyRejected, 6),
        ("failures", &failures, Bounds { failures: 10, ..SMALL }, TooManyRejected, 3),
        ("bytes of rejected records", &wide, SMALL, TooManyRejected, 3),
        ("records of a request", &devices, of(MaxRecords::OfRequest(4)), TooManyRecords, 4),
        ("records of a correction", &devices, of(MaxRecords::OfCorrection(8)), TooManyRecords, 8),
        ("wrong records of a correction", &mixed, of(MaxRecords::OfCorrection(2)), TooManyRecords, 2),
        ("chunks, known at the end", &devices, SMALL, TooManySeries, 9),
    ] {
        for (retention, piece) in
            [Retention::Bounded, Retention::Rejected, Retention::Chunks].into_iter().zip([1, 7, 4_096])
        {
            if expected == TooManySeries && retention == Retention::Rejected {
                continue; // it makes no chunks, and follows only on an acceptance
            }
            let (read, inspection) = inspect(content, spec(bounds, None), retention, piece);
            assert_eq!((code(&inspection), read), (Some(expected), records), "{name}, {retention:?}");
            let until = inspection.rejections.read_until().map(|until| until.records);
            assert_eq!(until, (expected != TooManySeries).then_some(records), "{name}, {retention:?}");
        }
    }
}

/// At its limit, a bound stops nothing.
#[test]
fn an_upload_within_its_bounds_is_read_to_its_end() {
    let content = format!("{}{}{}", reading("a"), reading("b"), "{}\n1\n".repeat(2));
    let records = Some(MaxRecords::OfCorrection(6));
    let bounds = Bounds { records, rejected: 4, failures: 4, rejected_bytes: 6, chunks: 2 };
    let (records, inspection) = inspect(&content, spec(bounds, None), Retention::Bounded, 3);
    assert_eq!((records, code(&inspection), inspection.rejections.read_until()), (6, None, None));
    assert_eq!((inspection.accepted, inspection.rejections.rejected(), inspection.chunk_count), (2, 4, 2));
}

/// One KiB of gzip holds a mebibyte of records: the bounds count records, not pieces of input.
#[test]
fn bounds_hold_within_one_piece_of_compressed_input() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all("{}\n1\n".repeat(100_000).as_bytes()).unwrap();
    let bytes = encoder.finish().unwrap();
    let catalog = Catalog::bundled().unwrap();
    let mut inspector = Inspector::new(&catalog, spec(SMALL, None), Retention::Bounded);
    assert!(!inspector.push(&mut &bytes[..]), "the verdict is known");
    inspector.finish();
    assert_eq!((inspector.records(), inspector.content_bytes()), (6, 14));
}

#[test]
fn chunks_that_are_dropped_count() {
    let catalog = Catalog::bundled().unwrap();
    let mut inspector =
        Inspector::new(&catalog, spec(Bounds { chunks: 160_000, ..Bounds::UPLOAD }, None), Retention::Bounded);
    // 20 MiB of names, of which chunks of 16 MiB are retained.
    for device in 0..160_000 {
        inspector.push(&mut reading(&format!("{device:0128}")).as_bytes());
    }
    inspector.finish();
    let inspection = inspector.inspection();
    assert_eq!((inspection.chunk_count, inspection.chunks.is_none()), (160_000, true));
}

#[test]
fn events_of_many_devices_in_turn_become_one_chunk_for_each_device() {
    const DEVICES: usize = 40_000;
    let catalog = Catalog::bundled().unwrap();
    let mut inspector = Inspector::new(&catalog, spec(Bounds::UPLOAD, None), Retention::Chunks);
    let mut drained: Vec<Vec<Chunk>> = Vec::new();
    for event in 0..4 * DEVICES {
        inspector.push(&mut reading(&format!("{:05}", event * 7_919 % DEVICES)).as_bytes());
        if inspector.is_full() {
            drained.push(inspector.drain_chunks());
        }
    }
    while !inspector.finish() {
        drained.push(inspector.drain_chunks());
    }
    drained.push(inspector.drain_chunks());
    assert!(drained.iter().all(|chunks| chunks.iter().map(Chunk::size_bytes).sum::<usize>() < 5 << 20));
    let chunks: Vec<&Chunk> = drained.iter().flatten().collect();
    assert_eq!((chunks.len(), inspector.inspection().chunk_count), (DEVICES, DEVICES as u64));
    assert!(chunks.iter().all(|chunk| chunk.summary().count() == 4));
}

/// Behind a first document of several pieces, which may be the whole upload, all others are read when the content has ended.
#[test]
fn findings_behind_a_large_first_document_are_drained_in_parts() {
    let large = reading("d").replace(',', &format!(",{}", " ".repeat(40_000)));
    let wrong = format!("{{\"a\":\"{}\"}}\n", "x".repeat(200));
    let content = format!("{large}{}", wrong.repeat(30_000));
    let media = Media::parse(Some("application/json"), None, "").unwrap();
    let catalog = Catalog::bundled().unwrap();
    let spec = InspectionSpec { media, ..spec(Bounds::UPLOAD, None) };
    let mut inspector = Inspector::new(&catalog, spec, Retention::Rejected);
    let mut drained = Vec::new();
    for mut piece in content.as_bytes().chunks(1 << 16) {
        assert!(inspector.push(&mut piece) && piece.is_empty());
    }
    while !inspector.finish() {
        drained.push(inspector.drain_rejected());
    }
    drained.push(inspector.drain_rejected());
    assert!(drained.len() > 2 && drained.iter().all(|lines| lines.len() < 5 << 20));
    let lines: usize = drained.iter().map(|lines| lines.iter().filter(|byte| **byte == b'\n').count()).sum();
    assert_eq!((lines, inspector.records()), (30_000, 30_001));
}

#[test]
fn indented_lines_are_accepted_in_one_pass() {
    let content: String = (0..100).map(|device| format!("  {}", reading(&device.to_string()))).collect();
    let catalog = Catalog::bundled().unwrap();
    let mut inspector = Inspector::new(&catalog, spec(Bounds::UPLOAD, None), Retention::Bounded);
    inspector.push(&mut content.as_bytes());
    inspector.finish();
    assert_eq!((inspector.records(), inspector.accepted_in_one_pass()), (100, 100));
}

#[test]
fn each_form_of_upload_is_accepted_in_one_pass() {
    let lines: Vec<String> = (0..500).map(|device| reading(&device.to_string()).trim_end().to_owned()).collect();
    let values = vec![r#"{"timestamp":"2025-02-28T12:00:00Z","value":1}"#; 2_000].join(",\n");
    let batch = format!("{{\"device_id\":\"d\",\n\"readings\":[{values}]}}\n");
    for (name, content_type, content, records) in [
        ("lines", "application/x-ndjson", lines.join("\n"), 500),
        ("lines of Windows", "application/x-ndjson", lines.join("\r\n") + "\r\n", 500),
        ("an array", "application/json", format!("[\n{}\n]\n", lines.join(",\n")), 500),
        ("documents in a row", "application/json", lines.join("\n").replace(",\"", ",\n  \""), 500),
        ("one document", "application/json", lines[0].clone(), 1),
        ("a large document", "application/json", batch, 1),
    ] {
        for piece in [1, 61, 4_096, 1 << 16] {
            let schema = if name == "a large document" { "batch/1.0" } else { "reading/1.0" };
            let spec = InspectionSpec {
                media: Media::parse(Some(content_type), None, "").unwrap(),
                default_schema: SchemaRef::parse(schema).unwrap(),
                ..spec(Bounds::UPLOAD, None)
            };
            let catalog = Catalog::bundled().unwrap();
            let inspect = |mut inspector: Inspector<'_>| {
                assert!(content.as_bytes().chunks(piece).all(|mut piece| inspector.push(&mut piece)));
                inspector.finish();
                let (in_one_pass, content_bytes) = (inspector.accepted_in_one_pass(), inspector.content_bytes());
                let Inspection { sha256, accepted, chunks, series, summaries, shapes, .. } = inspector.inspection();
                let kept: Vec<_> = summaries.kept().collect();
                let found = format!("{content_bytes} {sha256} {accepted} {chunks:?} {series:?} {kept:?} {shapes:?}");
                (in_one_pass, found)
            };
            let with = inspect(Inspector::new(&catalog, spec.clone(), Retention::Bounded));
            let without = inspect(Inspector::new(&catalog, spec, Retention::Bounded).without_one_pass());
            assert_eq!((with.0, without.0), (records, 0), "{name} in pieces of {piece}");
            assert_eq!(with.1, without.1, "{name} in pieces of {piece}");
        }
    }
}

/// What follows a first document of several pieces must not change what counts before it.
#[test]
fn documents_in_a_row_have_the_same_records_before_a_failure() {
    let large = reading("d").replace(',', &format!(",{}", " ".repeat(40_000)));
    let content = format!("{large}{}", "{}\n".repeat(20_000));
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content.as_bytes()).unwrap();
    let mut damaged = encoder.finish().unwrap();
    let length = damaged.len();
    damaged.truncate(length - 300);
    damaged.extend([0xff; 300]);
    let small = Limits { decompressed_bytes: 135_000, ..Limits::default() };
    for (name, bytes, limits, max_rejected) in [
        ("damaged", damaged.clone(), Limits::default(), None),
        ("damaged behind the verdict", damaged, Limits::default(), Some(MaxRejected::Count(2))),
        ("too large", content.into_bytes(), small, None),
    ] {
        for piece in [100, 5_000, 1 << 16] {
            let media = Media::parse(Some("application/json"), None, "").unwrap();
            let spec = InspectionSpec { media, limits, ..spec(Bounds::UPLOAD, max_rejected) };
            let catalog = Catalog::bundled().unwrap();
            let inspect = |mut inspector: Inspector<'_>| {
                let _ = bytes.chunks(piece).all(|mut piece| inspector.push(&mut piece));
                inspector.finish();
                let records = inspector.records();
                (records, format!("{:?}", inspector.inspection().rejections))
            };
            let with = inspect(Inspector::new(&catalog, spec.clone(), Retention::Bounded));
            let without = inspect(Inspector::new(&catalog, spec, Retention::Bounded).without_one_pass());
            assert_eq!(with, without, "{name} in pieces of {piece}");
            assert!(with.0 > 2, "{name} in pieces of {piece}: records come before the failure");
        }
    }
}

#[test]
fn known_digest_is_not_computed_and_changes_nothing_else() {
    let good = format!("{}{}", reading("d"), reading("e"));
    let stopped = "{}\n".repeat(12_000);
    for (name, content, piece) in
        [("in one piece", &good, 1 << 16), ("in pieces", &good, 7), ("stopped", &stopped, 100)]
    {
        let of = |known_sha256| {
            let spec = InspectionSpec { known_sha256, ..spec(Bounds::UPLOAD, None) };
            let (records, inspection) = inspect(content, spec, Retention::Bounded, piece);
            let Inspection { sha256, sha256_source, accepted, rejections, chunks, .. } = inspection;
            ((sha256, sha256_source), format!("{records} {accepted} {rejections:?} {chunks:?}"))
        };
        let computed = of(None);
        if name != "stopped" {
            let sha256 = Sha256Digest::of(content.as_bytes()).to_hex();
            assert_eq!(computed.0, (sha256, Sha256Source::Computed), "{name}");
        }
        // The digest of other bytes shows that the inspector takes it and computes none.
        let other = Sha256Digest::of(b"other");
        let known = of(Some(other));
        assert_eq!(known.0, (other.to_hex(), Sha256Source::S3), "{name}");
        assert_eq!(known.1, computed.1, "{name}");
    }
}

/// A good record, and many wrong ones: some are described, most are of a known kind.
fn many_rejected(records: usize) -> String {
    let wrong = |number: usize| match number % 50 {
        0 => format!("{{\"note\":\"{number}\",\r\"x\": NaN}}\n"),
        1 => format!("{{\"valeu\":{number}, \"é{number}\":\"{}\"}}\n", "x".repeat(number % 200)),
        _ => format!("{{\"m{number}\":\"{}\",\r \"n\\n{number}\":[{{}}]}}\r\n", "x".repeat(60)),
    };
    format!("{}{}", reading("d"), (0..records).map(wrong).collect::<String>())
}

#[test]
fn retained_records_are_the_lines_of_a_second_reading() {
    let content = many_rejected(25_000);
    let (_, first) = inspect(&content, spec(Bounds::UPLOAD, None), Retention::Bounded, 1 << 16);
    let catalog = Catalog::bundled().unwrap();
    let mut second = Inspector::new(&catalog, spec(Bounds::UPLOAD, None), Retention::Rejected);
    let mut lines = Vec::new();
    for mut piece in content.as_bytes().chunks(1 << 16) {
        while second.push(&mut piece) && second.is_full() {
            lines.append(&mut second.drain_rejected());
        }
    }
    second.finish();
    lines.append(&mut second.drain_rejected());
    let pieces: Vec<Vec<u8>> = first.rejected_records.unwrap().into_pieces().collect();
    assert!(pieces.len() > 3 && pieces.iter().all(|piece| piece.ends_with(b"\n") && piece.len() < 2 << 20));
    assert!(pieces.concat() == lines);
    assert_eq!(first.rejections.summary(), second.inspection().rejections.summary());
}

#[test]
fn rejected_records_beyond_the_limit_are_dropped() {
    let large = format!("{{\"a\":\"{}\"}}\n", "x".repeat(8 << 20));
    for (records, is_dropped) in [(3, false), (5, true)] {
        let content = format!("{}{}", reading("d"), large.repeat(records));
        let (_, inspection) = inspect(&content, spec(Bounds::UPLOAD, None), Retention::Bounded, 1 << 20);
        assert_eq!(inspection.rejected_records.is_none(), is_dropped, "{records}");
        assert_eq!(inspection.rejections.rejected(), records as u64);
    }
}
