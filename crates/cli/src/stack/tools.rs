//! The tools of the local stack: what this machine must provide, and a virtual environment with pinned versions of the rest.

use std::{
    env::consts::{ARCH, OS},
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use tokio::process::Command;

use eventpulse_launcher::progress::Progress;

use super::{
    command::{command, path_with, run},
    error::{Missing, StackError},
};

/// The oldest Python for which local/requirements.txt pins versions.
const OLDEST_PYTHON: (u32, u32) = (3, 10);
/// The names of Python interpreters, in the order in which they are tried.
const PYTHONS: [&str; 7] = ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python"];
/// A script that prints the version of Python. It fails without the venv module, which Debian packages separately.
const PRINT_VERSION: &str = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])";

/// The tools that build, emulate and deploy.
#[derive(Clone, Debug)]
pub(super) struct Tools {
    /// The repository.
    pub root: PathBuf,
    /// The architecture of this machine as AWS names it: `x86_64` or `arm64`.
    pub architecture: &'static str,
    binaries: PathBuf,
    path: OsString,
}

impl Tools {
    /// Returns a command that runs a tool in the repository. The virtual environment comes first in its `PATH`.
    pub fn command(&self, program: &str) -> Command {
        let own = self.binaries.join(program);
        let mut command = if own.exists() { command(own) } else { command(program) };
        command.env("PATH", &self.path).env("SAM_CLI_TELEMETRY", "0").current_dir(&self.root);
        command
    }

    /// Returns [`command`](Self::command) with the programs of `local/bin` before those of the virtual environment.
    pub fn command_with_stand_ins(&self, program: &str) -> Command {
        let mut command = self.command(program);
        command.env("PATH", path_with([self.root.join("local/bin").as_path(), &self.binaries]));
        command
    }

    /// Returns the Python of the virtual environment, and its `PATH`.
    pub fn python(&self) -> (PathBuf, OsString) {
        (self.binaries.join("python"), self.path.clone())
    }
}

/// Checks this machine, and creates the virtual environment if it is missing or outdated.
///
/// # Errors
/// [`StackError::Missing`] lists everything that this machine lacks.
pub(super) async fn ready(root: &Path, state: &Path, progress: Progress) -> Result<Tools, StackError> {
    let mut missing = Vec::new();
    let architecture = architecture().map_err(|absent| missing.push(absent)).ok();
    let python = find_python().await.map_err(|absent| missing.push(absent)).ok();
    missing.extend(missing_compilers().await);
    let (Some(architecture), Some((python, version)), true) = (architecture, python, missing.is_empty()) else {
        return Err(StackError::Missing { missing });
    };

    let venv = root.join(".venv");
    let binaries = venv.join("bin");
    let tools = Tools { root: root.to_path_buf(), architecture, path: path_with([binaries.as_path()]), binaries };
    let requirements = root.join("local/requirements.txt");
    let step = "installing the tools into .venv";
    environment((python, &version), &venv, &requirements, (state, progress), step).await?;
    Ok(tools)
}

/// Creates another virtual environment from a requirements file, if it is missing or outdated. Returns the directory of its
/// programs.
pub(super) async fn further_environment(venv: &Path, requirements: &Path, state: &Path) -> Result<PathBuf, StackError> {
    let (python, version) = find_python().await.map_err(|absent| StackError::Missing { missing: vec![absent] })?;
    let step = "installing further tools";
    environment((python, &version), venv, requirements, (state, Progress::silent()), step).await?;
    Ok(venv.join("bin"))
}

/// Creates a virtual environment from a requirements file, if it is missing or outdated.
async fn environment(
    (python, version): (&str, &str),
    venv: &Path,
    requirements: &Path,
    (state, progress): (&Path, Progress),
    label: &'static str,
) -> Result<(), StackError> {
    let pinned = fs::read_to_string(requirements).map_err(StackError::io("read", requirements))?;
    // Its scripts contain its path, so the path is part of the stamp.
    let wanted = format!("# {} with Python {version}\n{pinned}", venv.display());
    let (stamp, own_python) = (venv.join("requirements.stamp"), venv.join("bin/python"));
    let is_current = fs::read_to_string(&stamp).is_ok_and(|stamp| stamp == wanted);
    if is_current && succeeds(command(&own_python).args(["-c", ""])).await {
        return Ok(());
    }
    let log = state.join("venv.log");
    clear(&log)?;
    let step = progress.step(label);
    let mut create = command(python);
    create.args(["-m", "venv", "--clear"]).arg(venv);
    run(create, &step, &log, |_| None).await?;
    let mut install = command(own_python);
    install
        .args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-deps", "--requirement"])
        .arg(requirements);
    run(install, &step, &log, progress_of_pip).await?;
    fs::write(&stamp, wanted).map_err(StackError::io("write", &stamp))?;
    step.done();
    Ok(())
}

/// Empties a log, or creates it.
pub(super) fn clear(log: &Path) -> Result<(), StackError> {
    fs::write(log, "").map_err(StackError::io("write", log))
}

fn architecture() -> Result<&'static str, Missing> {
    match (OS, ARCH) {
        ("linux", "x86_64") => Ok("x86_64"),
        ("linux", "aarch64") => Ok("arm64"),
        _ => Err(Missing {
            what: format!("Linux on x86_64 or arm64 (this is {OS} on {ARCH})"),
            remedy: "The emulator runs the functions without a container. \
                     Use a virtual machine with Linux; on Windows, use WSL 2.",
        }),
    }
}

/// Returns the first Python that is new enough, and its version.
async fn find_python() -> Result<(&'static str, String), Missing> {
    let mut outdated = None;
    for name in PYTHONS {
        let Ok(output) = command(name).args(["-c", PRINT_VERSION]).output().await else { continue };
        let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        match (output.status.success(), is_new_enough(&version)) {
            (true, true) => return Ok((name, version)),
            (true, false) => {
                outdated = outdated.or(Some(format!("Python 3.10 or newer ({name} is {version})")));
            }
            // The stand-ins of pyenv for versions that are not installed fail as well, with another message.
            (false, _) if String::from_utf8_lossy(&output.stderr).contains("No module named") => {
                return Err(Missing {
                    what: format!("the venv module of Python ({name} lacks it)"),
                    remedy: "Debian, Ubuntu: sudo apt install python3-venv",
                });
            }
            (false, _) => {}
        }
    }
    Err(Missing {
        what: outdated.unwrap_or_else(|| "Python 3.10 or newer".to_owned()),
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

async fn missing_compilers() -> Vec<Missing> {
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

/// Returns the package that pip is installing: "boto3==1.43.102" of "Collecting boto3==1.43.102 (from ...)".
fn progress_of_pip(line: &str) -> Option<String> {
    line.strip_prefix("Collecting ").map(|rest| rest.split_whitespace().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_3_10_is_new_enough() {
        for (version, enough) in
            [("3.9", false), ("3.10", true), ("3.13", true), ("2.7", false), ("4.0", true), ("", false), ("x.y", false)]
        {
            assert_eq!(is_new_enough(version), enough, "{version}");
        }
    }

    #[tokio::test]
    async fn this_machine_has_the_tools() {
        assert_eq!(find_python().await.err(), None);
        assert_eq!(missing_compilers().await, []);
    }

    #[test]
    fn an_error_lists_everything_that_is_missing() {
        let missing = ["a", "b"].map(|what| Missing { what: what.to_owned(), remedy: "get it" }).to_vec();
        let text = StackError::Missing { missing }.to_string();
        assert_eq!(text, "the local stack needs:\n  a\n    get it\n  b\n    get it");
    }
}
