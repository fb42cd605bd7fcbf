use std::io::Write as _;

use serde_json::{Value, json};

use super::*;

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/uploads").join(name)
}

fn verdict_on(path: &Path, schema: Option<&str>) -> Result<Verdict, ValidateError> {
    let media = Media::of_file(&path.to_string_lossy(), None, None).unwrap();
    validate(&Catalog::bundled().unwrap(), path, media, schema, |_| {})
}

fn verdict_on_text(text: &str) -> Verdict {
    let mut file = tempfile::Builder::new().suffix(".ndjson").tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    verdict_on(file.path(), None).unwrap()
}

fn members(value: &Value) -> Vec<&str> {
    let mut members: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    members
}

#[test]
fn samples_have_the_expected_verdicts() {
    let names = [
        "01-reading.json",
        "06-freezer.json.zst",
        "07-meters.ndjson.gz",
        "08-mixed.ndjson",
        "10-wrong-type.json",
        "11-truncated.json",
        "16-utf-16.json",
        "20-empty.json",
        "22-damaged.ndjson.gz",
    ];
    for name in names {
        let expected = std::fs::read(sample(&format!("{name}.expected.json"))).unwrap();
        let expected: Value = serde_json::from_slice(&expected).unwrap();
        let actual = serde_json::to_value(verdict_on(&sample(name), None).unwrap()).unwrap();
        for member in ["outcome", "accepted", "rejected"] {
            assert_eq!(actual[member], expected[member], "{name}: {member}");
        }
        assert_eq!(actual["statistics"].as_array().unwrap().len(), expected["statistics"].as_array().unwrap().len());
        // The verdict lists at most ten groups; each one is among the expected failures.
        let actual_failures = actual["failures"].as_array().unwrap();
        let failures = expected["failures"].as_array().unwrap();
        let omitted = actual["failures_omitted"].as_u64().unwrap();
        assert_eq!(actual_failures.len() as u64 + omitted, failures.len() as u64, "{name}");
        for group in actual_failures {
            let matches = |one: &&Value| one.as_object().unwrap().iter().all(|(member, value)| group[member] == *value);
            assert!(failures.iter().any(|one| matches(&one)), "{name}: {group}");
        }
    }
}

#[test]
fn verdict_has_the_members_of_the_api_response() {
    let actual = serde_json::to_value(verdict_on(&sample("08-mixed.ndjson"), None).unwrap()).unwrap();
    let all = [
        "accepted",
        "failures",
        "failures_omitted",
        "outcome",
        "read_until",
        "records",
        "records_omitted",
        "rejected",
        "statistics",
        "statistics_omitted",
    ];
    assert_eq!(members(&actual), all);
    let statistics = [
        "count",
        "device_id",
        "first",
        "last",
        "max",
        "mean",
        "measure",
        "median",
        "min",
        "standard_deviation",
        "sum",
        "variance",
    ];
    assert_eq!(members(&actual["statistics"][0]), statistics);
    let group = ["byte_offset", "code", "count", "first_record", "line", "message", "pointer", "schema"];
    assert_eq!(members(&actual["failures"][0]), group);
    let record = ["byte_offset", "failures", "failures_omitted", "index", "line", "schema_applied", "schema_requested"];
    assert_eq!(members(&actual["records"][0]), record);
    let failure = ["byte_offset", "code", "keyword", "line", "message", "pointer", "schema_pointer"];
    assert_eq!(members(&actual["records"][0]["failures"][0]), failure);
    assert_eq!((actual["records"].as_array().unwrap().len(), &actual["records_omitted"]), (9, &json!(0)));
}

#[test]
fn single_valid_reading_is_accepted() {
    let verdict = verdict_on(&sample("01-reading.json"), Some("reading/1.0")).unwrap();
    let statistics = json!([{ "device_id": "12345", "measure": "value", "count": 1, "sum": 22.5, "mean": 22.5, "median": 22.5,
        "variance": null, "standard_deviation": null, "min": 22.5, "max": 22.5,
        "first": "2025-02-28T12:00:00Z", "last": "2025-02-28T12:00:00Z",
        "unavailable": { "variance": "one_value", "standard_deviation": "one_value" } }]);
    assert_eq!(serde_json::to_value(&verdict.statistics).unwrap(), statistics);
    assert_eq!(verdict_text(&verdict, "01-reading.json"), "01-reading.json: accepted: 1 record\n");
}

#[test]
fn text_names_codes_and_positions() {
    let text = verdict_text(&verdict_on(&sample("10-wrong-type.json"), None).unwrap(), "10-wrong-type.json");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "10-wrong-type.json: quarantined: no record would be accepted, 1 record rejected");
    assert_eq!(lines[1], "  TYPE at /value: once, at line 4, byte 76");
    assert!(lines[2].starts_with("    ") && lines.len() == 3, "{text}");

    let text = verdict_text(&verdict_on(&sample("11-truncated.json"), None).unwrap(), "x");
    assert!(
        text.starts_with(
            "x: quarantined: no record would be accepted\n  TRUNCATED: the file as a whole, at line 3, byte 115\n"
        ),
        "{text}"
    );

    let text = verdict_text(&verdict_on(&sample("08-mixed.ndjson"), None).unwrap(), "x");
    assert!(text.starts_with("x: partially accepted: 3 records accepted, 9 rejected\n"), "{text}");
    assert!(text.ends_with("  and 2 kinds of failure more\n"), "{text}");
}

#[test]
fn text_says_where_reading_stopped() {
    let text = verdict_text(&verdict_on_text(&"{}\n".repeat(10_001)), "x");
    assert!(text.starts_with("x: quarantined: no record would be accepted, 10000 records rejected\n"), "{text}");
    assert!(text.contains("\n  read up to record 10000, on line 10000 at byte 29997; the rest was not read"), "{text}");
}

#[test]
fn like_failures_are_grouped_and_at_most_100_records_are_listed() {
    let good = r#"{"device_id":"a","timestamp":"2025-02-28T12:00:00Z","value":1}"#;
    let wrong = r#"{"device_id":"a","timestamp":"2025-02-28T12:00:00Z","value":"1"}"#;
    let verdict = verdict_on_text(&format!("{good}\n{}", format!("{wrong}\n").repeat(130)));
    assert_eq!((verdict.outcome, verdict.accepted, verdict.rejected), (Outcome::PartiallyAccepted, 1, 130));
    assert_eq!((verdict.records.len(), verdict.records_omitted), (100, 30));
    let text = verdict_text(&verdict, "x");
    assert!(text.contains("\n  TYPE at /value: 130 times, first at line 2, byte "), "{text}");
}

#[test]
fn text_escapes_terminal_control_characters() {
    let hostile = r#"{"device_id":"a","timestamp":"2025-02-28T12:00:00Z","value":1,"\u001b[2J\u202e":1}"#;
    let text = verdict_text(&verdict_on_text(hostile), "a\u{1b}[2J\nb\u{202e}.json");
    assert!(text.starts_with("a\\u{1b}[2J\\u{a}b\\u{202e}.json: quarantined"), "{text}");
    assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
}

#[test]
fn file_larger_than_the_buffer_is_read_to_its_end() {
    let line = r#"{"device_id":"a","timestamp":"2025-02-28T12:00:00Z","value":1}"#;
    let (count, mut file) = (40_000, tempfile::Builder::new().suffix(".jsonl").tempfile().unwrap());
    file.write_all(format!("{line}\n").repeat(count).as_bytes()).unwrap();
    let (size, media) = (file.as_file().metadata().unwrap().len(), Media::of_file("a.jsonl", None, None).unwrap());
    let mut progress = Vec::new();
    let catalog = Catalog::bundled().unwrap();
    let verdict = validate(&catalog, file.path(), media, None, |read| progress.push(read)).unwrap();
    assert_eq!((verdict.outcome, verdict.accepted), (Outcome::Accepted, count as u64));
    assert!(progress.len() > 2 && progress.is_sorted() && progress.last() == Some(&size), "{progress:?} of {size}");
}

#[test]
fn missing_file_and_unknown_schema_are_errors() {
    let error = verdict_on(&sample("no such.json"), None).unwrap_err();
    assert!(matches!(error, ValidateError::Read { .. }), "{error}");
    for name in ["nonsense/1.0", "reading", "reading/9.0", ""] {
        let error = verdict_on(&sample("01-reading.json"), Some(name)).unwrap_err();
        assert!(matches!(error, ValidateError::UnknownSchema { .. }), "{name}: {error}");
        assert!(error.to_string().contains("reading/1.0"), "{error}");
    }
}
