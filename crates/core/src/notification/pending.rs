//! Pending notices: immediate notices that are due to an owner, one problem each.

use serde::{Deserialize, Serialize};

use super::kind::NoticeKind;
use crate::id::UploadId;
use crate::intake::fingerprint::{KindOfUpload, ProblemId};
use crate::time::Timestamp;

/// A notice about one problem that is to be published at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PendingNotice {
    /// The time of the occurrence; without one, the time of the change.
    pub at: Timestamp,
    /// The kind of notice.
    pub kind: NoticeKind,
    /// The problem.
    pub problem_id: ProblemId,
    /// The kind of upload of the problem.
    pub kind_of_upload: KindOfUpload,
    /// The upload that caused the notice; `None` if the time did: the problem became quiet, or its records expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload_id: Option<UploadId>,
    /// The number of events in the history of the upload at that time. The notice describes that state.
    pub revision: usize,
}
