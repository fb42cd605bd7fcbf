//! Read access to the state of an upload.

use std::collections::BTreeMap;

use super::aggregate::{Attempt, PendingRetry, Upload};
use super::decision::{Decision, SharedChunk};
use super::event::{MessageMetadata, ObjectVersion, Origin, QuarantineLocation, RetryForm};
use crate::id::UploadId;
use crate::intake::digest::Sha256Source;
use crate::intake::rejection::Rejection;
use crate::statistics::series_statistics::SeriesReport;
use crate::time::Timestamp;

/// The rejected records of an upload that are open in quarantine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OpenRejection<'a> {
    /// The rejection.
    pub rejection: &'a Rejection,
    /// The time of the decision.
    pub decided_at: Timestamp,
}

impl Upload {
    /// Returns the id.
    #[must_use]
    pub fn id(&self) -> &UploadId {
        &self.id
    }

    /// Returns the origin: the owner, and the request of the client.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns the time of the first event.
    #[must_use]
    pub fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// Returns the time of the latest event.
    #[must_use]
    pub fn changed_at(&self) -> Timestamp {
        self.changed_at
    }

    /// Returns the object version that this attempt processes, once it has arrived.
    #[must_use]
    pub fn object(&self) -> Option<&ObjectVersion> {
        self.current.object.as_ref()
    }

    /// Returns the id that links the S3 event, every log line, the report and the notice.
    #[must_use]
    pub fn correlation_id(&self) -> Option<&str> {
        self.current.correlation_id.as_deref()
    }

    /// Returns the claim under which this attempt is writing its chunks, until it is decided or rolled back.
    #[must_use]
    pub fn open_claim(&self) -> Option<&str> {
        self.current.open_claim.as_deref()
    }

    /// Returns the number under which this attempt writes its chunks. Each attempt and each roll back takes a new one, so
    /// that a late write of a dead worker is never mistaken for a chunk that counts.
    #[must_use]
    pub fn write_number(&self) -> u32 {
        self.current.write_number
    }

    /// Returns the numbers of this attempt's acceptances that were rolled back.
    #[must_use]
    pub fn rolled_back_numbers(&self) -> std::ops::Range<u32> {
        self.current.first_write_number..self.current.write_number
    }

    /// Returns the claim that another upload holds, if this attempt waits for that.
    #[must_use]
    pub fn awaited_claim(&self) -> Option<&str> {
        self.current.awaited_claim.as_deref()
    }

    /// Returns the decision of this attempt, once there is one.
    #[must_use]
    pub fn decision(&self) -> Option<&Decision> {
        self.current.decision.as_ref()
    }

    /// Returns the quarantine location of the data that this attempt rejected, once it is there.
    #[must_use]
    pub fn quarantine_location(&self) -> Option<&QuarantineLocation> {
        self.current.quarantine_location.as_ref()
    }

    /// Returns the time of the latest move into quarantine, of any attempt.
    #[must_use]
    pub fn quarantined_at(&self) -> Option<Timestamp> {
        self.quarantined_at
    }

    /// Returns the time of the decision of this attempt.
    #[must_use]
    pub fn decided_at(&self) -> Option<Timestamp> {
        self.current.decided_at
    }

    /// Returns whether the occurrence of this attempt is recorded for the owner's notices.
    #[must_use]
    pub fn is_occurrence_recorded(&self) -> bool {
        self.current.occurrence_recorded
    }

    /// Returns why processing is stuck, if it is.
    #[must_use]
    pub fn failure_reason(&self) -> Option<&str> {
        if self.history_full {
            return Some("its history is full: send the data as a new upload");
        }
        self.current.failure_reason.as_deref()
    }

    /// Returns the number of deliveries of this attempt's object that failed for good, as far as they are recorded.
    #[must_use]
    pub fn failed_deliveries(&self) -> u32 {
        self.current.failed_deliveries
    }

    /// Returns the number of this attempt: 0 for the first object, then one more for each retry that arrived.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        u32::try_from(self.earlier.len()).unwrap_or(u32::MAX)
    }

    /// Returns the number of retries requested, arrived or not.
    #[must_use]
    pub fn retries_requested(&self) -> u32 {
        self.retries_requested
    }

    /// Returns the latest requested retry, until it arrives.
    #[must_use]
    pub fn pending_retry(&self) -> Option<&PendingRetry> {
        self.pending_retry.as_ref()
    }

    /// Returns the form of this attempt's object, if it is a retry.
    #[must_use]
    pub fn retry_form(&self) -> Option<RetryForm> {
        self.current.retry_form
    }

    /// Returns the claims made for the accepted records of all attempts.
    #[must_use]
    pub fn claims(&self) -> &[String] {
        &self.claims
    }

    /// Returns the SHA-256 of the bytes that were accepted last, in lower-case hexadecimal, and its source; `None` if nothing
    /// was accepted yet.
    #[must_use]
    pub fn accepted_sha256(&self) -> Option<(&str, Sha256Source)> {
        self.attempts().filter_map(|attempt| attempt.decision.as_ref()?.accepted_sha256()).last()
    }

    /// Returns the number of chunks that all attempts wrote.
    #[must_use]
    pub fn chunk_count(&self) -> u64 {
        let of_attempt = |decision: &Decision| match decision {
            Decision::Accepted { chunks, .. } => *chunks,
            _ => 0,
        };
        self.attempts().filter_map(|attempt| attempt.decision.as_ref()).map(of_attempt).sum()
    }

    /// Returns the chunks shared with other uploads, over all attempts.
    pub fn shared_chunks(&self) -> impl Iterator<Item = &SharedChunk> {
        self.attempts().filter_map(|attempt| attempt.decision.as_ref()).flat_map(shared_chunks_of)
    }

    /// Returns the rejection of this attempt's records, or of the whole upload; `None` if nothing was rejected.
    #[must_use]
    pub fn rejection(&self) -> Option<&Rejection> {
        self.current.rejection()
    }

    /// Returns the rejection that was last recorded for the owner's notices, while its records are open: neither accepted
    /// by a retry, nor discarded, nor withdrawn.
    #[must_use]
    pub fn open_rejection(&self) -> Option<OpenRejection<'_>> {
        if self.discarded || self.withdrawal_requested {
            return None;
        }
        let newest_first = std::iter::once(&self.current).chain(self.earlier.iter().rev());
        let recorded = newest_first.into_iter().find(|attempt| attempt.occurrence_recorded)?;
        Some(OpenRejection { rejection: recorded.rejection()?, decided_at: recorded.decided_at? })
    }

    /// Returns the number of accepted records, over all attempts.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.attempts().map(|attempt| attempt.accepted()).sum()
    }

    /// Returns the number of records that this attempt accepted.
    #[must_use]
    pub fn accepted_in_attempt(&self) -> u64 {
        self.current.accepted()
    }

    /// Returns the number of rejected records.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.current.rejected()
    }

    /// Returns the number of records that an attempt before this one rejected beside accepted ones, less those that later
    /// attempts before this one accepted. A correction may hold as many. `None` if no record was accepted: a correction then
    /// replaces the whole upload.
    ///
    /// The decision of this attempt changes nothing, so that its object is read in the same way before and after it.
    #[must_use]
    pub fn uncorrected(&self) -> Option<u64> {
        let mut earlier = self.earlier.iter();
        let first = earlier.find(|attempt| attempt.accepted() > 0)?;
        let corrected: u64 = earlier.map(Attempt::accepted).sum();
        Some(first.rejected().saturating_sub(corrected))
    }

    /// Returns the statistics of the largest series over all accepted attempts.
    #[must_use]
    pub fn series_report(&self) -> SeriesReport {
        let reports = self.attempts().filter_map(|attempt| match &attempt.decision {
            Some(Decision::Accepted { series, .. }) => Some(series.as_ref()),
            _ => None,
        });
        reports.fold(SeriesReport::default(), SeriesReport::followed_by)
    }

    /// Returns the number of chunks that each accepted attempt wrote, by the number under which it wrote them. These count:
    /// their decisions were stored after them.
    #[must_use]
    pub fn chunks_by_write_number(&self) -> BTreeMap<u32, u64> {
        let of_attempt = |attempt: &Attempt| match attempt.decision {
            Some(Decision::Accepted { chunks, .. }) => Some((attempt.write_number, chunks)),
            _ => None,
        };
        self.attempts().filter_map(of_attempt).collect()
    }

    /// Returns the upload under which the same bytes are accepted, if this upload is its duplicate.
    #[must_use]
    pub fn duplicate_of(&self) -> Option<&UploadId> {
        match &self.current.decision {
            Some(Decision::Duplicate { of }) => Some(of),
            _ => None,
        }
    }

    /// Returns the metadata of the message, if the upload is one.
    #[must_use]
    pub fn message(&self) -> Option<&MessageMetadata> {
        self.message.as_ref()
    }

    /// Returns whether the owner requested to withdraw the upload.
    #[must_use]
    pub fn is_withdrawal_requested(&self) -> bool {
        self.withdrawal_requested
    }

    /// Returns whether the upload is withdrawn.
    #[must_use]
    pub fn is_withdrawn(&self) -> bool {
        self.withdrawn
    }

    /// Returns the number of events in the history; appends are conditional on it.
    #[must_use]
    pub fn revision(&self) -> usize {
        self.revision
    }

    /// Returns whether the history takes no further event: see [`Upload::with_full_history`].
    #[must_use]
    pub fn is_history_full(&self) -> bool {
        self.history_full
    }

    /// Returns the size of the stored events in bytes. It stays below
    /// [`MAX_HISTORY_BYTES`](super::limits::MAX_HISTORY_BYTES).
    #[must_use]
    pub fn history_bytes(&self) -> usize {
        self.history_bytes
    }
}

fn shared_chunks_of(decision: &Decision) -> &[SharedChunk] {
    match decision {
        Decision::Accepted { shared_chunks, .. } => shared_chunks,
        Decision::Rejected { .. } | Decision::Duplicate { .. } => &[],
    }
}
