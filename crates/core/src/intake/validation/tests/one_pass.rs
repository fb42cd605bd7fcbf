//! Edge cases, with and without programs, in sequences: what a program keeps from one record must not change the next verdict.

use super::*;

const GOOD: &str = r#"{"device_id":"d1","timestamp":"2025-02-28T12:00:00Z","value":22.5}"#;

/// Checks records with one validator each. Returns which of them were accepted, and in one pass.
fn compare(records: &[&[u8]], requested: Option<&str>) -> Vec<(bool, bool)> {
    let catalog = Catalog::bundled().unwrap();
    let new = || Validator::new(&catalog, requested.map(reference), reference("reading/1.0"));
    let (mut with, mut without) = (new(), new().without_one_pass());
    let check = |record: &&[u8]| {
        let before = with.accepted_in_one_pass();
        let found = described(with.check(record));
        assert_eq!(found, described(without.check(record)), "{}", record.escape_ascii());
        (found.starts_with("accepted"), with.accepted_in_one_pass() > before)
    };
    let verdicts = records.iter().map(check).collect();
    assert_eq!(with.shapes(), without.shapes());
    assert_eq!(without.accepted_in_one_pass(), 0);
    verdicts
}

fn described(verdict: Verdict<'_>) -> String {
    match verdict {
        Verdict::Accepted { schema, points } => {
            let mut text = format!("accepted {schema:?}");
            points.for_each(|point| text.push_str(&format!(" {point:?} {:x}", point.value.to_bits())));
            text
        }
        rejected => format!("{rejected:?}"),
    }
}

#[test]
fn common_records_are_accepted_in_one_pass() {
    let weather = r#"{"schema":"weather/1.0","station":"s","observed_at":"2025-02-28T12:00:00+01:00","temp_max_c":null,"sky":"sun"}"#;
    let batch = r#"{"schema":"batch/1.7","device_id":"d","readings":[{"timestamp":"2025-02-28T12:00:00Z","value":1},{"value":-0.0,"timestamp":"2025-02-28T12:00:01.5Z"}]}"#;
    let reordered = r#" { "value" : 1e3 , "timestamp" : "2025-02-28t12:00:00z" , "device_id" : "caf\u{e9}" } "#
        .replace("\\u{e9}", "é");
    for record in [GOOD, weather, batch, &reordered] {
        // The first of a schema that is not the default goes another way.
        let record = record.as_bytes();
        assert_eq!(
            compare(&[record, record, record], None)[1..],
            [(true, true), (true, true)],
            "{}",
            record.escape_ascii()
        );
    }
}

#[test]
fn edge_cases_have_equal_verdicts() {
    let with = |from: &str, to: &str| GOOD.replacen(from, to, 1);
    let deep = |depth: usize| with("22.5", &("[".repeat(depth) + &"]".repeat(depth)));
    let long = "x".repeat(300);
    let mut records: Vec<String> = [
        ("22.5", "01"),
        ("22.5", "1."),
        ("22.5", ".5"),
        ("22.5", "+1"),
        ("22.5", "1e400"),
        ("22.5", "-0"),
        ("22.5", "1e-400"),
        ("22.5", "9007199254740993"),
        ("22.5", "18446744073709551616"),
        ("22.5", "0.1000000000000000055511151231257827"),
        ("22.5", "NaN"),
        ("22.5", "null"),
        ("22.5", "true"),
        ("22.5", "\"22.5\""),
        ("22.5", "22.5,"),
        ("22.5", "22.5 x"),
        ("12:00:00Z", "23:59:60Z"),
        ("12:00:00Z", "24:00:00Z"),
        ("12:00:00Z", "12:00:00.1234567891Z"),
        ("12:00:00Z", "12:00:00"),
        ("2025-02-28T", "2025-02-29T"),
        ("2025-02-28T", "0000-01-01T"),
        ("\"d1\"", "\"\""),
        ("\"d1\"", "\"\\u0064\""),
        ("\"d1\"", "\"\\ud800\""),
        ("\"d1\"", "\"a\tb\""),
        ("\"d1\"", "5"),
        ("\"d1\"", &long),
        ("\"d1\"", &format!("\"{long}\"")),
        ("\"value\"", "\"\\u0076alue\""),
        ("}", ",\"value\":1}"),
        ("}", ",\"\\u0076alue\":1}"),
        ("}", ",\"other\":1}"),
        ("{", "[{"),
        ("}", "}}"),
        ("}", "} {}"),
        ("}", ""),
        ("{", "\u{feff}{"),
        ("{", "\u{c}{"),
        ("{", "\n\r\t {"),
        (",", ",,"),
        (",", ""),
        (":", ""),
        (":", "::"),
        ("\"timestamp\"", "timestamp"),
    ]
    .map(|(from, to)| with(from, to))
    .into();
    records.extend([deep(1), deep(63), deep(64), String::new(), " ".to_owned(), "null".to_owned(), "{}".to_owned()]);
    let mut records: Vec<Vec<u8>> = records.into_iter().map(String::into_bytes).collect();
    let accent = with("d1", "é€😀").into_bytes();
    records.extend((0..accent.len()).map(|cut| accent[..cut].to_vec()));
    records.extend((0..accent.len()).map(|at| [&accent[..at], &accent[at + 1..]].concat()));
    for record in records {
        // Before it, two good records, so that the layout is known; behind it, one to see that nothing stays.
        let verdicts = compare(&[GOOD.as_bytes(), GOOD.as_bytes(), &record, GOOD.as_bytes()], None);
        assert_eq!((verdicts[1], verdicts[3]), ((true, true), (true, true)), "{}", record.escape_ascii());
    }
}

#[test]
fn a_schema_without_a_program_or_unknown_is_never_accepted_by_another_program() {
    let named = |name: &str| GOOD.replacen('{', &format!("{{\"schema\":\"{name}\","), 1);
    let names = [
        "reading/1.0",
        "reading/1.9",
        "batch/1.0",
        "weather/1.0",
        "reading/2.0",
        "nothing/1.0",
        "reading",
        "",
        "reading/1.0 ",
    ];
    for first in names {
        for second in names {
            let (first, second) = (named(first), named(second));
            let last = second.replacen("\"schema\"", "\"device_id\":\"x\",\"schema\"", 1);
            for requested in [None, Some("reading/1.0"), Some("weather/1.0"), Some("nothing/1.0")] {
                let sequence = [&first, &first, &second, &second, &first, &GOOD.to_owned(), &last];
                compare(&sequence.map(|record| record.as_bytes()), requested);
            }
        }
    }
}

#[test]
fn a_record_of_many_points_has_them_all() {
    let readings = |count: usize| vec![r#"{"timestamp":"2025-02-28T12:00:00Z","value":1}"#; count].join(",");
    for count in [1, 65_536, 65_537] {
        let batch = format!(r#"{{"schema":"batch/1.0","readings":[{}],"device_id":"d"}}"#, readings(count));
        assert_eq!(
            compare(&[batch.as_bytes(), GOOD.as_bytes()], Some("batch/1.0")),
            [(true, true), (false, false)],
            "{count}"
        );
    }
}

#[test]
fn a_schema_whose_name_is_no_plain_string_applies_to_no_record_that_names_one() {
    let base = bundled("reading/1.0");
    let rows = [
        json!({"type": "string", "format": "date-time"}),
        json!({"type": ["string", "null"]}),
        json!({"type": "number"}),
        json!({}),
        json!({"enum": [null, "2025-02-28T12:00:00Z", "reading/1.0", 5]}),
        json!({"type": ["object", "array"], "properties": {}, "items": {}}),
    ];
    for name in rows {
        let mut schema = base.clone();
        schema["properties"]["schema"] = name.clone();
        let catalog = Catalog::compile(&[("reading/1.0.json", &schema.to_string())]).unwrap();
        let new = || Validator::new(&catalog, None, reference("reading/1.0"));
        let (mut with, mut without) = (new(), new().without_one_pass());
        for value in
            ["\"2025-02-28T12:00:00Z\"", "null", "5", "{}", "[]", "\"reading/1.0\"", "\"reading/1.3\"", "\"\"", "true"]
        {
            let record = GOOD.replacen('{', &format!("{{\"schema\":{value},"), 1);
            for record in [GOOD, &record, &record] {
                let record = record.as_bytes();
                assert_eq!(described(with.check(record)), described(without.check(record)), "{name} {value}");
            }
        }
    }
}

/// Returns a bundled schema without its identifier.
fn bundled(name: &str) -> Value {
    let catalog = Catalog::bundled().unwrap();
    catalog.schema(&SchemaId::parse(name).unwrap()).unwrap().clone()
}
