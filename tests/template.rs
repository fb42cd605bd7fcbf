//! What neither CloudFormation nor its linters tell about `template.yaml`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;
use sha2::{Digest, Sha256};

/// The types of which an API Gateway deployment takes a snapshot.
const HELD: [&str; 5] = ["RestApi", "Resource", "Method", "Authorizer", "GatewayResponse"];

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

#[test]
fn a_deployment_is_named_after_what_it_holds() {
    let template = template();
    let mut digest = Sha256::new();
    for (name, lines) in resources(&template).iter().filter(|(_, lines)| is_of(lines, &HELD)) {
        digest.update(format!("{name}\n{}\n", lines.join("\n")));
    }
    let right: String = digest.finalize().iter().take(5).map(|byte| format!("{byte:02x}")).collect();
    let resources = resources(&template);
    let deployments: Vec<_> = resources.iter().filter(|(_, lines)| is_of(lines, &["Deployment"])).collect();
    assert_eq!(deployments.len(), 2);
    for (name, _) in deployments {
        let (stem, old) = name.split_at(name.len() - right.len());
        assert!(
            old == right && stem.ends_with("Deployment"),
            "what the stage serves has changed, and only a deployment of a new name brings it there. In template.yaml: \
             sed -i 's/Deployment{old}/Deployment{right}/g' template.yaml"
        );
    }
}

#[test]
fn a_deployment_waits_for_all_that_it_holds() {
    let template = template();
    let resources = resources(&template);
    let held = resources.iter().filter(|(_, lines)| is_of(lines, &["Method", "GatewayResponse"]));
    let held: Vec<_> = held.map(|(name, _)| name.as_str()).collect();
    for (name, lines) in resources.iter().filter(|(_, lines)| is_of(lines, &["Deployment"])) {
        let text = lines.join(" ");
        let (_, waits) = text.split_once("DependsOn: [").unwrap();
        let (waits, _) = waits.split_once(']').unwrap();
        let mut waits: Vec<_> = waits.split(',').map(str::trim).collect();
        waits.sort_unstable();
        assert_eq!(waits, held, "DependsOn of {name}");
    }
}

#[test]
fn what_the_gateway_answers_itself_are_problems() {
    let template = template();
    let resources = resources(&template);
    let answers: Vec<_> = resources.values().filter(|lines| is_of(lines, &["GatewayResponse"])).collect();
    assert!(answers.len() > 20, "{answers:?}");
    for lines in answers {
        let kind = property(lines, "ResponseType");
        let start = lines.iter().position(|line| line.trim() == "application/json: >-").unwrap();
        let body: String = lines[start + 1..].iter().flat_map(|line| [line.trim(), " "]).collect();
        // The id is the only thing that is not constant, and it is a UUID.
        assert_eq!(body.matches('$').count(), 1, "{kind}");
        let problem: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{kind}: {error}: {body}"));
        assert_eq!(problem["status"].to_string(), property(lines, "StatusCode"), "{kind}");
        assert!(problem["type"].as_str().unwrap().starts_with("urn:eventpulse:problem:"), "{kind}");
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "{kind}");
        assert_eq!(problem["instance"], "urn:eventpulse:request:$context.requestId", "{kind}");
        let media_type = property(lines, "gatewayresponse.header.Content-Type");
        assert_eq!(media_type, "'application/problem+json'", "{kind}");
    }
}
