//! The list of uploads.

use std::sync::Arc;

use axum::extract::State;
use eventpulse_aws::adapters::upload_store::lists::{self, ListFilter};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api_error::ApiError;
use crate::auth::Owner;
use crate::cursor::Seal;
use crate::extract::{Query, time_range};
use crate::model::{self, SelfLink, Time};
use crate::routes::paging::{PageLimit, page_limit, position};
use crate::state::App;

/// The query parameters of `GET /uploads`.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// Return only uploads in this state.
    #[param(inline)]
    state: Option<model::UploadState>,
    /// Return uploads created at or after this time.
    #[param(format = DateTime)]
    from: Option<String>,
    /// Return uploads created before this time.
    #[param(format = DateTime)]
    to: Option<String>,
    /// The maximum number of items per page; 50 by default.
    #[param(value_type = Option<usize>, minimum = 1, maximum = 100)]
    limit: Option<PageLimit>,
    /// The unchanged `next` of the previous page.
    cursor: Option<String>,
}

/// A page of uploads.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UploadList {
    /// The uploads, newest first. A page may contain fewer than `limit`.
    uploads: Vec<UploadSummary>,
    /// The cursor of the next page; null on the last page.
    #[schema(required)]
    next: Option<String>,
}

/// An upload, in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UploadSummary {
    /// The id of the upload.
    upload_id: String,
    /// The state of the upload.
    state: model::UploadState,
    /// The file name that the sender gave.
    file_name: String,
    /// The number of accepted records.
    accepted: u64,
    /// The number of rejected records.
    rejected: u64,
    /// The time of creation.
    created_at: Time,
    /// The time of the last event.
    changed_at: Time,
    /// Links to related resources.
    links: SelfLink,
}

/// List uploads
///
/// Returns your uploads, newest first, one page at a time.
#[utoipa::path(get, path = "/uploads", operation_id = "list_uploads", tag = "uploads", params(ListParams),
    responses((status = 200, description = "A page of uploads.", body = UploadList)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    owner: Owner,
    Query(params): Query<ListParams>,
) -> Result<axum::Json<UploadList>, ApiError> {
    let limit = page_limit(params.limit);
    let (from, to) = time_range(params.from.as_deref(), params.to.as_deref())?;
    let state = params.state.map(model::UploadState::core);
    let filters =
        [state.map(eventpulse_core::upload::UploadState::as_str), params.from.as_deref(), params.to.as_deref()];
    let seal = Seal { key: &app.config.cursor_key, owner: &owner.0, list: "uploads", filters: &filters };
    let after = position(&seal, params.cursor.as_deref())?;
    let filter = ListFilter { state, from, to };
    let page = app.services.uploads.list(&owner.0, &filter, limit, after.as_deref(), (app.clock)()).await?;
    let summary = |listed: lists::UploadSummary| UploadSummary {
        links: SelfLink { this: format!("{}/uploads/{}", app.config.api_url, listed.upload_id) },
        upload_id: listed.upload_id.to_string(),
        state: listed.state.into(),
        file_name: listed.file_name,
        accepted: listed.accepted,
        rejected: listed.rejected,
        created_at: Time(listed.created_at),
        changed_at: Time(listed.changed_at),
    };
    let uploads = page.items.into_iter().map(summary).collect();
    Ok(axum::Json(UploadList { uploads, next: page.next.map(|position| seal.close(&position)) }))
}
