//! Conformance of the API to its OpenAPI document.

use std::sync::Arc;

use serde_json::Value;
use tokio::process::Command;

use crate::TestResult;
use crate::world::{World, document, reading};

/// The number of generated requests per operation.
const EXAMPLES: &str = "30";

pub async fn every_answer_conforms_to_the_openapi_document(world: Arc<World>) -> TestResult {
    let user = world.user();
    world.upload_by_rest(&user, &document("good.json", reading("12345", 0, 1.0).to_string())).await?;
    world.upload_by_rest(&user, &document("bad.json", "{}")).await?;
    let openapi = world.send("GET", "/openapi.json", &[], Vec::new()).await?.expect(200)?;
    assert!(openapi["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")), "{}", openapi["openapi"]);
    let operations: usize = openapi["paths"]
        .as_object()
        .ok_or("no paths")?
        .values()
        .filter_map(Value::as_object)
        .map(|path| path.len())
        .sum();
    assert!(operations >= 15, "{operations} operations");

    let requirements = world.stack.root.join("tests/requirements.txt");
    let binaries = world.stack.environment_of("schemathesis", &requirements).await?;
    let mut tester = Command::new(binaries.join("st"));
    tester.arg("run").arg(format!("{}/openapi.json", world.client.api));
    tester.args(["--url", &world.client.api, "--header", &format!("Authorization:Bearer {}", user.token)]);
    tester.args(["--checks", "all", "--max-examples", EXAMPLES, "--seed", "20260101", "--workers", "2"]);
    // The API may refuse a request that fits the schema, such as `from` after `to` or an unknown cursor. It still
    // returns a revoked key, so that its owner can see the status.
    tester.args(["--exclude-checks", "positive_data_acceptance,use_after_free"]);
    // The devices' API serves this operation.
    tester.args(["--exclude-operation-id", "post_data"]);
    tester.args(["--suppress-health-check", "all", "--request-timeout", "30", "--no-color"]);
    // Not the examples: the tester cannot send NDJSON. The tests of the API crate check each example against its schema.
    tester.args(["--phases", "coverage,fuzzing,stateful"]);
    tester.env("NO_PROXY", "127.0.0.1").current_dir(world.stack.root.join("target/schemathesis"));
    let output = tester.output().await?;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
