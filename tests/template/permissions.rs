//! Permissions of the functions' roles.

use serde_json::{Value, json};

use crate::expanded::{list, properties, resources, strings};

/// Returns the statements of a role's own policies.
fn statements(role: &str) -> Vec<&'static Value> {
    let policies = list(&properties(role)["Policies"]);
    policies.into_iter().flat_map(|policy| list(&policy["PolicyDocument"]["Statement"])).collect()
}

/// Returns the actions that a role may perform on a resource, by the statements that name this resource.
pub fn actions(role: &str, resource: &Value) -> Vec<&'static str> {
    let of_resource = statements(role).into_iter().filter(|statement| statement["Resource"] == *resource);
    of_resource.flat_map(|statement| strings(&statement["Action"])).collect()
}

fn function_roles() -> Vec<&'static str> {
    let roles = resources("AWS::IAM::Role").into_iter().filter(|(_, role)| {
        let trust = &role["Properties"]["AssumeRolePolicyDocument"]["Statement"][0];
        trust["Principal"]["Service"] == "lambda.amazonaws.com"
    });
    roles.map(|(name, _)| name).collect()
}

#[test]
fn only_notify_publishes() {
    let publishes = |role: &&str| {
        let policies = properties(role)["Policies"].to_string();
        policies.contains("sns:Publish") || policies.contains("sns:*")
    };
    let publishers: Vec<_> = resources("AWS::IAM::Role").into_keys().filter(publishes).collect();
    assert_eq!(publishers, ["NotifyRole"]);
    let managed = resources("AWS::IAM::ManagedPolicy");
    assert!(managed.values().all(|policy| !policy.to_string().contains("sns:")), "{managed:?}");
}

#[test]
fn manage_and_ingest_failed_have_no_more_access_to_notices_than_they_need() {
    let table = json!({ "Fn::GetAtt": ["NoticesTable", "Arn"] });
    assert_eq!(actions("ManageRole", &table), ["dynamodb:GetItem", "dynamodb:PutItem"]);
    let right = ["sns:Subscribe", "sns:GetSubscriptionAttributes", "sns:SetSubscriptionAttributes", "sns:Unsubscribe"];
    assert_eq!(actions("ManageRole", &json!({ "Ref": "NoticesTopic" })), right);
    assert_eq!(actions("IngestFailedRole", &table), ["dynamodb:PutItem", "dynamodb:UpdateItem"]);
}

#[test]
fn validation_may_only_count_requests_and_write_logs() {
    let allowed: Vec<_> = statements("ValidateRole").into_iter().map(|statement| &statement["Resource"]).collect();
    assert_eq!(
        allowed,
        [&json!({ "Fn::GetAtt": ["UsageTable", "Arn"] }), &json!({ "Fn::GetAtt": ["ManageLogs", "Arn"] })]
    );
}

/// A chunk that several messages share is rewritten when one of them is withdrawn: by `manage` or, if that stopped, by an
/// upload of the same bytes.
#[test]
fn the_functions_that_complete_a_withdrawal_may_rewrite_shared_chunks() {
    let table = json!({ "Fn::GetAtt": ["ChunksTable", "Arn"] });
    for role in ["ManageRole", "IngestObjectRole", "IngestMessageRole"] {
        let actions = actions(role, &table);
        for needed in ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"] {
            assert!(actions.contains(&needed), "{role}: {needed} in {actions:?}");
        }
    }
}

#[test]
fn every_function_may_write_traces() {
    let roles = function_roles();
    for (name, function) in resources("AWS::Serverless::Function") {
        let role = function["Properties"]["Role"]["Fn::GetAtt"][0].as_str().unwrap();
        assert!(roles.contains(&role), "{name}: {role}");
    }
    for role in roles {
        assert_eq!(properties(role)["ManagedPolicyArns"], json!([{ "Ref": "TracingPolicy" }]), "{role}");
    }
    let statements = &properties("TracingPolicy")["PolicyDocument"]["Statement"];
    assert_eq!(strings(&statements[0]["Action"]), ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]);
    assert_eq!(list(statements).len(), 1);
}

#[test]
fn the_statements_of_a_role_have_different_ids() {
    for role in resources("AWS::IAM::Role").into_keys().filter(|role| !properties(role)["Policies"].is_null()) {
        let mut ids: Vec<_> = statements(role).iter().map(|statement| statement["Sid"].as_str().unwrap()).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "{role}: {ids:?}");
    }
}
