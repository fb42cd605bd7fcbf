//! Why a local stack did not start.

use std::{
    fmt::{self, Display},
    io,
    path::{Path, PathBuf},
    process::ExitStatus,
};

/// Something that this machine lacks, and how to get it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Missing {
    /// What it is.
    pub what: String,
    /// What to do about it.
    pub remedy: &'static str,
}

impl Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n    {}", self.what, self.remedy)
    }
}

/// Why a local stack did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StackError {
    /// The machine lacks something; nothing was changed.
    #[error("the local stack needs what is not here:{}", .missing.iter().map(|m| format!("\n  {m}")).collect::<String>())]
    Missing {
        /// All of it, not only the first.
        missing: Vec<Missing>,
    },
    /// A tool failed.
    #[error("{step}: {program} ended with {status}. Its last words (all of them: {log}):\n{tail}", log = .log.display())]
    Tool {
        /// What it was to do.
        step: &'static str,
        /// Its name.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// The last lines of what it printed.
        tail: String,
        /// All that it printed.
        log: PathBuf,
    },
    /// The emulator ended, or never answered.
    #[error("the emulator {what}. Its last words (all of them: {log}):\n{tail}", log = .log.display())]
    Emulator {
        /// What it did.
        what: &'static str,
        /// The last lines of its log.
        tail: String,
        /// Its log.
        log: PathBuf,
    },
    /// The outputs of `template.yaml` could not be read after it was deployed.
    #[error("cannot read the outputs of the deployed stack: {detail}")]
    Outputs {
        /// What is wrong with the answer.
        detail: String,
    },
    /// A file, a directory or a process could not be had.
    #[error("cannot {op} {target}: {source}", target = .target.display())]
    Io {
        /// What was tried.
        op: &'static str,
        /// On what.
        target: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl StackError {
    /// For `map_err`: what was tried on `target`.
    pub(super) fn io(op: &'static str, target: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let target = target.as_ref().to_path_buf();
        move |source| Self::Io { op, target, source }
    }
}
