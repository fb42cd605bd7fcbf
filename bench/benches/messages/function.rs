//! The function as a process, started as by Lambda.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::network::Endpoints;
use crate::{Failed, environment};

/// The function of device messages.
pub(crate) const INGEST_MESSAGE: &str = "ingest-message";

/// Builds a function in release, into the target directory of this benchmark. Returns the path of the program.
pub(crate) fn build(name: &str) -> Result<PathBuf, Failed> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().ok_or("the target directory has no name")?;
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "build",
        "--release",
        "--package",
        name,
        "--message-format",
        "json-render-diagnostics",
        "--target-dir",
    ]);
    cargo.arg(target).current_dir(env!("CARGO_MANIFEST_DIR")).stderr(Stdio::inherit());
    // Cargo's variables about the package of this benchmark would make build scripts run again.
    for (variable, _) in std::env::vars_os() {
        let of_package = ["CARGO_PKG_", "CARGO_MANIFEST_"];
        if variable.to_str().is_some_and(|variable| of_package.iter().any(|prefix| variable.starts_with(prefix))) {
            cargo.env_remove(variable);
        }
    }
    let output = cargo.output()?;
    if !output.status.success() {
        return Err(format!("{name} does not build").into());
    }
    let lines =
        output.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let of_function = lines.filter(|line| line.pointer("/target/name").is_some_and(|target| target == name));
    let mut programs = of_function.filter_map(|line| Some(PathBuf::from(line.get("executable")?.as_str()?)));
    programs.next().ok_or_else(|| format!("cargo built no program {name}").into())
}

/// The running function. Dropping it ends the process.
pub(crate) struct Function {
    process: Child,
    ticks_per_second: f64,
}

impl Function {
    /// Starts a function.
    pub(crate) fn start(program: &Path, name: &str, endpoints: &Endpoints) -> Result<Self, Failed> {
        let ticks = Command::new("getconf").arg("CLK_TCK").output()?;
        let ticks_per_second = String::from_utf8(ticks.stdout)?.trim().parse()?;
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(environment::of(name, endpoints))
            .envs(endpoints.roots.iter().map(|roots| ("SSL_CERT_FILE", roots)));
        let process = command.stdin(Stdio::null()).spawn()?;
        Ok(Self { process, ticks_per_second })
    }

    /// Returns the CPU time of the process in seconds: of all threads, in user mode and in the kernel.
    pub(crate) fn cpu_seconds(&self) -> Result<f64, Failed> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        // The program's name, in parentheses, may contain any character. utime and stime are the 12th and 13th field
        // after it.
        let (_, fields) = stat.rsplit_once(')').ok_or("/proc/…/stat has no name")?;
        let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
        let ticks = ticks.sum::<Result<u32, _>>()?;
        Ok(f64::from(ticks) / self.ticks_per_second)
    }

    /// Returns the CPU time of the threads that the process has now in milliseconds, to the nanosecond.
    pub(crate) fn cpu_ms(&self) -> Result<f64, Failed> {
        let mut total = 0.0;
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            // The first field is the time on a processor in nanoseconds.
            let stat = std::fs::read_to_string(thread?.path().join("schedstat"))?;
            total += stat.split(' ').next().unwrap_or_default().parse::<f64>()? / 1e6;
        }
        Ok(total)
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
