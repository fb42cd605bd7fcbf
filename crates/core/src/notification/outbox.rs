//! The outbox: decides when an owner's next notice is due, and which pending notices it combines.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::kind::NoticeKind;
use super::pacing::{PUBLICATION_EXPIRES_AFTER, PUBLISH_SPACING, next_publication_at};
use super::pending::PendingNotice;
use super::rendering::MAX_PROBLEMS_IN_NOTICE;
use crate::encoding::{crockford, first_bits};
use crate::intake::fingerprint::ProblemId;
use crate::time::Timestamp;

/// The longest pause between two immediate notices to one owner.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// After this time without an immediate notice, the next one is published at once.
const QUIET: Duration = Duration::from_secs(600);

/// Returns the id of the notice for this revision of an owner's outbox. Publishing it again has the same id.
#[must_use]
pub fn notice_id(owner: &str, revision: u64) -> String {
    crockford("ntc_", first_bits(&Sha256::digest(format!("{revision}\n{owner}"))))
}

/// The notices that are due to an owner, and the times of the last ones.
///
/// The first immediate notice goes at once. The pause doubles from notice to notice, up to a minute. Problems that occur
/// during the pause share one e-mail, so many new problems send few e-mails.
///
/// ```
/// use std::time::Duration;
///
/// use eventpulse_core::notification::kind::NoticeKind;
/// use eventpulse_core::notification::outbox::{Due, Outbox, OutboxEntry};
/// use eventpulse_core::time::Timestamp;
///
/// let now = Timestamp::parse("2025-02-28T12:00:00Z").unwrap();
/// let digest_interval = Duration::from_secs(3_600);
/// let mut outbox = Outbox::default();
///
/// // One problem is new: its notice is due at once.
/// outbox.add_pending(1, now);
/// assert_eq!(outbox.due(now, digest_interval), Some(Due::Pending));
/// let entry = OutboxEntry::Pending { kind: NoticeKind::New, keys: vec!["key of the pending notice".to_owned()] };
/// outbox.begin("ntc_1".to_owned(), entry, now);
/// outbox.finish(now);
///
/// // Another one is new right after it: its notice waits for the pause.
/// outbox.add_pending(1, now);
/// assert_eq!(outbox.due_at(digest_interval), Some(now + Duration::from_millis(1_250)));
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Outbox {
    /// The number of pending notices.
    pub pending: u64,
    /// The time at which the first of them became pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_since: Option<Timestamp>,
    /// The number of the digest that collects counts now.
    pub digest_number: u64,
    /// The time at which its first counts were stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest_since: Option<Timestamp>,
    /// The time of the last published notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_at: Option<Timestamp>,
    /// The time of the last published immediate notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub immediate_published_at: Option<Timestamp>,
    /// The pause after the last immediate notice.
    #[serde(rename = "pause_ms", with = "milliseconds")]
    pub pause: Duration,
    /// The notice that a sender publishes now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publication: Option<Publication>,
}

/// A notice that a sender publishes. It is stored before the call to SNS, so that a crash repeats the same notice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Publication {
    /// The id of the notice.
    pub notice_id: String,
    /// The time at which the sender began.
    pub begun_at: Timestamp,
    /// The contents.
    pub entry: OutboxEntry,
}

/// The contents of a notice, as references to stored items.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutboxEntry {
    /// An immediate notice that combines pending notices.
    Pending {
        /// Their kind.
        kind: NoticeKind,
        /// Their keys in the store, in order.
        keys: Vec<String>,
    },
    /// A digest.
    Digest {
        /// Its number.
        number: u64,
        /// The start of its period.
        from: Timestamp,
        /// The end of its period.
        to: Timestamp,
    },
}

/// The notice that is due now.
#[derive(Debug, Clone, PartialEq)]
pub enum Due {
    /// A notice that a sender began, and may have published. It is to be published again.
    Resume(Publication),
    /// An immediate notice. Load the pending notices, and combine them by [`OutboxEntry::combine`].
    Pending,
    /// The digest that collects counts now.
    Digest(OutboxEntry),
}

impl OutboxEntry {
    /// Combines pending notices, given by their keys from the oldest to the newest, into one notice.
    ///
    /// It takes those of the same kind as the oldest one. It skips a pending notice if an older one of the same problem
    /// is left, so that an owner receives the notices about one problem in order, each in a notice of its own.
    #[must_use]
    pub fn combine<'p>(pending: impl IntoIterator<Item = (&'p str, &'p PendingNotice)>) -> Self {
        let mut pending = pending.into_iter().peekable();
        let kind = pending.peek().map_or(NoticeKind::New, |(_, oldest)| oldest.kind);
        let mut earlier: BTreeSet<&ProblemId> = BTreeSet::new();
        let mut keys = Vec::new();
        for (key, notice) in pending {
            if notice.kind == kind && !earlier.contains(&notice.problem_id) && keys.len() < MAX_PROBLEMS_IN_NOTICE {
                keys.push(key.to_owned());
            }
            earlier.insert(&notice.problem_id);
        }
        Self::Pending { kind, keys }
    }

    /// Returns the keys of the pending notices that are done once this notice is published.
    #[must_use]
    pub fn keys(&self) -> &[String] {
        match self {
            Self::Pending { keys, .. } => keys,
            Self::Digest { .. } => &[],
        }
    }
}

impl Outbox {
    /// Adds pending notices.
    pub fn add_pending(&mut self, notices: usize, now: Timestamp) {
        self.pending += notices as u64;
        if self.pending > 0 {
            self.pending_since.get_or_insert(now);
        }
    }

    /// Records that the next digest has counts.
    pub fn add_counts(&mut self, now: Timestamp) {
        self.digest_since.get_or_insert(now);
    }

    /// Returns when the next notice is due; `None` if nothing is to be published.
    #[must_use]
    pub fn due_at(&self, digest_interval: Duration) -> Option<Timestamp> {
        if let Some(publication) = &self.publication {
            return Some(publication.begun_at + PUBLICATION_EXPIRES_AFTER);
        }
        // Pending notices for a full notice do not wait: waiting would not make fewer e-mails.
        let is_full = self.pending >= MAX_PROBLEMS_IN_NOTICE as u64;
        let last = self.immediate_published_at.filter(|_| !is_full);
        let pause_ends_at = last.map_or(Timestamp::MIN, |at| at + self.pause);
        let pending_at = self.pending_since.map(|since| self.spaced(since.max(pause_ends_at)));
        pending_at.into_iter().chain(self.digest_due_at(digest_interval)).min()
    }

    /// Returns the notice that is due now. A digest that is due goes first, so that it does not wait for a flood to end.
    #[must_use]
    pub fn due(&self, now: Timestamp, digest_interval: Duration) -> Option<Due> {
        if self.due_at(digest_interval).is_none_or(|at| now < at) {
            return None;
        }
        if let Some(publication) = &self.publication {
            return Some(Due::Resume(publication.clone()));
        }
        match (self.digest_due_at(digest_interval), self.digest_since) {
            (Some(at), Some(from)) if at <= now => {
                Some(Due::Digest(OutboxEntry::Digest { number: self.digest_number, from, to: now }))
            }
            _ => Some(Due::Pending),
        }
    }

    /// Begins a publication.
    pub fn begin(&mut self, notice_id: String, entry: OutboxEntry, now: Timestamp) {
        match &entry {
            OutboxEntry::Digest { .. } => {
                self.digest_number += 1;
                self.digest_since = None;
            }
            OutboxEntry::Pending { .. } => {
                let is_quiet = self.immediate_published_at.is_none_or(|at| now > at + QUIET);
                self.pause = if is_quiet {
                    PUBLISH_SPACING
                } else {
                    self.pause.saturating_mul(2).clamp(PUBLISH_SPACING, MAX_PAUSE)
                };
            }
        }
        self.publication = Some(Publication { notice_id, begun_at: now, entry });
    }

    /// Begins the current publication again.
    pub fn resume(&mut self, now: Timestamp) {
        if let Some(publication) = &mut self.publication {
            publication.begun_at = now;
        }
    }

    /// Returns whether this notice is the current publication. It is not if another sender finished it.
    #[must_use]
    pub fn is_publishing(&self, notice_id: &str) -> bool {
        self.publication.as_ref().is_some_and(|publication| publication.notice_id == notice_id)
    }

    /// Finishes the current publication.
    pub fn finish(&mut self, now: Timestamp) {
        if let Some(Publication { entry: OutboxEntry::Pending { keys, .. }, .. }) = self.publication.take() {
            // Without keys, the number of pending notices was wrong.
            self.pending = if keys.is_empty() { 0 } else { self.pending.saturating_sub(keys.len() as u64) };
            self.pending_since = (self.pending > 0).then_some(now);
            self.immediate_published_at = Some(now);
        }
        self.published_at = Some(now);
    }

    fn digest_due_at(&self, digest_interval: Duration) -> Option<Timestamp> {
        Some(self.spaced(self.digest_since? + digest_interval))
    }

    /// Keeps the spacing to the last notice.
    fn spaced(&self, at: Timestamp) -> Timestamp {
        self.published_at.map_or(at, |published_at| at.max(next_publication_at(published_at)))
    }
}

/// Stores a duration as a number of milliseconds.
mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests;
