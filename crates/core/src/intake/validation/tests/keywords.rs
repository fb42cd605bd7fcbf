//! Every keyword of JSON Schema: its code and message, without values.

use serde_json::{Value, json};

use super::*;

#[test]
fn each_keyword_has_its_code() {
    let no_defs = json!({"anyOf": [{"type": "string"}, {"type": "object", "required": ["a"]}]});
    // code, keyword, schema of the value, a value that fails it, a part of the message
    let rows: &[(FailureCode, &str, Value, Value, &str)] = &[
        (
            FailureCode::Type,
            "type",
            json!({"type": ["integer", "null"]}),
            json!(1.5),
            "must be a whole number or null, but has a fraction",
        ),
        (FailureCode::Enum, "enum", json!({"enum": [1, "a"]}), json!(2), "must be one of 1, \"a\""),
        (FailureCode::Const, "const", json!({"const": {"a": [1]}}), json!({"a": [2]}), "must be {\"a\":[1]}"),
        (FailureCode::MultipleOf, "multipleOf", json!({"multipleOf": 0.5}), json!(0.7), "must be a multiple of 0.5"),
        (FailureCode::Maximum, "maximum", json!({"maximum": 3}), json!(4), "must be at most 3"),
        (
            FailureCode::ExclusiveMaximum,
            "exclusiveMaximum",
            json!({"exclusiveMaximum": 3}),
            json!(3),
            "must be less than 3",
        ),
        (FailureCode::Minimum, "minimum", json!({"minimum": 3}), json!(2), "must be at least 3"),
        (
            FailureCode::ExclusiveMinimum,
            "exclusiveMinimum",
            json!({"exclusiveMinimum": 3}),
            json!(3),
            "must be more than 3",
        ),
        (FailureCode::MaxLength, "maxLength", json!({"maxLength": 2}), json!("ééé"), "must have at most 2 characters"),
        (FailureCode::MinLength, "minLength", json!({"minLength": 2}), json!("é"), "must have at least 2 characters"),
        (
            FailureCode::Pattern,
            "pattern",
            json!({"pattern": "^[a-z]+$"}),
            json!("A"),
            "must match the pattern `^[a-z]+$`",
        ),
        (FailureCode::Format, "format", json!({"format": "email"}), json!("x"), "must be of the format `email`"),
        (
            FailureCode::Format,
            "format",
            json!({"format": "date-time"}),
            json!("2025-02-28T12:0/:00Z"),
            "RFC 3339 date-time",
        ),
        (FailureCode::MaxItems, "maxItems", json!({"maxItems": 1}), json!([1, 2]), "must have at most 1 element"),
        (FailureCode::MinItems, "minItems", json!({"minItems": 2}), json!([1]), "must have at least 2 elements"),
        (
            FailureCode::UniqueItems,
            "uniqueItems",
            json!({"uniqueItems": true}),
            json!([1, 1.0]),
            "the same element twice",
        ),
        (
            FailureCode::Items,
            "items",
            json!({"prefixItems": [{}], "items": false}),
            json!([1, 2]),
            "beyond the last element",
        ),
        (FailureCode::Contains, "contains", json!({"contains": {"const": 5}}), json!([1]), "has no element"),
        (
            FailureCode::MinContains,
            "minContains",
            json!({"contains": {"const": 5}, "minContains": 2}),
            json!([5]),
            "too few",
        ),
        (
            FailureCode::MaxContains,
            "maxContains",
            json!({"contains": {"const": 5}, "maxContains": 1}),
            json!([5, 5]),
            "too many",
        ),
        (
            FailureCode::UnevaluatedItems,
            "unevaluatedItems",
            json!({"prefixItems": [{}], "unevaluatedItems": false}),
            json!([1, 2, 3]),
            "2 elements",
        ),
        (
            FailureCode::MaxProperties,
            "maxProperties",
            json!({"maxProperties": 1}),
            json!({"a": 1, "b": 2}),
            "at most 1 member",
        ),
        (
            FailureCode::MinProperties,
            "minProperties",
            json!({"minProperties": 2}),
            json!({"a": 1}),
            "at least 2 members",
        ),
        (FailureCode::Required, "required", json!({"required": ["a"]}), json!({}), "missing required member `a`"),
        (
            FailureCode::DependentRequired,
            "dependentRequired",
            json!({"dependentRequired": {"a": ["b"]}}),
            json!({"a": 1}),
            "missing required member `b`",
        ),
        (
            FailureCode::PropertyNames,
            "propertyNames",
            json!({"propertyNames": {"maxLength": 1}}),
            json!({"ab": 1}),
            "the member name `ab` is not allowed: it must have at most 1",
        ),
        (
            FailureCode::AdditionalProperties,
            "additionalProperties",
            json!({"additionalProperties": false}),
            json!({"a": 1}),
            "no members are allowed here",
        ),
        (
            FailureCode::AdditionalProperties,
            "additionalProperties",
            json!({"properties": {"aa": {}}, "additionalProperties": false}),
            json!({"a": 1}),
            "`a` is not allowed here",
        ),
        (
            FailureCode::PropertyNames,
            "propertyNames",
            json!({"propertyNames": false}),
            json!({"a": 1}),
            "no members are allowed here",
        ),
        (
            FailureCode::UnevaluatedProperties,
            "unevaluatedProperties",
            json!({"unevaluatedProperties": false}),
            json!({"a": 1}),
            "`a` is not allowed here",
        ),
        (
            FailureCode::AnyOf,
            "anyOf",
            no_defs,
            json!({"b": 1}),
            "must fit one of the schema's forms; the nearest form says: ",
        ),
        (
            FailureCode::OneOf,
            "oneOf",
            json!({"oneOf": [{"type": "string"}, {"minimum": 5}]}),
            json!(2),
            "must fit one of the schema's forms",
        ),
        (
            FailureCode::OneOf,
            "oneOf",
            json!({"oneOf": [{"type": "number"}, {"minimum": 1}]}),
            json!(2),
            "but fits several",
        ),
        (FailureCode::Not, "not", json!({"not": {"type": "string"}}), json!("a"), "must not have the form"),
        (FailureCode::FalseSchema, "properties", json!(false), json!(1), "is not allowed here"),
        (
            FailureCode::Minimum,
            "minimum",
            json!({"$ref": "#/$defs/positive", "$defs": {"positive": {"minimum": 0}}}),
            json!(-1),
            "must be at least 0",
        ),
        (
            FailureCode::Minimum,
            "minimum",
            json!({"if": {"type": "number"}, "then": {"minimum": 0}}),
            json!(-1),
            "must be at least 0",
        ),
        (FailureCode::Minimum, "minimum", json!({"allOf": [{"minimum": 0}]}), json!(-1), "must be at least 0"),
        (
            FailureCode::Required,
            "required",
            json!({"dependentSchemas": {"a": {"required": ["b"]}}}),
            json!({"a": 1}),
            "missing required member `b`",
        ),
    ];
    for (code, keyword, schema, value, words) in rows {
        let catalog = probe(schema);
        let record = json!({"id": "a", "at": "2025-02-28T12:00:00Z", "v": value}).to_string();
        let found = check_with(&catalog, "t/1.0", &record).failures;
        let [failure] = found.as_slice() else { panic!("{code} {keyword}: {found:?}") };
        assert_eq!((failure.code, failure.keyword.as_deref()), (*code, Some(*keyword)), "{schema}");
        assert!(failure.message.contains(words), "{schema}: {}", failure.message);
        assert!(failure.pointer.starts_with("/v"), "{schema}: {failure:?}");
        assert!(
            failure.schema_pointer.as_deref().is_some_and(|pointer| pointer.starts_with('/')),
            "{schema}: {failure:?}"
        );
        assert!(failure.line.is_some() && failure.byte_offset.is_some(), "{schema}: {failure:?}");
    }
}

#[test]
fn values_are_masked_and_names_are_cut() {
    let secret = "s3cr3t";
    let long = "n".repeat(5_000);
    let schemas = [
        json!({"type": "number"}),
        json!({"enum": ["a"]}),
        json!({"const": 1}),
        json!({"type": "string", "pattern": "^b"}),
        json!({"type": "string", "format": "email"}),
        json!({"type": "string", "format": "date-time"}),
        json!({"items": {"enum": [1]}, "type": ["array", "number"], "minItems": 5, "uniqueItems": true}),
        json!({"unevaluatedItems": false, "type": "array"}),
        json!({"contains": {"const": 1}, "type": "array"}),
        json!({"type": "object", "additionalProperties": false}),
        json!({"anyOf": [{"type": "number"}, {"const": 2}]}),
        json!({"not": {}}),
        json!(false),
    ];
    for schema in schemas {
        let catalog = probe(&schema);
        for value in [json!(secret), json!([secret, secret]), json!({"k": secret})] {
            let record = json!({"id": "a", "at": "2025-02-28T12:00:00Z", "v": value}).to_string();
            let found = check_with(&catalog, "t/1.0", &record).failures;
            assert!(
                !found.is_empty() && !serde_json::to_string(&found).unwrap().contains(secret),
                "{schema} {value} {found:?}"
            );
        }
    }
    let record = format!(r#"{{"{long}":{{"{long}":"{secret}"}},"value":"{secret}","schema":"reading/1.0"}}"#);
    let found = check("reading/1.0", &record).failures;
    let text = serde_json::to_string(&found).unwrap();
    assert!(!text.contains(secret) && text.len() < 2_000, "{text}");
    let found = check("reading/1.0", &format!(r#"{{"{long}":1,"{long}":2}}"#)).failures;
    let text = serde_json::to_string(&found).unwrap();
    assert!(text.len() < 700, "{text}");
}
