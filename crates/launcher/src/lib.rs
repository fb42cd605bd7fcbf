//! The build of the workspace's programs, with progress for a person who waits.
//!
//! `cargo dev` and `cargo eventpulse` run the program `launch` of this crate: it builds the programs and then runs the
//! `eventpulse` command. The local stack uses the same build.

pub mod cargo;
pub mod progress;
