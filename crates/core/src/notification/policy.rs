//! The policy of a deployment: when a problem is quiet, how long its records stay in quarantine, and how often notices of
//! one kind may be sent.

use std::time::Duration;

use crate::time::Timestamp;

/// The longest time between two immediate notices of one kind about a flapping problem, in digest intervals.
const MAX_NOTICE_INTERVALS: u32 = 24;
/// The longest quiet period, in quiet periods of a problem that has never come back.
const MAX_QUIET_FACTOR: u32 = 32;
/// A problem that stayed away for this many quiet periods does not flap.
const STAYED_AWAY: u32 = 7;

/// The parameters of a deployment for problems and notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The shortest time between two digests to one owner.
    pub digest_interval: Duration,
    /// The time without a rejection after which a problem is quiet.
    pub quiet_period: Duration,
    /// The number of days for which quarantine keeps rejected data.
    pub retention_days: u32,
}

impl Policy {
    /// Returns the time without a rejection after which a problem is quiet that came back this many times in succession. It
    /// doubles each time, so that a source that fails now and then does not flap.
    #[must_use]
    pub fn quiet_period_after(&self, consecutive_regressions: u64) -> Duration {
        let doublings = u32::try_from(consecutive_regressions).unwrap_or(u32::MAX);
        let factor = 2_u32.checked_pow(doublings).map_or(MAX_QUIET_FACTOR, |factor| factor.min(MAX_QUIET_FACTOR));
        self.quiet_period.saturating_mul(factor)
    }

    /// Returns the shortest time between two immediate notices of one kind about a problem.
    #[must_use]
    pub fn notice_interval(&self, consecutive_regressions: u64) -> Duration {
        let regressions = u32::try_from(consecutive_regressions).unwrap_or(u32::MAX);
        self.digest_interval.saturating_mul(regressions.saturating_mul(regressions).clamp(1, MAX_NOTICE_INTERVALS))
    }

    /// Returns whether a problem that was quiet or resolved from `since` to `at` stayed away for long.
    #[must_use]
    pub fn stayed_away(&self, since: Timestamp, at: Timestamp) -> bool {
        let notices = self.digest_interval.saturating_mul(MAX_NOTICE_INTERVALS);
        at > since + notices.max(self.quiet_period.saturating_mul(STAYED_AWAY))
    }
}
