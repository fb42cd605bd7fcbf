//! When an owner is to be told what.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::encoding::{crockford, first_bits};
use crate::notification::kind::NoticeKind;
use crate::notification::rendering::MAX_GROUPS_IN_NOTICE;
use crate::time::Timestamp;

/// The id of the notice that is sent when an owner's outbox was changed so often: it is the same when it is sent again.
#[must_use]
pub fn notice_id(owner: &str, revision: u64) -> String {
    crockford("ntc_", first_bits(&Sha256::digest(format!("{revision}\n{owner}"))))
}

/// What lies between SNS's answer to one notice of a deployment and the next notice, in microseconds: SNS and the mail
/// servers behind it deliver some sooner than others, and no subscriber is to get more than one a second.
pub const SPACING_MICROS: i64 = 1_250_000;
/// The longest pause between two notices that are told at once to one owner.
const MAX_PAUSE_MICROS: i64 = 60_000_000;
/// Who was told nothing for so long is told at once again.
const QUIET_MICROS: i64 = 600_000_000;
/// Who has been sending for so long, in microseconds, is taken for dead, and what it sent is sent again.
pub const LEASE_MICROS: i64 = 60_000_000;

/// What an owner is still to be told, and when the last notice went.
///
/// The first notice goes at once. Pauses double from notice to notice, to a minute at most, and what happens in the
/// meantime goes in one: so many new groups are few mails.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Outbox {
    /// How many notices of one group each are owed at once.
    pub tells: u64,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tells_since: Option<Timestamp>,
    /// Which digest is being gathered.
    pub epoch: u64,
    /// When the first thing happened that it is to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch_since: Option<Timestamp>,
    /// When the last notice was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    /// When the last one that was no digest was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_at: Option<Timestamp>,
    /// The pause after that.
    pub pause_micros: i64,
    /// What is being sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sending: Option<Publication>,
}

/// A notice that somebody is sending. It stands here before it is published: a crash in between repeats it, as it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Publication {
    /// The notice's id.
    pub id: String,
    /// Since when.
    pub since: Timestamp,
    /// What it tells.
    pub what: OutboxEntry,
}

/// What a notice tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutboxEntry {
    /// Groups, at once.
    Tells {
        /// What of them.
        kind: NoticeKind,
        /// The sort keys of their items, in order.
        keys: Vec<String>,
    },
    /// A digest.
    Digest {
        /// Which.
        epoch: u64,
        /// Since when.
        from: Timestamp,
        /// Until when.
        to: Timestamp,
    },
}

/// What is to be sent now.
#[derive(Debug, Clone, PartialEq)]
pub enum Due {
    /// What somebody began to send, and may have sent.
    Again(Publication),
    /// Notices of groups.
    Tells,
    /// The digest that is being gathered.
    Digest(OutboxEntry),
}

impl Outbox {
    /// Notes that so many notices are owed at once.
    pub fn owe(&mut self, tells: usize, now: Timestamp) {
        self.tells += tells as u64;
        if self.tells > 0 {
            self.tells_since.get_or_insert(now);
        }
    }

    /// Notes that something is to be told by the next digest.
    pub fn gather(&mut self, now: Timestamp) {
        self.epoch_since.get_or_insert(now);
    }

    /// When something is to be sent; none when nothing is.
    #[must_use]
    pub fn due_at(&self, digest_seconds: u32) -> Option<Timestamp> {
        if let Some(sending) = &self.sending {
            return Some(after(sending.since, LEASE_MICROS));
        }
        // Where there is enough for a whole notice, to wait would not make fewer.
        let is_full = self.tells >= MAX_GROUPS_IN_NOTICE as u64;
        let told_at = self.told_at.filter(|_| !is_full);
        let paused = told_at.map_or(Timestamp::MIN, |at| after(at, self.pause_micros));
        let tells = self.tells_since.map(|since| self.spaced(since.max(paused)));
        tells.into_iter().chain(self.digest_at(digest_seconds)).min()
    }

    /// What is to be sent now. A digest that is due goes first: it must not wait for a flood to end.
    #[must_use]
    pub fn due(&self, now: Timestamp, digest_seconds: u32) -> Option<Due> {
        if self.due_at(digest_seconds).is_none_or(|at| now < at) {
            return None;
        }
        if let Some(sending) = &self.sending {
            return Some(Due::Again(sending.clone()));
        }
        match (self.digest_at(digest_seconds), self.epoch_since) {
            (Some(at), Some(from)) if at <= now => {
                Some(Due::Digest(OutboxEntry::Digest { epoch: self.epoch, from, to: now }))
            }
            _ => Some(Due::Tells),
        }
    }

    /// Somebody begins to send.
    pub fn begin(&mut self, id: String, what: OutboxEntry, now: Timestamp) {
        match &what {
            OutboxEntry::Digest { .. } => {
                self.epoch += 1;
                self.epoch_since = None;
            }
            OutboxEntry::Tells { .. } => {
                let quiet = self.told_at.is_none_or(|at| now.as_micros() - at.as_micros() > QUIET_MICROS);
                self.pause_micros = if quiet {
                    SPACING_MICROS
                } else {
                    (self.pause_micros * 2).clamp(SPACING_MICROS, MAX_PAUSE_MICROS)
                };
            }
        }
        self.sending = Some(Publication { id, since: now, what });
    }

    /// It begins once more to send what it began.
    pub fn begin_again(&mut self, now: Timestamp) {
        if let Some(sending) = &mut self.sending {
            sending.since = now;
        }
    }

    /// It is sent.
    pub fn sent(&mut self, now: Timestamp) {
        if let Some(Publication { what: OutboxEntry::Tells { keys, .. }, .. }) = self.sending.take() {
            // None at all: the count was wrong.
            self.tells = if keys.is_empty() { 0 } else { self.tells.saturating_sub(keys.len() as u64) };
            self.tells_since = (self.tells > 0).then_some(now);
            self.told_at = Some(now);
        }
        self.sent_at = Some(now);
    }

    fn digest_at(&self, digest_seconds: u32) -> Option<Timestamp> {
        Some(self.spaced(after(self.epoch_since?, i64::from(digest_seconds) * 1_000_000)))
    }

    /// Not right after the last notice.
    fn spaced(&self, at: Timestamp) -> Timestamp {
        self.sent_at.map_or(at, |sent_at| at.max(after(sent_at, SPACING_MICROS)))
    }
}

fn after(at: Timestamp, micros: i64) -> Timestamp {
    Timestamp::from_micros(at.as_micros().saturating_add(micros))
}

#[cfg(test)]
mod tests;
