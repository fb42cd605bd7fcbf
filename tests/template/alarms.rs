//! Alarms, and the log lines that metric filters count.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Value, json};

use crate::expanded::{properties, repository, resources};

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
    assert!(alarms.len() > 25, "{alarms:?}");
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
        let metric = property_values(name, ["Namespace", "MetricName", "Dimensions"]).map(Value::to_string);
        let other = watched.insert(metric, name);
        assert_eq!(other, None, "{name}");
    }
}

/// Checks that the message of each metric filter occurs in the source code. Otherwise the alarm never fires.
#[test]
fn the_metric_filters_match_log_lines_of_notify() {
    let program = ["functions/notify/src", "crates/aws/src"].map(|path| source(&repository().join(path))).concat();
    let filters = resources("AWS::Logs::MetricFilter");
    let rows = [
        ("PassedSyntheticChecks", "SyntheticCheckAlarm", "the synthetic check passed", "1"),
        ("OverdueNotices", "NoticesOverdueAlarm", "notices are overdue", "$.overdue_seconds"),
        ("UnsentNotices", "NoticesUnsentAlarm", "notice delivery failed; the notice stays pending", "1"),
        ("FailedNotices", "NoticesFailedAlarm", "notice delivery failed permanently", "1"),
    ];
    assert_eq!(filters.len(), rows.len(), "{filters:?}");
    for (filter, alarm, message, value) in rows {
        let filter = properties(filter);
        assert_eq!(filter["LogGroupName"], json!({ "Ref": "NotifyLogs" }));
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

#[test]
fn the_alarms_on_notices_have_their_thresholds() {
    let names = ["Statistic", "Period", "EvaluationPeriods", "Threshold", "ComparisonOperator", "TreatMissingData"];
    for (alarm, right) in [
        ("SyntheticCheckAlarm", json!(["Sum", 300, 2, 1, "LessThanThreshold", "breaching"])),
        ("NoticesOverdueAlarm", json!(["Maximum", 300, 1, 900, "GreaterThanThreshold", "notBreaching"])),
        ("NoticesUnsentAlarm", json!(["Sum", 300, 1, 5, "GreaterThanOrEqualToThreshold", "notBreaching"])),
        ("NoticesFailedAlarm", json!(["Sum", 300, 1, 1, "GreaterThanOrEqualToThreshold", "notBreaching"])),
    ] {
        assert_eq!(json!(property_values(alarm, names)), right, "{alarm}");
    }
}
