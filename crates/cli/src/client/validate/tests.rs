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
fn the_samples_come_to_what_is_written_beside_them() {
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
        let told = serde_json::to_value(verdict_on(&sample(name), None).unwrap()).unwrap();
        for member in ["outcome", "accepted", "rejected"] {
            assert_eq!(told[member], expected[member], "{name}: {member}");
        }
        assert_eq!(told["features"].as_array().unwrap().len(), expected["statistics"].as_array().unwrap().len());
        // The largest groups, ten at most; each is among those that are written down.
        let told_failures = told["failures"].as_array().unwrap();
        let failures = expected["failures"].as_array().unwrap();
        let beyond = told["failures_omitted"].as_u64().unwrap();
        assert_eq!(told_failures.len() as u64 + beyond, failures.len() as u64, "{name}");
        for group in told_failures {
            let is_it = |one: &&Value| one.as_object().unwrap().iter().all(|(member, value)| group[member] == *value);
            assert!(failures.iter().any(|one| is_it(&one)), "{name}: {group}");
        }
    }
}

#[test]
fn members_are_those_of_the_answer_of_the_service() {
    let told = serde_json::to_value(verdict_on(&sample("08-mixed.ndjson"), None).unwrap()).unwrap();
    let all = [
        "accepted",
        "failures",
        "failures_omitted",
        "features",
        "features_omitted",
        "outcome",
        "records",
        "records_omitted",
        "rejected",
    ];
    assert_eq!(members(&told), all);
    let features =
        ["count", "device_id", "first", "last", "max", "mean", "measure", "median", "min", "standard_deviation"];
    assert_eq!(members(&told["features"][0]), features);
    let group = ["byte_offset", "code", "count", "first_record", "line", "message", "pointer", "schema"];
    assert_eq!(members(&told["failures"][0]), group);
    let record = ["byte_offset", "failures", "failures_omitted", "index", "line", "schema_applied", "schema_requested"];
    assert_eq!(members(&told["records"][0]), record);
    let failure = ["byte_offset", "code", "keyword", "line", "message", "pointer", "schema_pointer"];
    assert_eq!(members(&told["records"][0]["failures"][0]), failure);
    assert_eq!((told["records"].as_array().unwrap().len(), &told["records_omitted"]), (9, &json!(0)));
}

#[test]
fn one_good_reading() {
    let verdict = verdict_on(&sample("01-reading.json"), Some("reading/1.0")).unwrap();
    let features = json!([{ "device_id": "12345", "measure": "value", "count": 1, "mean": 22.5, "median": 22.5,
        "standard_deviation": null, "min": 22.5, "max": 22.5,
        "first": "2025-02-28T12:00:00Z", "last": "2025-02-28T12:00:00Z" }]);
    assert_eq!(serde_json::to_value(&verdict.features).unwrap(), features);
    assert_eq!(verdict.to_text("01-reading.json"), "01-reading.json: accepted: 1 record\n");
}

#[test]
fn people_read_what_is_wrong_and_where() {
    let text = verdict_on(&sample("10-wrong-type.json"), None).unwrap().to_text("10-wrong-type.json");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "10-wrong-type.json: quarantined: nothing of it would count, 1 record rejected");
    assert_eq!(lines[1], "  TYPE at /value: once, at line 4, byte 76");
    assert!(lines[2].starts_with("    ") && lines.len() == 3, "{text}");

    let text = verdict_on(&sample("11-truncated.json"), None).unwrap().to_text("x");
    assert!(
        text.starts_with(
            "x: quarantined: nothing of it would count\n  TRUNCATED: the file as a whole, at line 3, byte 115\n"
        ),
        "{text}"
    );

    let text = verdict_on(&sample("08-mixed.ndjson"), None).unwrap().to_text("x");
    assert!(text.starts_with("x: partially accepted: 3 records accepted, 9 rejected\n"), "{text}");
    assert!(text.ends_with("  and 2 kinds of failure more\n"), "{text}");
}

#[test]
fn failures_of_one_kind_are_one_and_records_beyond_a_hundred_are_counted() {
    let good = r#"{"device_id":"a","timestamp":"2025-02-28T12:00:00Z","value":1}"#;
    let wrong = r#"{"device_id":"a","timestamp":"2025-02-28T12:00:00Z","value":"1"}"#;
    let verdict = verdict_on_text(&format!("{good}\n{}", format!("{wrong}\n").repeat(130)));
    assert_eq!((verdict.outcome, verdict.accepted, verdict.rejected), (Outcome::PartiallyAccepted, 1, 130));
    assert_eq!((verdict.records.len(), verdict.records_omitted), (100, 30));
    let text = verdict.to_text("x");
    assert!(text.contains("\n  TYPE at /value: 130 times, first at line 2, byte "), "{text}");
}

#[test]
fn nothing_steers_the_terminal() {
    let hostile = r#"{"device_id":"a","timestamp":"2025-02-28T12:00:00Z","value":1,"\u001b[2J\u202e":1}"#;
    let text = verdict_on_text(hostile).to_text("a\u{1b}[2J\nb\u{202e}.json");
    assert!(text.starts_with("a\\u{1b}[2J\\u{a}b\\u{202e}.json: quarantined"), "{text}");
    assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
}

#[test]
fn a_file_of_many_pieces_is_read_to_its_end() {
    let line = r#"{"device_id":"a","timestamp":"2025-02-28T12:00:00Z","value":1}"#;
    let (count, mut file) = (40_000, tempfile::Builder::new().suffix(".jsonl").tempfile().unwrap());
    file.write_all(format!("{line}\n").repeat(count).as_bytes()).unwrap();
    let (size, media) = (file.as_file().metadata().unwrap().len(), Media::of_file("a.jsonl", None, None).unwrap());
    let mut told = Vec::new();
    let catalog = Catalog::bundled().unwrap();
    let verdict = validate(&catalog, file.path(), media, None, |read| told.push(read)).unwrap();
    assert_eq!((verdict.outcome, verdict.accepted), (Outcome::Accepted, count as u64));
    assert!(told.len() > 2 && told.is_sorted() && told.last() == Some(&size), "{told:?} of {size}");
}

#[test]
fn no_verdict_without_a_file_and_a_known_schema() {
    let error = verdict_on(&sample("no such.json"), None).unwrap_err();
    assert!(matches!(error, ValidateError::Read { .. }), "{error}");
    for name in ["nonsense/1.0", "reading", "reading/9.0", ""] {
        let error = verdict_on(&sample("01-reading.json"), Some(name)).unwrap_err();
        assert!(matches!(error, ValidateError::UnknownSchema { .. }), "{name}: {error}");
        assert!(error.to_string().contains("reading/1.0"), "{error}");
    }
}
