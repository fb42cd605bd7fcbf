//! TLS, the keys of API Gateway, and access logs.

use serde_json::{Value, json};

use crate::expanded::{list, properties, resources, strings, template};

/// Returns the statements of the resource policies of a type that apply to a resource. Includes the ones for AWS only.
fn policy_statements(kind: &str, target: &str, name: &str) -> Vec<&'static Value> {
    let policies = resources(kind).into_values().map(|policy| &policy["Properties"]);
    let policies = policies.filter(|policy| list(&policy[target]).contains(&&json!({ "Ref": name })));
    let statements = policies.flat_map(|policy| list(&policy["PolicyDocument"]["Statement"]));
    statements.map(|statement| statement.get("Fn::If").map_or(statement, |branches| &branches[1])).collect()
}

#[test]
fn every_bucket_queue_and_topic_refuses_requests_without_tls() {
    for (kind, policy, target, actions, count) in [
        ("AWS::S3::Bucket", "AWS::S3::BucketPolicy", "Bucket", "s3:*", 2),
        ("AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "Queues", "sqs:*", 6),
        ("AWS::SNS::Topic", "AWS::SNS::TopicPolicy", "Topics", "sns:Publish", 2),
    ] {
        let protected = resources(kind);
        assert_eq!(protected.len(), count, "{protected:?}");
        for name in protected.into_keys() {
            let statements = policy_statements(policy, target, name);
            let is_refusal = |statement: &&Value| {
                statement["Effect"] == "Deny"
                    && statement["Principal"] == "*"
                    && statement["Action"] == actions
                    && statement["Condition"] == json!({ "Bool": { "aws:SecureTransport": "false" } })
            };
            assert!(statements.iter().any(is_refusal), "{name}: {statements:?}");
        }
    }
}

/// See <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-security-policies-list.html>: a regional
/// API accepts TLS 1.0 by default.
#[test]
fn the_apis_and_buckets_require_tls_1_2() {
    for api in ["Api", "DeviceApi"] {
        let policy = properties(api)["SecurityPolicy"].as_str().unwrap();
        assert!(policy.starts_with("SecurityPolicy_TLS13_1_2_"), "{api}: {policy}");
        assert_eq!(properties(api)["EndpointAccessMode"], "STRICT", "{api}: such a policy needs a mode");
    }
    for bucket in ["ProcessBucket", "QuarantineBucket"] {
        let statements = policy_statements("AWS::S3::BucketPolicy", "Bucket", bucket);
        let old_versions = json!({ "NumericLessThan": { "s3:TlsVersion": "1.2" } });
        let is_refusal = |statement: &&Value| statement["Effect"] == "Deny" && statement["Condition"] == old_versions;
        assert!(statements.iter().any(is_refusal), "{bucket}: {statements:?}");
    }
}

/// Other stacks and people have keys in the same account. See
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-tagging-iam-policy.html>.
#[test]
fn manage_creates_and_deletes_only_gateway_keys_with_the_tag_of_its_plans() {
    let statements = list(&properties("ManageRole")["Policies"][0]["PolicyDocument"]["Statement"]);
    let plans = json!([{ "Ref": "DevicePlanStandard" }, { "Ref": "DevicePlanFast" }]);
    let mut seen = Vec::new();
    for statement in statements {
        let resource = statement["Resource"].to_string();
        for action in strings(&statement["Action"]).into_iter().filter(|action| action.starts_with("apigateway:")) {
            let key = match action {
                "apigateway:POST" if resource.ends_with("/apikeys\"}") => "RequestTag",
                "apigateway:DELETE" => "ResourceTag",
                "apigateway:POST" if resource.contains("/usageplans/${DevicePlanStandard}/keys") => continue,
                // The tags of a key that is being created.
                "apigateway:PUT" if resource.contains("::/tags/arn%3A") && resource.contains("%2Fapikeys%2F*") => {
                    continue;
                }
                _ => panic!("{statement}"),
            };
            let tag = format!("aws:{key}/eventpulse:usage-plan");
            assert_eq!(statement["Condition"], json!({ "StringEquals": { tag: plans } }));
            seen.push(key);
        }
    }
    assert_eq!(seen, ["RequestTag", "ResourceTag"]);
}

#[test]
fn access_logs_are_on_by_default() {
    let parameter = &template()["Parameters"]["AccessLogs"];
    assert_eq!(parameter["Default"], "own");
    for stage in ["ApiStage", "DeviceApiStage"] {
        let setting = &properties(stage)["AccessLogSetting"]["Fn::If"];
        assert_eq!(setting[0], "HasAccessLogs", "{stage}");
        assert_eq!(setting[1]["DestinationArn"], json!({ "Fn::GetAtt": ["ApiLogs", "Arn"] }), "{stage}");
    }
    // API Gateway refuses access logs until the account has a role for them.
    assert_eq!(template()["Conditions"]["SetsAccountRole"], json!({ "Fn::Equals": [{ "Ref": "AccessLogs" }, "own"] }));
}
