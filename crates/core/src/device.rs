//! Devices: their API keys, and the transactions that store batches of their messages.

pub mod batch;
pub mod key;
pub mod key_commands;
pub mod precedence;
pub mod record_limit;
