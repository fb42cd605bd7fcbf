//! Retries of the unchanged rejected records of an upload.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod support;

use eventpulse_core::intake::inspection::{InputForm, Inspection, InspectionSpec, Inspector, Retention};
use eventpulse_core::intake::reader::Format;
use eventpulse_core::intake::schema::{Catalog, SchemaRef};

fn inspect(content: &[u8], input: InputForm, catalog: &Catalog, default_schema: &str) -> Inspection {
    let spec = InspectionSpec {
        attempt: u32::from(input == InputForm::RejectedRecordLines),
        input,
        default_schema: SchemaRef::parse(default_schema).unwrap(),
        ..support::spec(Format::Ndjson)
    };
    let mut inspector = Inspector::new(catalog, spec, Retention::Bounded);
    inspector.push(&mut &content[..]);
    inspector.finish();
    inspector.inspection()
}

const RECORDS: &str = concat!(
    r#"{"device_id":"a","timestamp":"2025-02-28T12:00:00Z","value":1}"#,
    "\n",
    r#"{"device_id":"a","timestamp":"2025-02-28T12:00:01Z","value":"2"}"#,
    "\n",
    "no JSON\n",
    r#"{"device_id":"a","timestamp":"2025-02-28T12:00:02Z","value":3,"extra":1}"#,
    "\n",
);

#[test]
fn records_that_are_still_invalid_have_the_same_rejection() {
    let catalog = Catalog::bundled().unwrap();
    let first = inspect(RECORDS.as_bytes(), InputForm::Records, &catalog, "reading/1.0");
    let lines = first.rejected_records.unwrap().into_pieces().collect::<Vec<_>>().concat();
    assert_eq!((first.accepted, first.rejections.rejected()), (1, 3));
    let again = inspect(&lines, InputForm::RejectedRecordLines, &catalog, "reading/1.0");
    assert_eq!((again.accepted, again.rejections.rejected()), (0, 3));
    assert_eq!(again.rejections.upload_failure(), None);
    assert_eq!(again.rejections.records(), first.rejections.records());
    assert_eq!(again.rejected_records.unwrap().into_pieces().collect::<Vec<_>>().concat(), lines);
}

#[test]
fn each_rejected_record_is_one_line_of_json_whatever_its_first_mistake_hides() {
    let catalog = Catalog::bundled().unwrap();
    for (name, record) in [
        ("a repeated name, and no end", r#"{"value":{"a":1,"a":2},"#),
        ("a repeated name, and no value", r#"{"value":{"a":1,"a":2},"b":}"#),
        ("a large number, and no end", r#"{"value":1e400,"#),
        ("a lone surrogate, and no end", r#"{"value":"\ud800","#),
        ("no schema, and no JSON", r#"{"schema":"none/1.0","#),
    ] {
        let content = format!("{RECORDS}{record}\n");
        let first = inspect(content.as_bytes(), InputForm::Records, &catalog, "reading/1.0");
        let lines = first.rejected_records.unwrap().into_pieces().collect::<Vec<_>>().concat();
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            assert!(serde_json::from_slice::<serde_json::Value>(line).is_ok(), "{name}: {}", line.escape_ascii());
        }
        let again = inspect(&lines, InputForm::RejectedRecordLines, &catalog, "reading/1.0");
        assert_eq!(again.rejections.upload_failure(), None, "{name}");
        assert_eq!(again.rejections.records(), first.rejections.records(), "{name}");
    }
}

#[test]
fn a_record_that_is_null_stays_in_the_line_of_its_retry() {
    let catalog = Catalog::bundled().unwrap();
    let first = inspect(b"null\n", InputForm::Records, &catalog, "reading/1.0");
    let lines = first.rejected_records.unwrap().into_pieces().collect::<Vec<_>>().concat();
    let again = inspect(&lines, InputForm::RejectedRecordLines, &catalog, "reading/1.0");
    assert_eq!(
        again.rejected_records.unwrap().into_pieces().collect::<Vec<_>>().concat().escape_ascii().to_string(),
        lines.escape_ascii().to_string()
    );
}

#[test]
fn a_laxer_schema_accepts_records_and_the_rest_stays_rejected() {
    let strict = reading_schema("false");
    let lax = reading_schema("true");
    let strict = Catalog::compile(&[("reading/1.0.json", strict.as_str())]).unwrap();
    let lax = Catalog::compile(&[("reading/1.0.json", lax.as_str())]).unwrap();
    let first = inspect(RECORDS.as_bytes(), InputForm::Records, &strict, "reading/1.0");
    assert_eq!((first.accepted, first.rejections.rejected()), (1, 3));
    let again = inspect(
        &first.rejected_records.unwrap().into_pieces().collect::<Vec<_>>().concat(),
        InputForm::RejectedRecordLines,
        &lax,
        "reading/1.0",
    );
    assert_eq!((again.accepted, again.rejections.rejected()), (1, 2));
    let records: Vec<(u64, u64)> =
        again.rejections.records().iter().map(|record| (record.index, record.line)).collect();
    assert_eq!(records, [(1, 2), (2, 3)], "positions are within the upload");
    assert_eq!(again.series.listed[0].median, Some(3.0));
    let chunks = again.chunks.unwrap();
    assert_eq!(eventpulse_core::statistics::chunk::attempt_of_sort_key(&chunks[0].sort_key()), Some(1));
}

fn reading_schema(additional: &str) -> String {
    format!(
        r#"{{"$schema":"https://json-schema.org/draft/2020-12/schema",
            "x-eventpulse":{{"entity":"/device_id","time":"/timestamp","measures":{{"value":"/value"}}}},
            "type":"object","required":["device_id","timestamp","value"],"additionalProperties":{additional},
            "properties":{{"schema":{{"type":"string"}},"device_id":{{"type":"string","minLength":1,"maxLength":128}},
                "timestamp":{{"type":"string","format":"date-time"}},"value":{{"type":"number"}}}}}}"#
    )
}

#[test]
fn lines_without_rejected_records_fail_the_upload() {
    let catalog = Catalog::bundled().unwrap();
    let inspection = inspect(RECORDS.as_bytes(), InputForm::RejectedRecordLines, &catalog, "reading/1.0");
    assert!(inspection.rejections.upload_failure().is_some());
}
