//! The commands of `eventpulse`. The commands of owners use HTTP only (the REST API, Cognito, `POST /data`), except
//! `validate`, which works offline. Any other client can do the same. `admin` is the operator: it uses AWS.

pub mod admin;
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
use output::error_lines;
pub use output::{CommandResult, Global};

/// The exit code when an upload was rejected or a file is invalid.
const SOME_REJECTED: u8 = 1;

/// The commands of owners and of the operator.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Sign in, and store the tokens in a file that only you can read.
    Login(session::Args),
    /// Sign out: delete the stored tokens.
    Logout,
    /// Upload files and wait for their outcomes. Exits with 0 only if all records were accepted.
    Upload(upload::Args),
    /// List uploads, show one, or withdraw one.
    Uploads(uploads::Args),
    /// Show the statistics of a device, and the uploads that they include.
    Stats(statistics::StatsArgs),
    /// List the devices that have data.
    Devices,
    /// Show the statistics of a device for each time bucket.
    Series(statistics::SeriesArgs),
    /// List, show, retry or discard quarantined uploads.
    Quarantine(quarantine::Args),
    /// List, create, rotate or revoke the API keys of devices.
    Keys(keys::Args),
    /// Show, turn on or turn off e-mails about rejected uploads.
    Notifications(notifications::Args),
    /// Simulate devices that send data. Exits with 0 only if every message has the expected outcome.
    Simulate(simulate::Args),
    /// Check files on this machine with the validator of the service. Exits with 0 only if all records are valid.
    Validate(validate::Args),
    /// As the operator: end or restore the access of an owner, revoke any key, check counters. Needs AWS credentials.
    Admin(admin::Args),
}

/// Runs a command. Prints its answer to standard output, and errors to standard error.
pub async fn run(command: Command, global: &Global) -> ExitCode {
    match dispatch(command, global).await {
        Ok(CommandResult::Success) => ExitCode::SUCCESS,
        Ok(CommandResult::Rejected) => ExitCode::from(SOME_REJECTED),
        Err(error) => {
            eprintln!("error: {}", error_lines(&error).join("\n  "));
            ExitCode::from(error.exit_code())
        }
    }
}

async fn dispatch(command: Command, global: &Global) -> Result<CommandResult, ClientError> {
    match command {
        Command::Login(args) => session::login(&args, global).await,
        Command::Logout => session::logout(global),
        Command::Validate(args) => validate::run(&args, global),
        Command::Admin(args) => admin::run(args, global).await,
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
