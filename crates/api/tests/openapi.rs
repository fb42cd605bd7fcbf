//! The OpenAPI document: every operation is described, and every example matches its schema.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod common;

use std::collections::BTreeSet;

use axum::body::Body;
use common::{app, call, request};
use eventpulse_api::{manage, query};
use http::Request;
use serde_json::{Value, json};

async fn document() -> Value {
    let request = Request::builder().uri("/openapi.json").body(Body::empty()).unwrap();
    call(query(app()), request).await.1
}

/// Removes the examples of requests and responses, which may contain nulls.
fn without_examples(mut document: Value) -> Value {
    fn remove(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.remove("example");
                members.values_mut().for_each(remove);
            }
            Value::Array(items) => items.iter_mut().for_each(remove),
            _ => {}
        }
    }
    remove(&mut document);
    document
}

/// Returns each operation with its method and path.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().iter();
            methods.map(move |(method, operation)| (format!("{method} {path}"), operation))
        })
        .collect()
}

/// Makes the object schemas of a document closed, so that an example cannot contain unknown members.
fn closed(mut document: Value) -> Value {
    fn close(schema: &mut Value) {
        match schema {
            Value::Object(members) => {
                let is_closed = members.contains_key("additionalProperties") || members.contains_key("$id");
                if members.contains_key("properties") && !is_closed {
                    members.insert("unevaluatedProperties".to_owned(), json!(false));
                }
                members.values_mut().for_each(close);
            }
            Value::Array(items) => items.iter_mut().for_each(close),
            _ => {}
        }
    }
    for (_, schema) in document["components"]["schemas"].as_object_mut().unwrap() {
        match schema.get_mut("allOf").map(Value::take) {
            // The parts of a flattened type are open; the whole is closed.
            Some(Value::Array(parts)) => {
                schema["allOf"] = Value::Array(parts);
                schema["unevaluatedProperties"] = json!(false);
            }
            _ => close(schema),
        }
    }
    document
}

/// Returns the schemas that flattened types include, which therefore stay open.
fn open_parts(document: &Value) -> BTreeSet<String> {
    let schemas = document["components"]["schemas"].as_object().unwrap().values();
    let parts = schemas.filter_map(|schema| schema["allOf"].as_array()).flatten();
    parts.filter_map(|part| Some(part["$ref"].as_str()?.rsplit('/').next()?.to_owned())).collect()
}

/// Returns the failures of an example against a schema of the document.
fn failures(document: &Value, schema: &Value, example: &Value) -> Vec<String> {
    let root = json!({ "allOf": [schema], "components": document["components"] });
    let validator = jsonschema::validator_for(&root).unwrap();
    validator.iter_errors(example).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Returns the document with closed schemas, except for those that flattened types include.
fn strict(document: &Value) -> Value {
    let mut strict = closed(document.clone());
    for part in open_parts(document) {
        strict["components"]["schemas"][&part].as_object_mut().unwrap().remove("unevaluatedProperties");
    }
    strict
}

/// Returns the requests, successful responses and errors of an operation.
fn messages<'a>(name: &str, operation: &'a Value) -> Vec<(String, &'a Value)> {
    let request = operation.get("requestBody").map(|request| (format!("{name} request"), request));
    let responses = operation["responses"].as_object().unwrap().iter();
    let with_body = responses.filter(|(status, _)| !matches!(status.as_str(), "204" | "304"));
    request.into_iter().chain(with_body.map(|(status, response)| (format!("{name} {status}"), response))).collect()
}

/// Returns the defects of the examples of a request or a response.
fn example_defects(strict: &Value, name: &str, message: &Value) -> Vec<String> {
    let Some(contents) = message["content"].as_object() else { return vec![format!("{name}: no content")] };
    let defects = contents.iter().flat_map(|(media_type, content)| match content.get("example") {
        None => vec![format!("{name} {media_type}: no example")],
        Some(example) => failures(strict, &content["schema"], example)
            .iter()
            .map(|failure| format!("{name} {media_type}: {failure}"))
            .collect(),
    });
    defects.collect()
}

#[tokio::test]
async fn every_operation_has_a_summary_a_description_and_an_error() {
    let document = document().await;
    for (name, operation) in operations(&document) {
        let summary = operation["summary"].as_str().unwrap_or_default();
        let description = operation["description"].as_str().unwrap_or_default();
        assert!(!summary.is_empty() && !summary.ends_with('.'), "{name}: {summary:?} is no summary");
        assert!(description.ends_with('.') && description.len() > summary.len(), "{name}: {description:?}");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with(['4', '5'])), "{name} has no error");
        for (status, response) in responses {
            assert!(response["description"].as_str().unwrap().ends_with('.'), "{name} {status}: {response:#}");
        }
    }
}

#[tokio::test]
async fn every_request_response_and_error_has_a_valid_example() {
    let document = document().await;
    let strict = strict(&document);
    let messages = operations(&document).into_iter().flat_map(|(name, operation)| messages(&name, operation));
    let defects: Vec<String> = messages.flat_map(|(name, message)| example_defects(&strict, &name, message)).collect();
    assert!(defects.is_empty(), "{}", defects.join("\n"));
}

#[tokio::test]
async fn invalid_example_is_detected() {
    let strict = strict(&document().await);
    let content = &strict["paths"]["/keys"]["post"]["responses"]["201"]["content"]["application/json"];
    for (name, pointer, value) in [
        ("unknown member", "/unknown", json!(1)),
        ("wrong type", "/name", json!(1)),
        ("unknown nested member", "/links/unknown", json!("x")),
        ("pattern", "/api_key", json!("short")),
    ] {
        let mut example = content["example"].clone();
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        example.pointer_mut(parent).unwrap()[member] = value;
        assert!(!failures(&strict, &content["schema"], &example).is_empty(), "{name}");
    }
}

#[tokio::test]
async fn verdict_matches_its_schema() {
    let strict = strict(&document().await);
    let lines = "{\"device_id\":\"a\",\"timestamp\":\"2025-02-28T12:00:00Z\",\"value\":1}\n{\"device_id\":\"a\"}\n";
    for (name, body) in [("some records", lines), ("truncated", "{\"device_id\":"), ("empty", "")] {
        let request = request("POST", "/validate").header("content-type", "application/x-ndjson");
        let (response, verdict, _) = call(manage(app()), request.body(Body::from(body)).unwrap()).await;
        assert_eq!(response.status().as_u16(), 200, "{name}: {verdict:#}");
        let failures = failures(&strict, &json!({ "$ref": "#/components/schemas/Verdict" }), &verdict);
        assert!(failures.is_empty(), "{name}: {failures:?} in {verdict:#}");
    }
}

#[tokio::test]
async fn document_covers_all_operations_and_their_security() {
    let document = document().await;
    assert_eq!(document["openapi"], "3.1.0");
    let (mut operations, mut ids) = (0, BTreeSet::new());
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            operations += 1;
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{method} {path}");
            let open = matches!(path.as_str(), "/health" | "/openapi.json");
            assert_eq!(operation["security"] == json!([]), open, "{method} {path}");
            assert_eq!(operation["responses"].get("401").is_none(), open, "{method} {path}");
            assert!(operation["summary"].as_str().or(operation["description"].as_str()).is_some(), "{method} {path}");
        }
    }
    assert_eq!(operations, 27);
    let kinds = &document["components"]["schemas"]["SubscriptionRequest"]["properties"]["kinds"];
    assert_eq!((&kinds["minItems"], &kinds["uniqueItems"]), (&json!(1), &json!(true)), "{kinds:#}");
    let post_data = &document["paths"]["/data"]["post"];
    assert_eq!(post_data["servers"], json!([{ "url": "https://devices.example/v1" }]));
    assert_eq!(post_data["security"], json!([{ "api_key": [] }]));
    for status in ["202", "400", "401", "403", "413", "415", "429", "503"] {
        assert!(post_data["responses"][status]["description"].is_string(), "{status}");
    }
    assert_eq!(document["components"]["schemas"]["Record.reading.1.0"]["properties"]["value"]["type"], "number");
    assert!(!without_examples(document.clone()).to_string().contains("\":null"), "a member of the document is null");
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer} does not exist");
    }
    assert_eq!(
        document["components"]["schemas"]["NewUpload"]["properties"]["schema"]["enum"],
        json!(["batch/1.0", "reading/1.0", "weather/1.0", null])
    );
}
