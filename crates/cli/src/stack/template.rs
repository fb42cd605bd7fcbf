//! Expands the loops of `template.yaml`.

use std::path::Path;

use eventpulse_launcher::progress::Progress;

use super::{
    command::run,
    error::StackError,
    tools::{Tools, clear},
};

/// Writes the expanded template to `.aws-sam/template.json`, which `sam build` reads.
///
/// # Errors
/// [`StackError::Tool`] with the error in the template.
pub(super) async fn expand(tools: &Tools, state: &Path, progress: Progress) -> Result<(), StackError> {
    let log = state.join("template.log");
    clear(&log)?;
    let step = progress.step("expanding template.yaml");
    let mut python = tools.command("python");
    python.args(["local/template.py", "expand"]);
    run(python, &step, &log, |_| None).await?;
    step.done();
    Ok(())
}
