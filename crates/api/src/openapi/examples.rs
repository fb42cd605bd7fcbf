//! The examples of requests and responses, by operation. A test checks each one against its schema in the document.

use serde_json::{Map, Value};

/// Files of examples. Each one maps an operation id to `request` (an example by media type) and `responses` (an example
/// by status).
const FILES: [&str; 6] = [
    include_str!("examples/uploads.json"),
    include_str!("examples/quarantine.json"),
    include_str!("examples/statistics.json"),
    include_str!("examples/keys.json"),
    include_str!("examples/notifications.json"),
    include_str!("examples/meta.json"),
];

/// Adds the examples of an operation to its request and its responses.
pub(super) fn add(operation: &mut Value) {
    let Some(id) = operation["operationId"].as_str() else { return };
    let examples = FILES.iter().find_map(|file| {
        let mut operations: Map<String, Value> = serde_json::from_str(file).unwrap_or_default();
        operations.remove(id)
    });
    let Some(examples) = examples else { return };
    for (media_type, content) in contents(operation.get_mut("requestBody")) {
        if let Some(example) = examples["request"].get(media_type) {
            content["example"] = example.clone();
        }
    }
    let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
    for (status, response) in responses.into_iter().flatten() {
        if let Some(example) = examples["responses"].get(status) {
            contents(Some(response)).for_each(|(_, content)| content["example"] = example.clone());
        }
    }
}

/// Returns the contents of a request or a response, by media type.
fn contents(message: Option<&mut Value>) -> impl Iterator<Item = (&String, &mut Value)> {
    message.and_then(|message| message.get_mut("content")).and_then(Value::as_object_mut).into_iter().flatten()
}
