//! The processing of an object: arrival, acceptance, decision.

use crate::intake::failure::Failure;
use crate::intake::rejection::Rejection;
use crate::upload::aggregate::Upload;
use crate::upload::decision::Decision;
use crate::upload::event::{ObjectVersion, UploadEvent};
use crate::upload::limits::{MAX_CORRELATION_ID_BYTES, shortened_to};

/// Receives an object. Returns no events if the upload does not await it: see [`Upload::arrival`].
#[must_use]
pub fn receive(upload: &Upload, object: &ObjectVersion, correlation_id: &str) -> Vec<UploadEvent> {
    if !upload.awaits(&object.key) {
        return Vec::new();
    }
    let retry = upload.pending_retry().filter(|retry| retry.key == object.key);
    vec![UploadEvent::Received {
        object: object.clone(),
        correlation_id: shortened_to(correlation_id, MAX_CORRELATION_ID_BYTES),
        retry_form: retry.map(|retry| retry.form),
    }]
}

/// Begins the acceptance of bytes with this SHA-256 (lower-case hex) whose chunks need several transactions.
#[must_use]
pub fn begin_acceptance(upload: &Upload, sha256: &str) -> Vec<UploadEvent> {
    vec![UploadEvent::AcceptanceBegan { claim: upload.claim_name(sha256) }]
}

/// Records the decision on the object, shortened to the [limits](crate::upload::limits) of a history.
#[must_use]
pub fn record_decision(upload: &Upload, decision: Decision) -> Vec<UploadEvent> {
    let decision = decision.bounded();
    let claim = match &decision {
        Decision::Accepted { sha256, .. } => Some(upload.claim_name(sha256)),
        Decision::Rejected { .. } | Decision::Duplicate { .. } => None,
    };
    vec![UploadEvent::Decided { decision, claim }]
}

/// Rejects the whole upload for a reason that is not in its records. `requested_schema`: the schema that applies to
/// records that name none, `<name>/<major>.<minor>`.
#[must_use]
pub fn reject(upload: &Upload, failure: Failure, requested_schema: &str) -> Vec<UploadEvent> {
    let rejection = Rejection::of_upload(failure, requested_schema);
    record_decision(upload, Decision::Rejected { rejection, rules: None })
}
