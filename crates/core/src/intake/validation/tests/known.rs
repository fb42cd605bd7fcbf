//! Records that fail alike.

use serde_json::json;

use super::{Catalog, Failure, Validator, Verdict, probe, reference};

/// Returns whether each record fails like an earlier one.
fn are_known(validator: &mut Validator<'_>, records: &[String]) -> Vec<bool> {
    let mut known = Vec::new();
    for record in records {
        let Verdict::Rejected { failures, .. } = validator.check(record.as_bytes()) else { panic!("{record}") };
        known.push(failures.into_known().is_ok());
    }
    known
}

fn reading(value: &str, more: &str) -> String {
    format!(r#"{{"device_id":"a","timestamp":"2025-02-28T12:00:00Z","value":{value}{more}}}"#)
}

#[test]
fn records_that_fail_alike_are_known_from_the_third_on() {
    let long = |letter: &str| format!(r#","{}":1"#, letter.repeat(300));
    let many = |first: usize| (first..first + 11).map(|number| format!(r#","m{number}":1"#)).collect::<String>();
    let nested = |size: usize| format!("[{}]", vec!["1"; size].join(","));
    let rows: [(&str, String, String, bool); 21] = [
        ("other text in quotes", reading("\"22.5\"", ""), reading("\"-1e3\"", ""), true),
        ("another hint", reading("\"22.5\"", ""), reading("\"22,5\"", ""), false),
        ("another type", reading("null", ""), reading("true", ""), false),
        ("true and false", reading("false", ""), reading("true", ""), false),
        ("a longer name of the device", reading("[]", ""), reading("[]", "").replace("\"a\"", "\"long\""), true),
        ("an empty name of the device", reading("[]", ""), reading("[]", "").replace("\"a\"", "\"\""), false),
        ("white space", reading("[]", ""), reading("  []  ", "\t"), true),
        ("another order", reading("[]", ""), r#"{"value":[],"device_id":"a","timestamp":""}"#.into(), false),
        ("unknown names", reading("1", r#","m1":0"#), reading("2", r#","kühl\"":"\n""#), true),
        ("a number of unknown names", reading("1", r#","m1":0"#), reading("1", r#","m1":0,"m2":0"#), false),
        ("a misspelt name", reading("1", r#","valeu":0"#), reading("1", r#","valeu":0"#), true),
        ("another misspelt name", reading("1", r#","valeu":0"#), reading("1", r#","Value":0"#), true),
        ("a misspelt name of an absent member", r#"{"valeu":0}"#.into(), r#"{"Value":0}"#.into(), true),
        ("misspelt names of two members", r#"{"valeu":0}"#.into(), r#"{"device-id":0}"#.into(), false),
        ("two names, another one closer", r#"{"valu":0,"Valu":0}"#.into(), r#"{"Valu":0,"valu":0}"#.into(), false),
        ("a misspelt and an unknown name", r#"{"Value":0,"m1":0}"#.into(), r#"{"val\u0075":0,"m2":0}"#.into(), true),
        ("unknown names with backquotes", reading("1", r#","`m1`":0"#), reading("1", r#","`m2`":0"#), true),
        ("values of other sizes", reading("[[1]]", r#","m1":{}"#), reading("[{},[]]", r#","m2":[1,2]"#), true),
        ("very long names", reading("1", &long("x")), reading("1", &long("y")), false),
        ("more names than are listed", reading("1", &many(1)), reading("1", &many(21)), true),
        ("large values", reading(&nested(10), ""), reading(&nested(10), ""), true),
    ];
    let catalog = Catalog::bundled().unwrap();
    for (name, first, second, expected) in rows {
        let mut validator = Validator::new(&catalog, None, reference("reading/1.0"));
        let known = are_known(&mut validator, &[first.clone(), first.clone(), second.clone()]);
        assert_eq!(known, [false, false, expected], "{name}");
        let mut plain = Validator::new(&catalog, None, reference("reading/1.0")).without_known_rejections();
        assert_eq!(are_known(&mut plain, &[first, second]), [false, false], "{name}, turned off");
    }
}

#[test]
fn the_outcome_of_each_keyword_tells_records_apart() {
    // The schema of the value, two values that fail alike, and one that fails otherwise.
    let rows = [
        (json!({"pattern": "^[a-z]+$", "minLength": 2}), ["\"AB\"", "\"123\"", "\"A\""]),
        (json!({"format": "email", "maxLength": 3}), ["\"abc\"", "\"x\"", "\"abcd\""]),
        (json!({"multipleOf": 2, "maximum": 10}), ["3", "5", "13"]),
        (json!({"minimum": 5, "exclusiveMaximum": 9_007_199_254_740_993_u64}), ["3", "4", "9007199254740993"]),
        (json!({"maximum": 10, "type": "string"}), ["9007199254740995", "9007199254740999", "3"]),
        (json!({"enum": ["a", {"b": 1}], "type": "string"}), ["\"x\"", "\"y\"", "{\"b\":1.0}"]),
        (json!({"const": [1], "maxItems": 2}), ["[2,1]", "[3,1]", "[1,2,3]"]),
        (json!({"type": "integer"}), ["1.5", "2.5", "\"1\""]),
        (json!({"type": "string", "format": "date-time"}), ["1740744000", "1740744001", "1740744000000"]),
        (json!({"format": "date-time"}), ["\"2025-02-28\"", "\"2024-01-01\"", "\"28.02.2025\""]),
        (json!({"uniqueItems": true, "items": {"minimum": 0}}), ["[1,1]", "[2,2]", "[-1,1]"]),
        (json!({"type": "object", "required": ["a", "b"]}), ["{\"a\":1}", "{\"a\":[]}", "{\"b\":1}"]),
    ];
    for (schema, values) in rows {
        let catalog = probe(&schema);
        let mut validator = Validator::new(&catalog, None, reference("t/1.0"));
        let records = values.map(|value| format!(r#"{{"id":"a","at":"2025-02-28T12:00:00Z","v":{value}}}"#));
        assert_eq!(are_known(&mut validator, &records[..1]), [false], "{schema}");
        assert_eq!(are_known(&mut validator, &records), [false, true, false], "{schema}");
    }
}

#[test]
fn records_without_a_signature_are_known_by_their_texts_from_the_third_on() {
    let of_value = |value: &str| format!(r#"{{"id":"a","at":"2025-02-28T12:00:00Z","v":{value}}}"#);
    let large = format!("[{}]", vec!["1"; 200].join(","));
    // The schema of the value, a value or record, and one that fails with other texts.
    let rows = [
        ("anyOf", json!({"anyOf": [{"type": "string"}, {"type": "null"}]}), of_value("1"), of_value("true")),
        ("not", json!({"not": {"type": "number"}}), of_value("1"), "[".into()),
        ("$ref", json!({"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}}), of_value("1"), of_value("[]")),
        (
            "a schema of other members",
            json!({"additionalProperties": {"type": "null"}}),
            of_value(r#"{"x":1}"#),
            of_value(r#"{"y":1}"#),
        ),
        ("false", json!(false), of_value("1"), "[".into()),
        ("a large record", json!({"type": "string"}), of_value(&large), of_value("1")),
        ("no JSON", json!({}), of_value("NaN"), of_value("1.")),
        ("an unknown schema", json!({}), r#"{"schema":"x/1.0"}"#.into(), r#"{"schema":"y/1.0"}"#.into()),
        ("a time that is none", json!({}), r#"{"id":"a","at":"2025"}"#.into(), r#"{"id":"a","at":true}"#.into()),
    ];
    for (name, schema, record, other) in rows {
        let catalog = probe(&schema);
        let mut validator = Validator::new(&catalog, None, reference("t/1.0"));
        let records = [record.clone(), other.clone(), record.clone(), record.clone(), other];
        let [first, _, second, third, _] = *are_known(&mut validator, &records) else { panic!("{name}") };
        assert_eq!([first, second, third], [false, false, true], "{name}");
        let (failures, third) = (failures_of(&mut validator, &record), failures_of(&mut validator, &record));
        let mut plain = Validator::new(&catalog, None, reference("t/1.0")).without_known_rejections();
        assert_eq!([&failures, &third], [&failures_of(&mut plain, &record); 2], "{name}");
    }
}

fn failures_of(validator: &mut Validator<'_>, record: &str) -> Vec<Failure> {
    let Verdict::Rejected { failures, .. } = validator.check(record.as_bytes()) else { panic!("{record}") };
    failures.into_vec()
}

#[test]
fn kinds_stay_known_when_hundreds_come_in_turn() {
    let catalog = Catalog::bundled().unwrap();
    let mut validator = Validator::new(&catalog, None, reference("reading/1.0"));
    let kinds: Vec<String> = (0..300).map(of_kind).collect();
    assert!(are_known(&mut validator, &kinds).iter().all(|known| !known));
    assert!(are_known(&mut validator, &kinds).iter().all(|known| !known));
    for turn in 1..4 {
        let known = are_known(&mut validator, &kinds);
        assert_eq!(known.iter().filter(|known| !**known).count(), 0, "turn {turn}");
        // Thousands of kinds that come once each do not make them unknown.
        let others: Vec<String> = (1_000 * turn..1_000 * (turn + 1)).map(of_kind).collect();
        assert!(are_known(&mut validator, &others).iter().all(|known| !known), "turn {turn}");
    }
}

/// Returns a record that fails unlike those of other numbers.
fn of_kind(number: usize) -> String {
    let values = ["null", "true", "false", "[]", "{}", "1", "1.5", "\"x\"", "\"1\"", "\"1,5\""];
    let (value, time) = (values[number % 10], values[number / 10 % 7]);
    let unknown = (0..number / 70).map(|member| format!(r#","m{member}":0"#)).collect::<String>();
    format!(r#"{{"value":{value},"timestamp":{time}{unknown}}}"#)
}

#[test]
fn kinds_that_differ_in_the_place_in_the_schema_only_stay_known_in_turn() {
    let branch = |value: &str| json!({ "if": { "const": value }, "then": { "type": "number" } });
    let catalog = probe(&json!({ "allOf": [branch("x"), branch("y")] }));
    let mut validator = Validator::new(&catalog, None, reference("t/1.0"));
    let record = |value: &str| format!(r#"{{"id":"d","at":"2025-02-28T12:00:00Z","n":1,"v":"{value}"}}"#);
    let turn = [record("x"), record("y")];
    (0..2).for_each(|_| drop(are_known(&mut validator, &turn)));
    assert_eq!(are_known(&mut validator, &turn), [true, true]);
}
