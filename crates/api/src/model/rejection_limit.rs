//! The limit on rejected records.

use eventpulse_core::intake::inspection::MaxRejected;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A limit on rejected records: a number, or a share of all records.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RejectionLimit {
    /// The most rejected records.
    Count(u64),
    /// The largest share of rejected records, from 0 to 1.
    Ratio(f64),
}

impl From<MaxRejected> for RejectionLimit {
    fn from(limit: MaxRejected) -> Self {
        match limit {
            MaxRejected::Count(count) => Self::Count(count),
            MaxRejected::Ratio(ratio) => Self::Ratio(ratio),
        }
    }
}
