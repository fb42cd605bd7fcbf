//! What the machine must have, and the virtual environment with the rest, each version pinned.

use std::{
    env::consts::{ARCH, OS},
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use tokio::process::Command;

use super::{
    Missing, Progress, StackError,
    command::{command, path_with, run},
};

/// The oldest Python for which local/requirements.txt pins versions.
const OLDEST_PYTHON: (u32, u32) = (3, 10);
/// Under which names a new enough Python may be found, in this order.
const PYTHONS: [&str; 7] = ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python"];
/// Prints its version, or fails when it cannot make virtual environments (Debian packs that apart).
const ASK_PYTHON: &str = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])";

/// All that building, emulating and deploying takes.
#[derive(Clone, Debug)]
pub(super) struct Tools {
    /// The repository.
    pub root: PathBuf,
    /// Processor of this machine, in AWS's words.
    pub architecture: &'static str,
    binaries: PathBuf,
    path: OsString,
}

impl Tools {
    /// A tool of the virtual environment, or one that finds those in its `PATH`, run in the repository.
    pub fn command(&self, program: &str) -> Command {
        let own = self.binaries.join(program);
        let mut command = if own.exists() { command(own) } else { command(program) };
        command.env("PATH", &self.path).env("SAM_CLI_TELEMETRY", "0").current_dir(&self.root);
        command
    }

    /// The Python of the virtual environment, and the `PATH` for it.
    pub fn python(&self) -> (PathBuf, OsString) {
        (self.binaries.join("python"), self.path.clone())
    }
}

/// Checks the machine and makes the virtual environment unless it is there and right.
pub(super) async fn ready(root: &Path, state: &Path, progress: Progress) -> Result<Tools, StackError> {
    let mut missing = Vec::new();
    let architecture = architecture().map_err(|lack| missing.push(lack)).ok();
    let python = find_python().await.map_err(|lack| missing.push(lack)).ok();
    missing.extend(lacking_compilers().await);
    let (Some(architecture), Some((python, version)), true) = (architecture, python, missing.is_empty()) else {
        return Err(StackError::Missing { missing });
    };

    let venv = root.join(".venv");
    let binaries = venv.join("bin");
    let tools = Tools { root: root.to_path_buf(), architecture, path: path_with(&binaries), binaries };
    let requirements = root.join("local/requirements.txt");
    let step = "making the virtual environment .venv with the pinned tools";
    environment((python, &version), &venv, &requirements, (state, progress), step).await?;
    Ok(tools)
}

/// Makes a further virtual environment, of what a file pins, unless it is there and right. Returns where its programs are.
pub(super) async fn further(venv: &Path, requirements: &Path, state: &Path) -> Result<PathBuf, StackError> {
    let (python, version) = find_python().await.map_err(|lack| StackError::Missing { missing: vec![lack] })?;
    let step = "making a further virtual environment";
    environment((python, &version), venv, requirements, (state, Progress::silent()), step).await?;
    Ok(venv.join("bin"))
}

/// A virtual environment of what a file pins, made unless it is there and right.
async fn environment(
    (python, version): (&str, &str),
    venv: &Path,
    requirements: &Path,
    (state, progress): (&Path, Progress),
    what: &'static str,
) -> Result<(), StackError> {
    let pinned = fs::read_to_string(requirements).map_err(StackError::io("read", requirements))?;
    // The scripts in it name the directory, so it must not have been moved either.
    let wanted = format!("# {} with Python {version}\n{pinned}", venv.display());
    let (stamp, own_python) = (venv.join("made-of.txt"), venv.join("bin/python"));
    let fresh = fs::read_to_string(&stamp).is_ok_and(|made_of| made_of == wanted);
    if fresh && succeeds(command(&own_python).args(["-c", ""])).await {
        return Ok(());
    }
    let log = state.join("venv.log");
    forget(&log)?;
    let step = progress.step(what);
    let mut make = command(python);
    make.args(["-m", "venv", "--clear"]).arg(venv);
    run(make, &step, &log, |_| None).await?;
    let mut install = command(own_python);
    install
        .args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-deps", "--requirement"])
        .arg(requirements);
    run(install, &step, &log, what_pip_collects).await?;
    fs::write(&stamp, wanted).map_err(StackError::io("write", &stamp))?;
    step.done();
    Ok(())
}

/// Starts a log anew.
pub(super) fn forget(log: &Path) -> Result<(), StackError> {
    fs::write(log, "").map_err(StackError::io("write", log))
}

fn architecture() -> Result<&'static str, Missing> {
    match (OS, ARCH) {
        ("linux", "x86_64") => Ok("x86_64"),
        ("linux", "aarch64") => Ok("arm64"),
        _ => Err(Missing {
            what: format!("Linux on x86_64 or arm64 (this is {OS} on {ARCH})"),
            remedy: "The emulator runs the functions as they are built for AWS, without a container. \
                     A virtual machine with Linux will do, on Windows WSL 2.",
        }),
    }
}

/// The first Python that will do, and its version.
async fn find_python() -> Result<(&'static str, String), Missing> {
    let mut old = None;
    for name in PYTHONS {
        let Ok(output) = command(name).args(["-c", ASK_PYTHON]).output().await else { continue };
        let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        match (output.status.success(), is_new_enough(&version)) {
            (true, true) => return Ok((name, version)),
            (true, false) => old = old.or(Some(format!("Python 3.10 or newer ({name} is {version})"))),
            // pyenv has a stand-in for each version that was ever installed, which fails too.
            (false, _) if String::from_utf8_lossy(&output.stderr).contains("No module named") => {
                return Err(Missing {
                    what: format!("Python's venv module ({name} is there without it)"),
                    remedy: "Debian, Ubuntu: sudo apt install python3-venv",
                });
            }
            (false, _) => {}
        }
    }
    Err(Missing {
        what: old.unwrap_or_else(|| "Python 3.10 or newer".to_owned()),
        remedy: "Debian, Ubuntu: sudo apt install python3 python3-venv. Fedora: sudo dnf install python3. \
                 Others: https://www.python.org/downloads/",
    })
}

fn is_new_enough(version: &str) -> bool {
    version
        .split_once('.')
        .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)))
        .is_some_and(|version: (u32, u32)| version >= OLDEST_PYTHON)
}

async fn lacking_compilers() -> Vec<Missing> {
    let mut missing = Vec::new();
    if !succeeds(command("cargo").arg("--version")).await {
        missing.push(Missing { what: "cargo".to_owned(), remedy: "https://rustup.rs/" });
    }
    if !succeeds(command("cc").arg("--version")).await {
        missing.push(Missing {
            what: "a C compiler (cc)".to_owned(),
            remedy: "Debian, Ubuntu: sudo apt install gcc libc6-dev. Fedora: sudo dnf install gcc",
        });
    }
    missing
}

async fn succeeds(command: &mut Command) -> bool {
    command.output().await.is_ok_and(|output| output.status.success())
}

/// "Collecting boto3==1.43.102 (from ...)" as "boto3==1.43.102".
fn what_pip_collects(line: &str) -> Option<String> {
    line.strip_prefix("Collecting ").map(|rest| rest.split_whitespace().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_python() {
        for (version, enough) in
            [("3.9", false), ("3.10", true), ("3.13", true), ("2.7", false), ("4.0", true), ("", false), ("x.y", false)]
        {
            assert_eq!(is_new_enough(version), enough, "{version}");
        }
    }

    #[tokio::test]
    async fn this_machine_will_do() {
        assert_eq!(find_python().await.err(), None);
        assert_eq!(lacking_compilers().await, []);
    }

    #[test]
    fn all_that_is_missing_is_told_at_once() {
        let missing = ["a", "b"].map(|what| Missing { what: what.to_owned(), remedy: "get it" }).to_vec();
        let text = StackError::Missing { missing }.to_string();
        assert_eq!(text, "the local stack needs what is not here:\n  a\n    get it\n  b\n    get it");
    }
}
