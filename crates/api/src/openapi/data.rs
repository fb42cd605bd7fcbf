//! `POST /data` in the document. API Gateway serves it, from another stage, without any function of ours: so there is no
//! route that it could be generated from. What it takes is generated from the schemas.

use eventpulse_core::intake::schema::SchemaId;
use serde_json::{Map, Value, json};

use crate::state::App;

/// How many records an array may have.
const MAX_RECORDS: usize = 500;

/// The scheme of keys.
pub(super) fn security_scheme() -> Value {
    json!({
        "type": "apiKey", "in": "header", "name": "x-api-key",
        "description": "A key of a device, that `POST /keys` tells once.",
    })
}

/// The schemas of records, by the names of their components.
pub(super) fn records(app: &App) -> Map<String, Value> {
    let catalog = &app.services.catalog;
    let record = |id: &SchemaId| {
        let mut schema = catalog.schema(id)?.as_object()?.clone();
        schema.remove("$schema"); // the one that OpenAPI 3.1 has anyway
        schema.remove("x-eventpulse");
        if !Value::Object(schema.clone()).to_string().contains("\"$ref\"") {
            schema.remove("$id"); // the base of references
        }
        Some((component(id), Value::Object(schema)))
    };
    catalog.ids().filter_map(record).collect()
}

fn component(id: &SchemaId) -> String {
    format!("Record.{}", id.to_string().replace('/', "."))
}

/// The operation.
pub(super) fn operation(app: &App) -> Value {
    let references = app.services.catalog.ids().map(component);
    let any: Vec<Value> = references.map(|name| json!({ "$ref": format!("#/components/schemas/{name}") })).collect();
    let problem = |description: &str, is_later: bool| {
        let mut response = json!({
            "description": description,
            "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
        });
        if is_later {
            response["headers"] =
                json!({ "Retry-After": { "description": "Seconds.", "schema": { "type": "string" } } });
        }
        response
    };
    json!({
        "operationId": "post_data",
        "tags": ["keys"],
        "summary": "Takes a record, or some, from a device.",
        "description": "Answered as soon as they are stored safely; they count within moments, or lie in quarantine with the \
                        reason. Records are checked as those of an upload are: `upload_id` has a receipt, for the owner.",
        "servers": [{ "url": app.config.device_api_url }],
        "security": [{ "api_key": [] }],
        "parameters": [{
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "The same text when the same records are sent again, for want of an answer: they count once.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 255 },
        }],
        "requestBody": {
            "required": true,
            "description": "A record of any of the schemas, or an array of them. At most 192 KiB.",
            "content": { "application/json": { "schema": { "oneOf": [
                { "anyOf": &any },
                { "type": "array", "minItems": 1, "maxItems": MAX_RECORDS, "items": { "anyOf": &any } },
            ] } } },
        },
        "responses": {
            "202": {
                "description": "They are stored, and will be checked.",
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/DataReceipt" } } },
            },
            "400": problem("Not a record of any of the schemas; `detail` tells what is one.", false),
            "401": problem("No key: send one in the header `x-api-key`.", false),
            "403": problem("Not a key that works: it is unknown, revoked or replaced.", false),
            "413": problem("It is too large: send less at once, or use `POST /uploads`.", false),
            "415": problem("It is not JSON.", false),
            "429": problem("More than the plan of the key allows: wait as long as `Retry-After` says.", true),
            "500": problem("A defect of the service; its operator is told.", false),
            "504": problem("The queue took too long: it may be there. Send it again under the same `Idempotency-Key`.", true),
            "503": problem("A part of AWS did not answer: try again.", true),
        },
    })
}

/// What a device is answered.
pub(super) fn receipt() -> Value {
    json!({
        "type": "object",
        "description": "What a device is answered.",
        "required": ["upload_id", "status_url"],
        "properties": {
            "upload_id": {
                "type": "string", "pattern": "^up_m-[A-Za-z0-9_=-]{8,64}$",
                "description": "The upload that the records are.",
            },
            "status_url": {
                "type": "string", "format": "uri",
                "description": "Its receipt, for the owner's token: it is there as soon as the records are processed.",
            },
        },
    })
}
