//! The counters of an owner's UTC day.

use std::collections::BTreeMap;
use std::time::Duration;

use super::quota::{Exceeded, Limits, Quota, QuotaUsage};
use crate::time::Timestamp;

const DAY_SECONDS: i64 = 86_400;
const HOUR_SECONDS: i64 = 3_600;
/// The precision with which the expiry of a URL is counted: it may count for this much longer.
const SLOT_SECONDS: i64 = 300;

/// The counter of bytes.
const BYTES: &str = "bytes";
/// The prefix of the counters of rejected records, one for each hour of the day.
const REJECTED: &str = "rejected_";
/// The prefix of the counters of URLs, one for each five minutes in which they expire. Those after midnight follow.
const URLS: &str = "urls_";

/// An amount to add to the counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Charge {
    /// Announced or sent bytes.
    pub bytes: u64,
    /// The expiry of an upload URL.
    pub url_expires_at: Option<Timestamp>,
    /// Rejected records.
    pub rejected_records: u64,
}

impl Charge {
    /// Returns the names of the counters that change, and their amounts.
    #[must_use]
    pub fn counters(&self, now: Timestamp) -> Vec<(String, u64)> {
        let url = self.url_expires_at.map(|at| (format!("{URLS}{:03}", slot(now, at)), 1));
        let rejected = (format!("{REJECTED}{:02}", hour(now)), self.rejected_records);
        let counters = [(BYTES.to_owned(), self.bytes), rejected].into_iter().chain(url);
        counters.filter(|(_, amount)| *amount > 0).collect()
    }
}

/// The counters of an owner's UTC day.
///
/// At midnight the day of the next counters begins: URLs issued before it are no longer counted, for at most an hour.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DayUsage {
    bytes: u64,
    /// By hour.
    rejected: BTreeMap<i64, u64>,
    /// By the slot of their expiry.
    urls: BTreeMap<i64, u64>,
}

impl DayUsage {
    /// Returns the end of the day: midnight UTC.
    #[must_use]
    pub fn end_of_day(now: Timestamp) -> Timestamp {
        Timestamp::from_secs(day_start(now) + DAY_SECONDS)
    }

    /// Reads counters by their names. Others are ignored.
    #[must_use]
    pub fn read<'a>(counters: impl IntoIterator<Item = (&'a str, u64)>) -> Self {
        let mut usage = Self::default();
        for (name, amount) in counters {
            let number = |prefix: &str| name.strip_prefix(prefix).and_then(|digits| digits.parse::<i64>().ok());
            if name == BYTES {
                usage.bytes = amount;
            } else if let Some(hour) = number(REJECTED) {
                usage.rejected.insert(hour, amount);
            } else if let Some(slot) = number(URLS) {
                usage.urls.insert(slot, amount);
            }
        }
        usage
    }

    /// Returns the use of the quotas that this day counts: all but [`Quota::Requests`].
    #[must_use]
    pub fn quotas(&self, limits: &Limits, now: Timestamp) -> [QuotaUsage; 3] {
        let rejected = self.rejected.get(&hour(now)).copied().unwrap_or(0);
        let hour_end = Timestamp::from_secs(day_start(now) + (hour(now) + 1) * HOUR_SECONDS);
        let urls_end = self.open_urls(now).last().map(|(slot, _)| slot_end(now, slot));
        let usage = |quota, used, limit, resets_at: Option<Timestamp>| QuotaUsage {
            quota,
            used,
            limit,
            resets_at: resets_at.filter(|_| used > 0),
        };
        [
            usage(Quota::OpenUploads, self.open_urls(now).map(|(_, urls)| urls).sum(), limits.open_uploads, urls_end),
            usage(Quota::Bytes, self.bytes, limits.bytes_per_day, Some(Self::end_of_day(now))),
            usage(Quota::RejectedRecords, rejected, limits.rejected_records_per_hour, Some(hour_end)),
        ]
    }

    /// Decides on a request whose charge these counters include. Returns the refusal that lasts longest.
    #[must_use]
    pub fn exceeded(&self, charge: &Charge, limits: &Limits, now: Timestamp) -> Option<Exceeded> {
        let refusals = self.quotas(limits, now).into_iter().filter_map(|usage| {
            let limit = usage.limit?;
            let (charged, is_exceeded) = match usage.quota {
                Quota::OpenUploads => {
                    (u64::from(charge.url_expires_at.is_some()), charge.url_expires_at.is_some() && usage.used > limit)
                }
                // A request brings no rejected records, so the limit itself is the end.
                Quota::RejectedRecords => (0, usage.used >= limit),
                Quota::Bytes | Quota::Requests => (charge.bytes, usage.used > limit),
            };
            let retry_at = match usage.quota {
                Quota::OpenUploads => self.urls_at_most(limit, now),
                _ => usage.resets_at?,
            };
            let usage = QuotaUsage { used: usage.used.saturating_sub(charged), ..usage };
            is_exceeded.then_some(Exceeded { usage, retry_at })
        });
        refusals.max_by_key(|refusal| refusal.retry_at)
    }

    /// Returns the URLs that count now, by the slot of their expiry.
    fn open_urls(&self, now: Timestamp) -> impl DoubleEndedIterator<Item = (i64, u64)> + '_ {
        let first = slot(now, now);
        self.urls.range(first..).map(|(slot, urls)| (*slot, *urls)).filter(|(_, urls)| *urls > 0)
    }

    /// Returns the time at which at most `limit` of the present URLs are open.
    fn urls_at_most(&self, limit: u64, now: Timestamp) -> Timestamp {
        let mut open: u64 = self.open_urls(now).map(|(_, urls)| urls).sum();
        let mut at = now;
        for (slot, urls) in self.open_urls(now) {
            if open <= limit {
                break;
            }
            open -= urls;
            at = slot_end(now, slot);
        }
        at
    }
}

fn day_start(now: Timestamp) -> i64 {
    now.as_secs().div_euclid(DAY_SECONDS) * DAY_SECONDS
}

fn hour(now: Timestamp) -> i64 {
    now.as_secs().rem_euclid(DAY_SECONDS) / HOUR_SECONDS
}

/// Returns the slot of a later time, from the midnight before `now`.
fn slot(now: Timestamp, at: Timestamp) -> i64 {
    (at.as_secs() - day_start(now)).div_euclid(SLOT_SECONDS)
}

fn slot_end(now: Timestamp, slot: i64) -> Timestamp {
    let seconds = u64::try_from((slot + 1) * SLOT_SECONDS).unwrap_or_default();
    Timestamp::from_secs(day_start(now)) + Duration::from_secs(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        requests_per_second: None,
        open_uploads: Some(2),
        bytes_per_day: Some(100),
        rejected_records_per_hour: Some(5),
    };

    fn at(time: &str) -> Timestamp {
        Timestamp::parse(&format!("2025-02-28T{time}Z")).unwrap()
    }

    fn usage(counters: &[(&str, u64)]) -> DayUsage {
        DayUsage::read(counters.iter().copied())
    }

    #[test]
    fn charge_names_the_counters_of_its_time() {
        let charge = Charge { bytes: 7, url_expires_at: Some(at("23:04:59")), rejected_records: 3 };
        let named = |name: &str, amount| (name.to_owned(), amount);
        let expected = vec![named("bytes", 7), named("rejected_22", 3), named("urls_276", 1)];
        assert_eq!(charge.counters(at("22:59:59")), expected);
        let after_midnight =
            Charge { url_expires_at: Some(at("23:59:00") + Duration::from_secs(300)), ..Charge::default() };
        assert_eq!(after_midnight.counters(at("23:59:00")), vec![named("urls_288", 1)]);
        assert_eq!(Charge::default().counters(at("00:00:00")), vec![]);
        assert_eq!(
            (at("23:59:59").date().as_str(), DayUsage::end_of_day(at("00:00:00"))),
            ("2025-02-28", Timestamp::parse("2025-03-01T00:00:00Z").unwrap())
        );
    }

    #[test]
    fn quotas_count_the_present_period_only() {
        let counters = usage(&[
            ("bytes", 60),
            ("rejected_11", 9),
            ("rejected_12", 2),
            ("urls_143", 4),
            ("urls_144", 1),
            ("urls_146", 1),
            ("expires_at", 1),
            ("urls_x", 1),
        ]);
        let quotas = counters.quotas(&LIMITS, at("12:03:00"));
        let states = quotas.map(|quota| (quota.used, quota.left(), quota.resets_at));
        let midnight = DayUsage::end_of_day(at("12:03:00"));
        assert_eq!(
            states,
            [(2, Some(0), Some(at("12:15:00"))), (60, Some(40), Some(midnight)), (2, Some(3), Some(at("13:00:00")))]
        );
        let none = usage(&[]).quotas(&Limits::default(), at("12:03:00"));
        assert!(none.iter().all(|quota| (quota.used, quota.left(), quota.resets_at) == (0, None, None)), "{none:?}");
    }

    #[test]
    fn request_beyond_a_limit_is_refused_until_its_quota_allows_it() {
        let now = at("12:03:00");
        let url = Some(at("12:08:00"));
        let midnight = DayUsage::end_of_day(now);
        let upload = |bytes| Charge { bytes, url_expires_at: url, ..Charge::default() };
        for (name, charge, counters, expected) in [
            ("the last URL", upload(0), vec![("urls_145", 2)], None),
            (
                "one URL too many",
                upload(0),
                vec![("urls_144", 1), ("urls_145", 2)],
                Some((Quota::OpenUploads, 2, at("12:05:00"))),
            ),
            (
                "as many as fit after two slots",
                upload(0),
                vec![("urls_144", 1), ("urls_145", 5), ("urls_147", 2)],
                Some((Quota::OpenUploads, 7, at("12:10:00"))),
            ),
            ("expired URLs", upload(0), vec![("urls_143", 9), ("urls_145", 1)], None),
            ("a retry needs no URL", Charge::default(), vec![("urls_145", 9)], None),
            ("the last bytes", upload(40), vec![("bytes", 100)], None),
            ("a byte too many", upload(41), vec![("bytes", 101)], Some((Quota::Bytes, 60, midnight))),
            ("messages used all", Charge::default(), vec![("bytes", 101)], Some((Quota::Bytes, 101, midnight))),
            ("few rejected records", upload(0), vec![("rejected_12", 4), ("rejected_11", 9)], None),
            (
                "too many rejected records",
                Charge::default(),
                vec![("rejected_12", 5)],
                Some((Quota::RejectedRecords, 5, at("13:00:00"))),
            ),
            (
                "the longest wait is named",
                upload(1),
                vec![("rejected_12", 5), ("bytes", 101)],
                Some((Quota::Bytes, 100, midnight)),
            ),
        ] {
            let exceeded = usage(&counters).exceeded(&charge, &LIMITS, now);
            let exceeded = exceeded.map(|exceeded| (exceeded.usage.quota, exceeded.usage.used, exceeded.retry_at));
            assert_eq!(exceeded, expected, "{name}");
            assert_eq!(usage(&counters).exceeded(&charge, &Limits::default(), now), None, "{name}, without limits");
        }
    }

    #[test]
    fn the_wait_is_in_whole_seconds_and_never_zero() {
        let usage = QuotaUsage { quota: Quota::Bytes, used: 1, limit: Some(1), resets_at: None };
        for (retry_at, expected) in [(10_000_000, 10), (9_000_001, 10), (1, 1), (0, 1), (-5, 1)] {
            let exceeded = Exceeded { usage, retry_at: Timestamp::from_micros(retry_at) };
            assert_eq!(exceeded.retry_after_seconds(Timestamp::from_micros(0)), expected, "{retry_at}");
        }
    }
}
