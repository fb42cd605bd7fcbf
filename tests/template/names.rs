//! Names that must be unique, and descriptions that must exist.

use std::collections::BTreeMap;

use crate::expanded::{resources, template, text};

#[test]
fn names_of_resources_of_a_type_are_unique() {
    for (kind, name) in [
        ("AWS::Logs::LogGroup", "LogGroupName"),
        ("AWS::ApiGateway::RestApi", "Name"),
        ("AWS::ApiGateway::UsagePlan", "UsagePlanName"),
    ] {
        let mut named = BTreeMap::new();
        let resources = resources(kind);
        assert!(resources.len() > 1, "{kind}");
        for (id, resource) in resources {
            let value = &resource["Properties"][name];
            let value = if value.is_object() && value["Ref"].is_string() { value.to_string() } else { text(value) };
            assert_eq!(named.insert(value, id), None, "{id}");
        }
    }
}

#[test]
fn no_two_outputs_are_equal() {
    let mut seen = BTreeMap::new();
    for (name, output) in template()["Outputs"].as_object().unwrap() {
        assert_eq!(seen.insert(output["Value"].to_string(), name), None, "{name}");
    }
}

#[test]
fn parameters_outputs_and_functions_have_descriptions() {
    let sections = ["Parameters", "Outputs"].map(|section| template()[section].as_object().unwrap());
    let described = sections.into_iter().flatten().map(|(name, value)| (name.as_str(), value));
    let functions = resources("AWS::Serverless::Function");
    let functions = functions.into_iter().map(|(name, function)| (name, &function["Properties"]));
    for (name, value) in described.chain(functions) {
        let description = value["Description"].as_str().unwrap_or_default();
        assert!(description.ends_with('.'), "{name}: {description:?}");
    }
}

#[test]
fn every_parameter_is_in_a_group_of_the_console() {
    let groups = &template()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"];
    let groups = groups.as_array().unwrap().iter().flat_map(|group| group["Parameters"].as_array().unwrap());
    let mut grouped: Vec<_> = groups.map(|name| name.as_str().unwrap()).collect();
    grouped.sort_unstable();
    let mut parameters: Vec<_> = template()["Parameters"].as_object().unwrap().keys().map(String::as_str).collect();
    parameters.sort_unstable();
    assert_eq!(grouped, parameters);
}
