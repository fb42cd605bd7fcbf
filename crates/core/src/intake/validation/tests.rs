//! Whole records against whole schemas.

use serde_json::{Value, json};

use super::*;
use crate::intake::failure::{Failure, FailureCode};
use crate::intake::schema::SchemaId;
use crate::time::Timestamp;

mod agreement;
mod hints;
mod keywords;
mod known;
mod names;
mod one_pass;
mod points;

const GOOD: &str = r#"{"device_id": "12345", "timestamp": "2025-02-28T12:00:00Z", "value": 22.5}"#;

/// Entity, measure, time and value of points.
type PointRows = Vec<(String, String, String, f64)>;

/// The verdict on a record. No failures: it is accepted.
#[derive(Debug)]
struct Checked {
    failures: Vec<Failure>,
    omitted: u64,
    points: PointRows,
}

fn reference(text: &str) -> SchemaRef {
    SchemaRef::parse(text).unwrap()
}

/// Checks a record against `catalog` with this default schema.
fn check_with(catalog: &Catalog, default: &str, record: &str) -> Checked {
    match Validator::new(catalog, None, reference(default)).check(record.as_bytes()) {
        Verdict::Accepted { points, .. } => {
            let mut rows = PointRows::new();
            points.for_each(|point| {
                rows.push((point.entity.into(), point.measure.into(), point.time.to_string(), point.value));
            });
            Checked { failures: Vec::new(), omitted: 0, points: rows }
        }
        Verdict::Rejected { failures, .. } => {
            assert!(!failures.is_empty(), "{record}");
            let omitted = failures.omitted();
            Checked { failures: failures.into_vec(), omitted, points: PointRows::new() }
        }
    }
}

fn check(default: &str, record: &str) -> Checked {
    check_with(&Catalog::bundled().unwrap(), default, record)
}

/// A catalog of one schema `t/1.0` that looks at `/v` with `keywords`, and at nothing else.
fn probe(keywords: &Value) -> Catalog {
    let mut schema = json!({
        "properties": {"id": {}, "at": {}, "n": {}, "v": keywords},
        "x-eventpulse": {"entity": "/id", "time": "/at", "measures": {"n": "/n"}}
    });
    if let Some(definitions) = keywords.get("$defs") {
        schema["$defs"] = definitions.clone();
    }
    Catalog::compile(&[("t/1.0.json", &schema.to_string())]).unwrap_or_else(|problems| panic!("{problems:?}"))
}

#[test]
fn accepted_records_yield_their_points() {
    let at = "2025-02-28T12:00:00Z";
    let point = |entity: &str, measure: &str, value: f64| (entity.to_owned(), measure.to_owned(), at.to_owned(), value);
    let rows: &[(&str, &str, PointRows)] = &[
        ("the seed event", GOOD, vec![point("12345", "value", 22.5)]),
        (
            "integer",
            &format!(r#"{{"value":-7,"timestamp":"{at}","device_id":"é a+b"}}"#),
            vec![point("é a+b", "value", -7.0)],
        ),
        (
            "escaped names and values",
            &format!(r#"{{"valu\u0065":1,"timestamp":"{at}","device_id":"\"\u00e9"}}"#),
            vec![point("\"é", "value", 1.0)],
        ),
        (
            "other offset",
            r#"{"device_id":"a","timestamp":"2025-02-28T13:00:00+01:00","value":1}"#,
            vec![point("a", "value", 1.0)],
        ),
        (
            "names its schema",
            &format!(r#"{{"schema":"reading/1.0","device_id":"a","timestamp":"{at}","value":1}}"#),
            vec![point("a", "value", 1.0)],
        ),
        (
            "asks for a later minor version",
            &format!(r#"{{"schema":"reading/1.9","device_id":"a","timestamp":"{at}","value":1}}"#),
            vec![point("a", "value", 1.0)],
        ),
        (
            "batch",
            &format!(
                r#"{{"schema":"batch/1.0","readings":[{{"timestamp":"{at}","value":1}},{{"value":2,"timestamp":"{at}"}}],"device_id":"a"}}"#
            ),
            vec![point("a", "value", 1.0), point("a", "value", 2.0)],
        ),
        (
            "weather, with null and absent measures",
            &format!(
                r#"{{"schema":"weather/1.0","station":"S","observed_at":"{at}","temp_max_c":null,"wind_m_s":4.7,"sky":"sun"}}"#
            ),
            vec![point("S", "wind_m_s", 4.7)],
        ),
    ];
    for (name, record, expected) in rows {
        let Checked { failures, points, .. } = check("reading/1.0", record);
        assert_eq!((failures, points), (Vec::new(), expected.clone()), "{name}");
    }
}

#[test]
fn failures_have_code_position_and_advice() {
    // name, default schema, record; per failure: code, pointer, line:offset, targets, message
    type Row<'a> = (&'a str, &'a str, &'a str, &'a [(&'a str, &'a str, &'a str, &'a [&'a str], &'a str)]);
    let rows: &[Row<'_>] = &[
        ("not an object", "reading/1.0", "[]", &[("TYPE", "", "1:0", &[], "must be an object, but is an array")]),
        (
            "misspelt member",
            "reading/1.0",
            "{\"device_id\":\"a\",\n\"timestamp\":\"2025-02-28T12:00:00Z\",\n \"valeu\":1}",
            &[
                (
                    "REQUIRED",
                    "",
                    "1:0",
                    &["value"],
                    "missing required member `value`; did you write `valeu` for `value`?",
                ),
                (
                    "ADDITIONAL_PROPERTIES",
                    "",
                    "3:55",
                    &["valeu"],
                    "the member `valeu` (did you mean `value`?) is not allowed here",
                ),
            ],
        ),
        (
            "several missing",
            "reading/1.0",
            "{}",
            &[(
                "REQUIRED",
                "",
                "1:0",
                &["device_id", "timestamp", "value"],
                "missing required members `device_id`, `timestamp`, `value`",
            )],
        ),
        (
            "wrong types",
            "reading/1.0",
            r#"{"device_id":12345,"timestamp":null,"value":"22,5"}"#,
            &[
                ("TYPE", "/device_id", "1:13", &[], "must be a string, but is a number"),
                ("TYPE", "/timestamp", "1:31", &[], "must be a string, but is null"),
                (
                    "TYPE",
                    "/value",
                    "1:44",
                    &[],
                    "must be a number, but is a string: write it without the quotes, and with a decimal point",
                ),
            ],
        ),
        (
            "in a batch",
            "batch/1.0",
            "{\"device_id\":\"\",\"readings\":[{\"timestamp\":\"2025-02-28T12:00:00Z\",\"value\":1},\n{\"timestamp\":\"2025-02-30T12:00:00Z\",\"value\":true}]}",
            &[
                ("MIN_LENGTH", "/device_id", "1:13", &[], "must have at least 1 character"),
                (
                    "FORMAT",
                    "/readings/1/timestamp",
                    "2:89",
                    &[],
                    "must be an RFC 3339 date-time, such as 2025-02-28T12:00:00Z: that month has no such day",
                ),
                ("TYPE", "/readings/1/value", "2:120", &[], "must be a number, but is true"),
            ],
        ),
        (
            "no readings",
            "batch/1.0",
            r#"{"device_id":"a","readings":[]}"#,
            &[("MIN_ITEMS", "/readings", "1:28", &[], "must have at least 1 element")],
        ),
        (
            "weather",
            "weather/1.0",
            r#"{"station":"S","observed_at":"2012-01-01T00:00:00Z","temp_max_c":"x","temp_minc":1,"wind_m_s":-1,"sky":"grey"}"#,
            &[
                (
                    "ADDITIONAL_PROPERTIES",
                    "",
                    "1:69",
                    &["temp_minc"],
                    "the member `temp_minc` (did you mean `temp_min_c`?) is not allowed here",
                ),
                ("TYPE", "/temp_max_c", "1:65", &[], "must be a number or null, but is a string"),
                ("MINIMUM", "/wind_m_s", "1:94", &[], "must be at least 0"),
                (
                    "ENUM",
                    "/sky",
                    "1:103",
                    &[],
                    "must be one of \"drizzle\", \"fog\", \"rain\", \"snow\", \"sun\", null",
                ),
            ],
        ),
        (
            "unknown schema",
            "reading/1.0",
            r#"{"schema":"raeding/1.0"}"#,
            &[(
                "UNKNOWN_SCHEMA",
                "/schema",
                "1:10",
                &[],
                "the record asks for the schema `raeding/1.0`, but there is no schema of that name (did you mean `reading`?)",
            )],
        ),
        (
            "unknown major version",
            "reading/1.0",
            r#"{"schema":"reading/2.0"}"#,
            &[(
                "UNKNOWN_SCHEMA",
                "/schema",
                "1:10",
                &[],
                "the record asks for the schema `reading/2.0`, but there is no major version 2 of it; there is reading/1.0",
            )],
        ),
        (
            "no name of a schema",
            "reading/1.0",
            r#"{"schema":"reading"}"#,
            &[(
                "UNKNOWN_SCHEMA",
                "/schema",
                "1:10",
                &[],
                "must be the name of a schema, of the form <name>/<major>.<minor>, such as reading/1.0",
            )],
        ),
        (
            "schema is no string",
            "reading/1.0",
            "{\n\"schema\":{}}",
            &[(
                "UNKNOWN_SCHEMA",
                "/schema",
                "2:11",
                &[],
                "must be the name of a schema, such as \"reading/1.0\", but is an object",
            )],
        ),
        (
            "unknown default",
            "nothing/1.0",
            "{}",
            &[(
                "UNKNOWN_SCHEMA",
                "",
                "1:0",
                &[],
                "the upload asks for the schema `nothing/1.0`, but there is no schema of that name",
            )],
        ),
        (
            "not JSON",
            "reading/1.0",
            "{]",
            &[(
                "NOT_JSON",
                "",
                "1:1",
                &[],
                "the bracket does not fit the opening one: close an array with ] and an object with }",
            )],
        ),
    ];
    for (name, default, record, expected) in rows {
        let Checked { failures: found, points, .. } = check(default, record);
        assert!(points.is_empty(), "{name}");
        let found: Vec<_> = found
            .iter()
            .map(|f| {
                let position = format!("{}:{}", f.line.unwrap_or_default(), f.byte_offset.unwrap_or_default());
                (
                    f.code.as_str(),
                    f.pointer.as_str(),
                    position,
                    f.targets.iter().map(String::as_str).collect::<Vec<_>>(),
                    f.message.as_str(),
                )
            })
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|&(code, pointer, position, targets, message)| {
                (code, pointer, position.to_owned(), targets.to_vec(), message)
            })
            .collect();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn the_record_the_upload_and_the_default_request_the_schema() {
    let catalog = Catalog::bundled().unwrap();
    let default = reference("reading/1.0");
    let mut of_upload = Validator::new(&catalog, Some(reference("batch/1.3")), default.clone());
    let mut of_deployment = Validator::new(&catalog, None, default);
    let rows = [
        ("upload", &mut of_upload, "{}", Some("batch/1.3"), "batch/1.0"),
        ("deployment", &mut of_deployment, "{}", None, "reading/1.0"),
    ];
    for (name, validator, unnamed, requested, applied) in rows {
        let rows = [
            ("the record", r#"{"schema":"weather/1.2"}"#, Some("weather/1.2"), "weather/1.0"),
            ("the rest", unnamed, requested, applied),
            ("the rest again", "[]", requested, applied),
            ("a record, by the same schema", r#"{"schema":"batch/1.0"}"#, Some("batch/1.0"), "batch/1.0"),
            ("the rest after others", "[]", requested, applied),
        ];
        for (row, record, requested, applied) in rows {
            let verdict = validator.check(record.as_bytes());
            let Verdict::Rejected { schema: Some(schema), .. } = verdict else { panic!("{name}, {row}: {verdict:?}") };
            assert_eq!(
                (schema.requested.as_deref(), schema.applied.to_string().as_str()),
                (requested, applied),
                "{name}, {row}"
            );
        }
    }
}

#[test]
fn many_failures_are_limited_and_counted() {
    let reading = |count: usize| format!(r#"{{"device_id":"a","readings":[{}]}}"#, vec!["0"; count].join(","));
    let rows = [
        ("at the limit", 100, 100, 0),
        ("one over", 101, 100, 1),
        ("as many as are looked at", 999, 100, 899),
        ("far more", 50_000, 100, 900),
    ];
    for (name, wrong, reported, more) in rows {
        let Checked { failures, omitted, .. } = check("batch/1.0", &reading(wrong));
        assert_eq!((failures.len(), omitted), (reported, more), "{name}");
        assert_eq!(failures[99].pointer, "/readings/99", "{name}");
    }
    let members: Vec<String> = (0..150_000).map(|i| format!("\"x{i}\":0")).collect();
    let Checked { failures, .. } = check("reading/1.0", &format!("{{{}}}", members.join(",")));
    let codes: Vec<FailureCode> = failures.iter().map(|failure| failure.code).collect();
    assert_eq!(codes, [FailureCode::Required, FailureCode::AdditionalProperties]);
    assert_eq!(failures[1].targets.len(), 10);
    // The wrong member lies beyond those that are looked at.
    let catalog = probe(&json!({"additionalProperties": {"type": "number"}}));
    let record = format!("{{\"id\":1,\"at\":\"2025-02-28T12:00:00Z\",\"v\":{{{},\"last\":\"\"}}}}", members.join(","));
    let found = check_with(&catalog, "t/1.0", &record).failures;
    assert_eq!(found.iter().map(|failure| failure.code).collect::<Vec<_>>(), [FailureCode::SchemaMismatch]);
}
