//! The extraction of points, and the values of lax schemas that prevent it.

use serde_json::json;

use super::*;

/// Name, record; codes, pointers and messages of the failures.
type Row<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str, &'a str)]);

#[test]
fn values_that_the_plan_cannot_use_are_failures() {
    let schema = json!({
        "properties": {
            "id": {}, "readings": {"items": {"properties": {"at": {}, "n": {}}}}
        },
        "x-eventpulse": {"entity": "/id", "time": "/readings/*/at", "measures": {"n": "/readings/*/n"}}
    });
    let catalog = Catalog::compile(&[("lax/1.0.json", &schema.to_string())]).unwrap();
    let rows: &[Row<'_>] = &[
        ("nothing to count", r#"{"id":"a","readings":[]}"#, &[]),
        ("no readings", r#"{"id":"a"}"#, &[]),
        (
            "no entity",
            "{}",
            &[("ENTITY_MISSING", "", "missing member `id`: it must be a string of 1 to 1024 bytes, or a whole number")],
        ),
        ("no object", "7", &[("ENTITY_MISSING", "", "must be an object with the member `id`, but is a number")]),
        (
            "null entity",
            r#"{"id":null}"#,
            &[("ENTITY_MISSING", "/id", "must be a string of 1 to 1024 bytes, or a whole number, but is null")],
        ),
        (
            "empty entity",
            r#"{"id":""}"#,
            &[("ENTITY_MISSING", "/id", "must be a string of 1 to 1024 bytes, or a whole number, but is empty")],
        ),
        (
            "fraction",
            r#"{"id":1.5}"#,
            &[("ENTITY_MISSING", "/id", "must be a string of 1 to 1024 bytes, or a whole number, but is a number")],
        ),
        (
            "long entity",
            &format!(r#"{{"id":"{}"}}"#, "x".repeat(1025)),
            &[("ENTITY_MISSING", "/id", "must be a string of 1 to 1024 bytes, or a whole number, but has 1025 bytes")],
        ),
        (
            "not an array",
            r#"{"id":1,"readings":{"at":1}}"#,
            &[("TYPE", "/readings", "must be an array, but is an object")],
        ),
        (
            "in elements",
            r#"{"id":1,"readings":[{"at":"2025-02-28T12:00:00Z","n":"1"},{"n":1},{"at":"2025-02-28"},5]}"#,
            &[
                (
                    "MEASURE_NOT_A_NUMBER",
                    "/readings/0/n",
                    "must be a number or null, but is a string: write it without the quotes",
                ),
                (
                    "TIME_MISSING",
                    "/readings/1",
                    "missing member `at`: it must be an RFC 3339 date-time, such as 2025-02-28T12:00:00Z",
                ),
                (
                    "TIME_MISSING",
                    "/readings/2/at",
                    "must be an RFC 3339 date-time, such as 2025-02-28T12:00:00Z: add the time of day, such as T00:00:00Z",
                ),
                ("TIME_MISSING", "/readings/3", "must be an object with the member `at`, but is a number"),
            ],
        ),
    ];
    for (name, record, expected) in rows {
        let Checked { failures: found, points, .. } = check_with(&catalog, "lax/1.0", record);
        let found: Vec<_> = found.iter().map(|f| (f.code.as_str(), f.pointer.as_str(), f.message.as_str())).collect();
        assert_eq!(found, *expected, "{name}");
        assert!(points.is_empty(), "{name}");
    }
}

#[test]
fn stars_pair_elements_of_one_array() {
    let schema = json!({
        "type": "object",
        "properties": {
            "at": {"type": "string"},
            "sites": {"items": {"properties": {
                "id": {"type": ["string", "integer"]},
                "log": {"items": {"properties": {"t": {"type": "string"}, "a": {"type": ["number", "null"]}, "deep": {"properties": {"b": {"type": "number"}}}}}},
                "raw": {"items": {"type": "number"}}
            }}}
        },
        "x-eventpulse": {
            "entity": "/sites/*/id",
            "time": "/sites/*/log/*/t",
            "measures": {"a": "/sites/*/log/*/a", "b": "/sites/*/log/*/deep/b"}
        }
    });
    let record = json!({"sites": [
        {"id": 1, "log": [{"t": "2025-01-01T00:00:00Z", "a": 1, "deep": {"b": 2}}, {"t": "2025-01-02T00:00:00Z", "a": null}]},
        {"id": "x", "log": [{"t": "2025-01-03T00:00:00Z", "deep": {"b": 3}}], "raw": [1, 2]},
        {"id": -5e2}
    ]});
    let point = |entity: &str, measure: &str, day: u32, value: f64| {
        (entity.to_owned(), measure.to_owned(), format!("2025-01-0{day}T00:00:00Z"), value)
    };
    let catalog = Catalog::compile(&[("sites/1.0.json", &schema.to_string())]).unwrap();
    let checked = check_with(&catalog, "sites/1.0", &record.to_string());
    assert_eq!(checked.failures, []);
    assert_eq!(checked.points, [point("1", "a", 1, 1.0), point("1", "b", 1, 2.0), point("x", "b", 3, 3.0)]);

    let mut shared_time = schema;
    shared_time["x-eventpulse"]["time"] = "/at".into();
    shared_time["x-eventpulse"]["measures"] = json!({"raw": "/sites/*/raw/*"});
    let catalog = Catalog::compile(&[("sites/1.0.json", &shared_time.to_string())]).unwrap();
    let record = json!({"at": "2025-01-09T00:00:00Z", "sites": [{"id": 1, "raw": [4, 5]}, {"id": 18_446_744_073_709_551_615_u64, "raw": [6]}]});
    let points = check_with(&catalog, "sites/1.0", &record.to_string()).points;
    assert_eq!(
        points,
        [point("1", "raw", 9, 4.0), point("1", "raw", 9, 5.0), point("18446744073709551615", "raw", 9, 6.0)]
    );
}

#[test]
fn records_with_more_points_than_the_buffer_yield_all() {
    let count = extract::MAX_BUFFERED + 10;
    let reading = r#"{"timestamp":"2025-02-28T12:00:00Z","value":1}"#;
    let good = format!(r#"{{"device_id":"a","readings":[{}]}}"#, vec![reading; count].join(","));
    assert_eq!(check("batch/1.0", &good).points.len(), count);
    let bad = good.replace("]}", r#",{"timestamp":"2025-02-28T12:00:00Z","value":"x"}]}"#);
    let checked = check("batch/1.0", &bad);
    assert_eq!(checked.failures.first().map(|f| f.pointer.clone()), Some(format!("/readings/{count}/value")));
    assert!(checked.points.is_empty());
}
