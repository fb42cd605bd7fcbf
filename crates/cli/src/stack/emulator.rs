//! The emulator of AWS (ministack) on a port of 127.0.0.1, as a child process.

use std::{
    fs::{self, File},
    io,
    net::{Ipv4Addr, TcpListener},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use eventpulse_launcher::progress::Progress;

use super::{
    account::{ADMIN, REGION},
    command::environment,
    error::StackError,
    kept::Kept,
    tools::Tools,
};
use crate::client::http::install_ring;

/// The port on which tools expect an emulator of AWS.
pub const USUAL_PORT: u16 = 4566;
/// The time that the emulator has to start.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// The time that the emulator has to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// The time that the emulator has to end if it saves its state.
const SAVE_TIMEOUT: Duration = Duration::from_secs(70);
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// The number of attempts to find a free port: another program may take it before the emulator does.
const ATTEMPTS: usize = 5;
/// The directory beside the log that exists while the emulator runs.
const SCRATCH: &str = "tmp";
/// The number of logs of ended emulators that are not deleted.
const OLD_LOGS: usize = 20;

/// The choice of the emulator's port on 127.0.0.1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Port {
    /// Any free port.
    Free,
    /// This port, or any free port if it is in use.
    Preferred(u16),
    /// This port only.
    Fixed(u16),
}

/// The settings of an emulator.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings<'a> {
    /// The directory for the logs of all emulators.
    pub state: &'a Path,
    /// The port.
    pub port: Port,
    /// The directory for mails. `None`: a directory beside the log.
    pub mail: Option<&'a Path>,
    /// The time before the first retry of a failed asynchronous invocation.
    pub retry_wait: Duration,
    /// The data to continue with and to save at the end. `None`: the emulator starts empty and saves nothing.
    pub kept: Option<&'a Kept>,
}

/// A running emulator. Dropping it ends the emulator and the functions.
#[derive(Debug)]
pub(super) struct Emulator {
    child: Child,
    endpoint: String,
    scratch: PathBuf,
    log: PathBuf,
    mail: PathBuf,
    stop_timeout: Duration,
}

impl Emulator {
    /// Starts an emulator and waits until it answers.
    ///
    /// # Errors
    /// [`StackError::PortInUse`] if another program uses a [`Port::Fixed`]; [`StackError::Emulator`] if the emulator does
    /// not start.
    pub async fn start(tools: &Tools, settings: Settings<'_>, progress: Progress) -> Result<Self, StackError> {
        let step = progress.step("starting the emulator");
        let mut port = settings.port;
        for _ in 1..ATTEMPTS {
            match (Self::spawn(tools, Settings { port, ..settings })?.answering().await, port) {
                (Err(StackError::Emulator { tail, .. }), Port::Fixed(port)) if is_port_in_use(&tail) => {
                    return Err(StackError::PortInUse { port });
                }
                (Err(StackError::Emulator { tail, .. }), _) if is_port_in_use(&tail) => port = Port::Free,
                (result, _) => {
                    step.done();
                    return result;
                }
            }
        }
        Self::spawn(tools, Settings { port: Port::Free, ..settings })?.answering().await
    }

    fn spawn(tools: &Tools, settings: Settings<'_>) -> Result<Self, StackError> {
        let Settings { state, port, mail, retry_wait, kept } = settings;
        let port = free_port(port)?;
        let endpoint = format!("http://127.0.0.1:{port}");
        let directory = state.join(port.to_string());
        let (scratch, log) = (directory.join(SCRATCH), directory.join("emulator.log"));
        fs::create_dir_all(&scratch).map_err(StackError::io("create", &scratch))?;
        let mail = mail.map_or_else(|| directory.join("mail"), Path::to_path_buf);
        fs::create_dir_all(&mail).map_err(StackError::io("create", &mail))?;
        if kept.is_none() {
            delete_mails(&mail).map_err(StackError::io("delete the mails in", &mail))?;
        }
        let output = File::create(&log).map_err(StackError::io("write", &log))?;
        let errors = output.try_clone().map_err(StackError::io("write", &log))?;

        let (python, path) = tools.python();
        let retry_wait = retry_wait.as_secs_f64().to_string();
        // The functions inherit the variables of the emulator. They get only these of this process.
        let inherited = environment().filter(|(name, _)| ["HOME", "LANG", "LC_ALL", "TZ"].iter().any(|n| name == n));
        let child = Command::new(&python)
            .arg(tools.root.join("local/emulator.py"))
            .current_dir(&scratch)
            .env_clear()
            .envs(inherited)
            .env("PATH", path)
            .env("TMPDIR", &scratch)
            .env("PYTHONUNBUFFERED", "1")
            .envs([
                // The emulator enforces the policies of template.yaml, except for this access key.
                ("AUTH", "true"),
                ("AWS_ACCESS_KEY_ID", ADMIN.access_key_id),
                ("AWS_SECRET_ACCESS_KEY", ADMIN.secret_access_key),
                ("AWS_ENDPOINT_URL", &endpoint),
                ("AWS_DEFAULT_REGION", REGION),
                ("MINISTACK_REGION", REGION),
                ("MINISTACK_HOST", "127.0.0.1"),
                ("BIND_HOST", "127.0.0.1"),
                ("GATEWAY_PORT", &port.to_string()),
                // No server that the stack does not need.
                ("IOT_MTLS_ENABLED", "0"),
                ("SFTP_ENABLED", "0"),
                // No container, even if this machine has Docker.
                ("DOCKER_HOST", "unix:///nonexistent"),
                ("LAMBDA_EXECUTOR", "local"),
                ("LAMBDA_ASYNC_RETRY_BASE_SECONDS", &retry_wait),
            ])
            .env("EVENTPULSE_MAIL_DIR", &mail)
            .envs(kept.map(Kept::environment).into_iter().flatten())
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            // Its own group: Ctrl-C on the terminal goes to this process only, and emulator.py ends its whole group.
            .process_group(0)
            .spawn()
            .map_err(StackError::io("run", &python))?;
        let stop_timeout = if kept.is_some() { SAVE_TIMEOUT } else { STOP_TIMEOUT };
        Ok(Self { child, endpoint, scratch, log, mail, stop_timeout })
    }

    /// Waits until the emulator answers.
    async fn answering(mut self) -> Result<Self, StackError> {
        let deadline = Instant::now() + START_TIMEOUT;
        let http = http_client().map_err(|error| StackError::io("call", "the emulator")(io::Error::other(error)))?;
        let ready = format!("{}/_ministack/ready", self.endpoint);
        // The log is checked too, because another program could answer on the port.
        let serving = format!("Running on {}", self.endpoint);
        loop {
            if self.child.try_wait().map_err(StackError::io("wait for", "the emulator"))?.is_some() {
                return Err(self.failed("ended at once"));
            }
            if self.log_text().contains(&serving)
                && http.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success())
            {
                return Ok(self);
            }
            if Instant::now() > deadline {
                return Err(self.failed("did not answer"));
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    fn failed(&self, what: &'static str) -> StackError {
        let text = self.log_text();
        let tail = text.lines().skip(text.lines().count().saturating_sub(25)).collect::<Vec<_>>().join("\n");
        StackError::Emulator { what, tail, log: self.log.clone() }
    }

    fn log_text(&self) -> String {
        fs::read(&self.log).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default()
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Returns the directory of the mails.
    pub fn mail(&self) -> &Path {
        &self.mail
    }

    /// Returns the directory of the log, for further logs.
    pub fn logs(&self) -> &Path {
        self.log.parent().unwrap_or(&self.log)
    }

    /// Ends the emulator and waits until its process has ended.
    pub fn stop(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        // emulator.py reads the end of its standard input, saves the state if it is kept, and kills its group.
        drop(self.child.stdin.take());
        let deadline = Instant::now() + self.stop_timeout;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                self.child.kill()?;
            }
            thread::sleep(Duration::from_millis(5));
        }
        // emulator.py deletes the directory, unless it was killed.
        if self.scratch.exists() { fs::remove_dir_all(&self.scratch) } else { Ok(()) }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // Drop cannot return the error.
        let _ = self.end();
    }
}

/// Deletes all but the newest logs of ended emulators.
pub(super) fn delete_old_logs(state: &Path) -> io::Result<()> {
    let mut ended = Vec::new();
    for entry in fs::read_dir(state)? {
        let path = entry?.path();
        let is_port = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.parse::<u16>().is_ok());
        if is_port && !path.join(SCRATCH).exists() {
            ended.push((fs::metadata(&path)?.modified()?, path));
        }
    }
    ended.sort();
    let surplus = ended.len().saturating_sub(OLD_LOGS);
    ended.iter().take(surplus).try_for_each(|(_, path)| fs::remove_dir_all(path))
}

/// Deletes the mails of an earlier emulator.
fn delete_mails(mail: &Path) -> io::Result<()> {
    for entry in fs::read_dir(mail)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "eml") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Checks that a [`Port::Fixed`] is free, before the build takes minutes.
///
/// # Errors
/// [`StackError::PortInUse`] if another program uses the port.
pub(super) fn check(port: Port) -> Result<(), StackError> {
    if matches!(port, Port::Fixed(_)) { free_port(port).map(drop) } else { Ok(()) }
}

fn free_port(port: Port) -> Result<u16, StackError> {
    let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).and_then(|l| l.local_addr()).map(|a| a.port());
    let free = match port {
        Port::Free => bind(0),
        Port::Preferred(port) => bind(port).or_else(|_| bind(0)),
        Port::Fixed(port) => match bind(port) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(StackError::PortInUse { port }),
            result => result,
        },
    };
    free.map_err(StackError::io("use a port of", "127.0.0.1"))
}

/// Returns whether the end of the emulator's log says that another program uses its port.
fn is_port_in_use(tail: &str) -> bool {
    tail.contains("already in use")
}

/// Returns a client for calls of the emulator only: a proxy cannot reach it.
fn http_client() -> reqwest::Result<reqwest::Client> {
    install_ring();
    reqwest::Client::builder().no_proxy().timeout(START_TIMEOUT).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_replaced_unless_it_is_fixed() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_ne!(free_port(Port::Preferred(port)).unwrap(), port);
        let error = free_port(Port::Fixed(port)).unwrap_err();
        assert!(matches!(error, StackError::PortInUse { port: in_use } if in_use == port), "{error}");
        assert!(error.to_string().starts_with(&format!("port {port} of 127.0.0.1 is in use. Stop")), "{error}");
        drop(taken);
        assert_eq!(free_port(Port::Fixed(port)).unwrap(), port);
    }

    #[test]
    fn only_mails_are_deleted_from_a_mailbox() {
        let mail = tempfile::tempdir().unwrap();
        fs::create_dir(mail.path().join("new")).unwrap();
        for name in ["000001-a@example.com.eml", "notes.txt"] {
            fs::write(mail.path().join(name), "").unwrap();
        }
        delete_mails(mail.path()).unwrap();
        let mut left: Vec<_> = fs::read_dir(mail.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["new", "notes.txt"]);
    }

    #[test]
    fn the_newest_logs_and_those_of_running_emulators_are_not_deleted() {
        let state = tempfile::tempdir().unwrap();
        for port in 1000..1000 + OLD_LOGS + 3 {
            fs::create_dir(state.path().join(port.to_string())).unwrap();
        }
        for other in ["999/tmp", "venv"] {
            fs::create_dir_all(state.path().join(other)).unwrap();
        }
        delete_old_logs(state.path()).unwrap();
        assert_eq!(fs::read_dir(state.path()).unwrap().count(), OLD_LOGS + 2);
        assert!(state.path().join("999").exists() && state.path().join("venv").exists());
    }
}
