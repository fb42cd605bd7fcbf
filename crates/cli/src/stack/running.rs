//! A running local stack: its start, its end, and access to it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use eventpulse_launcher::progress::Progress;

use super::{
    account::{ADMIN, REGION},
    build, command, deploy,
    emulator::{self, Emulator, Port, Settings},
    error::StackError,
    kept::Kept,
    options::{Data, Options},
    template, tools,
};

/// A running local stack. Dropping it ends the emulator and the functions.
#[derive(Debug)]
#[non_exhaustive]
pub struct Stack {
    /// The repository.
    pub root: PathBuf,
    /// The URL of the emulator for every service: `http://127.0.0.1:<port>`.
    pub endpoint: String,
    /// The region of the emulator.
    pub region: String,
    /// The access key of the emulator's administrator, who may call everything. It is valid nowhere else.
    pub access_key_id: String,
    /// The secret access key of the emulator's administrator.
    pub secret_access_key: String,
    /// The outputs of `template.yaml`, by name.
    pub outputs: BTreeMap<String, String>,
    /// The log of the emulator and of the functions. It is overwritten by the next stack on this port.
    pub log: PathBuf,
    /// The directory of the mails of SNS: one `.eml` file each, named in the order of sending.
    pub mail: PathBuf,
    /// The kept data. `None`: the data is temporary.
    pub kept: Option<Kept>,
    emulator: Emulator,
    tools: tools::Tools,
}

impl Stack {
    /// Builds the functions that changed, starts an emulator and deploys to it. The first start creates the virtual
    /// environment and compiles the functions, which takes minutes; later starts take seconds.
    ///
    /// Several stacks can start at the same time, in one process or in several: they wait for each other's build.
    ///
    /// # Errors
    /// [`StackError::Missing`] lists what this machine lacks and how to get it. [`StackError::PortInUse`] if another
    /// program uses a [`Port::Fixed`]. The other errors name the step, the end of the tool's output, and the file with all
    /// of it.
    pub async fn start(options: Options) -> Result<Self, StackError> {
        let Options { root, port, data, progress, retry_wait, mail } = options;
        let root = fs::canonicalize(&root).map_err(StackError::io("find the repository", &root))?;
        let state = root.join("target/local-stack");
        fs::create_dir_all(&state).map_err(StackError::io("create", &state))?;

        let port = match data {
            Data::Temporary => port,
            Data::Kept { port, .. } => Port::Fixed(port),
        };
        emulator::check(port)?;
        let lock = lock(state.join("lock"), progress).await?;
        emulator::delete_old_logs(&state).map_err(StackError::io("delete old logs in", &state))?;
        let tools = tools::ready(&root, &state, progress).await?;
        template::expand(&tools, &state, progress).await?;
        build::build(&tools, &state, progress).await?;
        let kept = match data {
            Data::Temporary => None,
            Data::Kept { port, fresh } => Some(Kept::open(&state, port, fresh)?),
        };
        let mail = match &kept {
            Some(kept) => Some(kept.directory().join("mail")),
            None => mail.map(|mail| root.join(mail)),
        };
        let settings = Settings { state: &state, port, mail: mail.as_deref(), retry_wait, kept: kept.as_ref() };
        let emulator = Emulator::start(&tools, settings, progress).await?;
        kept.as_ref().map_or(Ok(()), Kept::mark_in_use)?;
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
            kept,
            emulator,
            tools,
        })
    }

    /// Returns the variables with which any AWS tool or SDK calls this stack.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 5] {
        command::aws_environment(&self.endpoint)
    }

    /// Returns the Python of the stack, with boto3 and the access key of the administrator.
    #[must_use]
    pub fn python(&self) -> tokio::process::Command {
        let mut python = self.tools.command("python");
        python.envs(self.environment());
        python
    }

    /// Creates a virtual environment `target/<name>` from a requirements file, for the tools of tests. Returns the directory
    /// of its programs.
    ///
    /// # Errors
    /// [`StackError::Tool`] if pip fails.
    pub async fn environment_of(&self, name: &str, requirements: &Path) -> Result<PathBuf, StackError> {
        let state = self.root.join("target/local-stack");
        tools::further_environment(&self.root.join("target").join(name), requirements, &state).await
    }

    /// Ends the stack and waits until the emulator has ended. Dropping does the same, but cannot return an error.
    ///
    /// # Errors
    /// [`StackError::Io`] if the emulator does not end.
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

/// Takes the lock of a starting stack: all stacks share the virtual environment and the build.
async fn lock(path: PathBuf, progress: Progress) -> Result<File, StackError> {
    let file = File::create(&path).map_err(StackError::io("create the lock", &path))?;
    let step = progress.step("waiting for another local stack to start");
    let locked = tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await;
    step.done();
    locked.map_err(io::Error::other).flatten().map_err(StackError::io("lock", &path))
}
