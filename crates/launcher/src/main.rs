//! `cargo dev` and `cargo eventpulse`: builds the programs that the command needs, then runs `eventpulse`.

use std::{
    env,
    error::Error,
    io::{self, BufRead, BufReader},
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use eventpulse_launcher::{
    cargo::{self, Programs},
    progress::Progress,
};

fn main() -> ExitCode {
    match launch() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Builds and runs. Returns only when the build or the start of the command fails.
fn launch() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let programs = if arguments.first().is_some_and(|name| name == "dev") { Programs::All } else { Programs::Cli };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // Cargo puts all programs of the workspace into one directory.
    let eventpulse = env::current_exe()?.with_file_name("eventpulse");
    if !eventpulse.exists() {
        eprintln!("The first build compiles about 400 crates and takes some minutes. Later builds take seconds.");
    }
    if !build(&root, programs)? {
        return Ok(ExitCode::FAILURE);
    }
    let mut command = Command::new(&eventpulse);
    command.args(arguments).env_clear().envs(cargo::environment());
    let error = command.exec();
    Err(format!("cannot run {}: {error}", eventpulse.display()).into())
}

/// Builds the programs and prints the warnings and errors of the compiler. Returns whether the build succeeds.
fn build(root: &Path, programs: Programs) -> io::Result<bool> {
    let step = Progress::on_stderr().step("building EventPulse");
    let mut cargo = cargo::build(root, programs).stderr(Stdio::piped()).spawn()?;
    let mut messages = String::new();
    if let Some(output) = cargo.stderr.take() {
        for_each_line(BufReader::new(output), |line| match cargo::progress_of(line) {
            Some(progress) => step.note(&progress),
            None if cargo::is_status(line) => {}
            None => messages.extend([line, "\n"]),
        })?;
    }
    let succeeds = cargo.wait()?.success();
    if succeeds {
        step.done();
    } else {
        drop(step);
    }
    eprint!("{messages}");
    Ok(succeeds)
}

/// Calls `handle` with each line that is not blank. A carriage return, which redraws a progress bar, ends a line too.
fn for_each_line(output: impl BufRead, mut handle: impl FnMut(&str)) -> io::Result<()> {
    let mut line = Vec::new();
    for byte in output.bytes().chain([Ok(b'\n')]) {
        match byte? {
            b'\n' | b'\r' => {
                let text = String::from_utf8_lossy(&line);
                if !text.trim().is_empty() {
                    handle(text.trim_end());
                }
                line.clear();
            }
            byte => line.push(byte),
        }
    }
    Ok(())
}
