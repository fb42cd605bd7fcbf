//! The reasons to refuse a command of the owner.

use crate::id::UploadId;
use crate::time::Timestamp;
use crate::upload::state::QuarantineStatus;

/// The reason to refuse a command. The text says what to do instead; it follows a sentence such as "The request
/// conflicts with the state of the resource: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A requested retry has not arrived yet. Another request would leave its object unread.
    #[error(
        "a retry was requested and its data has not arrived: send that data and wait for the outcome, or wait until \
         {expires_at}, when the request lapses"
    )]
    RetryPending {
        /// The time at which the request lapses.
        expires_at: Timestamp,
    },
    /// A retry is being processed.
    #[error("a retry is being processed: wait for its outcome")]
    RetryInProgress,
    /// The rejected data was retried between the reading of the upload and the command.
    #[error("another retry was requested at the same time: wait for its outcome, which the receipt shows")]
    RetriedMeanwhile,
    /// The history has no room for another attempt, or chunk keys cannot number it.
    #[error(
        "the upload has had {retries} retries and takes no more: send the data as a new upload, and discard this one"
    )]
    TooManyRetries {
        /// The number of retries requested.
        retries: u32,
    },
    /// The history takes no further event.
    #[error("the history of the upload is full: send the data as a new upload")]
    HistoryFull,
    /// The quarantined bytes are gone.
    #[error("the rejected data is no longer stored: send it again as a correction")]
    NothingToRetry,
    /// The upload has no data in quarantine.
    #[error(
        "the upload has no data in quarantine: if it is being processed, wait for its outcome; else there is nothing to do"
    )]
    NotInQuarantine,
    /// A retry was accepted in full.
    #[error("a retry was accepted in full, so nothing is left in quarantine: there is nothing to do")]
    Resolved,
    /// The rejected data was discarded.
    #[error("the rejected data was discarded: send the data as a new upload")]
    Discarded,
    /// The upload was withdrawn.
    #[error("the upload was withdrawn: send the data as a new upload")]
    Withdrawn,
    /// The upload is being processed.
    #[error(
        "the upload has no outcome yet: wait for it, and try again; if its state is `failed`, its operator is notified"
    )]
    BeingProcessed,
    /// The presigned URL is valid, and no object has arrived.
    #[error("the upload has no data to withdraw: do not send the data, and the URL expires by itself")]
    NotReceived,
    /// The presigned URL expired before an object arrived.
    #[error("the data of the upload never arrived: there is nothing to withdraw")]
    Expired,
    /// The same bytes are accepted under another upload.
    #[error("the upload is a duplicate of {of}, which holds the accepted records: withdraw that upload")]
    Duplicate {
        /// The other upload.
        of: UploadId,
    },
    /// The upload is quarantined as a whole.
    #[error("none of the records is accepted: discard the upload with DELETE /quarantine/{{upload_id}}")]
    NothingAccepted,
    /// The upload is withdrawn or discarded.
    #[error("the upload was withdrawn or discarded already: there is nothing to do")]
    NothingLeft,
    /// The removal of an upload whose owner did not request it.
    #[error("nobody requested the withdrawal of the upload: request it with DELETE /uploads/{{upload_id}}")]
    WithdrawalNotRequested,
}

impl Refusal {
    /// Returns the refusal of a command that needs data with the status `open` in quarantine.
    pub(super) fn of_quarantine_status(status: Option<QuarantineStatus>) -> Self {
        match status {
            None | Some(QuarantineStatus::Open) => Self::NotInQuarantine,
            Some(QuarantineStatus::Retrying) => Self::RetryInProgress,
            Some(QuarantineStatus::Resolved) => Self::Resolved,
            Some(QuarantineStatus::Discarded) => Self::Discarded,
            Some(QuarantineStatus::Withdrawn) => Self::Withdrawn,
        }
    }
}
