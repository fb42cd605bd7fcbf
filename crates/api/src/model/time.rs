//! Times in responses.

use eventpulse_core::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// A time: RFC 3339 in UTC, to the microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2025-02-28T12:00:00Z")]
pub struct Time(pub Timestamp);
