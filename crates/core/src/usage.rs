//! Quotas: how much of the service one owner may use, so that no owner slows another down.
//!
//! | quota | counted | period |
//! |---|---|---|
//! | [`Quota::Requests`] | requests to the REST API | 10 seconds |
//! | [`Quota::OpenUploads`] | upload URLs that have not expired, used or not | until they expire |
//! | [`Quota::Bytes`] | bytes announced for upload URLs and corrections, bytes of corrections and messages | the UTC day |
//! | [`Quota::RejectedRecords`] | records rejected by processing | the UTC hour |
//!
//! [`DayUsage`] holds the counters of an owner's day; a [`Charge`] adds to them. [`RequestAllowance`] admits requests.
//! This module decides; it knows neither the store of the counters nor the clock.

mod day;
mod quota;
mod requests;

pub use day::{Charge, DayUsage};
pub use quota::{Exceeded, Limits, Quota, QuotaUsage};
pub use requests::{Admission, RequestAllowance, RequestWindow};
