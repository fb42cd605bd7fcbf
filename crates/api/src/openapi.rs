//! The OpenAPI document of both functions and of `POST /data`, which API Gateway serves without a function.
//!
//! The operations come from the routes. This module adds the parts that all operations share: errors, security and
//! examples.

mod data;
mod errors;
mod examples;

use eventpulse_core::intake::failure::FailureCode;
use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use crate::api_error::ApiError;
use crate::routes::{manage_routes, query_routes};
use crate::state::App;

/// The schemas of [`eventpulse_core::upload::verdict`].
const VERDICT_SCHEMAS: &str = include_str!("openapi/verdict_schemas.json");

#[derive(OpenApi)]
#[openapi(
    info(
        title = "EventPulse",
        description = "Upload JSON; get exact statistics, or a rejection precise enough to fix in a minute.\n\n\
                       All times are RFC 3339 in UTC. You see only your own resources: the ids of others return 404.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(ApiError)),
    tags(
        (name = "uploads", description = "Upload data and follow its processing."),
        (name = "keys", description = "Manage the keys of devices, and send data with them."),
        (name = "statistics", description = "Get exact statistics of devices."),
        (name = "quarantine", description = "Inspect, correct, retry and discard rejected data."),
        (name = "notifications", description = "Subscribe to e-mails about rejected data."),
        (name = "meta", description = "Public operations: they need no token."),
    )
)]
struct Frame;

/// Returns the document of a deployment.
#[must_use]
pub fn document(app: &App) -> Value {
    let mut api = Frame::openapi();
    api.merge(query_routes().into_openapi());
    api.merge(manage_routes().into_openapi());
    let mut document = serde_json::to_value(api).unwrap_or_default();
    document["servers"] = json!([{ "url": app.config.api_url }]);
    document["security"] = json!([{ "cognito": [] }]);
    document["components"]["securitySchemes"] = json!({
        "cognito": {
            "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "An ID token of the user pool. `GET /health` says how to sign in.",
        },
        "api_key": data::security_scheme(),
    });
    let schemas: Vec<String> = app.services.catalog.ids().map(ToString::to_string).collect();
    for operation in operations(&mut document) {
        describe_parameters(operation, &schemas);
        errors::add(operation);
    }
    // API Gateway answers this operation with errors of its own, which `data` describes.
    document["paths"]["/data"] = json!({ "post": data::operation(app) });
    add_schemas(&mut document, app, &schemas);
    operations(&mut document).for_each(examples::add);
    document
}

/// Returns all operations of a document.
fn operations(document: &mut Value) -> impl Iterator<Item = &mut Value> {
    let paths = document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    paths.filter_map(Value::as_object_mut).flat_map(Map::values_mut)
}

/// Adds the schemas that are not generated from types of this crate.
fn add_schemas(document: &mut Value, app: &App, schemas: &[String]) {
    let components = &mut document["components"]["schemas"];
    let schemas_or_null: Vec<Value> = schemas.iter().map(|schema| json!(schema)).chain([Value::Null]).collect();
    components["NewUpload"]["properties"]["schema"] = json!({
        "type": ["string", "null"],
        "enum": schemas_or_null,
        "description": "The schema for records that name none. Any minor version of a deployed major version is valid.",
    });
    components["SubscriptionRequest"]["properties"]["kinds"]["uniqueItems"] = json!(true);
    components["RejectionLimit"] = json!({
        "description": "A limit on rejected records: a number, or a share of all records.",
        "oneOf": [single_member("count", &json!({ "type": "integer", "minimum": 0 })),
                  single_member("ratio", &json!({ "type": "number", "minimum": 0, "maximum": 1 }))],
    });
    components["DataReceipt"] = data::receipt();
    let verdict: Map<String, Value> = serde_json::from_str(VERDICT_SCHEMAS).unwrap_or_default();
    for (name, schema) in verdict.into_iter().chain(data::records(app)) {
        components[name] = schema;
    }
}

/// Returns the schema of an object with exactly one member.
fn single_member(member: &str, schema: &Value) -> Value {
    json!({ "type": "object", "properties": { member: schema }, "required": [member], "additionalProperties": false })
}

/// Lists the possible values of parameters that depend on the deployment.
fn describe_parameters(operation: &mut Value, schemas: &[String]) {
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        let values: Vec<&str> = match parameter["name"].as_str() {
            Some("schema") => schemas.iter().map(String::as_str).collect(),
            Some("code") => FailureCode::ALL.iter().map(|code| code.as_str()).collect(),
            _ => continue,
        };
        parameter["schema"] = json!({ "type": "string", "enum": values });
    }
}
