//! The receipt of an upload.

use eventpulse_aws::adapters::upload_store::StoredUpload;
use eventpulse_core::intake::position::ReadUntil;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::verdict::{AcceptedSeries, FailureSummary};
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::Owner;
use crate::model::verdict_refs::{accepted_series, failure_summaries, read_until};
use crate::model::{self, HistoryEntry, RejectionLimit, Time};
use crate::routes::notifications::SubscriptionSummary;
use crate::state::App;

/// The receipt of an upload: its state, its accepted data and its failures.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UploadReceipt {
    /// The id of the upload.
    upload_id: String,
    /// The state of the upload.
    state: model::UploadState,
    /// The file name that the sender gave.
    file_name: String,
    /// The schema for records that name none, if the request named one.
    #[schema(required)]
    schema: Option<String>,
    /// The limit on rejected records, if the request set one.
    #[schema(required)]
    max_rejected: Option<RejectionLimit>,
    /// The size of the object in bytes; null before it arrives.
    #[schema(required)]
    size: Option<u64>,
    /// The time of creation.
    created_at: Time,
    /// The time of the last event.
    changed_at: Time,
    /// The time at which the URL expires or expired.
    #[schema(required)]
    expires_at: Option<Time>,
    /// The number of accepted records.
    accepted: u64,
    /// The number of rejected records.
    rejected: u64,
    /// The last record that was read; null if the upload was read to its end, or to the position of its failure.
    /// Further records may be wrong as well.
    #[schema(required, schema_with = read_until)]
    read_until: Option<ReadUntil>,
    /// The id of the accepted upload with the same bytes, if there is one.
    #[schema(required)]
    duplicate_of: Option<String>,
    /// The SHA-256 of the accepted bytes in lower-case hexadecimal; after corrections, of those that were accepted last. Null
    /// if nothing is accepted. The same bytes of the same owner count once.
    #[schema(required)]
    sha256: Option<String>,
    /// The source of `sha256`; null if nothing is accepted.
    #[schema(required)]
    sha256_source: Option<model::Sha256Source>,
    /// The statistics of the accepted values of each series, the series with the most values first, at most 100.
    #[schema(schema_with = accepted_series)]
    statistics: Vec<AcceptedSeries>,
    /// The number of further series. An upper bound, if a correction could not find all earlier values in time.
    statistics_omitted: u64,
    /// The failures, grouped by code, pointer and schema, the largest groups first, at most 10. The report in
    /// quarantine lists the failures of each record.
    #[schema(schema_with = failure_summaries)]
    failures: Vec<FailureSummary>,
    /// The number of further groups of failures.
    failures_omitted: u64,
    /// The reason why processing failed, if it did. The operator must act.
    #[schema(required)]
    failure_reason: Option<String>,
    /// The quarantined data; null if no record was ever rejected.
    #[schema(required)]
    quarantine: Option<QuarantineSummary>,
    /// Your e-mail subscription to notices; null if it could not be loaded.
    #[schema(required)]
    notifications: Option<SubscriptionSummary>,
    /// The number of objects that were sent to the URL of this upload after the first one. They were removed without being
    /// read.
    late_versions: u64,
    /// The history of the upload, oldest first.
    history: Vec<HistoryEntry>,
    /// Links to related resources.
    links: UploadLinks,
}

/// The quarantined data of an upload, in its receipt.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QuarantineSummary {
    /// The status of the quarantined data.
    status: model::QuarantineStatus,
}

/// Links to related resources.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UploadLinks {
    /// This resource.
    #[serde(rename = "self")]
    #[schema(format = "uri")]
    this: String,
    /// The quarantined data; null if no record was ever rejected.
    #[schema(required, format = "uri")]
    quarantine: Option<String>,
}

impl UploadReceipt {
    /// Describes an upload. Loads the state of the owner's subscription.
    pub(super) async fn new(app: &App, owner: &Owner, stored: StoredUpload, now: Timestamp) -> Self {
        let StoredUpload { upload, history, late_versions } = stored;
        let rejection = upload.rejection();
        let series = upload.series_report();
        let (sha256, sha256_source) = upload.accepted_sha256().unzip();
        let status = upload.quarantine_status(now);
        let (id, base) = (upload.id(), &app.config.api_url);
        Self {
            upload_id: id.to_string(),
            state: upload.state_at(now).into(),
            file_name: upload.origin().file_name.clone(),
            schema: upload.origin().schema.clone(),
            max_rejected: upload.origin().max_rejected.map(RejectionLimit::from),
            size: upload.object().map(|object| object.size),
            created_at: Time(upload.created_at()),
            changed_at: Time(upload.changed_at()),
            expires_at: upload.origin().expires_at.map(Time),
            accepted: upload.accepted(),
            rejected: upload.rejected(),
            read_until: rejection.and_then(|rejection| rejection.read_until),
            duplicate_of: upload.duplicate_of().map(ToString::to_string),
            sha256: sha256.map(str::to_owned),
            sha256_source: sha256_source.map(model::Sha256Source::from),
            statistics_omitted: series.omitted(),
            statistics: series.listed.into_iter().map(AcceptedSeries::from).collect(),
            failures: rejection
                .map_or_else(Vec::new, |rejection| rejection.groups.iter().map(FailureSummary::from).collect()),
            failures_omitted: rejection.map_or(0, |rejection| rejection.groups_omitted),
            failure_reason: upload.failure_reason().map(str::to_owned),
            quarantine: status.map(|status| QuarantineSummary { status: status.into() }),
            notifications: SubscriptionSummary::of(app, owner, now).await,
            late_versions,
            history: history.into_iter().map(HistoryEntry::from).collect(),
            links: UploadLinks {
                this: format!("{base}/uploads/{id}"),
                quarantine: status.map(|_| format!("{base}/quarantine/{id}")),
            },
        }
    }
}
