//! The API keeps to its OpenAPI document.

use std::sync::Arc;

use serde_json::Value;
use tokio::process::Command;

use crate::TestResult;
use crate::world::{World, document, reading};

/// How many requests are made up for each operation.
const EXAMPLES: &str = "30";

pub async fn every_answer_conforms_to_the_openapi_document(world: Arc<World>) -> TestResult {
    let user = world.user();
    world.upload_by_rest(&user, &document("good.json", reading("12345", 0, 1.0).to_string())).await?;
    world.upload_by_rest(&user, &document("bad.json", "{}")).await?;
    let told = world.send("GET", "/openapi.json", &[], Vec::new()).await?.expect(200)?;
    assert!(told["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")), "{}", told["openapi"]);
    let operations: usize =
        told["paths"].as_object().ok_or("no paths")?.values().filter_map(Value::as_object).map(|path| path.len()).sum();
    assert!(operations >= 15, "{operations} operations");

    let requirements = world.stack.root.join("tests/requirements.txt");
    let binaries = world.stack.environment_of("schemathesis", &requirements).await?;
    let mut tester = Command::new(binaries.join("st"));
    tester.arg("run").arg(format!("{}/openapi.json", world.client.api));
    tester.args(["--url", &world.client.api, "--header", &format!("Authorization:Bearer {}", user.token)]);
    tester.args(["--checks", "all", "--max-examples", EXAMPLES, "--seed", "20260101", "--workers", "2"]);
    // A request may fit the schema and be refused all the same: `from` after `to`, a cursor that nobody gave.
    // And a key that is revoked is still told: its owner wants to know what became of it.
    tester.args(["--exclude-checks", "positive_data_acceptance,use_after_free"]);
    // It is served by the devices' API.
    tester.args(["--exclude-operation-id", "post_data"]);
    tester.args(["--suppress-health-check", "all", "--request-timeout", "30", "--no-color"]);
    tester.env("NO_PROXY", "127.0.0.1").current_dir(world.stack.root.join("target/schemathesis"));
    let output = tester.output().await?;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
