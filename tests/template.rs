//! What neither CloudFormation nor its linters tell about `template.yaml`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The types of which an API Gateway deployment takes a snapshot.
const HELD: [&str; 7] = ["RestApi", "Resource", "Method", "Authorizer", "GatewayResponse", "Model", "RequestValidator"];

/// The owners' API has a deployment with a console and one without.
const DEPLOYMENTS: [(&str, usize); 2] = [("Api", 2), ("DeviceApi", 1)];

/// The resources of the template, by name: their lines, without comments and blank ones.
fn resources(template: &str) -> BTreeMap<String, Vec<&str>> {
    let section = template.lines().skip_while(|line| *line != "Resources:").skip(1);
    let section = section.take_while(|line| line.is_empty() || line.starts_with([' ', '#']));
    let mut resources = BTreeMap::new();
    let mut name = String::new();
    for line in section.filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')) {
        match line.strip_prefix("  ").and_then(|line| line.strip_suffix(':')) {
            Some(key) if !key.starts_with(' ') => name = key.to_owned(),
            _ => resources.entry(name.clone()).or_insert_with(Vec::new).push(line),
        }
    }
    resources
}

fn template() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml")).unwrap()
}

fn type_of<'a>(lines: &[&'a str]) -> Option<&'a str> {
    lines.iter().find_map(|line| line.strip_prefix("    Type: "))
}

fn is_of(lines: &[&str], types: &[&str]) -> bool {
    let of_gateway = type_of(lines).and_then(|name| name.strip_prefix("AWS::ApiGateway::"));
    of_gateway.is_some_and(|name| types.contains(&name))
}

/// The value of a property that is on one line, without quotes.
fn property<'a>(lines: &[&'a str], name: &str) -> &'a str {
    let found = lines.iter().find_map(|line| line.trim_start().strip_prefix(name)?.strip_prefix(": "));
    found.unwrap_or_else(|| panic!("no {name} in {lines:?}")).trim_matches('"')
}

/// Whether a resource is an API, or a part of it.
fn is_part_of(name: &str, lines: &[&str], api: &str) -> bool {
    let named = lines.iter().find_map(|line| line.split_once("RestApiId: !Ref "));
    let named = named.map(|(_, rest)| rest.split(|char: char| !char.is_alphanumeric()).next().unwrap_or_default());
    name == api || named == Some(api)
}

/// The text of a resource's JSON, from the line after the one that is `start` to the first that is indented no deeper.
fn json_after(lines: &[&str], start: &str) -> String {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let at = lines.iter().position(|line| line.trim() == start).unwrap_or_else(|| panic!("no {start} in {lines:?}"));
    let inside = lines[at + 1..].iter().take_while(|line| indent(line) > indent(lines[at]));
    inside.flat_map(|line| [line.trim(), " "]).collect()
}

#[test]
fn a_deployment_is_named_after_what_it_holds() {
    let template = template();
    let resources = resources(&template);
    for (api, count) in DEPLOYMENTS {
        let mut digest = Sha256::new();
        let of_api = resources.iter().filter(|(name, lines)| is_part_of(name, lines, api));
        for (name, lines) in of_api.clone().filter(|(_, lines)| is_of(lines, &HELD)) {
            digest.update(format!("{name}\n{}\n", lines.join("\n")));
        }
        let right: String = digest.finalize().iter().take(5).map(|byte| format!("{byte:02x}")).collect();
        let deployments: Vec<_> = of_api.filter(|(_, lines)| is_of(lines, &["Deployment"])).collect();
        assert_eq!(deployments.len(), count, "{api}");
        for (name, _) in deployments {
            let (stem, old) = name.split_at(name.len() - right.len());
            assert!(
                old == right && stem.ends_with("Deployment"),
                "what the stage serves has changed, and only a deployment of a new name brings it there. In \
                 template.yaml: sed -i 's/Deployment{old}/Deployment{right}/g' template.yaml"
            );
        }
    }
    let deployments = resources.values().filter(|lines| is_of(lines, &["Deployment"])).count();
    assert_eq!(deployments, DEPLOYMENTS.iter().map(|(_, count)| count).sum::<usize>());
}

#[test]
fn a_deployment_waits_for_all_that_it_holds() {
    let template = template();
    let resources = resources(&template);
    for (api, _) in DEPLOYMENTS {
        let of_api = resources.iter().filter(|(name, lines)| is_part_of(name, lines, api));
        let held = of_api.clone().filter(|(_, lines)| is_of(lines, &["Method", "GatewayResponse"]));
        let held: Vec<_> = held.map(|(name, _)| name.as_str()).collect();
        for (name, lines) in of_api.filter(|(_, lines)| is_of(lines, &["Deployment"])) {
            let text = lines.join(" ");
            let (_, waits) = text.split_once("DependsOn: [").unwrap();
            let (waits, _) = waits.split_once(']').unwrap();
            let mut waits: Vec<_> = waits.split(',').map(str::trim).collect();
            waits.sort_unstable();
            assert_eq!(waits, held, "DependsOn of {name}");
        }
    }
}

/// Checks a problem's members, and that nothing in it but the request's id varies.
fn assert_problem(body: &str, status: &str, what: &str) {
    // The id is a UUID.
    assert_eq!(body.matches('$').count(), 1, "{what}");
    let problem: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{what}: {error}: {body}"));
    assert_eq!(problem["status"].to_string(), status, "{what}");
    assert!(problem["type"].as_str().unwrap().starts_with("urn:eventpulse:problem:"), "{what}");
    assert!(problem["title"].is_string() && problem["detail"].is_string(), "{what}");
    assert_eq!(problem["instance"], "urn:eventpulse:request:$context.requestId", "{what}");
}

#[test]
fn what_the_gateway_answers_itself_are_problems() {
    let template = template();
    let resources = resources(&template);
    let answers: Vec<_> = resources.values().filter(|lines| is_of(lines, &["GatewayResponse"])).collect();
    assert!(answers.len() > 30, "{answers:?}");
    for lines in answers {
        let kind = property(lines, "ResponseType");
        assert_problem(&json_after(lines, "application/json: >-"), property(lines, "StatusCode"), kind);
        let media_type = property(lines, "gatewayresponse.header.Content-Type");
        assert_eq!(media_type, "'application/problem+json'", "{kind}");
    }
}

#[test]
fn what_becomes_of_a_message_that_the_queue_refuses_are_problems() {
    let template = template();
    let resources = resources(&template);
    let method = &resources["DataMethod"];
    let starts = method.iter().enumerate().filter(|(_, line)| line.trim_start().starts_with("- StatusCode: "));
    let starts: Vec<_> = starts.map(|(at, _)| at).collect();
    let answers = starts.iter().zip(&starts[1..]).map(|(start, end)| &method[*start..*end]);
    let refusals: Vec<_> = answers.filter(|lines| lines.iter().any(|line| line.contains("problem+json"))).collect();
    let statuses: Vec<_> = refusals.iter().map(|lines| lines[0].split('"').nth(1).unwrap()).collect();
    assert_eq!(statuses, ["413", "503"]);
    for (lines, status) in refusals.iter().zip(statuses) {
        assert_problem(&json_after(lines, "application/json: >-"), status, status);
    }
}

/// What a client sends can end no value and begin no other.
#[test]
fn what_the_gateway_puts_into_a_message_is_encoded() {
    let template = template();
    let resources = resources(&template);
    let lines = resources["DataMethod"].iter().map(|line| line.trim());
    let form =
        lines.skip_while(|line| *line != "RequestTemplates:").take_while(|line| *line != "IntegrationResponses:");
    let values: Vec<_> = form.filter_map(|line| line.strip_prefix("- Message")?.split_once('=')).collect();
    assert!(values.len() > 10, "{values:?}");
    for (name, value) in values.iter().filter(|(_, value)| value.contains('$')) {
        // What follows the one value is the template's own.
        let value = value.trim_end_matches("#end").trim_end_matches("#if(\"$!key\" != \"\")");
        let inner = value.strip_prefix("$util.urlEncode($").and_then(|rest| rest.strip_suffix(')'));
        let inner = inner.map(|inner| inner.trim_start_matches("util.base64Encode($").trim_end_matches(')'));
        let is_one =
            inner.is_some_and(|inner| inner.bytes().all(|it| it.is_ascii_alphanumeric() || b"._".contains(&it)));
        assert!(is_one, "Message{name}={value}");
    }
}

#[test]
fn a_message_is_hidden_for_six_times_as_long_as_its_function_may_take() {
    let template = template();
    let resources = resources(&template);
    let seconds = |resource: &str, name| {
        property(&resources[resource], name).split_whitespace().next().unwrap().parse::<u32>().unwrap()
    };
    for (queue, function) in [("MessageQueue", "IngestMessage"), ("FailureQueue", "IngestFailed")] {
        assert!(seconds(queue, "VisibilityTimeout") >= 6 * seconds(function, "Timeout"), "{queue}");
    }
}

/// The required members of each schema's highest minor version, by `name/major.minor`.
fn required_members() -> BTreeMap<String, Value> {
    let mut highest = BTreeMap::new();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas");
    for folder in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        for file in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
            let (major, minor) = file.file_stem().unwrap().to_str().unwrap().split_once('.').unwrap();
            let version: (u32, u32) = (major.parse().unwrap(), minor.parse().unwrap());
            let best = highest.entry((name, version.0)).or_insert((version.1, file.clone()));
            if version.1 >= best.0 {
                *best = (version.1, file);
            }
        }
    }
    let members = |file| serde_json::from_slice::<Value>(&fs::read(file).unwrap()).unwrap()["required"].clone();
    highest
        .into_iter()
        .map(|((name, major), (minor, file))| (format!("{name}/{major}.{minor}"), members(file)))
        .collect()
}

#[test]
fn the_gateway_refuses_what_no_schema_could_accept() {
    let required: Vec<_> = required_members().into_values().map(|members| json!({ "required": members })).collect();
    let record = json!({ "type": "object", "anyOf": required });
    let right = json!({
        "$schema": "http://json-schema.org/draft-04/schema#",
        "anyOf": [
            record,
            { "type": "array", "minItems": 1, "maxItems": 500, "not": { "items": { "not": record } } },
        ],
    });
    let template = template();
    let text = json_after(&resources(&template)["DataModel"], "Schema:");
    let model: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("DataModel: {error}: {text}"));
    assert!(model == right, "the schemas have changed. In template.yaml, DataModel's Schema is to be\n{right:#}");

    let accepts = jsonschema::draft4::new(&model).unwrap();
    let reading = json!({ "device_id": "1", "timestamp": "t", "value": 1 });
    let weather = json!({ "station": "a", "observed_at": 3, "more": null });
    for (is_accepted, body) in [
        (true, reading.clone()),
        (true, weather.clone()),
        (true, json!({ "device_id": null, "readings": "wrong" })),
        (true, json!([reading])),
        (true, json!([1, {}, weather, []])),
        (true, json!(vec![reading.clone(); 500])),
        (false, json!(vec![reading.clone(); 501])),
        (false, json!([])),
        (false, json!([{}, 1])),
        (false, json!([[reading]])),
        (false, json!({})),
        (false, json!({ "device_id": "1" })),
        (false, json!("device_id, timestamp, value")),
        (false, Value::Null),
    ] {
        assert_eq!(accepts.is_valid(&body), is_accepted, "{body}");
    }
}

#[test]
fn the_gateway_says_which_members_a_schema_requires() {
    let members = |value: &Value| {
        value.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect::<Vec<_>>().join(", ")
    };
    let schemas =
        required_members().iter().map(|(name, required)| format!("{name}: {}", members(required))).collect::<Vec<_>>();
    let right = format!("({})", schemas.join("; "));
    let template = template();
    let text = json_after(&resources(&template)["DeviceBadBodyAnswer"], "application/json: >-");
    assert!(text.contains(&right), "the schemas have changed. In template.yaml, DeviceBadBodyAnswer is to say {right}");
}

/// All that is written in a directory and those below it.
fn source(directory: &Path) -> String {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { source(&path) } else { fs::read_to_string(path).unwrap() }).collect()
}

/// What a metric filter listens to must be what is logged, to the letter: nothing else would tell that it is deaf.
#[test]
fn the_alarms_on_notices_listen_to_what_notify_logs() {
    let template = template();
    let resources = resources(&template);
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let program = source(&repository.join("functions/notify/src")) + &source(&repository.join("crates/aws/src"));
    for (filter, alarm, message, value) in [
        ("PassedSelfTests", "SelfTestAlarm", "the self-test came through", "1"),
        ("OverdueNotices", "NoticesOverdueAlarm", "notices are overdue", "$.overdue_seconds"),
        ("UnsentNotices", "NoticesUnsentAlarm", "a notice could not be sent; it stays owed", "1"),
        ("GivenUpNotices", "NoticesGivenUpAlarm", "a notice was given up", "1"),
    ] {
        let (filter, alarm) = (&resources[filter], &resources[alarm]);
        assert_eq!(property(filter, "LogGroupName"), "!Ref NotifyLogs");
        let pattern = property(filter, "FilterPattern");
        assert_eq!(pattern, format!("'{{ $.message = \"{message}\" }}'"));
        assert_eq!(property(filter, "- MetricNamespace"), property(alarm, "Namespace"));
        assert_eq!(property(filter, "MetricName"), property(alarm, "MetricName"));
        assert_eq!(property(filter, "MetricValue"), value);
        assert!(program.contains(&format!("\"{message}\"")), "nobody logs {message:?}");
    }
    assert!(program.contains("overdue_seconds"));
    let alarm = &resources["SelfTestAlarm"];
    let seconds: u32 =
        ["Period", "EvaluationPeriods"].iter().map(|name| property(alarm, name).parse::<u32>().unwrap()).product();
    assert_eq!(seconds, 600);
    assert_eq!(property(alarm, "TreatMissingData"), "breaching");
    for (alarm, threshold) in [("NoticesUnsentAlarm", "5"), ("NoticesGivenUpAlarm", "1")] {
        let alarm = &resources[alarm];
        let terms = ["Statistic", "Period", "EvaluationPeriods", "Threshold", "ComparisonOperator"];
        let right = ["Sum", "300", "1", threshold, "GreaterThanOrEqualToThreshold"];
        assert_eq!(terms.map(|name| property(alarm, name)), right);
    }
}

#[test]
fn the_stream_of_notices_wakes_notify_for_occurrences_only() {
    let template = template();
    let resources = resources(&template);
    let patterns: Vec<_> =
        resources["Notify"].iter().filter_map(|line| line.trim().strip_prefix("- Pattern: ")).collect();
    let [pattern] = patterns[..] else { panic!("{patterns:?}") };
    let pattern: Value = serde_json::from_str(pattern.trim_matches('\'')).unwrap();
    let right = json!({ "eventName": ["INSERT"], "dynamodb": { "Keys": { "sk": { "S": [{ "prefix": "seen#" }] } } } });
    assert_eq!(pattern, right);
    // Keys are all that it carries, so the filter may name nothing else.
    assert_eq!(property(&resources["NoticesTable"], "StreamSpecification"), "{ StreamViewType: KEYS_ONLY }");
}

#[test]
fn notify_alone_publishes() {
    let template = template();
    let resources = resources(&template);
    let publishers: Vec<_> = resources
        .iter()
        .filter(|(_, lines)| type_of(lines) == Some("AWS::IAM::Role"))
        .filter(|(_, lines)| lines.iter().any(|line| line.contains("sns:Publish") || line.contains("sns:*")))
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(publishers, ["NotifyRole"]);
}

/// What a role may do with a resource, by the statements that name it.
fn actions(role: &[&str], resource: &str) -> Vec<String> {
    let text = role.join("\n");
    let statements = text.split("- Sid: ").skip(1);
    let of_resource =
        statements.filter(|statement| statement.lines().any(|line| line.trim() == format!("Resource: {resource}")));
    let words = |statement: &str| -> Vec<String> {
        statement
            .split(|char: char| !char.is_ascii_alphabetic() && char != ':')
            .filter(|word| word.starts_with("dynamodb:") || word.starts_with("sns:"))
            .map(str::to_owned)
            .collect()
    };
    of_resource.flat_map(|statement| words(statement.split("Resource:").next().unwrap())).collect()
}

#[test]
fn who_manages_subscriptions_may_do_no_more_than_that() {
    let template = template();
    let resources = resources(&template);
    let manage = &resources["ManageRole"];
    assert_eq!(actions(manage, "!GetAtt NoticesTable.Arn"), ["dynamodb:GetItem", "dynamodb:PutItem"]);
    let right = ["sns:Subscribe", "sns:GetSubscriptionAttributes", "sns:SetSubscriptionAttributes", "sns:Unsubscribe"];
    assert_eq!(actions(manage, "!Ref NoticesTopic"), right);
    let failed = actions(&resources["IngestFailedRole"], "!GetAtt NoticesTable.Arn");
    assert_eq!(failed, ["dynamodb:PutItem", "dynamodb:UpdateItem"]);
}

#[test]
fn every_function_knows_the_table_of_notices() {
    let template = template();
    let globals = template.lines().skip_while(|line| *line != "Globals:").take_while(|line| *line != "Resources:");
    assert!(globals.clone().any(|line| line == "        NOTICES_TABLE: !Ref NoticesTable"));
    let resources = resources(&template);
    let own = resources.values().flatten().filter(|line| line.trim_start().starts_with("NOTICES_TABLE:")).count();
    assert_eq!(own, 0, "a function's own would hide it");
}
