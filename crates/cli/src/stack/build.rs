//! `sam build`: each function as a `provided.al2023` bootstrap, in the workspace's one target directory.

use std::{fs, path::Path};

use super::{
    Progress, StackError,
    command::run,
    tools::{Tools, forget},
};

/// Builds the functions that changed.
///
/// `sam build` shows nothing of the compiler until that is done, so the same compiler runs before it, with the same
/// arguments and shown; for `sam build` only copying is left.
pub(super) async fn build(tools: &Tools, state: &Path, progress: Progress) -> Result<(), StackError> {
    let log = state.join("build.log");
    forget(&log)?;
    let step = progress.step("building the functions");
    let functions = tools.root.join("functions");
    for function in names_in(&functions)? {
        let mut cargo = tools.command("cargo");
        cargo.args(["lambda", "build", "--release", "--bin", &function]).current_dir(functions.join(&function));
        if tools.architecture == "arm64" {
            cargo.arg("--arm64");
        }
        cargo.envs([("CARGO_TERM_PROGRESS_WHEN", "always"), ("CARGO_TERM_PROGRESS_WIDTH", "120")]);
        run(cargo, &step, &log, how_far_cargo_is).await?;
    }
    let mut sam = tools.command("sam");
    sam.args(["build", "--config-env", "local", "--parameter-overrides"])
        .arg(format!("Architecture={}", tools.architecture));
    run(sam, &step, &log, how_far_cargo_is).await?;
    step.done();
    Ok(())
}

/// Names of the functions: their directories, packages and binaries share them.
fn names_in(functions: &Path) -> Result<Vec<String>, StackError> {
    let entries = fs::read_dir(functions).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut names: Vec<_> = entries
        .map_err(StackError::io("read", functions))?
        .into_iter()
        .filter(|entry| entry.path().join("Cargo.toml").exists())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names)
}

/// "Building [====>   ] 34/210: serde, tokio" as "34/210: serde, tokio".
fn how_far_cargo_is(line: &str) -> Option<String> {
    let (_, how_far) = line.trim_start().strip_prefix("Building [")?.split_once("] ")?;
    Some(how_far.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_shown_and_anything_else_is_kept() {
        for (line, shown) in [
            ("    Building [=====>      ] 34/210: serde, tokio", Some("34/210: serde, tokio")),
            ("   Compiling serde v1.0.0", None),
            ("Building codeuri: /x functions: IngestObject", None),
            ("error[E0308]: mismatched types", None),
        ] {
            assert_eq!(how_far_cargo_is(line).as_deref(), shown, "{line}");
        }
    }
}
