//! Queues, the stream of the notices table, and the environment of the functions.

use serde_json::{Value, json};

use crate::expanded::{list, properties, resources, template};

#[test]
fn the_visibility_timeout_of_a_queue_is_six_times_the_timeout_of_its_function() {
    for (queue, function) in [("MessageQueue", "IngestMessage"), ("FailureQueue", "IngestFailed")] {
        let visibility = properties(queue)["VisibilityTimeout"].as_u64().unwrap();
        let timeout = properties(function)["Timeout"].as_u64().unwrap();
        assert!(visibility >= 6 * timeout, "{queue}");
    }
}

#[test]
fn a_waiting_upload_is_delivered_again_until_it_counts_as_failed() {
    let queue = properties("WaitingQueue");
    let timeout = properties("IngestObject")["Timeout"].as_u64().unwrap();
    assert!(queue["VisibilityTimeout"].as_u64().unwrap() >= timeout, "Lambda refuses a shorter one");
    let arn = json!({ "Fn::GetAtt": ["WaitingQueue", "Arn"] });
    assert_eq!(queue["RedrivePolicy"]["deadLetterTargetArn"], json!({ "Fn::GetAtt": ["FailureQueue", "Arn"] }));
    let source = &properties("IngestObject")["Events"]["Waiting"]["Properties"];
    assert_eq!((&source["Queue"], &source["BatchSize"]), (&arn, &json!(1)));
    let actions = crate::permissions::actions("IngestObjectRole", &arn);
    let needed = ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];
    assert_eq!(actions, needed);
}

/// The function sends a waiting upload back to the queue that invokes it. See
/// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>.
#[test]
fn lambda_does_not_stop_a_long_wait_as_a_recursive_loop() {
    assert_eq!(properties("IngestObject")["RecursiveLoop"], "Allow");
}

#[test]
fn the_stream_of_notices_invokes_notify_for_occurrences_only() {
    let filters = list(&properties("Notify")["Events"]["Occurrences"]["Properties"]["FilterCriteria"]["Filters"]);
    let [filter] = filters[..] else { panic!("{filters:?}") };
    let pattern: Value = serde_json::from_str(filter["Pattern"].as_str().unwrap()).unwrap();
    let right =
        json!({ "eventName": ["INSERT"], "dynamodb": { "Keys": { "sk": { "S": [{ "prefix": "occurrence#" }] } } } });
    assert_eq!(pattern, right);
    // The stream carries the keys only, so the filter can name nothing else.
    assert_eq!(properties("NoticesTable")["StreamSpecification"], json!({ "StreamViewType": "KEYS_ONLY" }));
}

#[test]
fn every_function_has_the_name_of_the_notices_table() {
    let variables = &template()["Globals"]["Function"]["Environment"]["Variables"];
    assert_eq!(variables["NOTICES_TABLE"], json!({ "Ref": "NoticesTable" }));
    for (name, function) in resources("AWS::Serverless::Function") {
        let own = &function["Properties"]["Environment"]["Variables"]["NOTICES_TABLE"];
        assert!(own.is_null(), "{name}: its own variable would replace the global one");
    }
}

#[test]
fn every_function_has_a_log_group_and_a_role_that_may_write_to_it() {
    for (name, function) in resources("AWS::Serverless::Function") {
        let properties = &function["Properties"];
        let log_group = properties["LoggingConfig"]["LogGroup"]["Ref"].as_str().unwrap_or_else(|| panic!("{name}"));
        let role = properties["Role"]["Fn::GetAtt"][0].as_str().unwrap_or_else(|| panic!("{name}"));
        let actions = crate::permissions::actions(role, &json!({ "Fn::GetAtt": [log_group, "Arn"] }));
        assert_eq!(actions, ["logs:CreateLogStream", "logs:PutLogEvents"], "{name}");
        assert_eq!(crate::expanded::resource(log_group)["Condition"], function["Condition"], "{name}");
    }
}
