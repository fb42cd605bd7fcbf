//! `sam deploy` of `template.yaml` to the emulator, and the outputs of the stack.

use std::collections::BTreeMap;

use serde::Deserialize;

use eventpulse_launcher::progress::Progress;

use super::{
    account::{REGION, STACK_NAME},
    command::{aws_environment, run},
    emulator::Emulator,
    error::StackError,
    tools::{Tools, clear},
};

/// The parameters of the emulator. They repeat samconfig.toml, because parameters on the command line replace all of its
/// parameters. The rate limits are high enough for the samples and the tests, except the one of the plan `standard`; a
/// revoked key expires after seconds instead of a minute.
const LOCAL_PARAMETERS: [&str; 9] = [
    "ConsoleOrigin=http://localhost:5173",
    "ApiRateLimit=10000",
    "ApiBurstLimit=10000",
    "DeviceApiRateLimit=10000",
    "DeviceApiBurstLimit=10000",
    "FastDeviceRateLimit=5000",
    "FastDeviceBurstLimit=10000",
    "KeyCacheSeconds=5",
    "DigestSeconds=30",
];

/// Deploys the packed functions and the template. Returns the outputs of the stack.
///
/// # Errors
/// [`StackError::Tool`] if `sam deploy` fails.
pub(super) async fn deploy(
    tools: &Tools,
    emulator: &Emulator,
    progress: Progress,
) -> Result<BTreeMap<String, String>, StackError> {
    let step = progress.step("deploying template.yaml");
    let log = emulator.logs().join("deploy.log");
    clear(&log)?;
    let mut sam = tools.command("sam");
    sam.args(["deploy", "--config-env", "local", "--stack-name", STACK_NAME, "--region", REGION, "--no-progressbar"])
        .arg("--parameter-overrides")
        .arg(format!("Architecture={}", tools.architecture))
        .arg(format!("EndpointUrl={}", emulator.endpoint()))
        .args(LOCAL_PARAMETERS)
        .envs(without_account(emulator))
        // Seconds between two queries of the state of the deployment.
        .env("SAM_CLI_POLL_DELAY", "1");
    run(sam, &step, &log, |_| None).await?;

    let output = tools
        .command("sam")
        .args(["list", "stack-outputs", "--stack-name", STACK_NAME, "--region", REGION, "--output", "json"])
        .envs(without_account(emulator))
        .output()
        .await
        .map_err(StackError::io("run", "sam list stack-outputs"))?;
    step.done();
    parse(&output.stdout)
}

/// Returns the variables for the emulator. They exclude the files and the proxy that could lead to a real account.
fn without_account(emulator: &Emulator) -> impl Iterator<Item = (&'static str, String)> {
    let nowhere =
        [("AWS_CONFIG_FILE", "/dev/null"), ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"), ("NO_PROXY", "127.0.0.1")];
    aws_environment(emulator.endpoint()).into_iter().chain(nowhere.map(|(name, value)| (name, value.to_owned())))
}

fn parse(json: &[u8]) -> Result<BTreeMap<String, String>, StackError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Output {
        output_key: String,
        output_value: String,
    }
    let outputs = serde_json::from_slice::<Vec<Output>>(json);
    let outputs = outputs.map_err(|error| StackError::Outputs { detail: error.to_string() })?;
    Ok(outputs.into_iter().map(|output| (output.output_key, output.output_value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_by_name() {
        let json = br#"[{"OutputKey": "ProcessBucketName", "OutputValue": "b", "Description": "d"}]"#;
        assert_eq!(parse(json).unwrap(), BTreeMap::from([("ProcessBucketName".to_owned(), "b".to_owned())]));
    }

    #[test]
    fn no_answer_is_an_error() {
        assert!(matches!(parse(b""), Err(StackError::Outputs { .. })));
    }
}
