//! `cargo build` of the workspace's programs: its arguments, its environment and its progress bar.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::Path,
    process::{Command, Stdio},
};

/// The programs to build.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Programs {
    /// The `eventpulse` command.
    Cli,
    /// The `eventpulse` command and the functions.
    All,
}

/// Returns the `cargo build` of some programs of the workspace at `root`. It prints its progress bar to standard error.
///
/// The whole workspace is selected in either case: cargo chooses the features of shared dependencies by the selected
/// packages, and another selection would compile the dependencies once more.
#[must_use]
pub fn build(root: &Path, programs: Programs) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--workspace"]).args(match programs {
        Programs::Cli => &["--bin", "eventpulse"][..],
        Programs::All => &["--bins"],
    });
    cargo.env_clear().envs(environment());
    cargo.envs([("CARGO_TERM_PROGRESS_WHEN", "always"), ("CARGO_TERM_PROGRESS_WIDTH", "120")]);
    cargo.stdin(Stdio::null()).current_dir(root);
    cargo
}

/// Returns the variables of this process for a cargo that it starts, without the variables that cargo sets for the
/// programs that it runs: build scripts watch some of them, and a change compiles their crates again.
pub fn environment() -> impl Iterator<Item = (OsString, OsString)> {
    env::vars_os().filter(|(name, _)| !is_set_by_cargo(name))
}

fn is_set_by_cargo(name: &OsStr) -> bool {
    const PREFIXES: [&str; 3] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];
    const NAMES: [&str; 6] =
        ["CARGO", "CARGO_CRATE_NAME", "CARGO_MAKEFLAGS", "CARGO_PRIMARY_PACKAGE", "CARGO_TARGET_TMPDIR", "OUT_DIR"];
    let Some(name) = name.to_str() else { return false };
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Returns the progress that a line of cargo's output shows, without the bar: "34 of 210: serde, tokio". Returns `None`
/// for a line that shows no progress, such as a warning.
#[must_use]
pub fn progress_of(line: &str) -> Option<String> {
    let line = line.trim();
    if let Some((_, done)) = line.strip_prefix("Building [").and_then(|bar| bar.split_once("] ")) {
        let (count, crates) = done.split_once(':').unwrap_or((done, ""));
        let (done, total) = count.split_once('/')?;
        return Some(format!("crate {done} of {total}:{crates}"));
    }
    if line.starts_with("Blocking waiting for file lock") {
        return Some("waiting for another build to end".to_owned());
    }
    ["Updating ", "Downloading "].iter().any(|work| line.starts_with(work)).then(|| line.to_owned())
}

/// Returns whether a line of cargo's output only reports work that is done, such as "Compiling serde v1.0.0".
#[must_use]
pub fn is_status(line: &str) -> bool {
    let verb = line.trim_start().split(' ').next().unwrap_or_default();
    ["Compiling", "Downloaded", "Finished", "Locking", "Fresh"].contains(&verb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_from_other_lines() {
        for (line, progress) in [
            ("    Building [=====>      ] 34/210: serde, tokio", Some("crate 34 of 210: serde, tokio")),
            ("    Building [            ] 0/2", Some("crate 0 of 2:")),
            ("    Updating crates.io index", Some("Updating crates.io index")),
            ("  Downloading crates ...", Some("Downloading crates ...")),
            ("    Blocking waiting for file lock on build directory", Some("waiting for another build to end")),
            ("   Compiling serde v1.0.0", None),
            ("  Downloaded serde v1.0.0", None),
            ("Building codeuri: /x functions: IngestObject", None),
            ("error[E0308]: mismatched types", None),
        ] {
            assert_eq!(progress_of(line).as_deref(), progress, "{line}");
        }
    }

    #[test]
    fn status_lines_are_told_from_messages() {
        for (line, is_status_line) in [
            ("   Compiling serde v1.0.0", true),
            ("  Downloaded serde v1.0.0", true),
            ("    Finished `dev` profile [unoptimized + debuginfo] target(s) in 6.3s", true),
            ("warning: unused variable: `x`", false),
            ("error: could not compile `x` (lib) due to 1 previous error", false),
        ] {
            assert_eq!(is_status(line), is_status_line, "{line}");
        }
    }

    #[test]
    fn variables_of_cargo_are_known_by_name() {
        for (name, is_set) in [
            ("CARGO_PKG_VERSION", true),
            ("CARGO_MANIFEST_DIR", true),
            ("CARGO", true),
            ("CARGO_HOME", false),
            ("CARGO_TARGET_DIR", false),
            ("PATH", false),
        ] {
            assert_eq!(is_set_by_cargo(OsStr::new(name)), is_set, "{name}");
        }
    }

    #[test]
    fn both_builds_select_the_whole_workspace() {
        for programs in [Programs::Cli, Programs::All] {
            let command = build(Path::new("/"), programs);
            assert!(command.get_args().any(|argument| argument == "--workspace"), "{command:?}");
        }
    }
}
