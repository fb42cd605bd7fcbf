//! Responses of API Gateway itself.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::expanded::{list, properties, resources, text};

/// Checks the members of an error response, and that only the request id varies.
fn assert_problem(body: &str, status: &str, what: &str) {
    // The id is a UUID.
    assert_eq!(body.matches('$').count(), 1, "{what}: {body}");
    let problem: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{what}: {error}: {body}"));
    assert_eq!(problem["status"].to_string(), status, "{what}");
    assert!(problem["type"].as_str().unwrap().starts_with("urn:eventpulse:problem:"), "{what}");
    assert!(problem["title"].is_string() && problem["detail"].is_string(), "{what}");
    assert_eq!(problem["instance"], "urn:eventpulse:request:$context.requestId", "{what}");
}

#[test]
fn each_gateway_response_is_a_problem() {
    let responses = resources("AWS::ApiGateway::GatewayResponse");
    assert!(responses.len() > 30, "{responses:?}");
    for (name, response) in responses {
        let properties = &response["Properties"];
        let status = properties["StatusCode"].as_str().unwrap();
        assert_problem(&text(&properties["ResponseTemplates"]["application/json"]), status, name);
        let headers = properties["ResponseParameters"].as_object().unwrap();
        let header = |header: &str| headers.get(&format!("gatewayresponse.header.{header}"));
        assert_eq!(header("Content-Type").unwrap(), "'application/problem+json'", "{name}");
        assert_eq!(header("WWW-Authenticate").is_some(), status == "401", "{name}");
        assert!(header("Retry-After").is_some() || !["429", "503"].contains(&status), "{name}");
        // A browser shows the REST API's responses to the console only.
        let is_of_rest_api = properties["RestApiId"]["Ref"] == "Api";
        assert_eq!(header("Access-Control-Allow-Origin").is_some(), is_of_rest_api, "{name}");
        let is_exposed = header("Access-Control-Expose-Headers").is_some();
        assert_eq!(is_exposed, is_of_rest_api && header("Retry-After").is_some(), "{name}");
    }
}

/// API Gateway documents no type for the crash of a function. Its log calls that a configuration error, see
/// <https://repost.aws/knowledge-center/malformed-502-api-gateway>.
#[test]
fn the_crash_of_a_function_is_answered_with_a_problem_whatever_its_response_type_is() {
    for api in ["Api", "DeviceApi"] {
        let responses =
            resources("AWS::ApiGateway::GatewayResponse").into_values().map(|response| &response["Properties"]);
        let responses: Vec<_> = responses.filter(|properties| properties["RestApiId"]["Ref"] == api).collect();
        let response = |kind: &str| responses.iter().find(|properties| properties["ResponseType"] == kind);
        let default = response("DEFAULT_5XX").unwrap();
        for kind in ["API_CONFIGURATION_ERROR", "INTEGRATION_FAILURE", "INTEGRATION_TIMEOUT", "AUTHORIZER_FAILURE"] {
            let status = response(kind).unwrap_or(default)["StatusCode"].as_str().unwrap();
            assert!(["500", "503", "504"].contains(&status), "{api}, {kind}: {status}");
            let body = text(&response(kind).unwrap_or(default)["ResponseTemplates"]["application/json"]);
            assert!(
                !body.contains("configured incorrectly"),
                "{api}, {kind}: a crash says nothing of the configuration"
            );
        }
    }
}

#[test]
fn each_api_has_one_response_of_a_type() {
    let mut seen = BTreeSet::new();
    for (name, response) in resources("AWS::ApiGateway::GatewayResponse") {
        let properties = &response["Properties"];
        let key = (properties["RestApiId"].to_string(), properties["ResponseType"].to_string());
        assert!(seen.insert(key), "{name}");
    }
}

#[test]
fn a_message_that_the_queue_refuses_gets_a_problem() {
    let responses = list(&properties("DataMethod")["Integration"]["IntegrationResponses"]);
    let refusals = responses.into_iter().filter(|response| {
        response["ResponseParameters"]["method.response.header.Content-Type"] == "'application/problem+json'"
    });
    let mut statuses = Vec::new();
    for refusal in refusals {
        let status = refusal["StatusCode"].as_str().unwrap();
        assert_problem(&text(&refusal["ResponseTemplates"]["application/json"]), status, status);
        statuses.push(status);
    }
    assert_eq!(statuses, ["413", "503"]);
}
