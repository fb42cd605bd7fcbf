//! What a schema file must be, and the words for what it is not.

use serde_json::{Value, json};

use super::*;

/// A schema that is right, changed at `pointer`; null takes the member away.
fn changed(pointer: &str, value: Value) -> String {
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "eventpulse:/good/1.0",
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "at": {"$ref": "#/$defs/time"},
            "list": {"type": "array", "items": {"properties": {"at": {"$ref": "#/$defs/time"}, "n": {"type": "number"}}}},
            "n": {"type": ["number", "null"]}
        },
        "$defs": {"time": {"type": "string", "format": "date-time"}},
        "x-eventpulse": {"entity": "/id", "time": "/at", "measures": {"n": "/n"}}
    });
    let (parent, name) = pointer.rsplit_once('/').unwrap_or_default();
    match schema.pointer_mut(parent).and_then(Value::as_object_mut) {
        Some(members) if value.is_null() => drop(members.remove(name)),
        Some(members) => drop(members.insert(name.to_owned(), value)),
        None => {}
    }
    schema.to_string()
}

fn problems(files: &[(&str, &str)]) -> Vec<String> {
    Catalog::compile(files).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

#[test]
fn schema_ids_parse_and_serialize() {
    let longest = format!("{}/0.0", "a".repeat(64));
    let too_long = format!("a{longest}");
    let rows = [
        ("reading/1.0", true),
        ("a-b_c9/4294967295.10", true),
        (&longest, true),
        (&too_long, false),
        ("", false),
        ("reading", false),
        ("reading/1", false),
        ("reading/1.0.0", false),
        ("reading/01.0", false),
        ("reading/1.-0", false),
        ("reading/+1.0", false),
        ("reading/1.4294967296", false),
        ("reading/1.", false),
        ("/1.0", false),
        ("Reading/1.0", false),
        ("9reading/1.0", false),
        ("a/b/1.0", false),
        ("réading/1.0", false),
        ("reading /1.0", false),
        (" reading/1.0", false),
    ];
    for (text, good) in rows {
        assert_eq!(SchemaId::parse(text).map(|id| id.to_string()).ok(), good.then(|| text.to_owned()), "{text:?}");
        assert_eq!(text.parse::<SchemaRef>().is_ok(), good, "{text:?}");
        let quoted = serde_json::to_string(text).unwrap();
        assert_eq!(serde_json::from_str::<SchemaId>(&quoted).is_ok(), good, "{text:?}");
        assert_eq!(
            serde_json::from_str::<SchemaRef>(&quoted).ok().map(|id| serde_json::to_string(&id).unwrap()),
            good.then_some(quoted),
            "{text:?}"
        );
    }
}

#[test]
fn bundled_schemas_accept_their_examples() {
    use crate::intake::validation::{Validator, Verdict};
    let catalog = Catalog::bundled().unwrap();
    let ids: Vec<String> = catalog.ids().map(ToString::to_string).collect();
    for name in ["batch/1.0", "reading/1.0", "weather/1.0"] {
        assert!(ids.contains(&name.to_owned()), "{ids:?}");
    }
    for id in catalog.ids() {
        let examples = catalog
            .schema(id)
            .unwrap()
            .get("examples")
            .and_then(Value::as_array)
            .unwrap_or_else(|| panic!("{id} has no examples"));
        assert!(catalog.measures(id).count() > 0);
        for example in examples {
            let mut count = 0;
            match Validator::new(&catalog, None, id.clone().into()).check(example.to_string().as_bytes()) {
                Verdict::Accepted { points, .. } => points.for_each(|_| count += 1),
                rejected => panic!("{id}: {rejected:?}"),
            }
            assert!(count > 0, "{id}");
        }
    }
}

#[test]
fn bundled_schemas_pass_every_check_for_the_representation_of_records() {
    let compiled = Catalog::compile(BUNDLED).unwrap();
    let bundled = Catalog::bundled().unwrap();
    assert_eq!(compiled.ids().collect::<Vec<_>>(), bundled.ids().collect::<Vec<_>>());
}

#[test]
fn a_validator_is_compiled_for_the_first_record_that_its_program_does_not_accept() {
    use crate::intake::validation::Validator;
    let catalog = Catalog::bundled().unwrap();
    let default = SchemaRef::parse("reading/1.0").unwrap();
    let mut validator = Validator::new(&catalog, None, default);
    let accepted = r#"{"device_id":"a","timestamp":"2025-02-28T12:00:00Z","value":1}"#;
    let escaped = r#"{"device_id":"\u0061","timestamp":"2025-02-28T12:00:00Z","value":1}"#;
    let compiled = || catalog.schemas.iter().filter(|one| one.has_validator()).map(|one| one.id.to_string());
    let rows: [(&str, &str, &[&str]); 4] = [
        ("accepted by the program", accepted, &[]),
        ("not JSON", "{", &[]),
        ("with an escape", escaped, &["reading/1.0"]),
        ("rejected", r#"{"schema":"weather/1.0"}"#, &["reading/1.0", "weather/1.0"]),
    ];
    for (name, record, expected) in rows {
        validator.check(record.as_bytes());
        assert_eq!(compiled().collect::<Vec<_>>(), expected, "{name}");
    }
}

#[test]
fn the_highest_minor_version_applies() {
    let schema = changed("/$id", Value::Null);
    let paths = ["good/1.0.json", "good/1.10.json", "good/1.9.json", "good/2.0.json", "goods/1.99.json"];
    let files: Vec<(&str, &str)> = paths.iter().map(|path| (*path, schema.as_str())).collect();
    let catalog = Catalog::compile(&files).unwrap();
    let rows = [
        ("good/1.0", Some("good/1.10")),
        ("good/1.77", Some("good/1.10")),
        ("good/2.5", Some("good/2.0")),
        ("good/3.0", None),
        ("bad/1.0", None),
    ];
    for (wanted, applied) in rows {
        let found = catalog.applied(&SchemaRef::parse(wanted).unwrap()).map(ToString::to_string);
        assert_eq!(found.as_deref(), applied, "{wanted}");
    }
}

#[test]
fn a_schema_refers_to_another_one() {
    let other = changed("/properties/at", json!({"$ref": "eventpulse:/base/1.0#/$defs/time"}))
        .replace("eventpulse:/good", "eventpulse:/other");
    let base = changed("/$id", json!("eventpulse:/base/1.0"));
    let catalog = Catalog::compile(&[("base/1.0.json", &base), ("other/1.0.json", &other)]).unwrap();
    let mut validator =
        crate::intake::validation::Validator::new(&catalog, None, SchemaRef::parse("other/1.0").unwrap());
    let record = br#"{"id":"a","at":"never","n":1}"#;
    let verdict = validator.check(record);
    let crate::intake::validation::Verdict::Rejected { failures, .. } = verdict else { panic!("{verdict:?}") };
    let [failure] = &*failures else { panic!("{failures:?}") };
    assert_eq!(failure.schema_pointer.as_deref(), Some("eventpulse:/base/1.0#/$defs/time/format"));
}

#[test]
fn problems_have_file_and_pointer() {
    let at = |pointer: &str, value: Value| changed(pointer, value);
    let measure = |path: &str| changed("/x-eventpulse/measures", json!({"n": path}));
    // name, text, the beginning of the problem
    let rows: &[(&str, String, &str)] = &[
        (
            "not JSON",
            "{\"type\": \"object\",\n}".into(),
            "schemas/good/1.0.json: is not JSON: trailing comma at line 2 column 1",
        ),
        ("no object", "true".into(), "schemas/good/1.0.json: must be an object"),
        (
            "other dialect",
            at("/$schema", json!("http://json-schema.org/draft-07/schema#")),
            "schemas/good/1.0.json at /$schema: must be \"https://json-schema.org/draft/2020-12/schema\"",
        ),
        (
            "other id",
            at("/$id", json!("eventpulse:/good/1.1")),
            "schemas/good/1.0.json at /$id: must be \"eventpulse:/good/1.0\", or be left out",
        ),
        ("unknown type", at("/properties/n/type", json!("numbr")), "schemas/good/1.0.json at /properties/n/type: "),
        (
            "misspelt keyword",
            at("/properties/list/items/requird", json!(["n"])),
            "schemas/good/1.0.json at /properties/list/items/requird: `requird` is no keyword of JSON Schema 2020-12 (did you mean `required`?)",
        ),
        (
            "keyword of another draft",
            at("/definitions", json!({})),
            "schemas/good/1.0.json at /definitions: `definitions` is no keyword",
        ),
        ("bad pattern", at("/properties/id/pattern", json!("(")), "schemas/good/1.0.json at /properties/id/pattern: "),
        (
            "pattern that looks around",
            at("/properties/id/pattern", json!("(?=a)b")),
            "schemas/good/1.0.json at /properties/id/pattern: ",
        ),
        ("unknown format", at("/properties/id/format", json!("date-tme")), "schemas/good/1.0.json at "),
        (
            "annotation inside",
            at("/properties/x-eventpulse", json!({"x-eventpulse": {}})),
            "schemas/good/1.0.json at /properties/x-eventpulse/x-eventpulse: `x-eventpulse` belongs at the root",
        ),
        (
            "id inside",
            at("/properties/id/$id", json!("x")),
            "schemas/good/1.0.json at /properties/id/$id: `$id` belongs at the root",
        ),
        (
            "reference to the web",
            at("/properties/n", json!({"$ref": "https://example.com/n"})),
            "schemas/good/1.0.json at /properties/n/$ref: a reference stays within the bundle",
        ),
        (
            "reference to a file",
            at("/properties/n", json!({"$ref": "../n.json"})),
            "schemas/good/1.0.json at /properties/n/$ref: a reference stays within the bundle",
        ),
        (
            "reference to nothing",
            at("/properties/at/$ref", json!("#/$defs/tme")),
            "schemas/good/1.0.json at /properties/at/$ref: nothing is at `/$defs/tme` of schemas/good/1.0.json",
        ),
        (
            "reference to no file",
            at("/properties/at/$ref", json!("eventpulse:/god/1.0")),
            "schemas/good/1.0.json at /properties/at/$ref: there is no schema `eventpulse:/god/1.0` in the bundle (did you mean `eventpulse:/good/1.0`?)",
        ),
        ("reference to no anchor", at("/properties/at/$ref", json!("#nowhere")), "schemas/good/1.0.json"),
        (
            "unannotated",
            at("/x-eventpulse", Value::Null),
            "schemas/good/1.0.json: has no `x-eventpulse` annotation, such as {\"entity\"",
        ),
        (
            "annotation is no object",
            at("/x-eventpulse", json!("/id")),
            "schemas/good/1.0.json at /x-eventpulse: must be an object",
        ),
        (
            "unknown part",
            at("/x-eventpulse/measure", json!({})),
            "schemas/good/1.0.json at /x-eventpulse/measure: `measure` is not part of the annotation (did you mean `measures`?)",
        ),
        (
            "no entity",
            at("/x-eventpulse/entity", Value::Null),
            "schemas/good/1.0.json at /x-eventpulse/entity: is missing",
        ),
        (
            "time is no string",
            at("/x-eventpulse/time", json!(["/at"])),
            "schemas/good/1.0.json at /x-eventpulse/time: must be a string",
        ),
        (
            "no measures",
            at("/x-eventpulse/measures", json!({})),
            "schemas/good/1.0.json at /x-eventpulse/measures: must name at least one",
        ),
        (
            "a measure without a name",
            at("/x-eventpulse/measures", json!({"": "/n"})),
            "schemas/good/1.0.json at /x-eventpulse/measures: a measure needs a name",
        ),
        ("path without a slash", measure("n"), "schemas/good/1.0.json at /x-eventpulse/measures/n: must begin with /"),
        (
            "path with a bad escape",
            measure("/n~2"),
            "schemas/good/1.0.json at /x-eventpulse/measures/n: is no JSON Pointer",
        ),
        (
            "path to nowhere",
            measure("/m"),
            "schemas/good/1.0.json at /x-eventpulse/measures/n: the schema declares no member `m` here",
        ),
        (
            "misspelt path",
            at("/x-eventpulse/time", json!("/list/*/att")),
            "schemas/good/1.0.json at /x-eventpulse/time: steps over an array",
        ),
        (
            "path over no array",
            measure("/n/*"),
            "schemas/good/1.0.json at /x-eventpulse/measures/n: the schema declares no `items`",
        ),
        (
            "measure that is a string",
            measure("/id"),
            "schemas/good/1.0.json at /x-eventpulse/measures/n: the schema does not let this be of type number or integer",
        ),
        (
            "time that is a number",
            at("/x-eventpulse/time", json!("/n")),
            "schemas/good/1.0.json at /x-eventpulse/time: the schema does not let this be of type string",
        ),
        (
            "other arrays",
            at("/x-eventpulse", json!({"entity": "/id", "time": "/list/*/at", "measures": {"n": "/n"}})),
            "schemas/good/1.0.json at /x-eventpulse/time: steps over an array that the time of measure `n` does not share",
        ),
    ];
    for (name, text, expected) in rows {
        let found = problems(&[("good/1.0.json", text)]);
        assert!(found.iter().any(|problem| problem.starts_with(expected)), "{name}: {found:#?}");
        assert!(found.iter().all(|problem| !problem.contains('\n')), "{name}: {found:#?}");
    }
    let good = changed("", Value::Null);
    assert_eq!(problems(&[("good/1.0.json", &good)]), Vec::<String>::new());
    for path in
        ["good.json", "good/1.json", "good/v1.0.json", "good/1.0.yaml", "Good/1.0.json", "good/1.0/x.json", "README.md"]
    {
        assert!(
            problems(&[(path, &good)])
                .concat()
                .starts_with(&format!("schemas/{path}: a schema lies at schemas/<name>/<major>.<minor>.json")),
            "{path}"
        );
    }
    assert_eq!(problems(&[]).len(), 1);
    let both = problems(&[("bad/1.0.json", "{"), ("worse/1.0.json", "[]")]);
    assert_eq!(both.len(), 2, "all problems at once: {both:?}");
}

#[test]
fn paths_are_found_through_references_and_compositions() {
    let through = |properties: Value, measure: &str| {
        changed("/properties/deep", properties).replace("\"n\":\"/n\"", &format!("\"n\":\"{measure}\""))
    };
    let rows = [
        ("allOf", through(json!({"allOf": [{"properties": {"n": {"type": "number"}}}]}), "/deep/n"), true),
        (
            "anyOf with null",
            through(json!({"properties": {"n": {"anyOf": [{"type": "null"}, {"type": "number"}]}}}), "/deep/n"),
            true,
        ),
        ("reference to the root", through(json!({"$ref": "#"}), "/deep/n"), true),
        ("patternProperties", through(json!({"patternProperties": {"^n": {"type": "number"}}}), "/deep/n"), true),
        ("open object that declares nothing", through(json!({"type": "object"}), "/deep/n"), false),
        ("closed object", through(json!({"properties": {"m": {}}, "additionalProperties": false}), "/deep/n"), false),
        ("escaped names", through(json!({"properties": {"a/b~c": {"type": "number"}}}), "/deep/a~1b~0c"), true),
    ];
    for (name, text, good) in rows {
        let found = problems(&[("good/1.0.json", &text)]);
        assert_eq!(found.is_empty(), good, "{name}: {found:?}");
    }
}
