//! Errors of the local stack.

use std::{
    fmt::{self, Display},
    io,
    path::{Path, PathBuf},
    process::ExitStatus,
};

/// A requirement that this machine does not meet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Missing {
    /// The name, such as "Python 3.10 or newer".
    pub what: String,
    /// The instruction to install it.
    pub remedy: &'static str,
}

impl Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n    {}", self.what, self.remedy)
    }
}

/// An error of the local stack.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StackError {
    /// This machine lacks requirements. Nothing was changed.
    #[error("the local stack needs:{}", .missing.iter().map(|m| format!("\n  {m}")).collect::<String>())]
    Missing {
        /// All missing requirements.
        missing: Vec<Missing>,
    },
    /// A tool failed.
    #[error("{step}: {program} failed with {status}. The end of its output (all of it is in {log}):\n{tail}", log = .log.display())]
    Tool {
        /// The step of the start.
        step: &'static str,
        /// The name of the tool.
        program: String,
        /// The exit status.
        status: ExitStatus,
        /// The last lines of the output of the tool.
        tail: String,
        /// The file with all of the output of the tool.
        log: PathBuf,
    },
    /// The emulator ended or did not answer.
    #[error("the emulator {what}. The end of its log (all of it is in {log}):\n{tail}", log = .log.display())]
    Emulator {
        /// The event, such as "ended at once" or "did not answer".
        what: &'static str,
        /// The last lines of its log.
        tail: String,
        /// The log of the emulator.
        log: PathBuf,
    },
    /// Another program uses the port.
    #[error(
        "port {port} of 127.0.0.1 is in use. Stop the program that uses it (perhaps another `cargo dev`), \
         or choose another port with --port"
    )]
    PortInUse {
        /// The port.
        port: u16,
    },
    /// The outputs of the deployed `template.yaml` cannot be read.
    #[error("cannot read the outputs of the deployed stack: {detail}")]
    Outputs {
        /// The reason.
        detail: String,
    },
    /// An operation on a file, a directory or a process failed.
    #[error("cannot {op} {target}: {source}", target = .target.display())]
    Io {
        /// The operation, such as "read".
        op: &'static str,
        /// The file, directory or program.
        target: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl StackError {
    /// Returns the function that `map_err` needs for an operation on `target`.
    pub(super) fn io(op: &'static str, target: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let target = target.as_ref().to_path_buf();
        move |source| Self::Io { op, target, source }
    }
}
