use serde_json::{Value, json};

use crate::intake::schema::Catalog;

/// Returns whether the schema `main/1.0` with these members and keywords has a program. `value` is its measure.
fn has_program(members: &Value, keywords: &Value) -> bool {
    let mut properties = json!({
        "device": { "type": "string", "minLength": 1 },
        "at": { "type": "string", "format": "date-time" },
        "value": { "type": "number" },
    });
    let merge = |into: &mut Value, from: &Value| {
        for (name, value) in from.as_object().unwrap() {
            into[name] = value.clone();
        }
    };
    merge(&mut properties, members);
    let mut schema = json!({
        "type": "object",
        "required": ["device", "at"],
        "x-eventpulse": { "entity": "/device", "time": "/at", "measures": { "value": "/value" } },
    });
    schema["properties"] = properties;
    merge(&mut schema, keywords);
    let other = json!({
        "type": "object",
        "properties": { "device": { "type": "string" }, "at": { "type": "string" }, "value": { "type": "number" } },
        "$defs": { "text": { "type": "string" }, "nested": { "$ref": "#/$defs/text" } },
        "x-eventpulse": { "entity": "/device", "time": "/at", "measures": { "value": "/value" } },
    });
    let (schema, other) = (schema.to_string(), other.to_string());
    let catalog = Catalog::compile(&[("main/1.0.json", &schema), ("other/1.0.json", &other)]).unwrap();
    catalog.find_version("main", 1).unwrap().program.is_some()
}

#[test]
fn the_bundled_schemas_have_programs() {
    let catalog = Catalog::bundled().unwrap();
    for id in catalog.ids() {
        assert!(catalog.find_version(&id.name, id.major).unwrap().program.is_some(), "{id}");
    }
}

#[test]
fn a_schema_whose_keywords_a_program_can_check_has_one() {
    let none = json!({});
    let items = |schema: Value| json!({ "a": { "type": "array", "items": schema } });
    let rows = [
        ("closed", none.clone(), json!({ "additionalProperties": false })),
        ("open", none.clone(), json!({ "additionalProperties": true })),
        ("annotations", none.clone(), json!({ "title": "t", "examples": [], "x-unit": "K", "$comment": "c" })),
        ("lengths", json!({ "a": { "type": "string", "minLength": 1, "maxLength": 2 } }), none.clone()),
        ("enum without type", json!({ "a": { "enum": ["x", null, 1] } }), none.clone()),
        ("const", json!({ "a": { "const": "x" } }), none.clone()),
        ("pattern", json!({ "a": { "type": "string", "pattern": "^\\d+$" } }), none.clone()),
        ("union", json!({ "a": { "type": ["string", "integer", "null"] } }), none.clone()),
        ("any value", json!({ "a": {} }), none.clone()),
        ("bounds", json!({ "value": { "type": "number", "minimum": 0, "exclusiveMaximum": 1.5 } }), none.clone()),
        ("nested", json!({ "a": { "type": "object", "properties": { "b": { "type": "boolean" } } } }), none.clone()),
        (
            "array",
            json!({ "a": { "type": "array", "items": { "type": "null" }, "minItems": 1, "maxItems": 2 } }),
            none.clone(),
        ),
        ("array of arrays", items(json!({ "type": "array", "items": { "type": "number" } })), none.clone()),
        ("reference within the file", json!({ "a": { "$ref": "#/properties/at", "title": "t" } }), none.clone()),
        ("reference to another file", json!({ "a": { "$ref": "eventpulse:/other/1.0#/$defs/nested" } }), none.clone()),
        ("entity that is a number", json!({ "device": { "type": "integer" } }), none.clone()),
    ];
    for (name, members, keywords) in rows {
        assert!(has_program(&members, &keywords), "{name}");
    }
}

#[test]
fn a_schema_with_any_other_keyword_has_no_program() {
    let none = json!({});
    let annotation = |entity: &str, time: &str, measures: Value| json!({ "x-eventpulse": { "entity": entity, "time": time, "measures": measures } });
    let rows_of =
        json!({ "type": "array", "items": { "type": "object", "properties": { "value": { "type": "number" } } } });
    let two_arrays = json!({ "p": rows_of, "q": rows_of });
    let nested = json!({ "p": { "type": "array", "items": { "type": "array", "items": { "type": "number" } } } });
    let many: Value = (0..65)
        .map(|index| (format!("m{index}"), json!({ "type": "number" })))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let rows = [
        ("multipleOf", json!({ "value": { "type": "number", "multipleOf": 2 } }), none.clone()),
        (
            "a bound beyond 2^53",
            json!({ "value": { "type": "number", "maximum": 9_007_199_254_740_993_u64 } }),
            none.clone(),
        ),
        ("anyOf", none.clone(), json!({ "anyOf": [{}] })),
        ("a schema as additionalProperties", none.clone(), json!({ "additionalProperties": { "type": "string" } })),
        ("patternProperties", none.clone(), json!({ "patternProperties": { "^x": {} } })),
        ("uniqueItems", json!({ "a": { "type": "array", "uniqueItems": true } }), none.clone()),
        ("prefixItems", json!({ "a": { "type": "array", "prefixItems": [{}] } }), none.clone()),
        ("another format", json!({ "a": { "type": "string", "format": "date" } }), none.clone()),
        ("contentEncoding", json!({ "a": { "type": "string", "contentEncoding": "base64" } }), none.clone()),
        ("a keyword beside $ref", json!({ "a": { "$ref": "#/properties/at", "maxLength": 9 } }), none.clone()),
        (
            "a cycle of references",
            json!({ "a": { "type": "object", "properties": { "b": { "$ref": "#/properties/a" } } } }),
            none.clone(),
        ),
        ("an anchor", json!({ "a": { "$ref": "#t" }, "b": { "$anchor": "t", "type": "string" } }), none.clone()),
        (
            "an undeclared required member",
            none.clone(),
            json!({ "required": ["device", "at", "other"], "additionalProperties": true }),
        ),
        ("an undeclared measure", none.clone(), {
            let mut open = annotation("/device", "/at", json!({ "value": "/other" }));
            open["additionalProperties"] = true.into();
            open
        }),
        ("65 members", many, none.clone()),
        (
            "two measures of one value",
            none.clone(),
            annotation("/device", "/at", json!({ "one": "/value", "two": "/value" })),
        ),
        (
            "points in two arrays",
            two_arrays,
            annotation("/device", "/at", json!({ "p": "/p/*/value", "q": "/q/*/value" })),
        ),
        ("points in arrays of arrays", nested, annotation("/device", "/at", json!({ "p": "/p/*/*" }))),
    ];
    for (name, members, keywords) in rows {
        assert!(!has_program(&members, &keywords), "{name}");
    }
}
