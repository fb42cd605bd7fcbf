//! The local build of the functions: cargo compiles them, `sam build` packs them.

use std::path::{Path, PathBuf};

use eventpulse_launcher::cargo::{self, Programs};
use serde::Deserialize;
use tokio::process::Command;

use eventpulse_launcher::progress::Progress;

use super::{
    command::run,
    error::StackError,
    tools::{Tools, clear},
};

/// Builds the functions that changed, each as a `provided.al2023` bootstrap.
///
/// For AWS, `sam build` compiles each function in release by cargo-lambda. Here, one `cargo build` compiles the functions
/// and the `eventpulse` command with the same profile, so that the AWS SDK is compiled once; `local/bin/cargo-lambda` then
/// hands these programs to `sam build`.
///
/// # Errors
/// [`StackError::Tool`] if cargo or `sam build` fails, with the last lines of its output.
pub(super) async fn build(tools: &Tools, state: &Path, progress: Progress) -> Result<(), StackError> {
    let log = state.join("build.log");
    clear(&log)?;
    let step = progress.step("building the functions");
    run(Command::from(cargo::build(&tools.root, Programs::All)), &step, &log, cargo::progress_of).await?;
    step.done();

    let step = progress.step("packing the functions");
    let mut sam = tools.command_with_stand_ins("sam");
    sam.args(["build", "--config-env", "local", "--parameter-overrides"])
        .arg(format!("Architecture={}", tools.architecture))
        .env("CARGO_TARGET_DIR", state.join("packed"))
        .env("EVENTPULSE_PROGRAMS", programs(tools).await?);
    run(sam, &step, &log, |_| None).await?;
    step.done();
    Ok(())
}

/// Returns the directory into which cargo puts the programs of the `dev` profile.
async fn programs(tools: &Tools) -> Result<PathBuf, StackError> {
    #[derive(Deserialize)]
    struct Metadata {
        target_directory: PathBuf,
    }
    let mut cargo = tools.command("cargo");
    cargo.args(["metadata", "--no-deps", "--format-version", "1"]);
    let output = cargo.output().await.map_err(StackError::io("run", "cargo metadata"))?;
    let metadata: Metadata = serde_json::from_slice(&output.stdout)
        .map_err(|error| StackError::io("read the output of", "cargo metadata")(error.into()))?;
    Ok(metadata.target_directory.join("debug"))
}
