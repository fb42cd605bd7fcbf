//! The positions of failures, and how much of a large upload is read to find them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod support;

use eventpulse_core::intake::failure::{Failure, FailureCode};
use eventpulse_core::intake::inspection::{Inspection, Inspector, Retention};
use eventpulse_core::intake::reader::Format;
use eventpulse_core::intake::schema::Catalog;

const RECORD: &str = r#"{"device_id":"f2","timestamp":"2025-02-28T12:00:00Z","value":22.5}"#;

/// Inspects an upload in pieces of 64 KiB. Returns the number of bytes that were pushed before it failed.
fn inspect(format: Format, bytes: &[u8]) -> (Inspection, usize) {
    let catalog = Catalog::bundled().unwrap();
    let spec = support::spec(format);
    let mut inspector = Inspector::new(&catalog, spec, Retention::Bounded);
    let mut pushed = 0;
    for mut piece in bytes.chunks(64 << 10) {
        pushed += piece.len();
        if !inspector.push(&mut piece) {
            break;
        }
    }
    inspector.finish();
    (inspector.inspection(), pushed)
}

fn first_failure(inspection: &Inspection) -> &Failure {
    let records = inspection.rejections.records().iter().flat_map(|record| &record.failures);
    inspection.rejections.upload_failure().into_iter().chain(records).next().unwrap()
}

#[test]
fn a_mistake_in_an_array_is_found_in_its_line() {
    let rows: [(&str, String, u64, FailureCode); 13] = [
        ("no quote behind a value", RECORD.replace(r#""f2""#, r#""f2"#), 18, FailureCode::NotJson),
        ("no quote before a value", RECORD.replace(r#""f2""#, r#"x2""#), 13, FailureCode::NotJson),
        ("no quote behind a name", RECORD.replace(r#""value""#, r#""value"#), 66, FailureCode::NotJson),
        ("no quote before a name", RECORD.replace(r#""value""#, r#"value""#), 53, FailureCode::NotJson),
        ("a line feed in a string", RECORD.replace("f2", "f\n2"), 15, FailureCode::NotJson),
        ("no closing brace", format!("{},{RECORD}", RECORD.replace('}', "")), 66, FailureCode::NotJson),
        ("a bracket that stays open", RECORD.replace("22.5", "[22.5"), 66, FailureCode::NotJson),
        ("a brace too many", RECORD.replace('}', "}}"), 66, FailureCode::NotJson),
        ("no comma", RECORD.replace("\",\"t", "\"\"t"), 17, FailureCode::NotJson),
        ("no colon", RECORD.replacen(':', "", 1), 12, FailureCode::NotJson),
        ("a trailing comma", RECORD.replace('}', ",}"), 66, FailureCode::NotJson),
        ("a byte order mark", format!("\u{feff}{RECORD}"), 0, FailureCode::ByteOrderMark),
        ("a control character", RECORD.replace("f2", "\u{1}"), 14, FailureCode::NotJson),
    ];
    let more = format!(",\n{RECORD}").repeat(20_000);
    for (name, mistake, byte, code) in rows {
        for before in ["[\n".to_owned(), format!("[\n{RECORD},\n")] {
            let text = format!("{before}{mistake}{more}\n]\n");
            let (inspection, read) = inspect(Format::Json, text.as_bytes());
            let failure = inspection.rejections.upload_failure().unwrap_or_else(|| panic!("{name}: accepted"));
            let line = before.matches('\n').count() as u64 + 1;
            let expected = (code, Some(line), Some(before.len() as u64 + byte));
            assert_eq!((failure.code, failure.line, failure.byte_offset), expected, "{name}: {}", failure.message);
            assert!(read <= 64 << 10, "{name}: {read} bytes were read");
        }
    }
}

#[test]
fn an_upload_cut_within_a_character_is_truncated() {
    let record = RECORD.replace("f2", "caf\u{e9}");
    let cut = record.find('\u{e9}').unwrap() + 1;
    let array = format!("[\n{record}");
    let rows = [
        ("a document", Format::Json, &record.as_bytes()[..cut], 1, cut),
        ("an array", Format::Json, &array.as_bytes()[..cut + 2], 2, cut + 2),
        ("lines", Format::Ndjson, &[RECORD.as_bytes(), b"\n", &record.as_bytes()[..cut]].concat(), 2, 67 + cut),
    ];
    for (name, format, bytes, line, byte) in rows {
        let (inspection, _) = inspect(format, bytes);
        let failure = first_failure(&inspection);
        let found = (failure.code, failure.line, failure.byte_offset);
        assert_eq!(found, (FailureCode::Truncated, Some(line), Some(byte as u64)), "{name}: {}", failure.message);
    }
}

#[test]
fn a_line_with_a_form_feed_is_a_record() {
    let (inspection, _) = inspect(Format::Ndjson, format!("{RECORD}\n \x0c\n{RECORD}\n").as_bytes());
    let failure = first_failure(&inspection);
    assert_eq!((inspection.accepted, inspection.rejections.rejected()), (2, 1));
    assert_eq!((failure.code, failure.line), (FailureCode::NotJson, Some(2)));
}

#[test]
fn documents_behind_one_another_are_inspected_each_for_itself() {
    let indented = RECORD.replace(',', ",\n  ");
    let text = format!("{indented}\n{{}}\n{indented}\n{}", RECORD.replace("22.5", "NaN"));
    let (inspection, _) = inspect(Format::Json, text.as_bytes());
    let lines: Vec<u64> = inspection.rejections.records().iter().map(|record| record.line).collect();
    assert_eq!((inspection.accepted, lines), (2, vec![4, 8]));
    assert!(inspection.rejections.upload_failure().is_none());
}
