//! The states of uploads, of quarantined data and of e-mail subscriptions.

use eventpulse_core::notification::subscription;
use eventpulse_core::upload;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The state of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UploadState {
    /// A presigned URL was issued; no object has arrived.
    Issued,
    /// The object arrived and is being processed.
    Received,
    /// An upload with the same bytes is being processed; this one waits for its outcome.
    Waiting,
    /// Every record is accepted.
    Accepted,
    /// Some records are accepted; the others are quarantined.
    PartiallyAccepted,
    /// No record is accepted; the whole upload is quarantined.
    Quarantined,
    /// Another upload with the same bytes is accepted already.
    Duplicate,
    /// Processing failed. The operator is notified and must act.
    Failed,
    /// No object arrived before the URL expired.
    Expired,
    /// The owner withdrew an accepted upload.
    Withdrawn,
    /// The owner discarded a quarantined upload.
    Discarded,
}

impl UploadState {
    /// Returns the same state as the core's type.
    #[must_use]
    pub fn core(self) -> upload::UploadState {
        match self {
            Self::Issued => upload::UploadState::Issued,
            Self::Received => upload::UploadState::Received,
            Self::Waiting => upload::UploadState::Waiting,
            Self::Accepted => upload::UploadState::Accepted,
            Self::PartiallyAccepted => upload::UploadState::PartiallyAccepted,
            Self::Quarantined => upload::UploadState::Quarantined,
            Self::Duplicate => upload::UploadState::Duplicate,
            Self::Failed => upload::UploadState::Failed,
            Self::Expired => upload::UploadState::Expired,
            Self::Withdrawn => upload::UploadState::Withdrawn,
            Self::Discarded => upload::UploadState::Discarded,
        }
    }
}

impl From<upload::UploadState> for UploadState {
    fn from(state: upload::UploadState) -> Self {
        match state {
            upload::UploadState::Issued => Self::Issued,
            upload::UploadState::Received => Self::Received,
            upload::UploadState::Waiting => Self::Waiting,
            upload::UploadState::Accepted => Self::Accepted,
            upload::UploadState::PartiallyAccepted => Self::PartiallyAccepted,
            upload::UploadState::Quarantined => Self::Quarantined,
            upload::UploadState::Duplicate => Self::Duplicate,
            upload::UploadState::Failed => Self::Failed,
            upload::UploadState::Expired => Self::Expired,
            upload::UploadState::Withdrawn => Self::Withdrawn,
            upload::UploadState::Discarded => Self::Discarded,
        }
    }
}

/// The status of the quarantined data of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuarantineStatus {
    /// The data waits for its owner to correct, retry or discard it.
    Open,
    /// A retry is being processed.
    Retrying,
    /// A retry was accepted.
    Resolved,
    /// The owner discarded the data.
    Discarded,
    /// The owner withdrew the whole upload.
    Withdrawn,
}

impl From<upload::QuarantineStatus> for QuarantineStatus {
    fn from(status: upload::QuarantineStatus) -> Self {
        match status {
            upload::QuarantineStatus::Open => Self::Open,
            upload::QuarantineStatus::Retrying => Self::Retrying,
            upload::QuarantineStatus::Resolved => Self::Resolved,
            upload::QuarantineStatus::Discarded => Self::Discarded,
            upload::QuarantineStatus::Withdrawn => Self::Withdrawn,
        }
    }
}

/// The state of an owner's e-mail subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionState {
    /// There is no subscription, or the owner ended it. Following an old confirmation link does not change this.
    None,
    /// SNS has sent a confirmation link, which is valid for two days. After that, another one can be requested.
    Pending,
    /// The subscription is confirmed: notices are sent.
    Confirmed,
    /// The subscription was confirmed and ended outside this API: by an unsubscribe link, or by SNS.
    Gone,
}

impl From<subscription::SubscriptionState> for SubscriptionState {
    fn from(state: subscription::SubscriptionState) -> Self {
        match state {
            subscription::SubscriptionState::None => Self::None,
            subscription::SubscriptionState::Pending => Self::Pending,
            subscription::SubscriptionState::Confirmed => Self::Confirmed,
            subscription::SubscriptionState::Gone => Self::Gone,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_the_names_of_the_core() {
        for state in upload::UploadState::ALL {
            let wire = UploadState::from(state);
            assert_eq!(serde_json::to_value(wire).unwrap(), state.as_str());
            assert_eq!(wire.core(), state);
        }
        for state in subscription::SubscriptionState::ALL {
            assert_eq!(serde_json::to_value(SubscriptionState::from(state)).unwrap(), state.as_str());
        }
    }
}
