//! A fleet of simulated devices, and the proof that nothing of what they said is lost.

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
use self::tally::{Tally, lock};
use super::keys;
use super::output::{Global, Outcome, cell, show, told};
use crate::client::amount::{parse_rate, parse_share, parse_span};
use crate::client::api::Api;
use crate::client::error::ClientError;
use crate::client::http::http_client;

/// How long it sends when nothing says.
const DURATION: Duration = Duration::from_secs(60);
/// How long it sends when a count ends it.
const FOR_EVER: Duration = Duration::from_secs(365 * 86_400);
/// How long it may take until a new key takes effect at the gateway.
const NEW_KEY: Duration = Duration::from_secs(60);
/// Up to how many messages a second a key of the plan `standard` is enough for.
const STANDARD_RATE: f64 = 8.0;
/// Below which share of the rate asked it says that it could not keep up.
const KEPT_UP: f64 = 0.95;

/// The arguments of `eventpulse simulate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many devices.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    devices: u64,
    /// How many messages a second, all devices together.
    #[arg(long, default_value = "50", value_parser = parse_rate)]
    rate: f64,
    /// How many of the records are wrong: 2%, or 0.02.
    #[arg(long, default_value = "0", value_name = "SHARE", value_parser = parse_share)]
    bad: f64,
    /// How long to send, such as 60s or 5m [default: 60s].
    #[arg(long, value_name = "SPAN", value_parser = parse_span, conflicts_with = "events")]
    duration: Option<Duration>,
    /// How many records to send, for however long it takes.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    events: Option<u64>,
    /// The key, of whoever is signed in. Better in the variable: others on this machine can see what commands are given.
    /// Without one, a key is made for the run and revoked at its end.
    #[arg(long, env = "EVENTPULSE_API_KEY", hide_env_values = true)]
    key: Option<String>,
    /// Makes the devices say the same again; which seed it was is told at the end.
    #[arg(long)]
    seed: Option<u64>,
    /// How many records a message has.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=500))]
    batch: u64,
    /// How many connections at most.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u64).range(1..=1000))]
    connections: u64,
}

/// Simulates devices, and counts what becomes of what they say.
///
/// # Errors
/// When the API cannot be reached, or no key can be made, or the one that was made cannot be revoked.
pub async fn run(api: &Api, args: &Args, global: &Global) -> Result<Outcome, ClientError> {
    // Before there is a key: from here on, Ctrl-C ends the run and not the process.
    let stop = stop_on_ctrl_c(global.json);
    let (document, unrevoked) = simulate(api, args, global.json, stop).await?;
    show(global, &document, || text(&document));
    match unrevoked {
        Some(error) => Err(error),
        None if document["well"] == true => Ok(Outcome::Success),
        None => Ok(Outcome::Rejected),
    }
}

/// One run, with the key that was given or one of its own. Returns the account, and why that key could not be revoked.
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
        let why = told(&error).join("; ");
        ClientError::Other(format!("the key of this run still works ({why}): eventpulse keys revoke {id}"))
    });
    Ok((document, unrevoked))
}

/// Sends, waits for the outcomes, and accounts for them.
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
    let tally = Arc::new(Mutex::new(Tally::default()));
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

/// The account, for a person.
fn text(document: &Value) -> String {
    let mut text = tally::text(document);
    let (asked, sent) = (&document["rate"]["asked"], document["rate"]["sent"].as_f64());
    if let (Some(asked), Some(sent)) = (asked.as_f64(), sent) {
        let kept_up = if sent < asked * KEPT_UP { "could not keep up: " } else { "" };
        text.push_str(&format!("{kept_up}{sent:.1} messages a second of the {asked} asked\n"));
    }
    if !document["trouble"].is_null() {
        text.push_str(&format!("the outcomes could not be asked for: {}\n", cell(&document["trouble"])));
    }
    text + &format!("seed {}\n", document["seed"])
}

/// Counts how often Ctrl-C was pressed.
fn stop_on_ctrl_c(is_silent: bool) -> watch::Receiver<u8> {
    let (said, stop) = watch::channel(0_u8);
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            if *said.borrow() == 0 && !is_silent {
                eprintln!("\nsends no more, and waits for the last outcomes; Ctrl-C again does not wait");
            }
            said.send_modify(|times| *times = times.saturating_add(1));
        }
    });
    stop
}

fn random() -> Result<u64, ClientError> {
    getrandom::u64().map_err(|error| ClientError::Other(format!("this machine has no random numbers: {error}")))
}

/// A count that an argument's range keeps small.
fn size(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// The key that was given, if one was. What is wrong with it is told without it.
fn given_key(key: Option<&str>) -> Result<Option<&str>, ClientError> {
    let Some(key) = key.map(str::trim).filter(|key| !key.is_empty()) else { return Ok(None) };
    let is_key = key.starts_with("ep_") && key.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-' || it == b'_');
    if is_key {
        return Ok(Some(key));
    }
    Err(ClientError::Other("the key is none: one starts with ep_ (key_ is what its id starts with)".to_owned()))
}

#[cfg(test)]
#[path = "simulate/tests.rs"]
mod tests;
