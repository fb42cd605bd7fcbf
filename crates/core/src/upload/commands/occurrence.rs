//! The choice of the occurrence to record for the owner's notices.

use crate::upload::aggregate::Upload;
use crate::upload::decision::{Decision, Step};
use crate::upload::event::UploadEvent;

/// The occurrence that a decided upload gives rise to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordableOccurrence {
    /// Records were rejected: the occurrence belongs to problems.
    Rejection,
    /// All records are accepted: the occurrence shows that uploads of these kinds pass, if open problems await that.
    Pass,
}

/// Returns the occurrence that the decision gives rise to; `None` if the upload is undecided or a duplicate.
#[must_use]
pub fn recordable_occurrence(upload: &Upload) -> Option<RecordableOccurrence> {
    match upload.decision()? {
        Decision::Accepted { rejection: None, .. } => Some(RecordableOccurrence::Pass),
        Decision::Accepted { rejection: Some(_), .. } | Decision::Rejected { .. } => {
            Some(RecordableOccurrence::Rejection)
        }
        Decision::Duplicate { .. } => None,
    }
}

/// Records that the occurrence is stored for the owner's notices: the rejection, or the acceptance of a retry. Returns no
/// events if that is not the next step.
#[must_use]
pub fn record_occurrence(upload: &Upload) -> Vec<UploadEvent> {
    let rejection = upload.rejection().or_else(|| upload.open_rejection().map(|open| open.rejection));
    match rejection {
        Some(rejection) if upload.next_step() == Some(Step::RecordOccurrence) => {
            let problems = rejection.fingerprints.iter().map(|fingerprint| fingerprint.id.clone()).collect();
            vec![UploadEvent::OccurrenceRecorded { problems }]
        }
        _ => Vec::new(),
    }
}
