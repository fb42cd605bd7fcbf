//! Times in responses.

use eventpulse_core::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// A time: RFC 3339 in UTC, to the microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2025-02-28T12:00:00Z")]
pub struct Time(pub Timestamp);

/// A time: RFC 3339 to the microsecond, with the offset of a time zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2025-03-30T00:00:00+01:00")]
pub struct LocalTime(pub String);
