//! The reasons to refuse a command of the owner.

use crate::id::UploadId;
use crate::time::Timestamp;
use crate::upload::state::QuarantineStatus;

/// The reason to refuse a command. The text says what to do instead; it follows a sentence such as "The request
/// conflicts with the state of the resource: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A requested retry has not arrived yet. Another request would leave its object unread.
    #[error("a retry is on its way: wait for its outcome, or until {expires_at} if its data never arrives")]
    RetryPending {
        /// The time at which the request lapses.
        expires_at: Timestamp,
    },
    /// A retry is being processed.
    #[error("a retry is being processed: wait for its outcome")]
    RetryInProgress,
    /// The rejected data was retried between the reading of the upload and the command.
    #[error("another retry was requested at the same time: look at its outcome")]
    RetriedMeanwhile,
    /// The history has no room for another attempt, or chunk keys cannot number it.
    #[error("it has had {retries} retries and takes no more: send the data as a new upload, and discard this one")]
    TooManyRetries {
        /// The number of retries requested.
        retries: u32,
    },
    /// The history takes no further event.
    #[error("its history is full: send the data as a new upload")]
    HistoryFull,
    /// The quarantined bytes are gone.
    #[error("its rejected data is no longer stored: send a correction")]
    NothingToRetry,
    /// The upload has no data in quarantine.
    #[error("it has no data in quarantine, or not yet")]
    NotInQuarantine,
    /// A retry was accepted in full.
    #[error("a retry succeeded: nothing is left in quarantine")]
    Resolved,
    /// The rejected data was discarded.
    #[error("its rejected data was discarded: make a new upload")]
    Discarded,
    /// The upload was withdrawn.
    #[error("it was withdrawn: make a new upload")]
    Withdrawn,
    /// The upload is being processed.
    #[error("it is being processed: try again when it has an outcome")]
    BeingProcessed,
    /// The presigned URL is valid, and no object has arrived.
    #[error("its data has not arrived: do not send it, and the URL expires by itself")]
    NotReceived,
    /// The presigned URL expired before an object arrived.
    #[error("its data never arrived")]
    Expired,
    /// The same bytes are accepted under another upload.
    #[error("it is a duplicate of {of}, which holds the accepted records: withdraw that upload")]
    Duplicate {
        /// The other upload.
        of: UploadId,
    },
    /// The upload is quarantined as a whole.
    #[error("none of its records is accepted: discard it with DELETE /quarantine/{{upload_id}}")]
    NothingAccepted,
    /// The upload is withdrawn or discarded.
    #[error("it has no accepted records any more")]
    NothingLeft,
    /// The removal of an upload whose owner did not request it.
    #[error("its withdrawal was not requested")]
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
