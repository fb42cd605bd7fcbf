//! The limits of a history.
//!
//! The history of an upload is one item of the table, and DynamoDB refuses an item of more than
//! [400 KB](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html). The commands keep every
//! history below [`MAX_HISTORY_BYTES`]:
//!
//! - the texts in an event have a limit each, and a decision keeps only the largest series and groups of failures;
//! - an attempt records at most [`MAX_FAILED_DELIVERIES`] failed deliveries while the upload stays `failed`; a claim that
//!   lapses adds one, which takes an hour and an operator's delivery each time;
//! - a retry is refused unless [`ATTEMPT_BYTES`] are left: room for everything that the attempt may record, and for the
//!   owner's last commands.

use std::io;

use serde::Serialize;

use super::decision::Decision;
use super::event::RecordedEvent;
use crate::intake::failure::Failure;
use crate::intake::rejection::Rejection;
use crate::intake::rules::AppliedRules;
use crate::statistics::series_statistics::SeriesStatistics;

/// The maximum size of a history in bytes: of its events as JSON, with DynamoDB's overhead.
pub const MAX_HISTORY_BYTES: usize = 280_000;
/// The maximum size of an upload's item in bytes: the history, and the attributes that lists show.
pub const MAX_ITEM_BYTES: usize = 300_000;
/// The maximum size in bytes of everything that one attempt records.
pub const ATTEMPT_BYTES: usize = 100_000;
/// The maximum number of failed deliveries that one attempt records while the upload stays `failed`.
pub const MAX_FAILED_DELIVERIES: u32 = 5;

/// The maximum size in bytes of the reason of a failed delivery, as JSON.
pub(super) const MAX_REASON_BYTES: usize = 1_200;
/// The maximum size in bytes of the id of a delivery, as JSON.
pub(super) const MAX_CORRELATION_ID_BYTES: usize = 200;
/// The maximum size in bytes of the message of a failure, as JSON.
const MAX_MESSAGE_BYTES: usize = 2_000;
/// The maximum size in bytes of the series in a decision: 100 series with ordinary names and values.
const MAX_SERIES_BYTES: usize = 36_000;
/// The maximum size in bytes of the groups of failures in a decision.
const MAX_GROUPS_BYTES: usize = 16_000;
/// The maximum size in bytes of the fingerprints in a decision.
const MAX_FINGERPRINTS_BYTES: usize = 16_000;
/// The maximum size in bytes of the rules in a decision: at least 50 schemas.
const MAX_RULES_BYTES: usize = 8_000;
/// The size of an event in DynamoDB beside its text: the type byte and the length of a list's element.
const EVENT_OVERHEAD_BYTES: usize = 4;

/// Returns the size of an event in the table in bytes.
#[must_use]
pub fn stored_bytes(event: &RecordedEvent) -> usize {
    json_bytes(event) + EVENT_OVERHEAD_BYTES
}

/// Returns at most as many characters of a text as `most` bytes of JSON take, with an ellipsis if some are missing.
#[must_use]
pub(super) fn shortened_to(text: &str, most: usize) -> String {
    if json_bytes(text) <= most {
        return text.to_owned();
    }
    let mut left = most.saturating_sub("\"…\"".len());
    let mut fits = |c: &char| {
        let bytes = json_bytes(c) - "\"\"".len();
        left.checked_sub(bytes).inspect(|rest| left = *rest).is_some()
    };
    let mut shortened: String = text.chars().take_while(|c| fits(c)).collect();
    shortened.push('…');
    shortened
}

impl Decision {
    /// Returns the decision with at most as many series, groups of failures, fingerprints and schemas as a history takes. It
    /// counts those that it leaves out.
    #[must_use]
    pub fn bounded(self) -> Self {
        match self {
            Self::Accepted { sha256, sha256_source, accepted, chunks, shared_chunks, mut series, rejection, rules } => {
                (series.listed, _) = largest(std::mem::take(&mut series.listed), MAX_SERIES_BYTES);
                let (rejection, rules) = (rejection.map(bounded_rejection), rules.map(bounded_rules));
                Self::Accepted { sha256, sha256_source, accepted, chunks, shared_chunks, series, rejection, rules }
            }
            Self::Rejected { rejection, rules } => {
                Self::Rejected { rejection: bounded_rejection(rejection), rules: rules.map(bounded_rules) }
            }
            duplicate @ Self::Duplicate { .. } => duplicate,
        }
    }
}

/// Returns whether the decision on an attempt can hold the statistics of all these series.
pub(super) fn series_fit(series: &[SeriesStatistics]) -> bool {
    series.iter().map(|series| json_bytes(series) + ",".len()).sum::<usize>() <= MAX_SERIES_BYTES
}

/// Returns the first elements whose sizes add up to at most `most` bytes, and the number of the others.
fn largest<T: Serialize>(mut elements: Vec<T>, most: usize) -> (Vec<T>, u64) {
    let mut total = 0;
    let mut fits = |element: &T| {
        total += json_bytes(element) + ",".len();
        total <= most
    };
    let kept = elements.iter().take_while(|element| fits(element)).count();
    let omitted = (elements.len() - kept) as u64;
    elements.truncate(kept);
    (elements, omitted)
}

fn bounded_rejection(rejection: Rejection) -> Rejection {
    let Rejection { rejected, upload_failure, mut groups, groups_omitted, mut fingerprints, read_until } = rejection;
    for group in &mut groups {
        bound_message(&mut group.first);
    }
    let mut upload_failure = upload_failure;
    upload_failure.iter_mut().for_each(bound_message);
    let (groups, omitted) = largest(groups, MAX_GROUPS_BYTES);
    // The id of a problem depends on all of its failures; the list only describes it.
    for most in [usize::MAX, 5, 2, 1] {
        for fingerprint in &mut fingerprints {
            let surplus = fingerprint.failures.len().saturating_sub(most);
            fingerprint.failures.truncate(most);
            fingerprint.failures_omitted += surplus as u64;
        }
        if json_bytes(&fingerprints) <= MAX_FINGERPRINTS_BYTES {
            break;
        }
    }
    let (fingerprints, _) = largest(fingerprints, MAX_FINGERPRINTS_BYTES);
    let groups_omitted = groups_omitted + omitted;
    Rejection { rejected, upload_failure, groups, groups_omitted, fingerprints, read_until }
}

fn bounded_rules(mut rules: Box<AppliedRules>) -> Box<AppliedRules> {
    let (schemas, omitted) = largest(std::mem::take(&mut rules.schemas).into_iter().collect(), MAX_RULES_BYTES);
    rules.schemas = schemas.into_iter().collect();
    rules.omitted += omitted;
    rules
}

fn bound_message(failure: &mut Failure) {
    failure.message = shortened_to(&failure.message, MAX_MESSAGE_BYTES);
}

/// Returns the size of a value as JSON in bytes.
fn json_bytes<T: Serialize + ?Sized>(value: &T) -> usize {
    let mut count = Count(0);
    match serde_json::to_writer(&mut count, value) {
        Ok(()) => count.0,
        Err(_) => MAX_ITEM_BYTES, // no value of ours: it could not be stored either
    }
}

/// Counts the bytes that are written to it.
struct Count(usize);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
