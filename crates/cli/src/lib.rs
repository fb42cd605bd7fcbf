//! The `eventpulse` command as a library, for its `main` and the end-to-end tests.

pub mod client;
pub mod commands;
pub mod dev;
pub mod operator;
pub mod stack;

/// Any error, for the person at the terminal.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
