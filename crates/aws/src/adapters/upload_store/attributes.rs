//! What an upload's item holds beside its history, for lists. All of it is derived from the history, and written with it.
//!
//! The index `by_owner` lists all uploads of an owner by `listed` (time and id). The index `by_open` lists those that wait
//! for something: its keys are there only as long as they do. `open_since` is `pending#…` for an upload that arrived and
//! is not decided, and `quarantined#…` for one of which something lies in quarantine.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use eventpulse_core::intake::rejection::Rejection;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{QuarantineStatus, Upload, UploadState};

use crate::adapters::dynamodb::item::{n, s};

/// How long an upload that was issued but never sent is remembered after its URL expired, in seconds; and one by which the
/// deployment tested itself.
const REMEMBER_UNSENT_SECONDS: i64 = 30 * 24 * 3600;
/// What `open_since` begins with while an upload is not decided.
pub(super) const PENDING: &str = "pending";
/// What it begins with while something of it lies in quarantine.
pub(super) const QUARANTINED: &str = "quarantined";

/// The attributes of an upload's item, and those that it is not to have any more.
pub(super) fn of(upload: &Upload) -> Vec<(&'static str, Option<AttributeValue>)> {
    let state = upload.state();
    let forget_at = upload.origin().expires_at.filter(|_| upload.object().is_none());
    let is_test = upload.origin().owner.is_synthetic_check();
    let forget_at = forget_at.or_else(|| is_test.then_some(upload.created_at()));
    let forget_at = forget_at.map(|at| at.as_micros() / 1_000_000 + REMEMBER_UNSENT_SECONDS);
    let open = open_since(upload, state);
    let is_quarantined = open.as_ref().is_some_and(|open| open.starts_with(QUARANTINED));
    let rejection = upload.rejection().filter(|_| is_quarantined);
    let time = |at: Timestamp| s(at.to_string());
    vec![
        ("owner", Some(s(&upload.origin().owner))),
        ("listed", Some(s(position(upload.created_at(), upload)))),
        ("state", Some(s(state.as_str()))),
        ("file_name", Some(s(&upload.origin().file_name))),
        ("accepted", Some(n(upload.accepted().to_string()))),
        ("rejected", Some(n(upload.rejected().to_string()))),
        ("created_at", Some(time(upload.created_at()))),
        ("changed_at", Some(time(upload.changed_at()))),
        ("url_expires_at", upload.origin().expires_at.filter(|_| upload.object().is_none()).map(|at| s(at.sortable()))),
        ("expires_at", forget_at.map(|second| n(second.to_string()))),
        ("open_owner", open.is_some().then(|| s(&upload.origin().owner))),
        ("open_since", open.map(s)),
        ("codes", rejection.and_then(|rejection| set(codes(rejection)))),
        ("schemas", rejection.and_then(|rejection| set(schemas(rejection)))),
        ("quarantined_at", upload.quarantined_at().filter(|_| is_quarantined).map(time)),
        (
            "retry_expires_at",
            upload.pending_retry().filter(|_| is_quarantined).map(|retry| s(retry.expires_at.sortable())),
        ),
    ]
}

/// A place in a list that is in the order of time.
fn position(at: Timestamp, upload: &Upload) -> String {
    format!("{}#{}", at.sortable(), upload.id())
}

fn open_since(upload: &Upload, state: UploadState) -> Option<String> {
    // As if any retry that was asked for had lapsed: then it is open once more.
    let status = upload.quarantine_status(Timestamp::MAX);
    match (state, status, upload.quarantined_at()) {
        (UploadState::Received | UploadState::Failed, _, _) => {
            Some(format!("{PENDING}#{}", position(upload.changed_at(), upload)))
        }
        (_, Some(QuarantineStatus::Open), Some(at)) => Some(format!("{QUARANTINED}#{}", position(at, upload))),
        _ => None,
    }
}

fn codes(rejection: &Rejection) -> BTreeSet<String> {
    let own = rejection.upload_failure.iter().map(|failure| failure.code);
    let of_records = rejection.groups.iter().map(|group| group.code);
    own.chain(of_records).map(|code| code.as_str().to_owned()).collect()
}

fn schemas(rejection: &Rejection) -> BTreeSet<String> {
    rejection.groups.iter().filter_map(|group| group.schema.clone()).collect()
}

/// DynamoDB has no empty sets.
fn set(words: BTreeSet<String>) -> Option<AttributeValue> {
    (!words.is_empty()).then(|| AttributeValue::Ss(words.into_iter().collect()))
}
