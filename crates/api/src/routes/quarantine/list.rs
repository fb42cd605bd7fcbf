//! The list of quarantined uploads.

use std::sync::Arc;

use axum::extract::State;
use eventpulse_aws::adapters::upload_store::lists::{QuarantineFilter, QuarantineSummary};
use eventpulse_core::intake::failure::FailureCode;
use eventpulse_core::intake::schema::SchemaId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::QuarantineEntryLinks;
use crate::api_error::ApiError;
use crate::auth::Owner;
use crate::cursor::Seal;
use crate::extract::{Query, time_range};
use crate::model::{self, Time};
use crate::routes::paging::{PageLimit, page_limit, position};
use crate::state::App;

/// The query parameters of `GET /quarantine`.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// Return uploads with this failure code among their largest groups of failures.
    #[param(example = "REQUIRED")]
    code: Option<String>,
    /// Return uploads with rejected records of this schema.
    schema: Option<String>,
    /// Return uploads quarantined at or after this time.
    #[param(format = DateTime)]
    from: Option<String>,
    /// Return uploads quarantined before this time.
    #[param(format = DateTime)]
    to: Option<String>,
    /// The maximum number of items per page; 50 by default.
    #[param(value_type = Option<usize>, minimum = 1, maximum = 100)]
    limit: Option<PageLimit>,
    /// The unchanged `next` of the previous page.
    cursor: Option<String>,
}

/// A page of quarantined uploads.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QuarantineList {
    /// The uploads, newest first. A page may contain fewer than `limit`.
    uploads: Vec<QuarantineEntry>,
    /// The cursor of the next page; null on the last page.
    #[schema(required)]
    next: Option<String>,
}

/// An upload with quarantined data, in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QuarantineEntry {
    /// The id of the upload.
    upload_id: String,
    /// The state of the upload.
    state: model::UploadState,
    /// The status of the quarantined data.
    status: model::QuarantineStatus,
    /// The file name that the sender gave.
    file_name: String,
    /// The number of rejected records.
    rejected: u64,
    /// The failure codes of the largest groups of failures.
    codes: Vec<String>,
    /// The schemas that were applied to the rejected records.
    schemas: Vec<String>,
    /// The time at which data was last quarantined.
    quarantined_at: Time,
    /// Links to related resources.
    links: QuarantineEntryLinks,
}

/// List quarantined uploads
///
/// Returns the uploads whose quarantined data waits for you or is being retried, newest first, one page at a time. An
/// upload whose data has expired is not listed.
#[utoipa::path(get, path = "/quarantine", operation_id = "list_quarantined_uploads", tag = "quarantine",
    params(ListParams),
    responses((status = 200, description = "A page of quarantined uploads.", body = QuarantineList)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    owner: Owner,
    Query(params): Query<ListParams>,
) -> Result<axum::Json<QuarantineList>, ApiError> {
    let limit = page_limit(params.limit);
    let (from, to) = time_range(params.from.as_deref(), params.to.as_deref())?;
    let code = params.code.as_deref().map(|code| {
        code.parse::<FailureCode>().map_err(|_| ApiError::parameter("code", "expected a failure code such as REQUIRED"))
    });
    let schema = params.schema.as_deref().map(|schema| {
        SchemaId::parse(schema).map_err(|_| ApiError::parameter("schema", "expected <name>/<major>.<minor>"))
    });
    let (code, schema) = (code.transpose()?, schema.transpose()?.map(|schema| schema.to_string()));
    let filters = [params.code.as_deref(), params.schema.as_deref(), params.from.as_deref(), params.to.as_deref()];
    let seal = Seal { key: &app.config.cursor_key, owner: &owner.0, list: "quarantine", filters: &filters };
    let after = position(&seal, params.cursor.as_deref())?;
    let filter = QuarantineFilter { code, schema, from, to };
    let store = &app.services.uploads;
    let page = store.list_quarantine(&owner.0, &filter, limit, after.as_deref(), (app.clock)()).await?;
    let uploads = page.items.into_iter().map(|listed| entry(&app, listed)).collect();
    Ok(axum::Json(QuarantineList { uploads, next: page.next.map(|position| seal.close(&position)) }))
}

fn entry(app: &App, listed: QuarantineSummary) -> QuarantineEntry {
    let (id, base) = (&listed.upload_id, &app.config.api_url);
    QuarantineEntry {
        links: QuarantineEntryLinks { this: format!("{base}/quarantine/{id}"), upload: format!("{base}/uploads/{id}") },
        upload_id: id.to_string(),
        state: listed.state.into(),
        status: listed.status.into(),
        file_name: listed.file_name,
        rejected: listed.rejected,
        codes: listed.codes,
        schemas: listed.schemas,
        quarantined_at: Time(listed.quarantined_at),
    }
}
