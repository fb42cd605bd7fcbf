//! Concurrent executions of the functions.

use serde_json::{Value, json};

use crate::expanded::{properties, resources, template};

/// Returns the executions that each function reserves with `Concurrency=reserved`. The synthetic check has none.
fn reserved() -> Vec<(&'static str, u64)> {
    let functions = resources("AWS::Serverless::Function").into_iter().filter_map(|(name, function)| {
        let reserved = &function["Properties"]["ReservedConcurrentExecutions"];
        let [condition, number, otherwise] = reserved["Fn::If"].as_array()?.as_slice() else { panic!("{name}") };
        assert_eq!(
            [condition, otherwise],
            [&json!("ReservesConcurrency"), &json!({ "Ref": "AWS::NoValue" })],
            "{name}"
        );
        Some((name, number.as_u64().unwrap()))
    });
    functions.collect()
}

/// A new account may run 10 functions at once, and Lambda then refuses any reservation. See
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
#[test]
fn the_defaults_deploy_to_an_account_of_ten_concurrent_executions() {
    assert_eq!(template()["Parameters"]["Concurrency"]["Default"], "shared");
    assert_eq!(
        template()["Conditions"]["ReservesConcurrency"],
        json!({ "Fn::Equals": [{ "Ref": "Concurrency" }, "reserved"] })
    );
    for (name, function) in resources("AWS::Serverless::Function") {
        let reserved = &function["Properties"]["ReservedConcurrentExecutions"];
        assert!(reserved.is_null() || reserved["Fn::If"].is_array(), "{name} always reserves executions");
    }
    let maximum = |function: &str, event: &str| {
        let scaling = &properties(function)["Events"][event]["Properties"]["ScalingConfig"]["MaximumConcurrency"];
        let shared: &Value = if scaling.is_number() { scaling } else { &scaling["Fn::If"][2] };
        shared.as_u64().unwrap()
    };
    let (messages, failures) = (maximum("IngestMessage", "Messages"), maximum("IngestFailed", "Failures"));
    let waiting = maximum("IngestObject", "Waiting");
    // SQS allows no less than 2. Three executions remain for the authorizer, queries and the owners' requests, or one while
    // many uploads wait for others.
    assert!(messages >= 2 && failures >= 2 && messages + failures <= 7, "{messages} + {failures}");
    assert!(waiting >= 2 && messages + failures + waiting <= 9, "{messages} + {failures} + {waiting}");
}

/// At least 100 executions of an account must remain unreserved. See
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html>.
#[test]
fn reserved_concurrency_separates_the_paths_and_fits_an_account_of_a_thousand() {
    let reserved = reserved();
    let names: Vec<_> = reserved.iter().map(|(name, _)| *name).collect();
    let all = ["Authorize", "IngestFailed", "IngestMessage", "IngestObject", "Manage", "Notify", "Query", "Validate"];
    assert_eq!(names, all);
    let sum: u64 = reserved.iter().map(|(_, number)| number).sum();
    assert!(sum <= 900, "{sum}: {reserved:?}");
    let queues = [("IngestMessage", "Messages"), ("IngestFailed", "Failures"), ("IngestObject", "Waiting")];
    for (function, event) in queues {
        let scaling = &properties(function)["Events"][event]["Properties"]["ScalingConfig"]["MaximumConcurrency"];
        let maximum = scaling.as_u64().or_else(|| scaling["Fn::If"][1].as_u64()).unwrap();
        let (_, own) = reserved.iter().find(|(name, _)| *name == function).unwrap();
        assert!(maximum <= *own, "{function}: messages beyond its executions would be received in vain");
    }
}

/// A flood of `/validate`, the most expensive request, takes no execution of another route.
#[test]
fn validation_has_a_function_of_its_own() {
    let function = |method: &str| properties(method)["Integration"]["Uri"].to_string();
    for method in ["ValidateMethod", "ValidateOptions"] {
        assert!(function(method).contains(r#"["Validate","Arn"]"#), "{method}: {}", function(method));
    }
    let others = resources("AWS::ApiGateway::Method").into_keys().filter(|name| !name.starts_with("Validate"));
    for method in others {
        assert!(!function(method).contains(r#"["Validate","Arn"]"#), "{method}");
    }
}
