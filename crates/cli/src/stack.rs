//! The whole system on this machine: an emulator of AWS on a loopback port, and `template.yaml` deployed to it.
//!
//! ```text
//! tools      what the machine must have; the virtual environment with the pinned tools
//! template   template.yaml without loops
//! build      sam build: the functions, as AWS would run them
//! emulator   ministack, which ends when this process does
//! deploy     sam deploy, and what it made
//! ```

mod build;
mod command;
mod deploy;
mod emulator;
mod error;
mod progress;
mod template;
mod tools;
mod users;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

pub use emulator::Port;
pub use error::{Missing, StackError};
pub use progress::Progress;
pub use users::PASSWORD;

use emulator::Emulator;

/// The region that the emulator plays, as in samconfig.toml.
const REGION: &str = "eu-central-1";
/// The name under which `template.yaml` is deployed, as in samconfig.toml.
const STACK_NAME: &str = "eventpulse";
/// What the emulator takes for an administrator's.
const ADMIN: Credentials = Credentials { access_key_id: "local", secret_access_key: "local" };

struct Credentials {
    access_key_id: &'static str,
    secret_access_key: &'static str,
}

/// How to start a [`Stack`].
#[derive(Clone, Debug)]
pub struct Options {
    /// The repository: where `template.yaml` is.
    pub root: PathBuf,
    /// The port of the emulator on 127.0.0.1.
    pub port: Port,
    /// Where to say what is going on.
    pub progress: Progress,
    /// Wait before a failed asynchronous invocation is tried again; doubles for the second try. AWS waits a minute.
    pub retry_wait: Duration,
    /// The directory, below the repository, into which mails go. None: one beside the emulator's log.
    pub mail: Option<PathBuf>,
}

impl Default for Options {
    /// A stack for a person: this repository, the port that everyone expects when it is free, progress on standard
    /// error.
    fn default() -> Self {
        Self {
            root: Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."),
            port: Port::Preferably(emulator::USUAL_PORT),
            progress: Progress::on_stderr(),
            retry_wait: Duration::from_secs(1),
            mail: Some("target/local-stack/mail".into()),
        }
    }
}

impl Options {
    /// A stack for a test: any free port, silent, failed invocations tried again almost at once, mails of its own.
    #[must_use]
    pub fn for_test() -> Self {
        Self {
            port: Port::Free,
            progress: Progress::silent(),
            retry_wait: Duration::from_millis(100),
            mail: None,
            ..Self::default()
        }
    }
}

/// A running local stack. Dropping it ends the emulator, the functions and all that they hold.
#[derive(Debug)]
#[non_exhaustive]
pub struct Stack {
    /// The repository.
    pub root: PathBuf,
    /// The emulator's URL, for every service: `http://127.0.0.1:<port>`.
    pub endpoint: String,
    /// The region that it plays.
    pub region: String,
    /// Of the administrator, who may do everything here. It opens nothing else.
    pub access_key_id: String,
    /// Of the administrator.
    pub secret_access_key: String,
    /// What was deployed: the outputs of `template.yaml`, by name.
    pub outputs: BTreeMap<String, String>,
    /// The emulator's log, with what the functions print. It outlives the stack until another takes its port.
    pub log: PathBuf,
    /// The mails that SNS would have sent: one `.eml` file each, named in the order in which they were sent.
    pub mail: PathBuf,
    emulator: Emulator,
    tools: tools::Tools,
}

impl Stack {
    /// Builds what changed, starts an emulator and deploys to it. The first time, this makes the virtual environment
    /// and compiles the functions, which takes minutes; with nothing to build it takes some six seconds.
    ///
    /// Several may start at once, in one process or many: they wait for each other to build.
    ///
    /// # Errors
    /// [`StackError::Missing`] says how to get what the machine lacks; the others name the step, the end of what its
    /// tool said, and the file with all of it.
    pub async fn start(options: Options) -> Result<Self, StackError> {
        let Options { root, port, progress, retry_wait, mail } = options;
        let root = fs::canonicalize(&root).map_err(StackError::io("find the repository", &root))?;
        let state = root.join("target/local-stack");
        fs::create_dir_all(&state).map_err(StackError::io("make the directory", &state))?;

        let mail = mail.map(|mail| root.join(mail));

        let lock = lock(state.join("lock"), progress).await?;
        emulator::tidy(&state).map_err(StackError::io("tidy", &state))?;
        let tools = tools::ready(&root, &state, progress).await?;
        template::expand(&tools, &state, progress).await?;
        build::build(&tools, &state, progress).await?;
        let emulator = Emulator::start(&tools, &state, mail.as_deref(), port, retry_wait, progress).await?;
        let outputs = deploy::deploy(&tools, &emulator, progress).await?;
        drop(lock);

        Ok(Self {
            root,
            endpoint: emulator.endpoint().to_owned(),
            region: REGION.to_owned(),
            access_key_id: ADMIN.access_key_id.to_owned(),
            secret_access_key: ADMIN.secret_access_key.to_owned(),
            outputs,
            log: emulator.log().to_path_buf(),
            mail: emulator.mail().to_path_buf(),
            emulator,
            tools,
        })
    }

    /// The emulator's process; the functions are its children.
    #[must_use]
    pub fn emulator_pid(&self) -> u32 {
        self.emulator.pid()
    }

    /// The variables with which any AWS tool or SDK speaks to this stack.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 4] {
        command::aws_environment(&self.endpoint)
    }

    /// The stack's Python, with boto3 and the emulator's account: for what operators do with the AWS CLI.
    #[must_use]
    pub fn python(&self) -> tokio::process::Command {
        let mut python = self.tools.command("python");
        python.envs(self.environment());
        python
    }

    /// A virtual environment of its own, under `target/`, with what a requirements file pins: for tools that tests bring.
    /// Returns the directory of its programs.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn environment_of(&self, name: &str, requirements: &Path) -> Result<PathBuf, StackError> {
        let state = self.root.join("target/local-stack");
        tools::further(&self.root.join("target").join(name), requirements, &state).await
    }

    /// Ends it and waits until it is gone. (Dropping it does the same, and cannot tell when that fails.)
    ///
    /// # Errors
    /// When the emulator does not end.
    pub async fn stop(self) -> Result<(), StackError> {
        let stopping = tokio::task::spawn_blocking(move || self.emulator.stop()).await;
        stopping.map_err(io::Error::other).flatten().map_err(StackError::io("stop", "the emulator"))
    }
}

/// Returns the Python of the virtual environment, to be run in the repository: for the scripts in `local/`. Makes the
/// environment unless it is up to date.
///
/// # Errors
/// [`StackError::Missing`] says how to get what the machine lacks; [`StackError::Tool`] names the step that failed.
pub async fn python(options: &Options) -> Result<tokio::process::Command, StackError> {
    let root = fs::canonicalize(&options.root).map_err(StackError::io("find the repository", &options.root))?;
    let state = root.join("target/local-stack");
    fs::create_dir_all(&state).map_err(StackError::io("make the directory", &state))?;
    let _lock = lock(state.join("lock"), options.progress).await?;
    Ok(tools::ready(&root, &state, options.progress).await?.command("python"))
}

/// Held by one starting stack at a time: they share the virtual environment and the build.
async fn lock(path: PathBuf, progress: Progress) -> Result<File, StackError> {
    let file = File::create(&path).map_err(StackError::io("make the lock", &path))?;
    let step = progress.step("waiting for another local stack to start");
    let locked = tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await;
    step.done();
    locked.map_err(io::Error::other).flatten().map_err(StackError::io("lock", &path))
}
