//! Lists of uploads, a page at a time.

use std::sync::Arc;

use axum::extract::State;
use eventpulse_aws::adapters::upload_store::lists::{ListFilter, UploadSummary};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::SelfLink;
use crate::auth::Owner;
use crate::cursor::Seal;
use crate::extract::{Query, range};
use crate::model::{self, Time};
use crate::problem::ApiError;
use crate::state::App;

/// How many there may be on a page.
const MAX_LIMIT: usize = 100;

/// Which uploads.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// In this state only.
    #[param(inline)]
    state: Option<model::State>,
    /// Created at this time or later.
    #[param(format = DateTime)]
    from: Option<String>,
    /// Created before this time.
    #[param(format = DateTime)]
    to: Option<String>,
    /// How many on a page, at most; 50 when it is left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// The `next` of the page before, as it is.
    cursor: Option<String>,
}

/// A page of uploads.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UploadList {
    /// Newest first. A page may have fewer than `limit`.
    uploads: Vec<UploadListed>,
    /// The cursor of the next page; null when this was the last.
    #[schema(required)]
    next: Option<String>,
}

/// An upload.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UploadListed {
    /// Its id.
    upload_id: String,
    /// Where it stands.
    state: model::State,
    /// What its sender calls the file.
    file_name: String,
    /// How many records count.
    accepted: u64,
    /// How many do not.
    rejected: u64,
    /// When it was issued.
    created_at: Time,
    /// When something happened to it last.
    changed_at: Time,
    /// Where its receipt is.
    links: SelfLink,
}

/// Your uploads, newest first.
#[utoipa::path(get, path = "/uploads", operation_id = "list_uploads", tag = "uploads", params(ListParams),
    responses((status = 200, description = "A page of them.", body = UploadList)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    owner: Owner,
    Query(params): Query<ListParams>,
) -> Result<axum::Json<UploadList>, ApiError> {
    let limit = page_limit(params.limit)?;
    let (from, to) = range(params.from.as_deref(), params.to.as_deref())?;
    let state = params.state.map(model::State::core);
    let filters =
        [state.map(eventpulse_core::upload::UploadState::as_str), params.from.as_deref(), params.to.as_deref()];
    let seal = Seal { key: &app.config.cursor_key, owner: &owner.0, list: "uploads", filters: &filters };
    let after = position(&seal, params.cursor.as_deref())?;
    let filter = ListFilter { state, from, to };
    let page = app.services.uploads.list(&owner.0, &filter, limit, after.as_deref(), (app.clock)()).await?;
    let listed = |listed: UploadSummary| UploadListed {
        links: SelfLink { this: format!("{}/uploads/{}", app.config.api_url, listed.upload_id) },
        upload_id: listed.upload_id.to_string(),
        state: listed.state.into(),
        file_name: listed.file_name,
        accepted: listed.accepted,
        rejected: listed.rejected,
        created_at: Time(listed.created_at),
        changed_at: Time(listed.changed_at),
    };
    let uploads = page.items.into_iter().map(listed).collect();
    Ok(axum::Json(UploadList { uploads, next: page.next.map(|position| seal.close(&position)) }))
}

/// How many on a page.
pub(crate) fn page_limit(limit: Option<usize>) -> Result<usize, ApiError> {
    match limit.unwrap_or(50) {
        limit @ 1..=MAX_LIMIT => Ok(limit),
        _ => Err(ApiError::parameter("limit", format!("it must be 1 to {MAX_LIMIT}"))),
    }
}

/// Where a page begins.
pub(crate) fn position(seal: &Seal<'_>, cursor: Option<&str>) -> Result<Option<String>, ApiError> {
    cursor.map(|cursor| seal.open(cursor).ok_or_else(ApiError::cursor)).transpose()
}
