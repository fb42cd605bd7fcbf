//! The rejected records of an upload, tried again as they are.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod support;

use eventpulse_core::intake::inspection::{Inspection, InspectionSpec, Inspector, Retention};
use eventpulse_core::intake::reader::{Format, Limits, Media};
use eventpulse_core::intake::schema::{Catalog, SchemaRef};
use eventpulse_core::upload::RetryForm;

fn examine(content: &[u8], form: Option<RetryForm>, catalog: &Catalog, default_schema: &str) -> Inspection {
    let terms = InspectionSpec {
        owner: "demo".parse().unwrap(),
        upload_id: support::id(),
        round: u32::from(form.is_some()),
        form,
        media: Media { format: Format::Ndjson, compression: None },
        schema: None,
        default_schema: SchemaRef::parse(default_schema).unwrap(),
        max_rejected: None,
        limits: Limits::default(),
    };
    let mut inspector = Inspector::new(catalog, terms, Retention::Bounded);
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
fn what_is_still_wrong_is_told_as_before_to_the_byte() {
    let catalog = Catalog::bundled().unwrap();
    let first = examine(RECORDS.as_bytes(), None, &catalog, "reading/1.0");
    let lines = first.rejected_records.clone().unwrap();
    assert_eq!((first.accepted, first.rejections.rejected()), (1, 3));
    let again = examine(&lines, Some(RetryForm::UnchangedRecords), &catalog, "reading/1.0");
    assert_eq!((again.accepted, again.rejections.rejected()), (0, 3));
    assert_eq!(again.rejections.upload_failure(), None);
    assert_eq!(again.rejections.records(), first.rejections.records());
    assert_eq!(again.rejected_records.unwrap(), lines);
}

#[test]
fn what_a_newer_schema_allows_counts_and_the_rest_stays() {
    let strict = reading_schema("false");
    let lax = reading_schema("true");
    let strict = Catalog::compile(&[("reading/1.0.json", strict.as_str())]).unwrap();
    let lax = Catalog::compile(&[("reading/1.0.json", lax.as_str())]).unwrap();
    let first = examine(RECORDS.as_bytes(), None, &strict, "reading/1.0");
    assert_eq!((first.accepted, first.rejections.rejected()), (1, 3));
    let again = examine(&first.rejected_records.unwrap(), Some(RetryForm::UnchangedRecords), &lax, "reading/1.0");
    assert_eq!((again.accepted, again.rejections.rejected()), (1, 2));
    let told: Vec<(u64, u64)> = again.rejections.records().iter().map(|record| (record.index, record.line)).collect();
    assert_eq!(told, [(1, 2), (2, 3)], "the places are those of the upload");
    assert_eq!(again.features.0[0].median, Some(3.0));
    let chunks = again.chunks.unwrap();
    assert_eq!(eventpulse_core::statistics::chunk::round_of_sort_key(&chunks[0].sort_key()), Some(1));
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
fn a_line_that_holds_no_rejected_record_fails_the_upload() {
    let catalog = Catalog::bundled().unwrap();
    let inspection = examine(RECORDS.as_bytes(), Some(RetryForm::UnchangedRecords), &catalog, "reading/1.0");
    assert!(inspection.rejections.upload_failure().is_some());
}
