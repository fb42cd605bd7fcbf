//! The deployments of the APIs: snapshots that a stage serves.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};

use crate::expanded::{properties, repository, resource, resources, strings, template, tool};

const DEPLOYMENT: &str = "AWS::ApiGateway::Deployment";

/// The REST API has a deployment with a console and one without.
const DEPLOYMENTS: [(&str, usize); 2] = [("Api", 2), ("DeviceApi", 1)];

fn belongs_to(resource: &Value, api: &str) -> bool {
    resource["Properties"]["RestApiId"] == json!({ "Ref": api })
}

fn deployments_of(api: &str) -> Vec<&'static str> {
    resources(DEPLOYMENT).into_iter().filter(|(_, it)| belongs_to(it, api)).map(|(name, _)| name).collect()
}

#[test]
fn each_deployment_id_ends_in_the_digest_of_its_api() {
    let output = tool(&["digest"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for (api, count) in DEPLOYMENTS {
        let deployments = deployments_of(api);
        assert_eq!(deployments.len(), count, "{deployments:?}");
        let digests: Vec<_> = deployments.iter().filter_map(|name| name.rsplit_once("Deployment")).collect();
        assert_eq!(digests.len(), count, "{deployments:?}");
        for (_, digest) in &digests {
            assert!(digest.len() == 10 && digest.bytes().all(|it| it.is_ascii_hexdigit()), "{deployments:?}");
            assert_eq!(*digest, digests[0].1);
        }
    }
    assert_eq!(resources(DEPLOYMENT).len(), DEPLOYMENTS.iter().map(|(_, count)| count).sum::<usize>());
}

#[test]
fn a_changed_api_gets_new_deployment_ids_and_nothing_else_does() {
    let source = fs::read_to_string(repository().join("template.yaml")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("template.yaml");
    let digest = |arguments: &[&str]| tool(&[&["--source", path.to_str().unwrap(), "digest"], arguments].concat());
    let deployments = [deployments_of("Api"), deployments_of("DeviceApi")].concat();
    for (name, from, to, changed) in [
        ("response of both APIs", "No such route", "No route", [true, true, true]),
        ("method of the device API", "ApiKeyRequired: true", "ApiKeyRequired: false", [false, false, true]),
        ("path of the REST API", "Path: validate,", "Path: validation,", [true, true, false]),
        ("stage", "ResourcePath: /*", "ResourcePath: /uploads", [false; 3]),
    ] {
        assert!(source.contains(from), "{name}");
        fs::write(&path, source.replace(from, to)).unwrap();
        assert!(digest(&["--write"]).status.success(), "{name}");
        let updated = fs::read_to_string(&path).unwrap();
        let is_gone = deployments.iter().map(|id| !updated.contains(&id[id.len() - "Deployment0123456789".len()..]));
        assert_eq!(is_gone.collect::<Vec<_>>(), changed, "{name}");
    }

    fs::write(&path, source.replace("Path: validate,", "Path: validation,")).unwrap();
    let output = digest(&[]);
    assert!(!output.status.success());
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains(".venv/bin/python local/template.py digest --write"), "{message}");
}

#[test]
fn a_deployment_depends_on_all_methods_and_gateway_responses() {
    for (api, _) in DEPLOYMENTS {
        let mut parts: Vec<_> = ["AWS::ApiGateway::Method", "AWS::ApiGateway::GatewayResponse"]
            .into_iter()
            .flat_map(resources)
            .filter(|(_, part)| belongs_to(part, api))
            .map(|(name, _)| name)
            .collect();
        parts.sort_unstable();
        for deployment in deployments_of(api) {
            let mut dependencies = strings(&resource(deployment)["DependsOn"]);
            dependencies.sort_unstable();
            assert_eq!(dependencies, parts, "{deployment}");
        }
    }
}

#[test]
fn each_stage_serves_the_deployment_of_its_console_setting() {
    let console = &properties("ApiStage")["DeploymentId"]["Fn::If"];
    let [with, without] = deployments_of("Api")[..] else { panic!("two deployments") };
    assert_eq!(*console, json!(["HasConsole", { "Ref": with }, { "Ref": without }]));
    assert_eq!(resource(with)["Condition"], "HasConsole");
    assert_eq!(resource(without)["Condition"], "HasNoConsole");
    assert_eq!(properties("DeviceApiStage")["DeploymentId"], json!({ "Ref": deployments_of("DeviceApi")[0] }));
}

/// The types of the parts of an API. CloudFormation creates an API before its parts.
const PARTS: [&str; 6] = ["Resource", "Method", "Authorizer", "GatewayResponse", "Model", "RequestValidator"];

/// Adds the names of resources that a value refers to.
fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("Ref").and_then(Value::as_str));
            found.extend(members.get("Fn::GetAtt").and_then(|attribute| attribute[0].as_str()));
            found.extend(members.get("DependsOn").into_iter().flat_map(strings));
            let sub = members.get("Fn::Sub").map(|sub| sub.as_str().or(sub[0].as_str()).unwrap_or_default());
            let names = sub.into_iter().flat_map(|text| text.split("${").skip(1)).map(|rest| rest.split(['.', '}']));
            found.extend(names.filter_map(|mut parts| parts.next()));
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// Simulates CloudFormation, which creates at once whatever depends on nothing that is missing. API Gateway allows
/// 10 calls a second for an account, see <https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html>.
#[test]
fn at_most_five_parts_of_the_apis_are_created_at_once() {
    let resources = template()["Resources"].as_object().unwrap();
    let mut missing: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, resource) in resources {
        let mut found = BTreeSet::new();
        references(resource, &mut found);
        found.retain(|other| resources.contains_key(*other));
        missing.insert(name, found);
    }
    let is_part = |name: &str| {
        let kind = resources[name]["Type"].as_str().unwrap().strip_prefix("AWS::ApiGateway::");
        kind.is_some_and(|kind| PARTS.contains(&kind))
    };
    let parts = resources.keys().filter(|name| is_part(name)).count();
    assert!(parts > 70, "{parts}");
    while !missing.is_empty() {
        let ready: Vec<_> = missing.iter().filter(|(_, others)| others.is_empty()).map(|(name, _)| *name).collect();
        assert!(!ready.is_empty(), "these depend on each other: {missing:?}");
        let started: Vec<_> = ready.iter().filter(|name| is_part(name)).collect();
        assert!(started.len() <= 5, "{started:?}");
        missing.retain(|name, _| !ready.contains(name));
        missing.values_mut().for_each(|others| others.retain(|other| !ready.contains(other)));
    }
    // One regional API in three seconds.
    assert_eq!(resource("DeviceApi")["DependsOn"], json!(["Api"]));
}
