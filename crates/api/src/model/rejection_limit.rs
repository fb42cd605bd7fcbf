//! The limit on rejected records.

use eventpulse_core::intake::inspection::MaxRejected;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A limit on rejected records: a number, or a share of all records.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RejectionLimit {
    /// The maximum number of rejected records.
    Count(u64),
    /// The largest share of rejected records, from 0 to 1.
    Ratio(f64),
}

impl<'de> Deserialize<'de> for RejectionLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let limit = match &Value::deserialize(deserializer)? {
            Value::Object(members) if members.len() == 1 => {
                let ratio = members.get("ratio").and_then(Value::as_f64).filter(|ratio| (0.0..=1.0).contains(ratio));
                members.get("count").and_then(Value::as_u64).map(Self::Count).or(ratio.map(Self::Ratio))
            }
            _ => None,
        };
        limit.ok_or_else(|| {
            D::Error::custom(
                "expected {\"count\": N} with a whole number, such as {\"count\": 5}, or {\"ratio\": R} with a share from 0 \
                 to 1, such as {\"ratio\": 0.1}",
            )
        })
    }
}

impl From<MaxRejected> for RejectionLimit {
    fn from(limit: MaxRejected) -> Self {
        match limit {
            MaxRejected::Count(count) => Self::Count(count),
            MaxRejected::Ratio(ratio) => Self::Ratio(ratio),
        }
    }
}
