//! Lists of what waits in quarantine, a page at a time.

use std::sync::Arc;

use axum::extract::State;
use eventpulse_aws::adapters::upload_store::lists::{QuarantineFilter, QuarantineSummary};
use eventpulse_core::intake::failure::FailureCode;
use eventpulse_core::intake::schema::SchemaId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ItemListedLinks;
use crate::auth::Owner;
use crate::cursor::Seal;
use crate::extract::{Query, range};
use crate::model::{self, Status, Time};
use crate::problem::ApiError;
use crate::routes::uploads::list::{page_limit, position};
use crate::state::App;

/// What of the quarantine.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// With this code among the largest groups of failures.
    #[param(example = "REQUIRED")]
    code: Option<String>,
    /// With this schema among those that were applied.
    schema: Option<String>,
    /// Quarantined at this time or later.
    #[param(format = DateTime)]
    from: Option<String>,
    /// Quarantined before this time.
    #[param(format = DateTime)]
    to: Option<String>,
    /// How many on a page, at most; 50 when it is left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// The `next` of the page before, as it is.
    cursor: Option<String>,
}

/// A page of the quarantine.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QuarantineList {
    /// What waits, newest first. A page may have fewer than `limit`.
    items: Vec<ItemListed>,
    /// The cursor of the next page; null when this was the last.
    #[schema(required)]
    next: Option<String>,
}

/// Something in quarantine.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ItemListed {
    /// The upload it is of.
    upload_id: String,
    /// Where that stands.
    state: model::State,
    /// Whether it waits for you.
    status: Status,
    /// What its sender calls the file.
    file_name: String,
    /// How many records do not count.
    rejected: u64,
    /// The codes of the largest groups of failures.
    codes: Vec<String>,
    /// The schemas that were applied to these.
    schemas: Vec<String>,
    /// When it came into quarantine.
    quarantined_at: Time,
    /// Where to go on.
    links: ItemListedLinks,
}

/// What lies in quarantine and waits for you, newest first.
#[utoipa::path(get, path = "/quarantine", operation_id = "list_quarantine", tag = "quarantine", params(ListParams),
    responses((status = 200, description = "A page of it.", body = QuarantineList)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    owner: Owner,
    Query(params): Query<ListParams>,
) -> Result<axum::Json<QuarantineList>, ApiError> {
    let limit = page_limit(params.limit)?;
    let (from, to) = range(params.from.as_deref(), params.to.as_deref())?;
    let code = params.code.as_deref().map(|code| {
        code.parse::<FailureCode>()
            .map_err(|_| ApiError::parameter("code", "it is none of the codes in the README, such as REQUIRED"))
    });
    let schema = params.schema.as_deref().map(|schema| {
        SchemaId::parse(schema)
            .map_err(|_| ApiError::parameter("schema", "it is not of the form <name>/<major>.<minor>"))
    });
    let (code, schema) = (code.transpose()?, schema.transpose()?.map(|schema| schema.to_string()));
    let filters = [params.code.as_deref(), params.schema.as_deref(), params.from.as_deref(), params.to.as_deref()];
    let seal = Seal { key: &app.config.cursor_key, owner: &owner.0, list: "quarantine", filters: &filters };
    let after = position(&seal, params.cursor.as_deref())?;
    let filter = QuarantineFilter { code, schema, from, to };
    let uploads = &app.services.uploads;
    let page = uploads.list_quarantine(&owner.0, &filter, limit, after.as_deref(), (app.clock)()).await?;
    let items = page.items.into_iter().map(|listed| item_listed(&app, listed)).collect();
    Ok(axum::Json(QuarantineList { items, next: page.next.map(|position| seal.close(&position)) }))
}

fn item_listed(app: &App, listed: QuarantineSummary) -> ItemListed {
    let (id, base) = (&listed.upload_id, &app.config.api_url);
    ItemListed {
        links: ItemListedLinks { this: format!("{base}/quarantine/{id}"), upload: format!("{base}/uploads/{id}") },
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
