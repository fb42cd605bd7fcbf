//! Schemas whose keywords the bundled ones do not have.

use eventpulse_core::intake::schema::Catalog;
use serde_json::{Value, json};

/// Returns the catalog of the bundled schemas of the forms that this test needs, and of wider ones.
pub fn catalog() -> Catalog {
    let files: Vec<(String, String)> =
        schemas().into_iter().map(|(name, schema)| (format!("{name}.json"), schema.to_string())).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    Catalog::compile(&files).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn schemas() -> Vec<(&'static str, Value)> {
    let reading = || {
        json!({
            "type": "object",
            "properties": {"timestamp": {"type": "string", "format": "date-time"}, "value": {"type": "number"}},
            "required": ["timestamp", "value"],
            "additionalProperties": false
        })
    };
    let annotation = json!({"entity": "/id", "time": "/at", "measures": {"value": "/value"}});
    vec![
        (
            "values/1.0",
            json!({
                "type": "object",
                "properties": {
                    "schema": {"type": "string"},
                    "id": {"type": ["string", "integer"], "minLength": 2, "maxLength": 200, "pattern": "^[a-z0-9]+$"},
                    "at": {"type": "string", "format": "date-time", "maxLength": 25},
                    "value": {"type": ["integer", "number", "null"], "exclusiveMinimum": -100, "maximum": 90, "multipleOf": 0.1},
                    "n": {"type": "integer", "minimum": 0, "exclusiveMaximum": 100},
                    "kind": {"type": "string", "enum": ["one", "two", "three"], "minLength": 1},
                    "mode": {"const": {"a": [1, 2.0]}},
                    "tags": {"type": "array", "items": {"type": "string", "maxLength": 3}, "maxItems": 3, "uniqueItems": true},
                    "more": {"type": "object", "minProperties": 1, "maxProperties": 2, "additionalProperties": {"type": "boolean"}}
                },
                "required": ["id", "at", "value", "kind"],
                "minProperties": 3,
                "maxProperties": 7,
                "additionalProperties": false,
                "x-eventpulse": annotation
            }),
        ),
        (
            "known/1.0",
            json!({
                "type": "object",
                "properties": {
                    "schema": {"type": "string"},
                    "id": {"type": ["string", "integer"], "minLength": 2, "maxLength": 200, "pattern": "^[a-z0-9]+$"},
                    "at": {"type": "string", "format": "date-time", "maxLength": 25},
                    "value": {"type": ["integer", "number", "null"], "exclusiveMinimum": -100, "maximum": 90},
                    "n": {"type": "integer", "minimum": 0, "exclusiveMaximum": 9_007_199_254_740_993_u64, "multipleOf": 2},
                    "kind": {"enum": ["one", "two", 3, null, {"a": 1}], "minLength": 1},
                    "mode": {"const": {"a": [1, 2.0]}},
                    "mail": {"type": "string", "format": "email"},
                    "tags": {"type": "array", "items": {"type": "string", "maxLength": 3}, "maxItems": 3, "uniqueItems": true},
                    "more": {"type": "object", "properties": {"at": {"format": "date-time"}}, "required": ["at", "by"], "maxProperties": 2}
                },
                "required": ["id", "at", "value", "kind"],
                "minProperties": 3,
                "maxProperties": 7,
                "additionalProperties": false,
                "x-eventpulse": annotation
            }),
        ),
        ("lax/1.0", json!({"properties": {"id": {}, "at": {}, "value": {}}, "x-eventpulse": annotation})),
        (
            "open/1.0",
            json!({
                "type": "object",
                "properties": {"id": {"type": "string"}, "at": {"type": "string", "format": "date-time"}, "value": {"type": ["number", "null"]}},
                "required": ["at", "id"],
                "additionalProperties": true,
                "x-eventpulse": annotation
            }),
        ),
        (
            "composed/1.0",
            json!({
                "$defs": {"time": {"type": "string", "format": "date-time"}, "reading": reading()},
                "type": "object",
                "properties": {
                    "schema": {"type": "string"},
                    "id": {"anyOf": [{"type": "string", "minLength": 1}, {"type": "integer"}]},
                    "at": {"$ref": "#/$defs/time"},
                    "value": {"oneOf": [{"type": "number", "minimum": 0}, {"type": "null"}, {"type": "number", "maximum": 50}]},
                    "n": {"not": {"type": "string"}},
                    "points": {"type": "array", "items": {"$ref": "#/$defs/reading"}, "contains": {"required": ["value"]}}
                },
                "required": ["id", "at"],
                "patternProperties": {"^x": {"type": "number"}},
                "dependentRequired": {"n": ["value"]},
                "propertyNames": {"maxLength": 40},
                "if": {"required": ["n"]},
                "then": {"required": ["points"]},
                "unevaluatedProperties": false,
                "x-eventpulse": annotation
            }),
        ),
        (
            "nested/1.0",
            json!({
                "type": "object",
                "properties": {
                    "schema": {"type": "string"},
                    "id": {"type": "integer"},
                    "points": {"type": "array", "minItems": 2, "maxItems": 3, "items": reading()},
                    "a/b": {"type": "object", "properties": {"~": {"type": "boolean"}}, "required": ["~"]}
                },
                "required": ["id", "points"],
                "additionalProperties": false,
                "x-eventpulse": {"entity": "/id", "time": "/points/*/timestamp", "measures": {"value": "/points/*/value"}}
            }),
        ),
    ]
}
