//! Sends the messages of the fleet at the requested rate, over a limited number of connections.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use eventpulse_core::time::Timestamp;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::fleet::{Fleet, Message};
use super::tally::{RunCounts, lock};
use crate::client::error::{ClientError, innermost};

/// The most attempts at a message without an answer, or with a 5xx.
const TRIES: u32 = 5;
/// The most attempts at a throttled message.
const THROTTLED_TRIES: u32 = 60;
/// The longest `Retry-After` to wait for, in seconds. A used-up quota asks for more, and ends the message.
const PATIENCE: u64 = 30;
/// The time limit for one attempt. API Gateway's own limit is 29 s.
const TRY: Duration = Duration::from_secs(35);
/// How much of a delay is caught up, in seconds.
const BURST: f64 = 0.1;

/// The destination of the messages.
#[derive(Debug, Clone)]
pub struct Sender {
    /// The HTTP client. Each message in flight takes a connection.
    pub http: reqwest::Client,
    /// The URL of `POST /data`.
    pub url: String,
    /// The key.
    pub key: String,
    /// The prefix of this run's idempotency keys.
    pub run: String,
}

/// The rate and the end of a run.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Messages per second.
    pub rate: f64,
    /// The most messages in flight.
    pub connections: usize,
    /// The number of records in a message.
    pub batch: usize,
    /// The number of records after which it ends.
    pub records: u64,
    /// The time after which it ends.
    pub duration: Duration,
    /// How long the first message is retried after a 403: a new key takes effect with a delay.
    pub new_key: Duration,
}

/// Sends until the pace or `stop` ends it. The first message goes alone: if it is refused, all would be.
///
/// Returns the time spent sending, without the first message and without the wait for the last answers. `stop` at 1
/// stops sending and waits for these answers; at 2 it does not wait.
pub async fn run(
    sender: &Sender,
    mut fleet: Fleet,
    pace: Pace,
    tally: &Arc<Mutex<RunCounts>>,
    clock: fn() -> Timestamp,
    mut stop: watch::Receiver<u8>,
) -> Duration {
    let (mut sending, mut number, mut left) = (JoinSet::new(), 0_u64, pace.records);
    let mut next = |sending: &mut JoinSet<()>, left: &mut u64, new_key: Duration| {
        let now = clock();
        let records = usize::try_from(*left).unwrap_or(usize::MAX).min(pace.batch);
        *left -= records as u64;
        number += 1;
        lock(tally).sent += 1;
        let (message, id) = (fleet.message(now, records), format!("{}-{number}", sender.run));
        let (sender, tally) = (sender.clone(), Arc::clone(tally));
        sending.spawn(async move { sender.send(&message, &id, now, new_key, &tally).await });
    };
    next(&mut sending, &mut left, pace.new_key);
    drain(&mut sending, &mut stop, 1).await;
    let start = Instant::now();
    let mut bucket = Bucket::new(pace.rate);
    while lock(tally).is_any_acknowledged() && left > 0 && start.elapsed() < pace.duration && *stop.borrow() == 0 {
        while sending.try_join_next().is_some() {}
        let wait = if sending.len() < pace.connections { bucket.take(start.elapsed()) } else { Some(Duration::MAX) };
        let Some(wait) = wait else {
            next(&mut sending, &mut left, Duration::ZERO);
            continue;
        };
        tokio::select! {
            () = sleep(wait.min(pace.duration.saturating_sub(start.elapsed()))) => {}
            Some(_) = sending.join_next() => {}
            () = stopped(&mut stop, 1) => {}
        }
    }
    let took = start.elapsed();
    drain(&mut sending, &mut stop, 2).await;
    took
}

/// Waits for the messages in flight, unless `stop` reaches the level. Then they are abandoned.
async fn drain(sending: &mut JoinSet<()>, stop: &mut watch::Receiver<u8>, times: u8) {
    tokio::select! {
        () = async { while sending.join_next().await.is_some() {} } => {}
        () = stopped(stop, times) => {}
    }
}

/// Waits until `stop` reaches the level.
pub async fn stopped(stop: &mut watch::Receiver<u8>, times: u8) {
    if stop.wait_for(|&requests| requests >= times).await.is_err() {
        std::future::pending::<()>().await; // nobody is there who could say so
    }
}

impl Sender {
    /// Sends a message until it is acknowledged or refused permanently, always with the same idempotency key.
    pub async fn send(&self, message: &Message, id: &str, now: Timestamp, new_key: Duration, tally: &Mutex<RunCounts>) {
        let (begun, mut failed, mut throttled) = (Instant::now(), 0, 0);
        loop {
            let tried = Instant::now();
            let (why, wait, is_worth_it) = match self.attempt(message, id).await {
                Ok((202, _, body)) => {
                    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
                    let mut tally = lock(tally);
                    return match body["upload_id"].as_str() {
                        Some(id) => tally.acknowledged(id, (message.good, message.bad), now, tried.elapsed()),
                        None => tally.refused("acknowledged without an upload_id".to_owned()),
                    };
                }
                Ok((429, after, body)) => {
                    throttled += 1;
                    lock(tally).throttled += 1;
                    let after = after.unwrap_or(1);
                    let is_soon = after <= PATIENCE && throttled < THROTTLED_TRIES;
                    (refusal(429, &body), Duration::from_secs(after), is_soon)
                }
                Ok((403, _, body)) => (refusal(403, &body), Duration::from_secs(1), begun.elapsed() < new_key),
                Ok((status, after, body)) if status >= 500 => {
                    failed += 1;
                    lock(tally).failed_tries += 1;
                    let wait = after.filter(|&it| it <= PATIENCE).map_or(pause(failed), Duration::from_secs);
                    (refusal(status, &body), wait, failed < TRIES)
                }
                Ok((status, _, body)) => (refusal(status, &body), Duration::ZERO, false),
                Err(error) => {
                    failed += 1;
                    lock(tally).failed_tries += 1;
                    (format!("no answer: {}", innermost(&error.without_url())), pause(failed), failed < TRIES)
                }
            };
            if !is_worth_it {
                return lock(tally).refused(why);
            }
            sleep(wait).await;
        }
    }

    /// Makes one attempt. Returns the status, `Retry-After` in seconds, and the body.
    async fn attempt(&self, message: &Message, id: &str) -> Result<(u16, Option<u64>, Vec<u8>), reqwest::Error> {
        let request = self.http.post(&self.url).timeout(TRY).header("x-api-key", &self.key);
        let request = request.header("content-type", "application/json").header("idempotency-key", id);
        let answer = request.body(message.body.clone()).send().await?;
        let (status, after) = (answer.status().as_u16(), retry_after(answer.headers()));
        Ok((status, after, answer.bytes().await?.to_vec()))
    }
}

fn retry_after(headers: &HeaderMap) -> Option<u64> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}

/// Returns the pause after a number of failed attempts: a quarter of a second, then twice as long each time.
fn pause(failed: u32) -> Duration {
    Duration::from_millis(125 << failed.min(TRIES))
}

fn refusal(status: u16, body: &[u8]) -> String {
    let status = reqwest::StatusCode::from_u16(status).unwrap_or_default();
    crate::commands::output::error_lines(&ClientError::problem(status, body)).join("; ")
}

/// A [token bucket](https://en.wikipedia.org/wiki/Token_bucket) that starts with one token.
#[derive(Debug)]
struct Bucket {
    rate: f64,
    tokens: f64,
    filled: Duration,
}

impl Bucket {
    fn new(rate: f64) -> Self {
        Self { rate, tokens: 1.0, filled: Duration::ZERO }
    }

    /// Takes a token at a time since the start, or returns the time to wait for one.
    fn take(&mut self, at: Duration) -> Option<Duration> {
        let most = (self.rate * BURST).max(1.0);
        self.tokens = (self.tokens + at.saturating_sub(self.filled).as_secs_f64() * self.rate).min(most);
        self.filled = at;
        // The wait that was asked for brings a whole token, but for the rounding.
        if self.tokens > 1.0 - 1e-6 {
            self.tokens -= 1.0;
            return None;
        }
        Some(Duration::from_secs_f64((1.0 - self.tokens) / self.rate))
    }
}

#[cfg(test)]
#[path = "sender/tests.rs"]
mod tests;
