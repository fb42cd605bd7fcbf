//! The commands that speak the REST API, and nothing else: what they can do, any client can.

pub mod keys;
pub mod notifications;
mod output;
pub mod quarantine;
pub mod session;
pub mod simulate;
pub mod statistics;
pub mod upload;
pub mod uploads;
pub mod validate;

use std::process::ExitCode;

use clap::Subcommand;

use crate::client::api::Api;
use crate::client::error::ClientError;
use crate::client::profile;
use output::told;
pub use output::{Global, Outcome};

/// Not everything that was asked for came out well: an upload was rejected, a file is wrong.
const SOME_REJECTED: u8 = 1;

/// The commands of an owner.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Signs in, and keeps the tokens in a file that only you can read.
    Login(session::Args),
    /// Forgets the tokens.
    Logout,
    /// Uploads files and waits for what becomes of them. Exits with 0 only if all were accepted.
    Upload(upload::Args),
    /// Lists uploads, shows one, or takes one back.
    Uploads(uploads::Args),
    /// Statistics of a device, and what they stand on.
    Stats(statistics::StatsArgs),
    /// The devices that there is data of.
    Devices,
    /// Statistics of a device bucket by bucket.
    Series(statistics::SeriesArgs),
    /// What was rejected: lists, shows, tries again, discards.
    Quarantine(quarantine::Args),
    /// The keys of devices: lists, makes, exchanges, revokes.
    Keys(keys::Args),
    /// Whether you are mailed about what is rejected: shows, turns on, turns off.
    Notifications(notifications::Args),
    /// Simulates devices that send data. Exits with 0 only if each message became what it was sent as.
    Simulate(simulate::Args),
    /// Checks files on this machine, by the validator of the service. Exits with 0 only if all are good.
    Validate(validate::Args),
}

/// Runs a command. Its answer goes to standard output, what went wrong to standard error.
pub async fn run(command: Command, global: &Global) -> ExitCode {
    match dispatch(command, global).await {
        Ok(Outcome::Success) => ExitCode::SUCCESS,
        Ok(Outcome::Rejected) => ExitCode::from(SOME_REJECTED),
        Err(error) => {
            eprintln!("error: {}", told(&error).join("\n  "));
            ExitCode::from(error.exit_code())
        }
    }
}

async fn dispatch(command: Command, global: &Global) -> Result<Outcome, ClientError> {
    match command {
        Command::Login(args) => session::login(&args, global).await,
        Command::Logout => session::logout(global),
        Command::Validate(args) => validate::run(&args, global),
        Command::Upload(args) => upload::run(&api(global)?, &args, global).await,
        Command::Uploads(args) => uploads::run(&api(global)?, args, global).await,
        Command::Stats(args) => statistics::stats(&api(global)?, &args, global).await,
        Command::Devices => statistics::devices(&api(global)?, global).await,
        Command::Series(args) => statistics::series(&api(global)?, &args, global).await,
        Command::Quarantine(args) => quarantine::run(&api(global)?, args, global).await,
        Command::Keys(args) => keys::run(&api(global)?, args, global).await,
        Command::Notifications(args) => notifications::run(&api(global)?, args, global).await,
        Command::Simulate(args) => simulate::run(&api(global)?, &args, global).await,
    }
}

fn api(global: &Global) -> Result<Api, ClientError> {
    Api::open(profile::path(global.profile.clone())?)
}
