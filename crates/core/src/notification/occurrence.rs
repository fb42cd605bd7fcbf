//! Occurrences: the outcomes of uploads that concern notices.

use serde::{Deserialize, Serialize};

use crate::id::UploadId;
use crate::intake::fingerprint::{Fingerprint, KindOfUpload};
use crate::time::Timestamp;
use crate::upload::Upload;

/// The outcome of one upload. It is stored once, in the transaction that records it in the history of the upload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Occurrence {
    /// The time of the decision on the upload.
    pub at: Timestamp,
    /// The upload.
    pub upload_id: UploadId,
    /// The number of events in its history at that time. A notice describes that state.
    pub revision: usize,
    /// The kind.
    #[serde(flatten)]
    pub kind: OccurrenceKind,
}

/// The kind of an occurrence: the outcome of its upload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OccurrenceKind {
    /// The upload, or a part of it, was rejected and quarantined.
    Rejected(Vec<Fingerprint>),
    /// The upload was accepted without rejected records. It has records of these kinds.
    Passed(Vec<KindOfUpload>),
    /// The synthetic check was rejected, as it has to be. See
    /// [`NoticeKind::SyntheticCheck`](super::kind::NoticeKind::SyntheticCheck).
    SyntheticCheck(Vec<Fingerprint>),
}

impl Occurrence {
    /// Returns the occurrence for an upload that was rejected, at least in part. Returns `None` for any other upload.
    #[must_use]
    pub fn of_rejection(upload: &Upload) -> Option<Self> {
        let (at, fingerprints) = (upload.decided_at()?, upload.rejection()?.fingerprints.clone());
        let is_check = upload.origin().owner.is_synthetic_check();
        let kind = if is_check {
            OccurrenceKind::SyntheticCheck(fingerprints)
        } else {
            OccurrenceKind::Rejected(fingerprints)
        };
        Some(Self { at, upload_id: upload.id().clone(), revision: upload.revision(), kind })
    }

    /// Returns the occurrence for an upload that passed. `kinds` are its kinds with problems that may be open.
    #[must_use]
    pub fn of_pass(upload: &Upload, kinds: Vec<KindOfUpload>, now: Timestamp) -> Self {
        let at = upload.decided_at().unwrap_or(now);
        Self { at, upload_id: upload.id().clone(), revision: upload.revision(), kind: OccurrenceKind::Passed(kinds) }
    }

    /// Returns the fingerprints of a rejected upload.
    pub fn fingerprints(&self) -> &[Fingerprint] {
        match &self.kind {
            OccurrenceKind::Rejected(fingerprints) | OccurrenceKind::SyntheticCheck(fingerprints) => fingerprints,
            OccurrenceKind::Passed(_) => &[],
        }
    }

    /// Returns the kinds of upload with problems that this upload resolves.
    pub fn passed_kinds(&self) -> &[KindOfUpload] {
        match &self.kind {
            OccurrenceKind::Passed(kinds) => kinds,
            _ => &[],
        }
    }
}
