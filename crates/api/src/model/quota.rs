//! The use of quotas.

use eventpulse_core::time::Timestamp;
use eventpulse_core::usage::{DayUsage, Limits, Quota, QuotaUsage};
use serde::Serialize;
use utoipa::ToSchema;

use super::time::Time;

/// The name of a quota.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuotaName {
    /// Requests to the REST API, in 10 seconds.
    Requests,
    /// Upload URLs that have not expired, used or not.
    OpenUploads,
    /// Bytes of uploads, corrections and messages, in a UTC day. The bytes of an upload count when its URL is issued.
    Bytes,
    /// Rejected records, in a UTC hour.
    RejectedRecords,
}

/// The use of a quota.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct QuotaState {
    /// The name of the quota.
    name: QuotaName,
    /// The used amount.
    used: u64,
    /// The limit; null if there is none.
    #[schema(required)]
    limit: Option<u64>,
    /// The amount that is left; null if there is no limit.
    #[schema(required)]
    left: Option<u64>,
    /// The time at which nothing of the used amount counts any more; null if nothing is used.
    #[schema(required)]
    resets_at: Option<Time>,
}

impl From<QuotaUsage> for QuotaState {
    fn from(usage: QuotaUsage) -> Self {
        let name = match usage.quota {
            Quota::Requests => QuotaName::Requests,
            Quota::OpenUploads => QuotaName::OpenUploads,
            Quota::Bytes => QuotaName::Bytes,
            Quota::RejectedRecords => QuotaName::RejectedRecords,
        };
        let QuotaUsage { used, limit, resets_at, .. } = usage;
        Self { name, used, limit, left: usage.left(), resets_at: resets_at.map(Time) }
    }
}

/// Returns the use of the quotas that uploads are charged to.
pub(crate) fn quotas_of(usage: &DayUsage, limits: &Limits, now: Timestamp) -> Vec<QuotaState> {
    usage.quotas(limits, now).into_iter().map(QuotaState::from).collect()
}
