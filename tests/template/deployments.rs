//! The deployments of the APIs: snapshots that a stage serves.

use std::fs;

use serde_json::{Value, json};

use crate::expanded::{properties, repository, resource, resources, strings, tool};

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
