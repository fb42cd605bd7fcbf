//! Random records: most of them conform to their schema, the others nearly.

use fastrand::Rng;
use serde_json::Value;

use crate::schemas::{Files, any_of};

/// A value of a record, before it is written.
#[derive(Clone)]
pub enum Node {
    /// A text of JSON, as it is.
    Raw(String),
    Text(String),
    Array(Vec<Node>),
    /// Names may be repeated.
    Object(Vec<(String, Node)>),
}

const NUMBERS: [&str; 30] = [
    "0",
    "1",
    "-1",
    "22.5",
    "22.50",
    "-0",
    "-0.0",
    "0.0",
    "1.0",
    "1e2",
    "1E+2",
    "2e-3",
    "99.99",
    "1234567",
    "12345678",
    "1234567.1234567",
    "0.12345678",
    "0.1000000000000000055511151231257827",
    "9007199254740991",
    "9007199254740993",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775809",
    "1e22",
    "1.7976931348623157e308",
    "5e-324",
    "1e-400",
    "-273.15",
    "100",
    "0.5",
];
const NO_NUMBERS: [&str; 9] = ["01", "1.", ".5", "+1", "1e", "1e400", "-", "NaN", "1_000"];
const TIMES: [&str; 17] = [
    "2025-02-28T12:00:00Z",
    "2025-02-28T12:00:01Z",
    "2024-02-29T23:59:59Z",
    "2025-02-28T12:00:00.5Z",
    "2025-02-28T12:00:00.123456Z",
    "2025-02-28T12:00:00.1234567Z",
    "2025-02-28T12:00:00.123456789Z",
    "2025-02-28t12:00:00z",
    "2025-02-28T12:00:00+01:00",
    "2016-12-31T23:59:60Z",
    "2017-01-01T00:59:60+01:00",
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59.9999999Z",
    "1969-12-31T23:59:59Z",
    "2025-02-28T00:00:00-23:59",
    "2025-12-31T23:59:59Z",
    "2025-02-28T12:30:00Z",
];
const NO_TIMES: [&str; 8] = [
    "2025-02-29T12:00:00Z",
    "2025-02-28T24:00:00Z",
    "2025-02-28 12:00:00Z",
    "2025-02-28T12:00:60Z",
    "2025-13-01T00:00:00Z",
    "2025-02-28T12:00:00",
    "0000-01-01T00:00:00+00:01",
    "",
];
const TEXTS: [&str; 16] = [
    "a",
    "12345",
    "device-1",
    "é",
    "x",
    "sun",
    "rain",
    "only",
    "a\"b",
    "b\\",
    "\u{1}",
    "\u{7f}",
    "\u{10ffff}",
    "",
    "abcd",
    "line\nfeed",
];
const SCHEMAS: [&str; 12] = [
    "alpha/1.0",
    "alpha/1.7",
    "alpha/2.0",
    "beta/1.0",
    "beta/1.7",
    "alpha/3.0",
    "gamma/1.0",
    "alpha",
    "",
    "alpha/1.0 ",
    "alpha/01.0",
    "Alpha/1.0",
];

/// Returns a record of the schema with this path.
pub fn record(rng: &mut Rng, files: &Files, path: &str) -> Node {
    let Some((_, schema)) = files.iter().find(|(known, _)| known == path) else { return Node::Raw("{}".into()) };
    let mut record = instance(rng, schema, schema, files);
    if let Node::Object(members) = &mut record {
        if let Some((_, value)) = members.iter_mut().find(|(name, _)| name == "schema") {
            let own = path.trim_end_matches(".json").to_owned();
            *value = Node::Text(if rng.u8(..20) > 0 { own } else { any_of(rng, &SCHEMAS).into() });
        }
        let missing = |name: &str| !members.iter().any(|(known, _)| known == name);
        if missing("schema") && rng.u8(..20) == 0 {
            members.push(("schema".into(), Node::Text(any_of(rng, &SCHEMAS).into())));
        }
    }
    if rng.u8(..6) == 0 {
        mutate(rng, &mut record);
    }
    record
}

/// Returns a value that probably conforms to a schema of `file`.
fn instance(rng: &mut Rng, schema: &Value, file: &Value, files: &Files) -> Node {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let (id, pointer) = reference.split_once('#').unwrap_or_default();
        let name = id.trim_start_matches("eventpulse:/");
        let other = files.iter().find(|(path, _)| path.trim_end_matches(".json") == name).map(|(_, file)| file);
        let file = other.unwrap_or(file);
        return file.pointer(pointer).map_or(Node::Raw("null".into()), |schema| instance(rng, schema, file, files));
    }
    if let Some(options) = schema.get("enum").and_then(Value::as_array) {
        return node(&any_of(rng, options));
    }
    if let Some(only) = schema.get("const") {
        return node(only);
    }
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => vec!["string", "number", "null"],
    };
    // The first type is the usual one.
    let of = if rng.u8(..4) > 0 { types[0] } else { any_of(rng, &types) };
    // A few tries usually find a value within the bounds.
    let scalar = |rng: &mut Rng| match of {
        "string" if schema.get("format").is_some() => Node::Text(time(rng)),
        "string" => Node::Text(text(rng, schema.get("pattern").and_then(Value::as_str))),
        "number" => Node::Raw(number(rng)),
        "integer" => Node::Raw(if rng.u8(..4) > 0 { rng.i32(-10..200).to_string() } else { number(rng) }),
        "boolean" => Node::Raw(rng.bool().to_string()),
        _ => Node::Raw("null".into()),
    };
    match of {
        "object" => {
            let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
            let members = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
            let is_there = |name: &String, rng: &mut Rng| {
                rng.u8(..if required.contains(&name.as_str().into()) { 100 } else { 4 }) > 0
            };
            let members: Vec<_> = members.filter(|(name, _)| is_there(name, rng)).collect();
            Node::Object(
                members.into_iter().map(|(name, inner)| (name.clone(), instance(rng, inner, file, files))).collect(),
            )
        }
        "array" => {
            let items = schema.get("items").cloned().unwrap_or_default();
            let limit = |name: &str, none: u64| schema.get(name).and_then(Value::as_u64).unwrap_or(none) as usize;
            let (min, max) = (limit("minItems", 0), limit("maxItems", 4));
            let count = if rng.u8(..32) == 0 { rng.usize(..5) } else { rng.usize(min..=max.max(min)) };
            Node::Array((0..count).map(|_| instance(rng, &items, file, files)).collect())
        }
        _ => (0..6).map(|_| scalar(rng)).find(|node| fits(schema, node)).unwrap_or_else(|| scalar(rng)),
    }
}

/// Returns whether a value is within the bounds of a schema.
fn fits(schema: &Value, node: &Node) -> bool {
    let limit = |name: &str, none: f64| schema.get(name).and_then(Value::as_f64).unwrap_or(none);
    let is_within = |value: f64, min: &str, max: &str| value >= limit(min, f64::MIN) && value <= limit(max, f64::MAX);
    match node {
        Node::Raw(raw) => raw.parse().is_ok_and(|number: f64| {
            is_within(number, "minimum", "maximum")
                && number > limit("exclusiveMinimum", f64::NEG_INFINITY)
                && number < limit("exclusiveMaximum", f64::INFINITY)
        }),
        Node::Text(text) => is_within(text.chars().count() as f64, "minLength", "maxLength"),
        Node::Array(_) | Node::Object(_) => true,
    }
}

fn node(value: &Value) -> Node {
    match value {
        Value::String(text) => Node::Text(text.clone()),
        other => Node::Raw(other.to_string()),
    }
}

fn number(rng: &mut Rng) -> String {
    match rng.u8(..8) {
        0..3 => format!("{}", f64::from(rng.i32(-10_000..100_000)) / 100.0),
        3 => format!("{:?}", rng.f64() * 100.0),
        4 => format!("{:e}", f64::from_bits(rng.u64(..))).replace("inf", "1").replace("NaN", "2"),
        _ => any_of(rng, &NUMBERS).to_owned(),
    }
}

fn time(rng: &mut Rng) -> String {
    match rng.u8(..16) * u8::from(rng.u8(..4) > 0) {
        0..10 => format!("2025-02-{:02}T{:02}:{:02}:00Z", rng.u8(1..29), rng.u8(..24), rng.u8(..60)),
        10..15 => any_of(rng, &TIMES).to_owned(),
        _ => any_of(rng, &NO_TIMES).to_owned(),
    }
}

/// Returns a text, which probably matches one of the patterns of [`crate::schemas`].
fn text(rng: &mut Rng, pattern: Option<&str>) -> String {
    match (rng.u8(..), pattern) {
        (0..200, Some("\\d")) => rng.u16(..).to_string(),
        (0..200, Some("^(é|x)+$")) => any_of(rng, &["é", "xé", "x"]).to_owned(),
        (0..200, _) => {
            any_of(rng, &["a", "abc", "12345", "d1", "é", "x"][..if pattern.is_some() { 2 } else { 6 }]).to_owned()
        }
        (200..245, _) => any_of(rng, &TEXTS).to_owned(),
        (245, _) => "x".repeat(rng.usize(1_000..1_100)),
        (246, _) => "é".repeat(rng.usize(500..520)),
        (247..250, _) => time(rng),
        _ => (0..rng.usize(..80)).map(|_| rng.char('\u{20}'..'\u{2ff}')).collect(),
    }
}

/// Changes one value somewhere in a record.
fn mutate(rng: &mut Rng, node: &mut Node) {
    match node {
        Node::Object(members) if !members.is_empty() && rng.u8(..4) > 0 => {
            let at = rng.usize(..members.len());
            match rng.u8(..12) {
                0 => drop(members.remove(at)),
                1 => members.push(members[at].clone()),
                2 => members.push((members[at].0.clone(), Node::Raw(number(rng)))),
                3 => members[at].0 = any_of(rng, &["a", "b", "V0", "id ", "at", "schema", "v0"]).to_owned(),
                4 => members.push(("stranger".into(), junk(rng))),
                _ => mutate(rng, &mut members[at].1),
            }
        }
        Node::Array(elements) if !elements.is_empty() && rng.u8(..4) > 0 => {
            let at = rng.usize(..elements.len());
            mutate(rng, &mut elements[at]);
        }
        other => *other = junk(rng),
    }
}

fn junk(rng: &mut Rng) -> Node {
    match rng.u8(..9) {
        0 => Node::Raw(any_of(rng, &NO_NUMBERS).into()),
        1 => Node::Raw(any_of(rng, &["null", "true", "false", "nul", "TRUE", ""]).into()),
        2 => Node::Raw(any_of(rng, &["\"\\ud800\"", "\"\\x\"", "\"open", "\"\\u00e9\"", "\"tab\t\""]).into()),
        3 => Node::Raw(number(rng)),
        4 => Node::Text(time(rng)),
        5 => Node::Text(text(rng, None)),
        6 => Node::Array(vec![Node::Raw(number(rng))]),
        7 => Node::Object(Vec::new()),
        _ => Node::Raw("[".repeat(70) + &"]".repeat(70)),
    }
}
