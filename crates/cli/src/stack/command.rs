//! Running a tool: its environment variables, its log, and the last lines of its output for an error.

use std::{
    collections::VecDeque,
    env,
    ffi::{OsStr, OsString},
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::Command,
    sync::mpsc,
};

use eventpulse_launcher::{cargo, progress::Step};

use super::{
    account::{ADMIN, REGION},
    error::StackError,
};

/// The number of lines of a tool's output that an error repeats.
const TAIL: usize = 25;

/// Returns the variables with which a tool or an SDK calls the emulator at `endpoint`. Most SDKs read `AWS_REGION`; the AWS
/// CLI, boto3 and tools over boto3 read `AWS_DEFAULT_REGION`.
pub(super) fn aws_environment(endpoint: &str) -> [(&'static str, String); 5] {
    [
        ("AWS_ENDPOINT_URL", endpoint.to_owned()),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_DEFAULT_REGION", REGION.to_owned()),
        ("AWS_ACCESS_KEY_ID", ADMIN.access_key_id.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", ADMIN.secret_access_key.to_owned()),
    ]
}

/// Returns the variables of this process for a tool, without those that cargo sets and without those that lead to a real
/// AWS account.
pub(super) fn environment() -> impl Iterator<Item = (OsString, OsString)> {
    cargo::environment().filter(|(name, _)| name.to_str().is_none_or(|name| !is_aws(name)))
}

fn is_aws(name: &str) -> bool {
    // AWS_CA_BUNDLE configures the network, not an account.
    name.starts_with("AWS_") && name != "AWS_CA_BUNDLE"
}

/// Returns `PATH` with `directories` before all others.
pub(super) fn path_with<'a>(directories: impl IntoIterator<Item = &'a Path>) -> OsString {
    let old = env::vars_os().find(|(name, _)| name == "PATH").map(|(_, path)| path).unwrap_or_default();
    let paths = directories.into_iter().map(Path::to_path_buf).chain(env::split_paths(&old));
    // Joining fails only for a directory with a colon in its name. Such a directory in `PATH` is never found.
    env::join_paths(paths).unwrap_or(old)
}

/// Returns a command with the variables of [`environment`] and without standard input.
pub(super) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(environment()).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs `command` to its end and appends its output to `log`. A line for which `progress_of` returns a text shows that text
/// beside the label of `step` and does not go to the log.
///
/// # Errors
/// [`StackError::Tool`] with the last lines of the output if the command fails.
pub(super) async fn run(
    mut command: Command,
    step: &Step,
    log: &Path,
    progress_of: fn(&str) -> Option<String>,
) -> Result<(), StackError> {
    let program = PathBuf::from(command.as_std().get_program());
    command.kill_on_drop(true);
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(StackError::io("run", &program))?;
    let mut file = File::options().append(true).create(true).open(log).map_err(StackError::io("write", log))?;
    let (sender, mut lines) = mpsc::channel(64);
    for output in [child.stdout.take().map(boxed), child.stderr.take().map(boxed)].into_iter().flatten() {
        tokio::spawn(split(output, sender.clone()));
    }
    drop(sender);

    let mut tail: VecDeque<String> = VecDeque::with_capacity(TAIL);
    while let Some(line) = lines.recv().await {
        match progress_of(&line) {
            Some(progress) => step.note(&progress),
            None => {
                writeln!(file, "{line}").map_err(StackError::io("write", log))?;
                tail.truncate(TAIL - 1);
                tail.push_front(line);
            }
        }
    }
    let status = child.wait().await.map_err(StackError::io("wait for", &program))?;
    if status.success() {
        return Ok(());
    }
    let program = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let tail = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
    Err(StackError::Tool { step: step.label(), program, status, tail, log: log.to_path_buf() })
}

fn boxed(output: impl AsyncRead + Send + Unpin + 'static) -> Box<dyn AsyncRead + Send + Unpin> {
    Box::new(output)
}

/// Sends each line that is not blank. A carriage return, which redraws a progress bar, ends a line too.
async fn split(mut output: Box<dyn AsyncRead + Send + Unpin>, lines: mpsc::Sender<String>) {
    const LONGEST: usize = 64 * 1024;
    let (mut line, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        // An error ends the output as well; the exit status then says whether the tool failed.
        let read = output.read(&mut buffer).await.unwrap_or(0);
        for &byte in &buffer[..read] {
            if matches!(byte, b'\n' | b'\r') || line.len() == LONGEST {
                send(&mut line, &lines).await;
            } else {
                line.push(byte);
            }
        }
        if read == 0 {
            return send(&mut line, &lines).await;
        }
    }
}

async fn send(line: &mut Vec<u8>, lines: &mpsc::Sender<String>) {
    let text = String::from_utf8_lossy(line).trim_end().to_owned();
    line.clear();
    if !text.trim_start().is_empty() {
        // The receiver is gone if writing the log failed.
        let _ = lines.send(text).await;
    }
}

#[cfg(test)]
mod tests {
    use eventpulse_launcher::progress::Progress;

    use super::*;

    fn nothing(_: &str) -> Option<String> {
        None
    }

    fn bars(line: &str) -> Option<String> {
        line.strip_prefix("bar ").map(str::to_owned)
    }

    fn step(label: &'static str) -> Step {
        Progress::silent().step(label)
    }

    fn shell(script: &str) -> Command {
        let mut sh = command("sh");
        sh.args(["-c", script]);
        sh
    }

    #[test]
    fn every_aws_tool_finds_the_region() {
        let environment = aws_environment("http://127.0.0.1:4566");
        for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
            assert!(environment.iter().any(|(variable, value)| *variable == name && value == REGION), "{name}");
        }
    }

    #[tokio::test]
    async fn an_error_repeats_the_last_lines_of_both_outputs_without_progress() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let script = r"for i in $(seq 40); do echo line $i; done; printf 'bar 1\rbar 2\rlast'; exit 3";
        let error = run(shell(script), &step("counting"), &log, bars).await.unwrap_err();
        let StackError::Tool { step: "counting", status, tail, .. } = error else { panic!("{error}") };
        assert_eq!(status.code(), Some(3));
        assert_eq!(tail.lines().count(), TAIL);
        assert!(tail.starts_with("line 17\n") && tail.ends_with("line 40\nlast"), "{tail}");
        assert_eq!(std::fs::read_to_string(&log).unwrap().lines().count(), 41);
    }

    #[tokio::test]
    async fn a_tool_gets_no_variables_of_cargo_or_of_an_account() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        // Cargo set CARGO_PKG_NAME for this test.
        let script = r#"test -z "$CARGO_PKG_NAME$AWS_PROFILE" && test -n "$PATH""#;
        run(shell(script), &step("looking"), &log, nothing).await.unwrap();
    }

    #[tokio::test]
    async fn an_error_names_a_missing_tool() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let step = step("looking");
        let error = run(command("no-such-tool"), &step, &log, nothing);
        assert!(error.await.unwrap_err().to_string().starts_with("cannot run no-such-tool: "));
    }

    #[test]
    fn variables_of_an_account_are_known_by_name() {
        for (name, leads_to_account) in [("AWS_PROFILE", true), ("AWS_CA_BUNDLE", false), ("PATH", false)] {
            assert_eq!(is_aws(name), leads_to_account, "{name}");
        }
    }
}
