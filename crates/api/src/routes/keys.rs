//! Keys of devices: created, listed, rotated, revoked. The key itself is in the answer that makes it, and in no other.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use eventpulse_aws::workflows::keys::Keys;
use eventpulse_core::device::key::{self, ApiKey};
use eventpulse_core::device::key_commands::{Key, KeyRandom, KeyRefusal};
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::random;
use super::uploads::SelfLink;
use super::uploads::list::{page_limit, position};
use crate::auth::Owner;
use crate::cursor::Seal;
use crate::extract::{Json, NoParams, Path, Query, key_id};
use crate::model::Time;
use crate::problem::ApiError;
use crate::state::App;

/// How long the name of a key may be.
const MAX_NAME_CHARS: usize = 100;
/// How long a replaced secret may work on: 7 days.
const MAX_KEEP_SECONDS: u32 = 604_800;

/// A key that is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewKey {
    /// What you call it: the device that will hold it, say. Control characters become `_`.
    #[schema(min_length = 1, max_length = 100, example = "greenhouse north")]
    name: Option<String>,
    /// How much it may send; `standard` when it is left out.
    plan: Option<Plan>,
}

/// How a key is rotated.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rotation {
    /// How many seconds the secrets until now work on, at most: the time that you need to bring the new one to the
    /// devices. 0 when it is left out.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 604_800)]
    keep_old_seconds: u32,
}

/// How much a key may send. `fast` is more than `standard`, for a gateway of many devices.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Plan {
    /// What a device needs.
    Standard,
    /// What a gateway of many devices needs.
    Fast,
}

/// Whether a key may be used.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeyState {
    /// It may.
    Active,
    /// It was taken back, for good. It is listed for 90 days.
    Revoked,
}

/// Which keys.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct KeyListParams {
    /// How many on a page, at most; 50 when it is left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// The `next` of the page before, as it is.
    cursor: Option<String>,
}

/// A page of keys.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyList {
    /// Newest first.
    keys: Vec<KeyShown>,
    /// The cursor of the next page; null when this was the last.
    #[schema(required)]
    next: Option<String>,
}

/// A key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyShown {
    /// Its id. It stays when the secret is another.
    #[schema(example = "key_01JMZ3S2V8Q9W4X5Y6Z7A8B9C0")]
    key_id: String,
    /// What you call it.
    #[schema(required)]
    name: Option<String>,
    /// How much it may send.
    plan: Plan,
    /// Whether it may be used.
    state: KeyState,
    /// The last four characters of its secret.
    #[schema(example = "x9-Q")]
    hint: String,
    /// When it was created.
    created_at: Time,
    /// Until when the secret works; null, as long as no other replaces it.
    #[schema(required)]
    valid_until: Option<Time>,
    /// When it was revoked.
    #[schema(required)]
    revoked_at: Option<Time>,
    /// Earlier secrets that still work, the oldest first.
    replaced: Vec<ReplacedSecret>,
    /// Where it is.
    links: SelfLink,
}

/// An earlier secret of a key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReplacedSecret {
    /// Its last four characters.
    hint: String,
    /// Until when it works.
    valid_until: Time,
}

/// A key with its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeyMade {
    #[serde(flatten)]
    key: KeyShown,
    /// The secret, for the header `x-api-key`. It is told here and never again: keep it.
    #[schema(pattern = "^ep_[A-Za-z0-9_-]{43}$")]
    api_key: String,
}

impl KeyShown {
    fn new(app: &App, key: Key) -> Self {
        let now = (app.clock)();
        let is_active = key.state == key::KeyState::Active;
        let replaced = key.replaced.into_iter().filter(|old| is_active && now < old.valid_until);
        Self {
            links: SelfLink { this: format!("{}/keys/{}", app.config.api_url, key.key_id) },
            key_id: key.key_id.to_string(),
            name: key.name,
            plan: match key.plan {
                key::UsagePlan::Standard => Plan::Standard,
                key::UsagePlan::Fast => Plan::Fast,
            },
            state: if is_active { KeyState::Active } else { KeyState::Revoked },
            hint: key.hint,
            created_at: Time(key.created_at),
            valid_until: None,
            revoked_at: key.revoked_at.map(Time),
            replaced: replaced
                .map(|old| ReplacedSecret { hint: old.hint, valid_until: Time(old.valid_until) })
                .collect(),
        }
    }
}

impl KeyMade {
    /// An answer that nobody may keep but who asked.
    fn answer(app: &App, status: StatusCode, (key, secret): (Key, ApiKey)) -> Response {
        let made = Self { key: KeyShown::new(app, key), api_key: secret.reveal().to_owned() };
        let location = HeaderValue::from_str(&made.key.links.this);
        let mut response = (status, [(CACHE_CONTROL, "no-store")], axum::Json(made)).into_response();
        if let (StatusCode::CREATED, Ok(location)) = (status, location) {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }
}

/// The keys, of the function that has them.
fn keys_of(app: &App) -> Result<&Keys, ApiError> {
    app.keys.as_ref().ok_or_else(ApiError::internal)
}

/// Creates a key, by which a device sends to `POST /data` as you. It works within moments.
#[utoipa::path(post, path = "/keys", operation_id = "create_key", tag = "keys", request_body = NewKey,
    responses(
        (status = 201, description = "The key. `api_key` is told here and never again.", body = KeyMade,
            headers(("Location" = String, description = "The key, without its secret."))),
        (status = 409, description = "You have 100 active keys: revoke one."),
        (status = 413, description = "The request itself is too large."),
        (status = 415, description = "The request is not JSON."),
    ))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    owner: Owner,
    _: Query<NoParams>,
    Json(new): Json<NewKey>,
) -> Result<Response, ApiError> {
    let name = new.name.as_deref().map(name).transpose()?;
    let plan = match new.plan {
        Some(Plan::Fast) => key::UsagePlan::Fast,
        Some(Plan::Standard) | None => key::UsagePlan::Standard,
    };
    let random = KeyRandom { id: random()?, secret: random()?, usage: random()? };
    let made = keys_of(&app)?.create(&owner.0, name.as_deref(), plan, (app.clock)(), &random).await?;
    Ok(KeyMade::answer(&app, StatusCode::CREATED, made.into_result()?))
}

/// A name that can be shown.
fn name(name: &str) -> Result<String, ApiError> {
    if !(1..=MAX_NAME_CHARS).contains(&name.chars().count()) {
        return Err(ApiError::member("/name", format!("it must have 1 to {MAX_NAME_CHARS} characters")));
    }
    Ok(name.chars().map(|c| if c.is_control() { '_' } else { c }).collect())
}

/// Your keys, newest first, without their secrets.
#[utoipa::path(get, path = "/keys", operation_id = "list_keys", tag = "keys", params(KeyListParams),
    responses((status = 200, description = "A page of them.", body = KeyList)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    owner: Owner,
    Query(params): Query<KeyListParams>,
) -> Result<axum::Json<KeyList>, ApiError> {
    let limit = page_limit(params.limit)?;
    let seal = Seal { key: &app.config.cursor_key, owner: &owner.0, list: "keys", filters: &[] };
    let after = position(&seal, params.cursor.as_deref())?;
    let page = keys_of(&app)?.store().list(&owner.0, limit, after.as_deref()).await?;
    let keys = page.items.into_iter().map(|key| KeyShown::new(&app, key)).collect();
    Ok(axum::Json(KeyList { keys, next: page.next.map(|position| seal.close(&position)) }))
}

/// A key, without its secret.
#[utoipa::path(get, path = "/keys/{key_id}", operation_id = "show_key", tag = "keys",
    params(("key_id" = String, Path, description = "The key.", pattern = "^key_[0-7][0-9A-HJKMNP-TV-Z]{25}$")),
    responses(
        (status = 200, description = "It.", body = KeyShown),
        (status = 404, description = "You have no such key."),
    ))]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    owner: Owner,
    Path(id): Path<String>,
    _: Query<NoParams>,
) -> Result<axum::Json<KeyShown>, ApiError> {
    let key = keys_of(&app)?.store().get(&owner.0, &key_id(&id)?).await?.ok_or(KeyRefusal::NotFound)?;
    Ok(axum::Json(KeyShown::new(&app, key)))
}

/// Gives a key another secret. The one until now works for `keep_old_seconds` more.
#[utoipa::path(post, path = "/keys/{key_id}/rotate", operation_id = "rotate_key", tag = "keys",
    params(("key_id" = String, Path, description = "The key.", pattern = "^key_[0-7][0-9A-HJKMNP-TV-Z]{25}$")),
    request_body = Rotation,
    responses(
        (status = 200, description = "The key. `api_key` is told here and never again.", body = KeyMade),
        (status = 404, description = "You have no such key."),
        (status = 409, description = "It is revoked, or 10 earlier secrets of it still work, or somebody else changed it \
                                      at the same time; `detail` says which."),
        (status = 413, description = "The request itself is too large."),
        (status = 415, description = "The request is not JSON."),
    ))]
pub(crate) async fn rotate(
    State(app): State<Arc<App>>,
    owner: Owner,
    Path(id): Path<String>,
    _: Query<NoParams>,
    Json(Rotation { keep_old_seconds }): Json<Rotation>,
) -> Result<Response, ApiError> {
    let id = key_id(&id)?;
    if keep_old_seconds > MAX_KEEP_SECONDS {
        let detail = format!("it must be 0 to {MAX_KEEP_SECONDS} seconds, 7 days");
        return Err(ApiError::member("/keep_old_seconds", detail));
    }
    let overlap = Duration::from_secs(keep_old_seconds.into());
    let made = keys_of(&app)?.rotate(&owner.0, &id, overlap, (app.clock)(), random()?).await?;
    Ok(KeyMade::answer(&app, StatusCode::OK, made.into_result()?))
}

/// Revokes a key, for good, with every secret of it. It may still work for as long as `key_cache_seconds` of
/// `GET /health` says. Once more is the same.
#[utoipa::path(delete, path = "/keys/{key_id}", operation_id = "revoke_key", tag = "keys",
    params(("key_id" = String, Path, description = "The key.", pattern = "^key_[0-7][0-9A-HJKMNP-TV-Z]{25}$")),
    responses(
        (status = 200, description = "It is revoked.", body = KeyShown),
        (status = 404, description = "You have no such key."),
    ))]
pub(crate) async fn revoke(
    State(app): State<Arc<App>>,
    owner: Owner,
    Path(id): Path<String>,
    _: Query<NoParams>,
) -> Result<axum::Json<KeyShown>, ApiError> {
    let key = keys_of(&app)?.revoke(&owner.0, &key_id(&id)?, (app.clock)()).await?.into_result()?;
    Ok(axum::Json(KeyShown::new(&app, key)))
}
