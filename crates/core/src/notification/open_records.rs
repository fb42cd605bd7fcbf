//! Open records: the rejected records of a problem that are still in quarantine, by the day of their rejection.
//!
//! Quarantine deletes data some days after the rejection. The days tell how many records that concerns. Their number is
//! limited: the retention of a deployment may exceed it, and then neighbouring days are counted as one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The maximum number of periods. By default, quarantine keeps data for 90 days.
const MAX_PERIODS: usize = 100;
const DAY: Duration = Duration::from_secs(86_400);

/// A number of rejected uploads, and of rejected records in them. Uploads that were rejected as a whole count no records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Amount {
    /// The number of uploads.
    pub uploads: u64,
    /// The number of records.
    pub records: u64,
}

impl Amount {
    /// Returns the sum.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            uploads: self.uploads.saturating_add(other.uploads),
            records: self.records.saturating_add(other.records),
        }
    }

    /// Returns whether there are no uploads and no records.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self == Self::default()
    }
}

/// The open records of a problem.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OpenRecords(Vec<Period>);

/// The open records of one day, or of some days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Period {
    /// The first day, in days since 1970.
    first: i64,
    /// The last day.
    last: i64,
    #[serde(flatten)]
    amount: Amount,
}

impl OpenRecords {
    /// Adds one upload that was rejected at `at`, with this many records.
    pub fn open(&mut self, at: Timestamp, records: u64) {
        let (day, amount) = (day_of(at), Amount { uploads: 1, records });
        match self.position(day) {
            Ok(index) => self.0[index].amount = self.0[index].amount.plus(amount),
            Err(index) => self.0.insert(index, Period { first: day, last: day, amount }),
        }
        if self.0.len() > MAX_PERIODS {
            self.merge_closest();
        }
    }

    /// Removes one upload that was rejected at `opened_at`, with this many records. Returns the amount that was removed:
    /// none if it has expired.
    pub fn close(&mut self, opened_at: Timestamp, records: u64) -> Amount {
        let Ok(index) = self.position(day_of(opened_at)) else { return Amount::default() };
        let amount = &mut self.0[index].amount;
        let closed = Amount { uploads: 1, records: records.min(amount.records) };
        (amount.uploads, amount.records) = (amount.uploads.saturating_sub(1), amount.records - closed.records);
        if amount.uploads == 0 {
            self.0.remove(index);
        }
        closed
    }

    /// Removes the records that quarantine has deleted by `now`. Returns their amount.
    pub fn expire(&mut self, now: Timestamp, retention_days: u32) -> Amount {
        let is_expired = |period: &Period| expiry(period.last, retention_days) <= now;
        let expired = self.0.iter().filter(|period| is_expired(period)).map(|period| period.amount);
        let expired = expired.fold(Amount::default(), Amount::plus);
        self.0.retain(|period| !is_expired(period));
        expired
    }

    /// Returns when the next records expire; `None` if no record is open.
    #[must_use]
    pub fn next_expiry(&self, retention_days: u32) -> Option<Timestamp> {
        self.0.iter().map(|period| expiry(period.last, retention_days)).min()
    }

    /// Returns when all records are expired; `None` if no record is open.
    #[must_use]
    pub fn last_expiry(&self, retention_days: u32) -> Option<Timestamp> {
        self.0.iter().map(|period| expiry(period.last, retention_days)).max()
    }

    /// Returns the amount of open records.
    #[must_use]
    pub fn total(&self) -> Amount {
        self.0.iter().fold(Amount::default(), |sum, period| sum.plus(period.amount))
    }

    /// Returns whether no upload is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the index of the period with this day, or the index at which to insert it.
    fn position(&self, day: i64) -> Result<usize, usize> {
        self.0.binary_search_by(|period| {
            if period.last < day {
                std::cmp::Ordering::Less
            } else if period.first > day {
                std::cmp::Ordering::Greater
            } else {
                std::cmp::Ordering::Equal
            }
        })
    }

    /// Joins the two neighbouring periods that together span the fewest days.
    fn merge_closest(&mut self) {
        let spans = self.0.windows(2).map(|pair| pair[1].last - pair[0].first);
        let Some((_, index)) = spans.zip(0..).min() else { return };
        let later = self.0.remove(index + 1);
        let merged = &mut self.0[index];
        (merged.last, merged.amount) = (later.last, merged.amount.plus(later.amount));
    }
}

fn day_of(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(micros(DAY))
}

/// Returns when the data that was rejected on `day` is deleted for certain. The lifecycle rule counts from the move into
/// quarantine, which may be the day after the rejection, and rounds up to midnight.
fn expiry(day: i64, retention_days: u32) -> Timestamp {
    Timestamp::from_micros((day + i64::from(retention_days) + 2).saturating_mul(micros(DAY)))
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: i64) -> Timestamp {
        Timestamp::from_micros(day * micros(DAY) + 5)
    }

    fn amount(uploads: u64, records: u64) -> Amount {
        Amount { uploads, records }
    }

    #[test]
    fn closed_records_leave_the_day_of_their_rejection() {
        let mut open = OpenRecords::default();
        for (at, records) in [(3, 5), (1, 2), (3, 7), (1, 0)] {
            open.open(day(at), records);
        }
        assert_eq!(open.total(), amount(4, 14));
        assert_eq!(open.close(day(3), 5), amount(1, 5));
        assert_eq!(open.close(day(2), 5), amount(0, 0), "nothing was rejected on that day");
        assert_eq!(open.expire(day(1 + 90 + 2), 90), amount(2, 2));
        assert_eq!(open.close(day(1), 2), amount(0, 0), "expired");
        assert_eq!((open.total(), open.is_empty()), (amount(1, 7), false));
        assert_eq!(open.close(day(3), 9), amount(1, 7), "never more than there are");
        assert!(open.is_empty());
    }

    #[test]
    fn records_expire_a_day_after_the_lifecycle_rule() {
        let mut open = OpenRecords::default();
        open.open(day(0), 1);
        open.open(day(5), 1);
        let expiry = |days: i64| Some(Timestamp::from_micros(days * micros(DAY)));
        assert_eq!((open.next_expiry(30), open.last_expiry(30)), (expiry(32), expiry(37)));
        assert_eq!(open.expire(day(31), 30), amount(0, 0));
        assert_eq!(open.expire(day(32), 30), amount(1, 1));
        assert_eq!(open.next_expiry(30), expiry(37));
        assert_eq!(OpenRecords::default().next_expiry(30), None);
    }

    #[test]
    fn a_long_retention_has_few_periods() {
        let mut open = OpenRecords::default();
        for number in 0..1_000 {
            open.open(day(number), 1);
        }
        assert_eq!((open.0.len(), open.total()), (MAX_PERIODS, amount(1_000, 1_000)));
        for number in 0..1_000 {
            assert_eq!(open.close(day(number), 1), amount(1, 1), "{number}");
        }
        assert!(open.is_empty());
    }
}
