//! The counts of a run: messages sent, and their outcomes. Pure.

mod text;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use eventpulse_core::time::Timestamp;
use serde_json::{Value, json};

pub use self::text::text;
use crate::client::text::clean;

/// The maximum number of distinct reasons. All others count as one, because a reason may contain a changing text.
const REASONS: usize = 20;

/// An acknowledged message, which must get an outcome.
#[derive(Debug)]
struct Upload {
    good: u64,
    bad: u64,
    sent_at: Timestamp,
    outcome: Option<MessageOutcome>,
}

/// The outcome of an upload.
#[derive(Debug)]
struct MessageOutcome {
    state: String,
    accepted: u64,
    rejected: u64,
}

/// The counts of a run.
#[derive(Debug, Default)]
pub struct RunCounts {
    /// The number of messages sent, finished or not.
    pub sent: u64,
    /// The number of answers 429.
    pub throttled: u64,
    /// The number of attempts without an answer, or with a 5xx.
    pub failed_tries: u64,
    /// The number of refused messages, by reason.
    refused: BTreeMap<String, u64>,
    uploads: HashMap<String, Upload>,
    unsettled: usize,
    /// The latency of each acknowledgement, in microseconds.
    latencies: Vec<u64>,
    /// The latest error of reading outcomes.
    pub trouble: Option<String>,
}

impl RunCounts {
    /// Records an acknowledged message.
    pub fn acknowledged(&mut self, id: &str, (good, bad): (u64, u64), sent_at: Timestamp, took: Duration) {
        self.latencies.push(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        let upload = Upload { good, bad, sent_at, outcome: None };
        match self.uploads.insert(id.to_owned(), upload) {
            None => self.unsettled += 1,
            // Two messages under one id: one of them has no outcome of its own, and this is where it shows.
            Some(_) => self.refused(format!("acknowledged with the id of another message: {}", clean(id))),
        }
    }

    /// Records a refused message.
    pub fn refused(&mut self, why: String) {
        let is_room = self.refused.len() < REASONS || self.refused.contains_key(&why);
        let why = if is_room { why } else { "other reasons".to_owned() };
        *self.refused.entry(why).or_default() += 1;
    }

    /// Returns whether any message was acknowledged.
    #[must_use]
    pub fn is_any_acknowledged(&self) -> bool {
        !self.uploads.is_empty()
    }

    /// Records the outcomes in a list of uploads.
    pub fn settle(&mut self, listed: &[Value]) {
        for item in listed {
            let (Some(id), Some(state)) = (item["upload_id"].as_str(), item["state"].as_str()) else { continue };
            let Some(upload) = self.uploads.get_mut(id) else { continue };
            if matches!(state, "issued" | "received" | "waiting") {
                continue;
            }
            let count = |member: &str| item[member].as_u64().unwrap_or(0);
            let outcome =
                MessageOutcome { state: state.to_owned(), accepted: count("accepted"), rejected: count("rejected") };
            self.unsettled -= usize::from(upload.outcome.replace(outcome).is_none());
        }
    }

    /// Returns the number of acknowledged messages without an outcome.
    #[must_use]
    pub fn unsettled(&self) -> usize {
        self.unsettled
    }

    /// Returns the time of the oldest message without an outcome.
    #[must_use]
    pub fn oldest_unsettled(&self) -> Option<Timestamp> {
        self.uploads.values().filter(|upload| upload.outcome.is_none()).map(|upload| upload.sent_at).min()
    }

    /// Returns the progress line, which fits a terminal. Settled messages are (partially) accepted or quarantined.
    #[must_use]
    pub fn line(&self) -> String {
        let (p50, p99) = self.percentiles();
        format!(
            "sent {}  ack. {}  throttled {}  refused {}  settled {}/{}  p50/p99 {p50:.0}/{p99:.0} ms",
            self.sent,
            self.latencies.len(),
            self.throttled,
            self.not_acknowledged(),
            self.in_state("accepted") + self.in_state("partially_accepted"),
            self.in_state("quarantined"),
        )
    }

    /// Returns whether each message was acknowledged and has the expected outcome.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.unanswered() == 0
            && self.unsettled == 0
            && self.refused.is_empty()
            && self.uploads.values().all(Upload::is_as_sent)
            && self.duplicates() <= self.failed_tries
    }

    /// Only a message that was sent again, because a try failed, can be one.
    fn duplicates(&self) -> u64 {
        let is_duplicate =
            |upload: &&Upload| upload.outcome.as_ref().is_some_and(|outcome| outcome.state == "duplicate");
        self.uploads.values().filter(is_duplicate).count() as u64
    }

    /// Returns the summary as JSON. All counts but `records` count messages.
    #[must_use]
    pub fn document(&self) -> Value {
        let (p50, p99) = self.percentiles();
        let sum = |of: fn(&Upload) -> u64| self.uploads.values().map(of).sum::<u64>();
        let refusals: Vec<Value> =
            self.refused.iter().map(|(why, count)| json!({ "why": why, "count": count })).collect();
        json!({
            "sent": self.sent,
            "acknowledged": self.latencies.len(),
            "throttled": self.throttled,
            "failed_tries": self.failed_tries,
            "refused": self.not_acknowledged(),
            "unanswered": self.unanswered(),
            "refusals": refusals,
            "outcomes": self.states(),
            "missing": self.ids(|upload| upload.outcome.is_none()),
            "not_as_sent": self.ids(|upload| upload.outcome.is_some() && !upload.is_as_sent()),
            "records": {
                "good": sum(|upload| upload.good),
                "accepted": sum(|upload| upload.outcome.as_ref().map_or(0, |it| it.accepted)),
                "bad": sum(|upload| upload.bad),
                "rejected": sum(|upload| upload.outcome.as_ref().map_or(0, |it| it.rejected)),
            },
            "acknowledgement_ms": { "p50": p50, "p99": p99 },
            "well": self.is_well(),
        })
    }

    fn not_acknowledged(&self) -> u64 {
        self.refused.values().sum()
    }

    /// Returns the number of messages without an answer.
    fn unanswered(&self) -> u64 {
        self.sent.saturating_sub(self.latencies.len() as u64 + self.not_acknowledged())
    }

    fn states(&self) -> BTreeMap<&str, usize> {
        let mut states = BTreeMap::new();
        for outcome in self.uploads.values().filter_map(|upload| upload.outcome.as_ref()) {
            *states.entry(outcome.state.as_str()).or_default() += 1;
        }
        states
    }

    fn in_state(&self, state: &str) -> usize {
        self.uploads.values().filter(|upload| upload.outcome.as_ref().is_some_and(|it| it.state == state)).count()
    }

    fn ids(&self, which: impl Fn(&Upload) -> bool) -> Vec<&str> {
        let mut found: Vec<_> = self.uploads.iter().filter(|(_, upload)| which(upload)).collect();
        found.sort_by_key(|(id, upload)| (upload.sent_at, id.as_str()));
        found.into_iter().map(|(id, _)| id.as_str()).collect()
    }

    /// Returns the median and the 99th percentile of the latencies in milliseconds, by nearest rank; 0 without any.
    fn percentiles(&self) -> (f64, f64) {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        #[allow(clippy::cast_precision_loss)] // milliseconds for a person
        let at = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100);
            sorted.get(rank.saturating_sub(1)).map_or(0.0, |&micros| micros as f64 / 1000.0)
        };
        (at(50), at(99))
    }
}

impl Upload {
    /// Returns the outcome of a duplicate, which is a message that was sent again because its answer was lost.
    fn is_as_sent(&self) -> bool {
        let Some(outcome) = &self.outcome else { return false };
        let counts = (outcome.accepted, outcome.rejected) == (self.good, self.bad);
        match outcome.state.as_str() {
            "duplicate" => true,
            "accepted" => counts && self.bad == 0,
            "partially_accepted" => counts && self.good > 0 && self.bad > 0,
            "quarantined" => counts && self.good == 0,
            _ => false,
        }
    }
}

/// Locks the counts.
pub fn lock(tally: &Mutex<RunCounts>) -> MutexGuard<'_, RunCounts> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "tally/tests.rs"]
mod tests;
