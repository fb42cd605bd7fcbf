//! The settings of a local stack.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use eventpulse_launcher::progress::Progress;

use super::emulator::{Port, USUAL_PORT};

/// The settings of a [`Stack`](super::Stack).
#[derive(Clone, Debug)]
pub struct Options {
    /// The repository: the directory of `template.yaml`.
    pub root: PathBuf,
    /// The port of the emulator on 127.0.0.1.
    pub port: Port,
    /// The data that the stack starts with.
    pub data: Data,
    /// The form of the progress messages.
    pub progress: Progress,
    /// The time before the first retry of a failed asynchronous invocation. It doubles for the second retry. AWS waits a
    /// minute.
    pub retry_wait: Duration,
    /// The directory for mails, relative to the repository. `None`: a directory beside the log of the emulator. Kept data
    /// has a directory for mails of its own.
    pub mail: Option<PathBuf>,
}

/// The data that a stack starts with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Data {
    /// No data. All data is lost at the end.
    Temporary,
    /// The data of the last run on this port that kept its data, which continues in the next run.
    Kept {
        /// The port, which replaces [`Options::port`].
        port: u16,
        /// Whether to delete the data of the last run first.
        fresh: bool,
    },
}

impl Default for Options {
    /// Returns the settings of `cargo dev`: this repository, the usual port if it is free, temporary data, progress on
    /// standard error.
    fn default() -> Self {
        Self {
            root: Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."),
            port: Port::Preferred(USUAL_PORT),
            data: Data::Temporary,
            progress: Progress::on_stderr(),
            retry_wait: Duration::from_secs(1),
            mail: Some("target/local-stack/mail".into()),
        }
    }
}

impl Options {
    /// Returns the settings of a test: any free port, no progress, a short wait before retries, mails beside the log.
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
