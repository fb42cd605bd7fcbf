//! ministack, on a loopback port, for as long as this process lives.

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

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use super::{ADMIN, Progress, REGION, StackError, command::environment, tools::Tools};

/// The port on which tools expect an emulator of AWS.
pub(super) const USUAL_PORT: u16 = 4566;
/// An emulator that did not start in this time never will.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);
/// Someone else may take a free port before the emulator does.
const ATTEMPTS: usize = 5;
/// What a running emulator has beside its log, and one that ended has not.
const SCRATCH: &str = "tmp";
/// So many logs of emulators that ended are kept.
const KEPT: usize = 20;

/// Which port of 127.0.0.1 the emulator takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Port {
    /// Any that is free.
    Free,
    /// This one, or any other when it is taken.
    Preferably(u16),
}

/// A running emulator. Dropping it ends it, and with it the functions.
#[derive(Debug)]
pub(super) struct Emulator {
    child: Child,
    endpoint: String,
    directory: PathBuf,
    log: PathBuf,
    mail: PathBuf,
}

impl Emulator {
    /// Starts one and waits until it answers. `mail` is where mails go; beside its log where it is none.
    pub async fn start(
        tools: &Tools,
        state: &Path,
        mail: Option<&Path>,
        port: Port,
        retry_wait: Duration,
        progress: Progress,
    ) -> Result<Self, StackError> {
        let step = progress.step("starting the emulator");
        let mut port = port;
        for _ in 1..ATTEMPTS {
            match Self::spawn(tools, state, mail, port, retry_wait)?.answering().await {
                Err(StackError::Emulator { tail, .. }) if tail.contains("already in use") => port = Port::Free,
                result => {
                    step.done();
                    return result;
                }
            }
        }
        Self::spawn(tools, state, mail, Port::Free, retry_wait)?.answering().await
    }

    fn spawn(
        tools: &Tools,
        state: &Path,
        mail: Option<&Path>,
        port: Port,
        retry_wait: Duration,
    ) -> Result<Self, StackError> {
        let port = free_port(port).map_err(StackError::io("find a free port on", "127.0.0.1"))?;
        let endpoint = format!("http://127.0.0.1:{port}");
        let directory = state.join(port.to_string());
        let (scratch, log) = (directory.join(SCRATCH), directory.join("emulator.log"));
        fs::create_dir_all(&scratch).map_err(StackError::io("make the directory", &scratch))?;
        let mail = mail.map_or_else(|| directory.join("mail"), Path::to_path_buf);
        empty(&mail).map_err(StackError::io("empty the mailbox", &mail))?;
        let output = File::create(&log).map_err(StackError::io("write", &log))?;
        let errors = output.try_clone().map_err(StackError::io("write", &log))?;

        let (python, path) = tools.python();
        let retry_wait = retry_wait.as_secs_f64().to_string();
        // Of our own variables the functions, which inherit the emulator's, get to see these only.
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
                // The policies of template.yaml are enforced, and this key alone is above them.
                ("AUTH", "true"),
                ("AWS_ACCESS_KEY_ID", ADMIN.access_key_id),
                ("AWS_SECRET_ACCESS_KEY", ADMIN.secret_access_key),
                ("AWS_ENDPOINT_URL", &endpoint),
                ("AWS_DEFAULT_REGION", REGION),
                ("MINISTACK_REGION", REGION),
                ("MINISTACK_HOST", "127.0.0.1"),
                ("BIND_HOST", "127.0.0.1"),
                ("GATEWAY_PORT", &port.to_string()),
                // Servers that nobody asked for.
                ("IOT_MTLS_ENABLED", "0"),
                ("SFTP_ENABLED", "0"),
                // No container, even where there is a Docker.
                ("DOCKER_HOST", "unix:///nonexistent"),
                ("LAMBDA_EXECUTOR", "local"),
                ("LAMBDA_ASYNC_RETRY_BASE_SECONDS", &retry_wait),
            ])
            .env("EVENTPULSE_MAIL_DIR", &mail)
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            // Ctrl-C on the terminal is for us to answer, and emulator.py ends its whole group.
            .process_group(0)
            .spawn()
            .map_err(StackError::io("run", &python))?;
        Ok(Self { child, endpoint, directory: scratch, log, mail })
    }

    /// Waits until it serves.
    async fn answering(mut self) -> Result<Self, StackError> {
        let deadline = Instant::now() + PATIENCE;
        let address = self.endpoint.trim_start_matches("http://").to_owned();
        // In its own log, as another program might answer on the port.
        let serving = format!("Running on {}", self.endpoint);
        loop {
            if self.child.try_wait().map_err(StackError::io("wait for", "the emulator"))?.is_some() {
                return Err(self.failed("ended at once"));
            }
            if self.said().contains(&serving) && timeout(PATIENCE, is_ready(&address)).await.unwrap_or(false) {
                return Ok(self);
            }
            if Instant::now() > deadline {
                return Err(self.failed("did not answer"));
            }
            sleep(POLL).await;
        }
    }

    fn failed(&self, what: &'static str) -> StackError {
        let said = self.said();
        let tail = said.lines().skip(said.lines().count().saturating_sub(25)).collect::<Vec<_>>().join("\n");
        StackError::Emulator { what, tail, log: self.log.clone() }
    }

    fn said(&self) -> String {
        fs::read(&self.log).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default()
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The directory of the mails.
    pub fn mail(&self) -> &Path {
        &self.mail
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The directory beside the log, for more of them.
    pub fn logs(&self) -> &Path {
        self.log.parent().unwrap_or(&self.log)
    }

    /// Ends it and waits until it is gone.
    pub fn stop(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        // emulator.py sees its standard input end, and kills its group.
        drop(self.child.stdin.take());
        let deadline = Instant::now() + Duration::from_secs(5);
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                self.child.kill()?;
            }
            thread::sleep(Duration::from_millis(5));
        }
        // It did so itself, unless it had to be killed.
        if self.directory.exists() { fs::remove_dir_all(&self.directory) } else { Ok(()) }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // There is nobody to tell.
        let _ = self.end();
    }
}

/// Removes all but the newest logs of emulators that ended.
pub(super) fn tidy(state: &Path) -> io::Result<()> {
    let mut ended = Vec::new();
    for entry in fs::read_dir(state)? {
        let path = entry?.path();
        let is_emulators =
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.parse::<u16>().is_ok());
        if is_emulators && !path.join(SCRATCH).exists() {
            ended.push((fs::metadata(&path)?.modified()?, path));
        }
    }
    ended.sort();
    let surplus = ended.len().saturating_sub(KEPT);
    ended.iter().take(surplus).try_for_each(|(_, path)| fs::remove_dir_all(path))
}

/// Makes a directory for mails, and removes those of another emulator.
fn empty(mail: &Path) -> io::Result<()> {
    fs::create_dir_all(mail)?;
    for entry in fs::read_dir(mail)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "eml") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn free_port(port: Port) -> io::Result<u16> {
    let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).and_then(|l| l.local_addr()).map(|a| a.port());
    match port {
        Port::Free => bind(0),
        Port::Preferably(port) => bind(port).or_else(|_| bind(0)),
    }
}

/// Whether it answers the question for its health with 200.
async fn is_ready(address: &str) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET /_ministack/ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        io::Result::Ok(answer.starts_with(b"HTTP/1.1 200 "))
    };
    ask.await.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_not_insisted_on() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_ne!(free_port(Port::Preferably(port)).unwrap(), port);
    }

    #[test]
    fn a_mailbox_is_emptied_of_mails_only() {
        let mail = tempfile::tempdir().unwrap();
        empty(&mail.path().join("new/mail")).unwrap();
        for name in ["000001-a@example.com.eml", "notes.txt"] {
            fs::write(mail.path().join(name), "").unwrap();
        }
        empty(mail.path()).unwrap();
        let mut left: Vec<_> = fs::read_dir(mail.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["new", "notes.txt"]);
    }

    #[test]
    fn the_newest_logs_and_those_of_running_emulators_are_kept() {
        let state = tempfile::tempdir().unwrap();
        for port in 1000..1000 + KEPT + 3 {
            fs::create_dir(state.path().join(port.to_string())).unwrap();
        }
        for other in ["999/tmp", "venv"] {
            fs::create_dir_all(state.path().join(other)).unwrap();
        }
        tidy(state.path()).unwrap();
        assert_eq!(fs::read_dir(state.path()).unwrap().count(), KEPT + 2);
        assert!(state.path().join("999").exists() && state.path().join("venv").exists());
    }
}
