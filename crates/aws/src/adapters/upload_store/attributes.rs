//! The attributes of an upload's item beside its history: what lists show and filter by. All of them derive from the
//! history, and are written with it.
//!
//! The index `by_owner` lists all uploads of an owner by `listed` (time and id). The index `by_open` lists those that wait
//! for something: its keys exist only as long as they do. `open_since` is `pending#…` for an upload that is received and
//! not decided, and `quarantined#…` for one with an item in quarantine.

use std::collections::BTreeSet;
use std::time::Duration;

use eventpulse_core::id::OwnerId;
use eventpulse_core::intake::rejection::Rejection;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{QuarantineStatus, Upload, UploadState};
use serde::{Serialize, Serializer};

use crate::adapters::dynamodb::item::epoch_seconds;

/// How long an upload that was issued and never sent is kept after its URL expired, and an upload of the synthetic check
/// after its creation.
const KEEP_UNSENT: Duration = Duration::from_secs(30 * 86_400);
/// The prefix of `open_since` while an upload is not decided.
pub(super) const PENDING: &str = "pending";
/// The prefix of `open_since` while something of an upload lies in quarantine.
pub(super) const QUARANTINED: &str = "quarantined";

/// The attributes for lists. `None` stands for an attribute that the item must not have.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct ListAttributes {
    pub(super) owner: OwnerId,
    /// The position in the owner's list.
    pub(super) listed: String,
    pub(super) state: UploadState,
    pub(super) file_name: String,
    pub(super) accepted: u64,
    pub(super) rejected: u64,
    pub(super) created_at: Timestamp,
    pub(super) changed_at: Timestamp,
    /// Compared as text by a filter, so it is [sortable](Timestamp::sortable).
    pub(super) url_expires_at: Option<String>,
    /// DynamoDB's time to live.
    pub(super) expires_at: Option<i64>,
    pub(super) open_owner: Option<OwnerId>,
    pub(super) open_since: Option<String>,
    #[serde(serialize_with = "string_set")]
    pub(super) codes: Option<BTreeSet<String>>,
    #[serde(serialize_with = "string_set")]
    pub(super) schemas: Option<BTreeSet<String>>,
    pub(super) quarantined_at: Option<Timestamp>,
    pub(super) retry_expires_at: Option<Timestamp>,
}

fn string_set<S: Serializer>(texts: &Option<BTreeSet<String>>, serializer: S) -> Result<S::Ok, S::Error> {
    match texts {
        Some(texts) => serde_dynamo::string_set::serialize(texts, serializer),
        None => serializer.serialize_none(),
    }
}

impl ListAttributes {
    pub(super) fn of(upload: &Upload) -> Self {
        let (state, origin) = (upload.state(), upload.origin());
        let url_expires_at = origin.expires_at.filter(|_| upload.object().is_none());
        let keep_from = url_expires_at.or_else(|| origin.owner.is_synthetic_check().then_some(upload.created_at()));
        let open = OpenPosition::of(upload);
        let is_quarantined = matches!(open, Some(OpenPosition::Quarantined(_)));
        let rejection = upload.rejection().filter(|_| is_quarantined);
        Self {
            owner: origin.owner.clone(),
            listed: position(upload.created_at(), upload),
            state,
            file_name: origin.file_name.clone(),
            accepted: upload.accepted(),
            rejected: upload.rejected(),
            created_at: upload.created_at(),
            changed_at: upload.changed_at(),
            url_expires_at: url_expires_at.map(Timestamp::sortable),
            expires_at: keep_from.map(|at| epoch_seconds(at + KEEP_UNSENT)),
            open_owner: open.map(|_| origin.owner.clone()),
            open_since: open.map(|open| open.text(upload)),
            codes: rejection.and_then(|rejection| non_empty(codes(rejection))),
            schemas: rejection.and_then(|rejection| non_empty(schemas(rejection))),
            quarantined_at: upload.quarantined_at().filter(|_| is_quarantined),
            retry_expires_at: upload.pending_retry().filter(|_| is_quarantined).map(|retry| retry.expires_at),
        }
    }
}

/// Returns the position of an upload in a list that is ordered by a time.
fn position(at: Timestamp, upload: &Upload) -> String {
    format!("{}#{}", at.sortable(), upload.id())
}

/// The position of an upload in the index `by_open`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OpenPosition {
    /// Received and not decided; the time of the latest event.
    Pending(Timestamp),
    /// Something is in quarantine; the time of its move there.
    Quarantined(Timestamp),
}

impl OpenPosition {
    /// Returns the position of an upload; `None` if the upload waits for nothing.
    pub(super) fn of(upload: &Upload) -> Option<Self> {
        // As if every pending retry had expired: then the upload is open again.
        let status = upload.quarantine_status(Timestamp::MAX);
        match (upload.state(), status, upload.quarantined_at()) {
            _ if upload.is_history_full() => None,
            (UploadState::Received | UploadState::Waiting | UploadState::Failed, _, _) => {
                Some(Self::Pending(upload.changed_at()))
            }
            (_, Some(QuarantineStatus::Open), Some(at)) => Some(Self::Quarantined(at)),
            _ => None,
        }
    }

    fn text(self, upload: &Upload) -> String {
        match self {
            Self::Pending(at) => format!("{PENDING}#{}", position(at, upload)),
            Self::Quarantined(at) => format!("{QUARANTINED}#{}", position(at, upload)),
        }
    }
}

fn codes(rejection: &Rejection) -> BTreeSet<String> {
    let of_upload = rejection.upload_failure.iter().map(|failure| failure.code);
    let of_records = rejection.groups.iter().map(|group| group.code);
    of_upload.chain(of_records).map(|code| code.as_str().to_owned()).collect()
}

fn schemas(rejection: &Rejection) -> BTreeSet<String> {
    rejection.groups.iter().filter_map(|group| group.schema.clone()).collect()
}

/// DynamoDB has no empty sets.
fn non_empty(texts: BTreeSet<String>) -> Option<BTreeSet<String>> {
    (!texts.is_empty()).then_some(texts)
}
