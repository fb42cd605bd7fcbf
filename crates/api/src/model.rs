//! The types that several operations share, in their wire form. Their doc comments are descriptions in the OpenAPI
//! document.

mod applied_schema;
mod history_entry;
mod links;
mod numbers;
mod quota;
mod rejection_limit;
mod sha256_source;
mod states;
mod time;
pub(crate) mod verdict_refs;

pub use applied_schema::AppliedSchema;
pub use history_entry::HistoryEntry;
pub use links::SelfLink;
pub use numbers::Numbers;
pub(crate) use quota::quotas_of;
pub use quota::{QuotaName, QuotaState};
pub use rejection_limit::RejectionLimit;
pub use sha256_source::Sha256Source;
pub use states::{QuarantineStatus, SubscriptionState, UploadState};
pub use time::{LocalTime, Time};
