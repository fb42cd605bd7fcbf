//! The quotas, their limits, and the state of one.

use std::time::Duration;

use crate::time::Timestamp;

/// A quota of an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quota {
    /// Requests to the REST API.
    Requests,
    /// Upload URLs that have not expired.
    OpenUploads,
    /// Announced and sent bytes.
    Bytes,
    /// Rejected records.
    RejectedRecords,
}

impl Quota {
    /// All quotas.
    pub const ALL: [Self; 4] = [Self::Requests, Self::OpenUploads, Self::Bytes, Self::RejectedRecords];

    /// Returns the name of the quota in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::OpenUploads => "open_uploads",
            Self::Bytes => "bytes",
            Self::RejectedRecords => "rejected_records",
        }
    }
}

/// The limits of every owner of a deployment. `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Requests per second, on average over 10 seconds.
    pub requests_per_second: Option<u64>,
    /// Upload URLs that have not expired.
    pub open_uploads: Option<u64>,
    /// Bytes per UTC day.
    pub bytes_per_day: Option<u64>,
    /// Rejected records per UTC hour.
    pub rejected_records_per_hour: Option<u64>,
}

/// The use of one quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaUsage {
    /// The quota.
    pub quota: Quota,
    /// The used amount in the present period.
    pub used: u64,
    /// The limit of a period.
    pub limit: Option<u64>,
    /// The time at which nothing of this amount counts any more; `None` if nothing counts now.
    pub resets_at: Option<Timestamp>,
}

impl QuotaUsage {
    /// Returns the amount that is left in this period; `None` without a limit.
    #[must_use]
    pub fn left(&self) -> Option<u64> {
        self.limit.map(|limit| limit.saturating_sub(self.used))
    }
}

/// The refusal of a request, because it exceeds a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    /// The use of the quota, without the refused request.
    pub usage: QuotaUsage,
    /// The time from which the same request may succeed.
    pub retry_at: Timestamp,
}

impl Exceeded {
    /// Returns the whole seconds until the request may succeed, at least one.
    #[must_use]
    pub fn retry_after_seconds(&self, now: Timestamp) -> u64 {
        let wait = if self.retry_at > now { self.retry_at.duration_since(now) } else { Duration::ZERO };
        (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
    }
}
