//! The rate of an owner's requests, over all processes that answer them.
//!
//! The budget of a window of ten seconds is shared. A process takes a slice of a twentieth from it, and uses that without
//! asking again; its first few requests of a window need no slice at all. So an owner with few requests costs no call to
//! the shared counter, and a flood at most 21 in ten seconds for each process. The price is accuracy: `n` processes admit
//! up to `5 n` requests more than the budget, and may leave up to `n` slices of it unused.

use std::time::Duration;

use super::quota::{Exceeded, Quota, QuotaUsage};
use crate::time::Timestamp;

/// The length of a window in seconds.
const WINDOW_SECONDS: i64 = 10;
/// The requests of a window that a process admits without a slice.
const UNLEASED: u64 = 5;
/// The number of slices in a budget.
const SLICES: u64 = 20;

/// A window, and the budget of all processes in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestWindow {
    /// The start in seconds since 1970.
    pub start: i64,
    /// The requests that are admitted in the window.
    pub budget: u64,
}

impl RequestWindow {
    /// Returns the window of a time.
    #[must_use]
    pub fn at(now: Timestamp, requests_per_second: u64) -> Self {
        let seconds = now.as_secs();
        let budget = requests_per_second.saturating_mul(WINDOW_SECONDS.unsigned_abs());
        Self { start: seconds - seconds.rem_euclid(WINDOW_SECONDS), budget }
    }

    /// Returns the end of the window.
    #[must_use]
    pub fn end(&self) -> Timestamp {
        Timestamp::from_secs(self.start) + Duration::from_secs(WINDOW_SECONDS.unsigned_abs())
    }

    /// Returns the size of a slice of the budget.
    #[must_use]
    pub fn slice(&self) -> u64 {
        (self.budget / SLICES).max(1)
    }

    /// Returns the use of the quota when this much of the budget is taken.
    #[must_use]
    pub fn usage(&self, taken: u64) -> QuotaUsage {
        let resets_at = Some(self.end()).filter(|_| taken > 0);
        QuotaUsage { quota: Quota::Requests, used: taken, limit: Some(self.budget), resets_at }
    }
}

/// The answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// The request is admitted.
    Admitted,
    /// Take a slice of the budget of this window first, pass the result to [`RequestAllowance::lease`], and ask again.
    NeedsSlice(RequestWindow),
    /// The budget of this window is used up.
    Refused(Exceeded),
}

/// The requests that one process may admit for one owner in the present window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RequestAllowance {
    window_start: Option<i64>,
    left: u64,
    is_exhausted: bool,
}

impl RequestAllowance {
    /// Decides on a request.
    pub fn admit(&mut self, requests_per_second: u64, now: Timestamp) -> Admission {
        let window = RequestWindow::at(now, requests_per_second);
        if self.window_start != Some(window.start) {
            *self = Self { window_start: Some(window.start), left: UNLEASED.min(window.budget), is_exhausted: false };
        }
        if self.left > 0 {
            self.left -= 1;
            return Admission::Admitted;
        }
        if self.is_exhausted {
            return Admission::Refused(Exceeded { usage: window.usage(window.budget), retry_at: window.end() });
        }
        Admission::NeedsSlice(window)
    }

    /// Adds a slice that was taken, or ends the window if there was none.
    pub fn lease(&mut self, window: RequestWindow, is_granted: bool) {
        if self.window_start == Some(window.start) {
            self.left += if is_granted { window.slice() } else { 0 };
            self.is_exhausted = !is_granted;
        }
    }

    /// Returns whether this allowance is of an earlier window, and can be forgotten.
    #[must_use]
    pub fn is_past(&self, now: Timestamp) -> bool {
        self.window_start.is_none_or(|start| start + WINDOW_SECONDS <= now.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends requests through processes in turn, which share a budget. Returns the admitted and refused requests and the
    /// calls to the shared counter.
    fn send(requests: u64, processes: usize, requests_per_second: u64, now: Timestamp) -> (u64, u64, u64) {
        let mut allowances = vec![RequestAllowance::default(); processes];
        let (mut taken, mut admitted, mut refused, mut calls) = (0, 0, 0, 0);
        for request in 0..requests {
            let allowance = &mut allowances[usize::try_from(request).unwrap() % processes];
            let mut admission = allowance.admit(requests_per_second, now);
            if let Admission::NeedsSlice(window) = admission {
                calls += 1;
                let is_granted = taken + window.slice() <= window.budget;
                taken += if is_granted { window.slice() } else { 0 };
                allowance.lease(window, is_granted);
                admission = allowance.admit(requests_per_second, now);
            }
            match admission {
                Admission::Admitted => admitted += 1,
                Admission::Refused(_) => refused += 1,
                Admission::NeedsSlice(_) => panic!("asked twice"),
            }
        }
        (admitted, refused, calls)
    }

    #[test]
    fn flood_is_refused_at_the_limit_with_few_calls() {
        let now = Timestamp::from_secs(0);
        for (name, requests, processes, rate, expected) in [
            ("few requests need no call", 5, 1, 20, (5, 0, 0)),
            ("the limit", 205, 1, 20, (205, 0, 20)),
            ("a flood to one process", 10_000, 1, 20, (205, 9_795, 21)),
            ("a flood to ten processes", 10_000, 10, 20, (250, 9_750, 30)),
            ("one request a second", 1_000, 1, 1, (15, 985, 11)),
        ] {
            assert_eq!(send(requests, processes, rate, now), expected, "{name}");
        }
    }

    #[test]
    fn refused_owner_is_admitted_in_the_next_window() {
        let mut allowance = RequestAllowance::default();
        let now = Timestamp::from_micros(1_003_500_000);
        while allowance.admit(1, now) == Admission::Admitted {}
        let Admission::NeedsSlice(window) = allowance.admit(1, now) else { panic!("{allowance:?}") };
        allowance.lease(window, false);
        let Admission::Refused(exceeded) = allowance.admit(1, now) else { panic!("{allowance:?}") };
        assert_eq!((exceeded.retry_at, exceeded.retry_after_seconds(now)), (Timestamp::from_secs(1_010), 7));
        assert_eq!((exceeded.usage.used, exceeded.usage.left()), (10, Some(0)));
        assert!(!allowance.is_past(now) && allowance.is_past(exceeded.retry_at));
        assert_eq!(allowance.admit(1, exceeded.retry_at), Admission::Admitted);
        // A late answer about the window before changes nothing.
        allowance.lease(window, false);
        assert_eq!(allowance.admit(1, exceeded.retry_at), Admission::Admitted);
    }
}
