//! Random bundles of schemas, most of them with programs.

use fastrand::Rng;
use serde_json::{Map, Value, json};

/// Names of members, some of which a text may write with escapes.
const NAMES: [&str; 12] = ["a", "b", "unit", "long name of a member", "é", "a/b", "~", "*", "q\"q", "", "place", "on"];

/// The files of a bundle, by their paths.
pub type Files = Vec<(String, Value)>;

/// Returns a bundle of one to four schemas.
pub fn bundle(rng: &mut Rng) -> Files {
    let mut files = Files::new();
    for name in ["alpha/1.0", "alpha/1.1", "alpha/2.0", "beta/1.0"] {
        if files.is_empty() || rng.u8(..3) > 0 {
            files.push((format!("{name}.json"), record(rng, &files)));
        }
    }
    files
}

/// Returns the schema of a record.
fn record(rng: &mut Rng, others: &Files) -> Value {
    let mut members = Map::new();
    let mut paths = Paths::default();
    match rng.u8(..8) {
        0..4 => paths.add_to(&mut members, rng, "", true),
        4 => {
            let mut inner = Map::new();
            paths.add_to(&mut inner, rng, "/in", true);
            members.insert("in".into(), object(rng, inner, &["id", "at"]));
        }
        _ => {
            let mut element = Map::new();
            paths.add_to(&mut members, rng, "", false);
            paths.add_to(&mut element, rng, "/rows/*", true);
            let element = object(rng, element, &["id", "at", "v0"]);
            let mut rows =
                json!({ "type": any_of(rng, &[json!("array"), json!(["array", "null"])]), "items": element });
            add_limits(rng, &mut rows, "minItems", "maxItems", 4);
            members.insert("rows".into(), rows);
        }
    }
    if rng.u8(..8) > 0 {
        let plain = json!({"type": "string"});
        let listed = json!({"enum": ["alpha/1.0", "beta/1.7", 1]});
        let dated = json!({"type": ["string", "null"], "format": "date-time"});
        let named = [plain.clone(), plain.clone(), plain, json!({"type": "string", "minLength": 3}), listed, dated];
        members.insert("schema".into(), any_of(rng, &named));
    }
    for _ in 0..rng.usize(..4) {
        members.insert(any_of(rng, &NAMES).to_owned(), value(rng, 0, others));
    }
    let mut schema = object(rng, members, &["id", "at", "rows", "in"]);
    let Paths { entity, time, measures } = paths;
    schema["x-eventpulse"] = json!({ "entity": entity, "time": time, "measures": measures });
    schema["$defs"] =
        json!({ "text": { "type": "string", "maxLength": 5 }, "item": { "$ref": "#/$defs/text", "title": "a text" } });
    schema
}

/// The annotation of a schema, as its members are made.
#[derive(Default)]
struct Paths {
    entity: Option<String>,
    time: Option<String>,
    measures: Map<String, Value>,
}

impl Paths {
    /// Adds members with roles below a pointer. The last call completes the annotation.
    fn add_to(&mut self, members: &mut Map<String, Value>, rng: &mut Rng, at: &str, is_last: bool) {
        if self.entity.is_none() && (is_last || rng.u8(..3) > 0) {
            let entities = [
                json!({"type": "string", "minLength": 1, "maxLength": 256}),
                json!({"type": "string"}),
                json!({"type": "integer"}),
                json!({"type": ["string", "integer", "null"]}),
                json!({"type": "string", "pattern": "^[a-z0-9é]+$"}),
            ];
            members.insert("id".into(), any_of(rng, &entities));
            self.entity = Some(format!("{at}/id"));
        }
        if self.time.is_none() && (is_last || rng.bool()) {
            let times = [
                json!({"type": "string", "format": "date-time"}),
                json!({"type": "string", "format": "date-time"}),
                json!({"type": ["string", "null"], "format": "date-time"}),
                json!({"type": "string"}),
                json!({"type": "string", "format": "date-time", "maxLength": 21}),
            ];
            members.insert("at".into(), any_of(rng, &times));
            self.time = Some(format!("{at}/at"));
        }
        // A measure beside neither entity nor time is in the scope of both only further in.
        for index in 0..rng.usize(usize::from(is_last)..4) * usize::from(self.entity.is_some() && self.time.is_some()) {
            let member = format!("v{index}");
            self.measures.insert(format!("{member} at {}", at.len()), format!("{at}/{member}").into());
            members.insert(member, measure(rng));
        }
    }
}

fn measure(rng: &mut Rng) -> Value {
    let types =
        [json!("number"), json!("number"), json!(["number", "null"]), json!("integer"), json!(["number", "string"])];
    let mut measure = json!({ "type": any_of(rng, &types) });
    add_bounds(rng, &mut measure);
    measure
}

/// Returns the schema of any value.
fn value(rng: &mut Rng, depth: usize, others: &Files) -> Value {
    let mut schema = match if rng.u8(..60) == 0 { 19 } else { rng.u8(..if depth < 3 { 19 } else { 14 }) } {
        0..3 => json!({"type": "string"}),
        3 => json!({"enum": ["sun", "rain", "é", "a\"b", null, 5, true]}),
        4 => json!({"type": "string", "enum": ["sun", null]}),
        5 => json!({"const": "only"}),
        6 => json!({"type": "string", "pattern": any_of(rng, &["^[a-z]{1,4}$", "\\d", "^(é|x)+$", "^\\p{L}*$"])}),
        7 => json!({"type": ["string", "null"], "format": "date-time"}),
        8 => json!({"type": ["number", "string", "null", "boolean"]}),
        9 => json!({"type": any_of(rng, &["number", "integer"])}),
        10 => json!({"type": "boolean"}),
        11 => json!({"type": "null"}),
        12 => json!({}),
        13 => reference(rng, others),
        14..17 => {
            let members = (0..rng.usize(..5)).map(|_| (any_of(rng, &NAMES).to_owned(), value(rng, depth + 1, others)));
            let members = members.collect();
            object(rng, members, &[])
        }
        17..19 => {
            let mut array = json!({"type": "array", "items": value(rng, depth + 1, others)});
            add_limits(rng, &mut array, "minItems", "maxItems", 3);
            array
        }
        // Without a program.
        _ => {
            any_of(rng, &[json!({"type": "number", "multipleOf": 0.5}), json!({"not": {"type": "null"}}), json!(true)])
        }
    };
    if schema.get("type").is_some_and(|of| of == "string") && rng.bool() {
        add_limits(rng, &mut schema, "minLength", "maxLength", 6);
    }
    if schema.get("type").is_some_and(|of| of == "number" || of == "integer") {
        add_bounds(rng, &mut schema);
    }
    if let (Value::Object(keywords), 0) = (&mut schema, rng.u8(..5)) {
        keywords.insert("description".into(), "described".into());
        keywords.insert("x-unit".into(), "K".into());
    }
    schema
}

fn reference(rng: &mut Rng, others: &Files) -> Value {
    let other = others.first().map(|(path, _)| format!("eventpulse:/{}#/$defs/text", path.trim_end_matches(".json")));
    json!({ "$ref": other.filter(|_| rng.bool()).unwrap_or_else(|| "#/$defs/item".to_owned()), "title": "referred to" })
}

/// Returns the schema of an object with these members, of which the named ones are usually required.
fn object(rng: &mut Rng, members: Map<String, Value>, usual: &[&str]) -> Value {
    let required: Vec<&String> =
        members.keys().filter(|name| rng.u8(..8) < if usual.contains(&name.as_str()) { 7 } else { 2 }).collect();
    let mut object = json!({ "type": "object", "required": required });
    if rng.u8(..4) > 0 {
        object["additionalProperties"] = rng.bool().into();
    }
    object["properties"] = members.into();
    object
}

fn add_limits(rng: &mut Rng, schema: &mut Value, min: &str, max: &str, most: u64) {
    if rng.bool() {
        schema[min] = rng.u64(..2).into();
    }
    if rng.bool() {
        schema[max] = rng.u64(1..=most).into();
    }
}

fn add_bounds(rng: &mut Rng, schema: &mut Value) {
    let lower = [json!(0), json!(-273.15), json!(-1e3), json!(1), json!(-0.0), json!(-9_007_199_254_740_992_i64)];
    let upper = [json!(100), json!(1e3), json!(0.5), json!(9_007_199_254_740_991_i64), json!(u64::MAX), json!(1e300)];
    for (keyword, bounds) in
        [("minimum", &lower), ("exclusiveMinimum", &lower), ("maximum", &upper), ("exclusiveMaximum", &upper)]
    {
        if rng.u8(..6) == 0 {
            schema[keyword] = any_of(rng, bounds);
        }
    }
}

/// Returns any of some values.
pub fn any_of<T: Clone>(rng: &mut Rng, values: &[T]) -> T {
    values[rng.usize(..values.len())].clone()
}
