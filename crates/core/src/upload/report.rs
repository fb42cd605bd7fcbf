//! The report beside rejected data. Its JSON Schema is `contracts/report/1.0.json`.

use serde::Serialize;

use super::aggregate::Upload;
use super::decision::Decision;
use super::event::{ObjectVersion, QuarantineLocation};
use super::state::UploadState;
use crate::intake::failure::Failure;
use crate::intake::position::ReadUntil;
use crate::intake::rejection::{FailureGroup, MAX_REPORTED_GROUPS, RejectedRecord, Rejections};
use crate::time::Timestamp;

/// The version of the report's form.
pub const VERSION: &str = "1.0";

/// The report: everything that the owner needs to correct an upload, or the retry of an upload. It holds names, positions
/// and messages, never a value of the payload.
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    report_version: &'static str,
    attempt: u32,
    upload_id: &'a str,
    owner: &'a str,
    file_name: &'a str,
    outcome: &'static str,
    correlation_id: Option<&'a str>,
    began_at: Timestamp,
    reported_at: Timestamp,
    object: Option<&'a ObjectVersion>,
    quarantine: &'a QuarantineLocation,
    accepted: u64,
    rejected: u64,
    upload_failure: Option<&'a Failure>,
    read_until: Option<ReadUntil>,
    groups: Vec<FailureGroup>,
    groups_omitted: u64,
    records: &'a [RejectedRecord],
    records_omitted: u64,
}

impl<'a> Report<'a> {
    /// Creates the report on a decided upload, from the `rejections` that its inspection found.
    #[must_use]
    pub fn new(
        upload: &'a Upload,
        quarantine: &'a QuarantineLocation,
        rejections: &'a Rejections,
        now: Timestamp,
    ) -> Self {
        let (groups, groups_omitted) = rejections.largest_groups(MAX_REPORTED_GROUPS);
        let outcome = match upload.decision() {
            Some(Decision::Accepted { .. }) => UploadState::PartiallyAccepted,
            _ => UploadState::Quarantined,
        };
        Self {
            report_version: VERSION,
            attempt: upload.attempt(),
            upload_id: upload.id().as_str(),
            owner: &upload.origin().owner,
            file_name: &upload.origin().file_name,
            outcome: outcome.as_str(),
            correlation_id: upload.correlation_id(),
            began_at: upload.created_at(),
            reported_at: now,
            object: upload.object(),
            quarantine,
            accepted: upload.accepted_in_attempt(),
            rejected: upload.rejected(),
            upload_failure: rejections.upload_failure(),
            read_until: rejections.read_until(),
            groups,
            groups_omitted,
            records: rejections.records(),
            records_omitted: rejections.rejected() - rejections.records().len() as u64,
        }
    }
}
