//! What the `eventpulse` command does, as a library: its `main` and the end-to-end tests share it.

pub mod client;
pub mod commands;
pub mod dev;
pub mod stack;

/// Any error, for the person at the terminal.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
