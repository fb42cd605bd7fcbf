//! The OpenAPI document of both functions, generated from the routes, and of `POST /data`, which is
//! served without one. What holds for every call is added here, once.

mod data;

use std::collections::BTreeMap;

use eventpulse_core::intake::failure::FailureCode;
use serde_json::{Value, json};
use utoipa::OpenApi;

use crate::problem::ApiError;
use crate::routes::{manage_routes, query_routes};
use crate::state::App;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "EventPulse",
        description = "Upload JSON; get statistics you can trust, or a rejection so exact that you can mend it in a minute.\n\n\
                       All times are RFC 3339 in UTC. You see only what is yours; another's id is 404.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(ApiError)),
    tags(
        (name = "uploads", description = "Send data, and see what became of it."),
        (name = "keys", description = "Keys of devices, and what devices do with them."),
        (name = "answers", description = "Statistics, and what they stand on."),
        (name = "quarantine", description = "What was rejected: inspect, correct, try again, discard."),
        (name = "notifications", description = "Whether you are mailed about what is rejected."),
        (name = "meta", description = "Without a token."),
    )
)]
struct Frame;

/// What a call with a token may answer beside what it tells itself.
const COMMON: [(&str, &str); 6] = [
    ("400", "Something in the request is wrong; `errors` tells the place."),
    ("401", "No token, or not a sound one: sign in, and send the ID token."),
    ("429", "Too many requests: wait as long as `Retry-After` says."),
    ("500", "A defect of the service; its operator is told."),
    ("503", "A part of AWS did not answer: try again."),
    ("504", "It took too long: ask for less, or try again."),
];

/// The document.
#[must_use]
pub fn document(app: &App) -> Value {
    let mut api = Frame::openapi();
    api.merge(query_routes().into_openapi());
    api.merge(manage_routes().into_openapi());
    let mut document = serde_json::to_value(api).unwrap_or_default();
    document["servers"] = json!([{ "url": app.config.api_url }]);
    document["security"] = json!([{ "cognito": [] }]);
    document["components"]["securitySchemes"] = json!({ "cognito": {
        "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
        "description": "An ID token of the user pool that `GET /health` tells."
    }});
    let schemas: Vec<String> = app.services.catalog.ids().map(ToString::to_string).collect();
    if let Some(paths) = document["paths"].as_object_mut() {
        for operation in paths.values_mut().filter_map(Value::as_object_mut).flat_map(|methods| methods.values_mut()) {
            finish(operation, &schemas);
        }
    }
    // After the rest is finished: another API answers this one, in its own ways.
    document["paths"]["/data"] = json!({ "post": data::operation(app) });
    document["components"]["securitySchemes"]["api_key"] = data::security_scheme();
    let words = &mut document["components"]["schemas"];
    let schemas_or_none: Vec<Value> = schemas.iter().map(|schema| json!(schema)).chain([Value::Null]).collect();
    words["NewUpload"]["properties"]["schema"] = json!({
        "type": ["string", "null"],
        "enum": schemas_or_none,
        "description": "The schema of records that name none; any minor version of a major one.",
    });
    words["Wanted"]["properties"]["kinds"]["uniqueItems"] = json!(true);
    words["Limit"] = json!({
        "description": "How many records may be wrong: a number, or a share of all.",
        "oneOf": [closed("count", &json!({ "type": "integer", "minimum": 0 })),
                  closed("ratio", &json!({ "type": "number", "minimum": 0, "maximum": 1 }))],
    });
    words["DataReceipt"] = data::receipt();
    for (name, schema) in data::records(app) {
        words[name] = schema;
    }
    document
}

/// An object of one member.
fn closed(member: &str, schema: &Value) -> Value {
    json!({ "type": "object", "properties": { member: schema }, "required": [member], "additionalProperties": false })
}

/// Adds what holds for every call.
fn finish(operation: &mut Value, schemas: &[String]) {
    let security = operation.get("security");
    let is_open = security.is_some_and(|security| *security == json!([{}]) || *security == json!([]));
    if is_open {
        operation["security"] = json!([]);
    }
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        match parameter["name"].as_str() {
            Some("schema") => parameter["schema"] = json!({ "type": "string", "enum": schemas }),
            Some("code") => {
                parameter["schema"] = json!({ "type": "string", "enum": FailureCode::ALL.iter().map(|code| code.as_str()).collect::<Vec<_>>() })
            }
            _ => {}
        }
    }
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    for (status, description) in COMMON.iter().filter(|(status, _)| !is_open || !matches!(*status, "400" | "401")) {
        responses.entry(*status).or_insert_with(|| json!({ "description": description }));
    }
    let problem = json!({ "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } });
    let headers = BTreeMap::from([
        ("401", ("WWW-Authenticate", "`Bearer`.")),
        ("429", ("Retry-After", "Seconds.")),
        ("503", ("Retry-After", "Seconds.")),
    ]);
    for (status, response) in responses.iter_mut().filter(|(status, _)| status.starts_with(['4', '5'])) {
        response["content"] = problem.clone();
        if let Some((name, description)) = headers.get(status.as_str()) {
            response["headers"] = json!({ *name: { "description": description, "schema": { "type": "string" } } });
        }
    }
}
