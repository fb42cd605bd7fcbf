//! The commands that speak the REST API, and nothing else: what they can do, any client can.

pub mod keys;
pub mod notifications;
pub mod quarantine;
pub mod session;
pub mod simulate;
pub mod statistics;
pub mod upload;
pub mod uploads;
pub mod validate;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use eventpulse_core::id::{InvalidUploadId, UploadId};
use serde_json::Value;

use crate::client::api::Api;
use crate::client::error::ClientError;
use crate::client::profile;
use crate::client::text::clean;

/// Not everything that was asked for came out well: an upload was rejected, a file is wrong.
const SOME_REJECTED: u8 = 1;

/// What every command takes.
#[derive(Debug, Clone, clap::Args)]
pub struct Global {
    /// Print one JSON document, for scripts.
    #[arg(long, global = true)]
    pub json: bool,
    /// The file that keeps who is signed in [default: eventpulse/profile.json in your configuration directory].
    #[arg(long, global = true, value_name = "FILE")]
    pub profile: Option<PathBuf>,
}

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

/// What a command came to.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum Outcome {
    /// All is well.
    Well,
    /// Some of it was rejected.
    Rejected,
}

/// Runs a command. Its answer goes to standard output, what went wrong to standard error.
pub async fn run(command: Command, global: &Global) -> ExitCode {
    match dispatch(command, global).await {
        Ok(Outcome::Well) => ExitCode::SUCCESS,
        Ok(Outcome::Rejected) => ExitCode::from(SOME_REJECTED),
        Err(error) => {
            eprintln!("error: {}", told(&error).join("\n  "));
            ExitCode::from(error.exit_code())
        }
    }
}

/// An error, and the places that it tells.
fn told(error: &ClientError) -> Vec<String> {
    let places = match error {
        ClientError::Problem { errors, .. } => errors.as_slice(),
        _ => &[],
    };
    std::iter::once(clean(&error.to_string())).chain(places.iter().map(|place| clean(place))).collect()
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

/// Prints the API's answer for a script, or what a person reads.
fn show(global: &Global, answer: &Value, text: impl FnOnce() -> String) {
    let text = if global.json { format!("{answer:#}\n") } else { text() };
    let mut output = std::io::stdout().lock();
    // Who closed the pipe has read enough.
    drop(output.write_all(text.as_bytes()).and_then(|()| output.flush()));
}

/// The id of an upload, on the command line: nothing else gets into a path.
fn upload_id(text: &str) -> Result<String, InvalidUploadId> {
    UploadId::parse(text).map(|id| id.to_string())
}

/// A member as it is to be read: text cleaned, `null` as nothing.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => clean(text),
        Value::Number(number) => match (number.as_u64(), number.as_f64()) {
            (None, Some(number)) => crate::client::text::number(number),
            _ => number.to_string(),
        },
        other => clean(&other.to_string()),
    }
}

/// The members of a list.
fn items<'a>(answer: &'a Value, member: &str) -> &'a [Value] {
    answer[member].as_array().map_or(&[][..], Vec::as_slice)
}

/// The first kind of failure, as one line: code, pointer, line.
fn first_failure(receipt: &Value) -> String {
    let Some(failure) = items(receipt, "failures").first() else { return String::new() };
    let mut text = cell(&failure["code"]);
    if failure["pointer"].as_str().is_some_and(|pointer| !pointer.is_empty()) {
        text.push_str(&format!(" at {}", cell(&failure["pointer"])));
    }
    if failure["line"].is_u64() {
        text.push_str(&format!(", line {}", failure["line"]));
    }
    text
}

/// All kinds of failure, for a person.
fn failures(answer: &Value) -> String {
    let mut text = String::new();
    for failure in items(answer, "failures") {
        text.push_str(&failure_text(failure));
    }
    if answer["failures_omitted"].as_u64().is_some_and(|omitted| omitted > 0) {
        text.push_str(&format!("  ... and {} further kinds of failure, in the report\n", answer["failures_omitted"]));
    }
    text
}

/// One failure, or a kind of them, for a person.
fn failure_text(failure: &Value) -> String {
    let pointer = cell(&failure["pointer"]);
    let at = if pointer.is_empty() { String::new() } else { format!(" at {pointer}") };
    let place = match (failure["line"].as_u64(), failure["byte_offset"].as_u64()) {
        (Some(line), Some(byte)) => format!(", line {line}, byte {byte}"),
        _ => String::new(),
    };
    let times = match failure["count"].as_u64() {
        Some(count) if count > 1 => format!(" ({count} times, the first:)"),
        _ => String::new(),
    };
    format!("  {}{at}{place}{times}\n    {}\n", cell(&failure["code"]), cell(&failure["message"]))
}

/// The members of some objects as a table.
fn table(headers: &[&str], objects: &[Value], row: impl Fn(&Value) -> Vec<String>) -> String {
    crate::client::text::table(headers, &objects.iter().map(row).collect::<Vec<_>>())
}

/// Parameters that were given, by name.
fn given<'a>(parameters: &[(&'static str, Option<&'a str>)]) -> Vec<(&'static str, &'a str)> {
    parameters.iter().filter_map(|(name, value)| Some((*name, (*value)?))).collect()
}
