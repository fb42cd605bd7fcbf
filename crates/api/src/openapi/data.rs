//! The description of `POST /data`. API Gateway serves this operation from another stage without a function, so there
//! is no route to generate it from. The schema of its body is generated from the deployed schemas.

use eventpulse_core::intake::schema::SchemaId;
use serde_json::{Map, Value, json};

use super::errors::{add_header, error_response, refused_key};
use crate::state::App;

/// The maximum number of records of a request.
const MAX_RECORDS: usize = 500;

/// Returns the security scheme of device keys.
pub(super) fn security_scheme() -> Value {
    json!({
        "type": "apiKey", "in": "header", "name": "x-api-key",
        "description": "The key of a device. Only the response of `POST /keys` contains it.",
    })
}

/// Returns the schemas of records, by component name.
pub(super) fn records(app: &App) -> Map<String, Value> {
    let catalog = &app.services.catalog;
    let record = |id: &SchemaId| {
        let mut schema = catalog.schema(id)?.as_object()?.clone();
        schema.remove("$schema"); // the default of OpenAPI 3.1
        schema.remove("x-eventpulse");
        if !Value::Object(schema.clone()).to_string().contains("\"$ref\"") {
            schema.remove("$id"); // only references need the base URI
        }
        Some((component(id), Value::Object(schema)))
    };
    catalog.ids().filter_map(record).collect()
}

fn component(id: &SchemaId) -> String {
    format!("Record.{}", id.to_string().replace('/', "."))
}

/// Returns the operation.
pub(super) fn operation(app: &App) -> Value {
    let references = app.services.catalog.ids().map(component);
    let any: Vec<Value> = references.map(|name| json!({ "$ref": format!("#/components/schemas/{name}") })).collect();
    let mut operation = json!({
        "operationId": "post_data",
        "tags": ["keys"],
        "summary": "Send data from a device",
        "description": "Accepts a record or an array of records. The response is sent once the data is stored durably. \
                        The records are then validated like those of an upload: `status_url` is the receipt, for the \
                        owner.",
        "servers": [{ "url": app.config.device_api_url }],
        "security": [{ "api_key": [] }],
        "parameters": [{
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "A text that identifies the request. Repeated requests with the same text and body are \
                            processed once.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 255 },
        }],
        "requestBody": {
            "required": true,
            "description": "A record of any deployed schema, or an array of records. At most 192 KiB.",
            "content": { "application/json": { "schema": { "oneOf": [
                { "anyOf": &any },
                { "type": "array", "minItems": 1, "maxItems": MAX_RECORDS, "items": { "anyOf": &any } },
            ] } } },
        },
        "responses": {
            "202": {
                "description": "The data is stored and will be validated.",
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/DataReceipt" } } },
            },
            "400": error_response("400", "The body is not a record of a deployed schema. `detail` names the schemas."),
            "401": error_response("401", "The header `x-api-key` is missing."),
            "403": refused_key("The key is unknown, revoked or replaced."),
            "413": error_response("413", "The body is too large. Send fewer records, or use `POST /uploads`."),
            "415": error_response("415", "The body is not JSON."),
            "429": error_response("429", "The key exceeds its usage plan. Wait for the seconds in `Retry-After`."),
            "500": error_response("500", "An internal error of the service. Its operator is notified."),
            "503": error_response("503", "An AWS service did not respond in time. Try again."),
            "504": error_response("504", "The queue did not respond in time and may have stored the data. Repeat the \
                                          request with the same `Idempotency-Key`."),
        },
    });
    for status in ["429", "503", "504"] {
        add_header(&mut operation["responses"][status], "Retry-After", "The number of seconds to wait.");
    }
    operation
}

/// Returns the schema of the response to a device.
pub(super) fn receipt() -> Value {
    json!({
        "type": "object",
        "description": "The response to a device.",
        "required": ["upload_id", "status_url"],
        "properties": {
            "upload_id": {
                "type": "string", "pattern": "^up_m-[A-Za-z0-9_=-]{8,64}$",
                "description": "The id of the upload that contains the records.",
            },
            "status_url": {
                "type": "string", "format": "uri",
                "description": "The URL of the receipt, for the owner. It exists once the records are processed.",
            },
        },
    })
}
