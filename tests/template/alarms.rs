//! Alarms, and the log lines that metric filters count.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Value, json};

use crate::expanded::{list, properties, repository, resources};

/// Returns the source code in a directory and those below it.
fn source(directory: &Path) -> String {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { source(&path) } else { fs::read_to_string(path).unwrap() }).collect()
}

/// Returns the values of some properties of an alarm.
fn property_values<const N: usize>(alarm: &str, names: [&str; N]) -> [&'static Value; N] {
    names.map(|name| &properties(alarm)[name])
}

#[test]
fn every_alarm_says_what_happened_and_what_to_do() {
    let alarms = resources("AWS::CloudWatch::Alarm");
    assert!(alarms.len() > 40, "{alarms:?}");
    for (name, alarm) in &alarms {
        let description = alarm["Properties"]["AlarmDescription"].as_str().unwrap_or_default();
        assert!(description.matches(". ").count() >= 1 && description.ends_with('.'), "{name}: {description}");
    }
}

#[test]
fn every_alarm_notifies_the_operator_when_it_starts_and_ends() {
    for name in resources("AWS::CloudWatch::Alarm").into_keys() {
        let [start, end] = property_values(name, ["AlarmActions", "OKActions"]);
        assert_eq!([start, end], [&json!([{ "Ref": "AlarmTopic" }]); 2], "{name}");
    }
}

#[test]
fn no_two_alarms_watch_the_same_metric() {
    let mut watched = BTreeMap::new();
    for name in resources("AWS::CloudWatch::Alarm").into_keys() {
        let metric = property_values(name, ["Namespace", "MetricName", "Dimensions", "Metrics"]).map(Value::to_string);
        let other = watched.insert(metric, name);
        assert_eq!(other, None, "{name}");
    }
}

/// Whether an alarm exists on a metric with a dimension that refers to this resource, in an expression or alone.
fn is_watched(namespace: &str, metric: &str, resource: &str) -> bool {
    let watches = |metrics: &Value, name: &str| {
        metrics["Namespace"] == namespace
            && metrics["MetricName"] == metric
            && list(&metrics["Dimensions"])
                .iter()
                .any(|it| it["Name"] == name && it["Value"].to_string().contains(resource))
    };
    let name = match namespace {
        "AWS/Lambda" => "FunctionName",
        "AWS/SQS" => "QueueName",
        "AWS/SNS" => "TopicName",
        "AWS/DynamoDB" => "TableName",
        "AWS/Events" => "RuleName",
        _ => "Stage",
    };
    resources("AWS::CloudWatch::Alarm").values().map(|alarm| &alarm["Properties"]).any(|alarm| {
        let parts = alarm["Metrics"].as_array().into_iter().flatten();
        watches(alarm, name) || parts.into_iter().any(|part| watches(&part["MetricStat"]["Metric"], name))
    })
}

#[test]
fn each_way_to_lose_or_delay_data_has_an_alarm() {
    for (namespace, metric, of) in [
        ("AWS/Lambda", "IteratorAge", &["Notify"][..]),
        ("AWS/Lambda", "DestinationDeliveryFailures", &["IngestObject", "Notify"]),
        ("AWS/Lambda", "AsyncEventsDropped", &["IngestObject"]),
        ("AWS/Lambda", "AsyncEventAge", &["IngestObject"]),
        (
            "AWS/Lambda",
            "Errors",
            &["IngestObject", "IngestMessage", "IngestFailed", "Notify", "Query", "Manage", "Authorize"],
        ),
        ("AWS/Events", "FailedInvocations", &["ObjectCreatedRule", "NotifyEveryMinute"]),
        ("AWS/Events", "InvocationsFailedToBeSentToDlq", &["ObjectCreatedRule"]),
        ("AWS/SNS", "NumberOfNotificationsFailed", &["NoticesTopic", "AlarmTopic"]),
        ("AWS/DynamoDB", "ReadThrottleEvents", &["UploadsTable", "ChunksTable", "NoticesTable", "KeysTable"]),
        ("AWS/DynamoDB", "WriteThrottleEvents", &["UploadsTable", "ChunksTable", "NoticesTable", "KeysTable"]),
        ("AWS/SQS", "ApproximateAgeOfOldestMessage", &["FailureQueue", "MessageQueue"]),
        ("AWS/ApiGateway", "5XXError", &["ApiStage", "DeviceApiStage"]),
    ] {
        for resource in of {
            assert!(is_watched(namespace, metric, resource), "{metric} of {resource}");
        }
    }
    for queue in resources("AWS::SQS::Queue").into_keys().filter(|name| name.ends_with("DeadLetterQueue")) {
        assert!(is_watched("AWS/SQS", "ApproximateNumberOfMessagesVisible", queue), "{queue}");
    }
}

/// A client that finds a request with a 5xx status could otherwise keep the alarm on.
#[test]
fn alarms_that_a_client_can_cause_watch_a_share_of_the_requests() {
    let of_requests = |metric: &Value| {
        let functions = ["Query", "Manage", "Validate", "Authorize"]
            .map(|name| json!([{ "Name": "FunctionName", "Value": { "Ref": name } }]));
        metric["MetricName"] == "5XXError" || functions.contains(&metric["Dimensions"])
    };
    let mut rates = 0;
    for (name, alarm) in resources("AWS::CloudWatch::Alarm") {
        let alarm = &alarm["Properties"];
        assert!(!of_requests(alarm), "{name} watches a number of failures");
        if !list(&alarm["Metrics"]).iter().any(|part| of_requests(&part["MetricStat"]["Metric"])) {
            continue;
        }
        rates += 1;
        assert_eq!(alarm["Metrics"][0]["Expression"], "100 * failed / IF(all < 100, 100, all)", "{name}");
        let ids: Vec<_> = list(&alarm["Metrics"]).iter().map(|part| part["Id"].as_str().unwrap()).collect();
        assert_eq!(ids, ["rate", "failed", "all"], "{name}");
        assert_eq!([&alarm["Threshold"], &alarm["EvaluationPeriods"]], [&json!(5), &json!(1)], "{name}");
    }
    assert_eq!(rates, 10);
}

/// `TransactWriteItems` stores histories, claims, chunks and occurrences.
#[test]
fn the_dashboard_shows_the_main_write() {
    let body = properties("Dashboard")["DashboardBody"]["Fn::Sub"].as_str().unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    let metrics = body["widgets"].as_array().unwrap().iter().flat_map(|widget| list(&widget["properties"]["metrics"]));
    let metrics: Vec<String> = metrics.map(Value::to_string).collect();
    for metric in ["ThrottledRequests", "SuccessfulRequestLatency"] {
        let is_shown = |shown: &String| {
            shown.contains(metric) && shown.contains("${UploadsTable}") && shown.contains("TransactWriteItems")
        };
        assert!(metrics.iter().any(is_shown), "{metric}: {metrics:#?}");
    }
}

/// Checks that the message of each metric filter occurs in the source code. Otherwise the alarm never fires.
#[test]
fn the_metric_filters_match_log_lines_of_notify_and_the_synthetic_check() {
    let program = ["functions/notify/src", "crates/aws/src"].map(|path| source(&repository().join(path))).concat();
    let filters = resources("AWS::Logs::MetricFilter");
    let rows = [
        ("PassedSyntheticChecks", "SyntheticCheckAlarm", "the synthetic check passed", "1"),
        ("PassedSyntheticQueries", "SyntheticQueryAlarm", "the synthetic query passed", "1"),
        ("OverdueNotices", "NoticesOverdueAlarm", "notices are overdue", "$.overdue_seconds"),
        ("UnsentNotices", "NoticesUnsentAlarm", "notice delivery failed; the notice stays pending", "1"),
        ("FailedNotices", "NoticesFailedAlarm", "notice delivery failed permanently", "1"),
    ];
    assert_eq!(filters.len(), rows.len(), "{filters:?}");
    for (filter, alarm, message, value) in rows {
        let filter = properties(filter);
        let log_group = if alarm == "SyntheticQueryAlarm" { "SyntheticCheckLogs" } else { "NotifyLogs" };
        assert_eq!(filter["LogGroupName"], json!({ "Ref": log_group }));
        let pattern = crate::expanded::text(&filter["FilterPattern"]);
        assert_eq!(pattern, format!("{{ $.message = \"{message}\" }}"));
        let metric = &filter["MetricTransformations"][0];
        let [namespace, name] = property_values(alarm, ["Namespace", "MetricName"]);
        assert_eq!([&metric["MetricNamespace"], &metric["MetricName"]], [namespace, name]);
        assert_eq!(metric["MetricValue"], value);
        assert!(program.contains(&format!("\"{message}\"")), "no code logs {message:?}");
    }
    assert!(program.contains("overdue_seconds"));
}

/// The check covers both ways in, an object and a message, and a query.
#[test]
fn the_synthetic_check_puts_a_message_on_the_queue_of_devices() {
    let rule = properties("SyntheticMessageRule");
    assert_eq!(rule["Targets"][0]["Arn"], json!({ "Fn::GetAtt": ["MessageQueue", "Arn"] }));
    assert!(rule["Targets"][0]["Input"].is_null(), "ingest-message reads the event of the schedule itself");
    let name = rule["Name"]["Fn::Sub"].as_str().unwrap();
    let policy = &properties("MessageQueuePolicy")["PolicyDocument"]["Statement"][0];
    assert_eq!(policy["Principal"], json!({ "Service": "events.amazonaws.com" }));
    let source = policy["Condition"]["ArnEquals"]["aws:SourceArn"]["Fn::Sub"].as_str().unwrap();
    assert!(source.ends_with(&format!(":rule/{name}")), "{source}");
}

#[test]
fn the_alarms_on_notices_have_their_thresholds() {
    let names = ["Statistic", "Period", "EvaluationPeriods", "Threshold", "ComparisonOperator", "TreatMissingData"];
    for (alarm, right) in [
        ("SyntheticCheckAlarm", json!(["Sum", 300, 2, 1, "LessThanThreshold", "breaching"])),
        ("SyntheticQueryAlarm", json!(["Sum", 300, 3, 1, "LessThanThreshold", "breaching"])),
        ("NoticesOverdueAlarm", json!(["Maximum", 300, 1, 900, "GreaterThanThreshold", "notBreaching"])),
        ("NoticesUnsentAlarm", json!(["Sum", 300, 1, 5, "GreaterThanOrEqualToThreshold", "notBreaching"])),
        ("NoticesFailedAlarm", json!(["Sum", 300, 1, 1, "GreaterThanOrEqualToThreshold", "notBreaching"])),
    ] {
        assert_eq!(json!(property_values(alarm, names)), right, "{alarm}");
    }
}
