//! `eventpulse simulate`: a fleet of simulated devices, and the proof that none of their messages is lost.

pub mod fleet;
mod follow;
pub mod sender;
pub mod tally;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use eventpulse_aws::clock;
use serde_json::{Value, json};
use tokio::sync::watch;

use self::fleet::Fleet;
use self::sender::{Pace, Sender};
use self::tally::{RunCounts, lock};
use super::keys;
use super::output::{CommandResult, Global, cell, error_lines, show};
use crate::client::amount::{parse_rate, parse_share, parse_span};
use crate::client::api::Api;
use crate::client::error::ClientError;
use crate::client::http::http_client;

/// The default duration of a run.
const DURATION: Duration = Duration::from_secs(60);
/// The duration of a run that ends after a number of records.
const FOR_EVER: Duration = Duration::from_secs(365 * 86_400);
/// The longest time until a new key takes effect at the gateway.
const NEW_KEY: Duration = Duration::from_secs(60);
/// The most messages per second for a key of the plan `standard`.
const STANDARD_RATE: f64 = 8.0;
/// The share of the requested rate below which the run did not keep up.
const KEPT_UP: f64 = 0.95;

/// The arguments of `eventpulse simulate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The number of devices.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    devices: u64,
    /// The number of messages per second, of all devices together.
    #[arg(long, default_value = "50", value_parser = parse_rate)]
    rate: f64,
    /// The share of invalid records: 2%, or 0.02.
    #[arg(long, default_value = "0", value_name = "SHARE", value_parser = parse_share)]
    bad: f64,
    /// How long to send, such as 60s or 5m [default: 60s].
    #[arg(long, value_name = "SPAN", value_parser = parse_span, conflicts_with = "events")]
    duration: Option<Duration>,
    /// The number of records to send, without a time limit.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    events: Option<u64>,
    /// An API key of the signed-in user. Prefer the variable: other users of this machine can see command lines.
    /// Without one, the command creates a key for the run and revokes it at the end.
    #[arg(long, env = "EVENTPULSE_API_KEY", hide_env_values = true)]
    key: Option<String>,
    /// The seed of the random values, to repeat a run. The summary names the seed.
    #[arg(long)]
    seed: Option<u64>,
    /// The number of records in a message.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=500))]
    batch: u64,
    /// The most connections.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u64).range(1..=1000))]
    connections: u64,
}

/// Simulates devices, and counts the outcomes of their messages.
///
/// # Errors
/// Fails when the API cannot be reached, and when a key cannot be created or revoked.
pub async fn run(api: &Api, args: &Args, global: &Global) -> Result<CommandResult, ClientError> {
    // Before there is a key: from here on, Ctrl-C ends the run and not the process.
    let stop = stop_on_ctrl_c(global.json);
    let (document, unrevoked) = simulate(api, args, global.json, stop).await?;
    show(global, &document, || text(&document));
    match unrevoked {
        Some(error) => Err(error),
        None if document["well"] == true => Ok(CommandResult::Success),
        None => Ok(CommandResult::Rejected),
    }
}

/// Runs with the given key, or one of its own. Returns the summary, and the error if its own key was not revoked.
async fn simulate(
    api: &Api,
    args: &Args,
    is_silent: bool,
    stop: watch::Receiver<u8>,
) -> Result<(Value, Option<ClientError>), ClientError> {
    let (data, run) = (keys::data_api(api).await?, random()?);
    // Short enough to be typed, and for readers of JSON that know doubles only.
    let seed = args.seed.map_or_else(|| random().map(|it| it >> 32), Ok)?;
    let sender = |key: &str| -> Result<Sender, ClientError> {
        let (url, run) = (data.url.clone(), format!("simulate-{run:016x}"));
        Ok(Sender { http: http_client()?, url, key: key.to_owned(), run })
    };
    if let Some(key) = given_key(args.key.as_deref())? {
        return Ok((drive(api, args, sender(key)?, seed, is_silent, stop).await, None));
    }
    let mut sender = sender("")?;
    let plan = if args.rate > STANDARD_RATE { "fast" } else { "standard" };
    let made = keys::create(api, Some(&format!("simulate {}", clock())), plan).await?;
    let id = made["key_id"].as_str().unwrap_or_default();
    sender.key = made["api_key"].as_str().unwrap_or_default().to_owned();
    // From here to the end nothing returns early: the key goes in any case.
    let document = drive(api, args, sender, seed, is_silent, stop).await;
    let unrevoked = keys::revoke(api, id).await.err().map(|error| {
        let why = error_lines(&error).join("; ");
        ClientError::Other(format!("the key of this run is still valid ({why}): eventpulse keys revoke {id}"))
    });
    Ok((document, unrevoked))
}

/// Sends, waits for the outcomes, and sums them up.
async fn drive(api: &Api, args: &Args, sender: Sender, seed: u64, is_silent: bool, stop: watch::Receiver<u8>) -> Value {
    let duration = args.duration.or(args.events.is_none().then_some(DURATION));
    let pace = Pace {
        rate: args.rate,
        connections: size(args.connections),
        batch: size(args.batch),
        records: args.events.unwrap_or(u64::MAX),
        duration: duration.unwrap_or(FOR_EVER),
        new_key: if args.key.as_deref().is_none_or(|key| key.trim().is_empty()) { NEW_KEY } else { Duration::ZERO },
    };
    let tally = Arc::new(Mutex::new(RunCounts::default()));
    let mut beside = tokio::task::JoinSet::new();
    beside.spawn(follow::show(Arc::clone(&tally), is_silent));
    let asking = beside.spawn(follow::ask_while_sending(api.clone(), Arc::clone(&tally)));
    let fleet = Fleet::new(size(args.devices), args.bad, seed);
    let took = sender::run(&sender, fleet, pace, &tally, clock, stop.clone()).await.as_secs_f64();
    asking.abort();
    follow::settle(api, &tally, stop).await;
    beside.shutdown().await;

    let tally = lock(&tally);
    let mut document = tally.document();
    #[allow(clippy::cast_precision_loss)] // a rate for a person
    let rate = tally.sent.saturating_sub(1) as f64 / took.max(f64::EPSILON); // the first message went before
    document["seed"] = json!(seed);
    document["seconds"] = json!(took);
    // Of a moment, no rate is to be told.
    document["rate"] = json!({ "asked": args.rate, "sent": (took > 1.0).then_some(rate) });
    document["trouble"] = json!(tally.trouble);
    document
}

/// Returns the summary as text.
fn text(document: &Value) -> String {
    let mut text = tally::text(document);
    let (asked, sent) = (&document["rate"]["asked"], document["rate"]["sent"].as_f64());
    if let (Some(asked), Some(sent)) = (asked.as_f64(), sent) {
        let kept_up = if sent < asked * KEPT_UP { "slower than requested: " } else { "" };
        text.push_str(&format!("{kept_up}{sent:.1} of {asked} messages per second\n"));
    }
    if !document["trouble"].is_null() {
        text.push_str(&format!("the outcomes could not be read: {}\n", cell(&document["trouble"])));
    }
    text + &format!("seed {}\n", document["seed"])
}

/// Counts presses of Ctrl-C.
fn stop_on_ctrl_c(is_silent: bool) -> watch::Receiver<u8> {
    let (stop_requests, stop) = watch::channel(0_u8);
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            if *stop_requests.borrow() == 0 && !is_silent {
                eprintln!("\nstopped sending; waiting for the last outcomes (Ctrl-C again to skip)");
            }
            stop_requests.send_modify(|times| *times = times.saturating_add(1));
        }
    });
    stop
}

fn random() -> Result<u64, ClientError> {
    getrandom::u64().map_err(|error| ClientError::Other(format!("this machine has no random numbers: {error}")))
}

/// Converts a count that the range of its argument keeps small.
fn size(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Returns the given key, if there is one. Its error does not contain it.
fn given_key(key: Option<&str>) -> Result<Option<&str>, ClientError> {
    let Some(key) = key.map(str::trim).filter(|key| !key.is_empty()) else { return Ok(None) };
    let is_key = key.starts_with("ep_") && key.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-' || it == b'_');
    if is_key {
        return Ok(Some(key));
    }
    Err(ClientError::Other("this is not a key: a key starts with ep_ (key_ starts its id)".to_owned()))
}

#[cfg(test)]
#[path = "simulate/tests.rs"]
mod tests;
