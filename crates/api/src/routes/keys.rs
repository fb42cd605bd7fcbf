//! Keys of devices: create, list, rotate, revoke. Only the responses that create a secret contain it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use eventpulse_aws::workflows::keys::Keys;
use eventpulse_core::device::key::{self, ApiKey};
use eventpulse_core::device::key_commands::{Key, KeyRandom, KeyRefusal};
use eventpulse_core::encoding::is_invisible;
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::paging::{PageLimit, page_limit, position};
use super::random;
use crate::api_error::ApiError;
use crate::auth::Owner;
use crate::cursor::Seal;
use crate::extract::{Json, KeyPath, NoParams, Path, Query, key_id};
use crate::model::{SelfLink, Time};
use crate::state::App;

/// The maximum number of characters of the name of a key.
const MAX_NAME_CHARS: usize = 100;
/// The longest time for which a replaced secret stays valid: 7 days.
const MAX_KEEP_SECONDS: u64 = 604_800;

/// A request for a key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewKey {
    /// A name for the key, such as the name of its device. Control characters become `_`, and invisible
    /// characters are removed.
    #[schema(min_length = 1, max_length = 100, example = "greenhouse north")]
    name: Option<String>,
    /// The usage plan; `standard` by default.
    plan: Option<Plan>,
}

/// A request to rotate a key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rotation {
    /// The number of seconds for which the present secrets stay valid, at most: the time that you need to update the
    /// devices; 0 by default.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 604_800)]
    keep_old_seconds: u64,
}

/// The usage plan of a key: its rate limit and quota.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Plan {
    /// For a single device.
    Standard,
    /// For a gateway of many devices: higher limits than `standard`.
    Fast,
}

/// The state of a key.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeyState {
    /// The key is valid.
    Active,
    /// The key was revoked permanently. It stays listed for 90 days.
    Revoked,
}

/// The query parameters of `GET /keys`.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct KeyListParams {
    /// The maximum number of items per page; 50 by default.
    #[param(value_type = Option<usize>, minimum = 1, maximum = 100)]
    limit: Option<PageLimit>,
    /// The unchanged `next` of the previous page.
    cursor: Option<String>,
}

/// A page of keys.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyList {
    /// The keys, newest first.
    keys: Vec<KeyMetadata>,
    /// The cursor of the next page; null on the last page.
    #[schema(required)]
    next: Option<String>,
}

/// The metadata of a key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyMetadata {
    /// The id of the key. Rotation does not change it.
    #[schema(example = "key_01JMZ3S2V8Q9W4X5Y6Z7A8B9C0")]
    key_id: String,
    /// The name of the key.
    #[schema(required)]
    name: Option<String>,
    /// The usage plan.
    plan: Plan,
    /// The state of the key.
    state: KeyState,
    /// The last four characters of the secret.
    #[schema(example = "x9-Q")]
    last_four: String,
    /// The time of creation.
    created_at: Time,
    /// The time of revocation; null for an active key.
    #[schema(required)]
    revoked_at: Option<Time>,
    /// Earlier secrets that are still valid, oldest first.
    previous_secrets: Vec<PreviousSecret>,
    /// Links to related resources.
    links: SelfLink,
}

/// An earlier secret of a key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PreviousSecret {
    /// The last four characters of the secret.
    last_four: String,
    /// The time at which the secret expires.
    valid_until: Time,
}

/// The metadata of a key, and its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeyWithSecret {
    #[serde(flatten)]
    key: KeyMetadata,
    /// The secret, for the header `x-api-key`. No other response contains it: store it.
    #[schema(pattern = "^ep_[A-Za-z0-9_-]{43}$")]
    api_key: String,
}

impl KeyMetadata {
    fn new(app: &App, key: Key) -> Self {
        let now = (app.clock)();
        let is_active = key.state == key::KeyState::Active;
        let previous = key.replaced.into_iter().filter(|old| is_active && now < old.valid_until);
        Self {
            links: SelfLink { this: format!("{}/keys/{}", app.config.api_url, key.key_id) },
            key_id: key.key_id.to_string(),
            name: key.name,
            plan: match key.plan {
                key::UsagePlan::Standard => Plan::Standard,
                key::UsagePlan::Fast => Plan::Fast,
            },
            state: if is_active { KeyState::Active } else { KeyState::Revoked },
            last_four: key.hint,
            created_at: Time(key.created_at),
            revoked_at: key.revoked_at.map(Time),
            previous_secrets: previous
                .map(|old| PreviousSecret { last_four: old.hint, valid_until: Time(old.valid_until) })
                .collect(),
        }
    }
}

impl KeyWithSecret {
    /// Creates a response with the secret.
    fn response(app: &App, status: StatusCode, (key, secret): (Key, ApiKey)) -> Response {
        let body = Self { key: KeyMetadata::new(app, key), api_key: secret.reveal().to_owned() };
        let location = HeaderValue::from_str(&body.key.links.this);
        let mut response = (status, axum::Json(body)).into_response();
        if let (StatusCode::CREATED, Ok(location)) = (status, location) {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }
}

/// Returns the keys, which only the function with the `manage` routes can access.
fn keys_of(app: &App) -> Result<&Keys, ApiError> {
    app.keys.as_ref().ok_or_else(ApiError::internal)
}

/// Create a key
///
/// Creates a key with which a device sends data to `POST /data` on your behalf. The key becomes valid within seconds.
/// Only this response contains the secret. An owner has at most 100 active keys.
#[utoipa::path(post, path = "/keys", operation_id = "create_key", tag = "keys", request_body = NewKey,
    responses(
        (status = 201, description = "The key with its secret, `api_key`. No other response contains it.",
            body = KeyWithSecret,
            headers(("Location" = String, description = "The URL of the key."))),
        (status = 403, description = "The operator of the service ended your access."),
        (status = 409, description = "You have 100 active keys. Revoke one."),
        (status = 413, description = "The body of the request is too large."),
        (status = 415, description = "The body of the request is not JSON."),
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
    let created = keys_of(&app)?.create(&owner.0, name.as_deref(), plan, (app.clock)(), &random).await?;
    Ok(KeyWithSecret::response(&app, StatusCode::CREATED, created.into_result()?))
}

/// Checks a name, replaces control characters and removes invisible ones.
fn name(name: &str) -> Result<String, ApiError> {
    if !(1..=MAX_NAME_CHARS).contains(&name.chars().count()) {
        return Err(ApiError::member("/name", format!("expected 1 to {MAX_NAME_CHARS} characters")));
    }
    let shown = name.chars().filter(|c| !is_invisible(*c));
    Ok(shown.map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { '_' } else { c }).collect())
}

/// List keys
///
/// Returns your keys, newest first, one page at a time. The response contains no secrets. Revoked keys stay listed for
/// 90 days.
#[utoipa::path(get, path = "/keys", operation_id = "list_keys", tag = "keys", params(KeyListParams),
    responses((status = 200, description = "A page of keys.", body = KeyList)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    owner: Owner,
    Query(params): Query<KeyListParams>,
) -> Result<axum::Json<KeyList>, ApiError> {
    let limit = page_limit(params.limit);
    let seal = Seal { key: &app.config.cursor_key, owner: &owner.0, list: "keys", filters: &[] };
    let after = position(&seal, params.cursor.as_deref())?;
    let page = keys_of(&app)?.store().list(&owner.0, limit, after.as_deref()).await?;
    let keys = page.items.into_iter().map(|key| KeyMetadata::new(&app, key)).collect();
    Ok(axum::Json(KeyList { keys, next: page.next.map(|position| seal.close(&position)) }))
}

/// Get a key
///
/// Returns the metadata of a key. The response contains no secret.
#[utoipa::path(get, path = "/keys/{key_id}", operation_id = "get_key", tag = "keys",
    params(KeyPath),
    responses(
        (status = 200, description = "The key.", body = KeyMetadata),
        (status = 404, description = "You have no key with this id."),
    ))]
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    owner: Owner,
    Path(KeyPath { key_id: id }): Path<KeyPath>,
    _: Query<NoParams>,
) -> Result<axum::Json<KeyMetadata>, ApiError> {
    let key = keys_of(&app)?.store().get(&owner.0, &key_id(&id)?).await?.ok_or(KeyRefusal::NotFound)?;
    Ok(axum::Json(KeyMetadata::new(&app, key)))
}

/// Rotate a key
///
/// Replaces the secret of a key. The present secret stays valid for `keep_old_seconds`, so that you can update the
/// devices first. Only this response contains the new secret.
#[utoipa::path(post, path = "/keys/{key_id}/rotate", operation_id = "rotate_key", tag = "keys",
    params(KeyPath),
    request_body = Rotation,
    responses(
        (status = 200, description = "The key with its secret, `api_key`. No other response contains it.",
            body = KeyWithSecret),
        (status = 403, description = "The operator of the service ended your access."),
        (status = 404, description = "You have no key with this id."),
        (status = 409, description = "The key is revoked, 10 earlier secrets are still valid, or a concurrent request \
                                      changed the key. `detail` says which."),
        (status = 413, description = "The body of the request is too large."),
        (status = 415, description = "The body of the request is not JSON."),
    ))]
pub(crate) async fn rotate(
    State(app): State<Arc<App>>,
    owner: Owner,
    Path(KeyPath { key_id: id }): Path<KeyPath>,
    _: Query<NoParams>,
    Json(Rotation { keep_old_seconds }): Json<Rotation>,
) -> Result<Response, ApiError> {
    let id = key_id(&id)?;
    if keep_old_seconds > MAX_KEEP_SECONDS {
        let detail = format!("expected a whole number from 0 to {MAX_KEEP_SECONDS} (7 days)");
        return Err(ApiError::member("/keep_old_seconds", detail));
    }
    let overlap = Duration::from_secs(keep_old_seconds);
    let rotated = keys_of(&app)?.rotate(&owner.0, &id, overlap, (app.clock)(), random()?).await?;
    Ok(KeyWithSecret::response(&app, StatusCode::OK, rotated.into_result()?))
}

/// Revoke a key
///
/// Revokes a key and all its secrets permanently. Because of caches, the key may stay valid for the `key_cache_seconds`
/// of `GET /health`. Repeating the request has no further effect.
#[utoipa::path(delete, path = "/keys/{key_id}", operation_id = "revoke_key", tag = "keys",
    params(KeyPath),
    responses(
        (status = 200, description = "The revoked key.", body = KeyMetadata),
        (status = 404, description = "You have no key with this id."),
    ))]
pub(crate) async fn revoke(
    State(app): State<Arc<App>>,
    owner: Owner,
    Path(KeyPath { key_id: id }): Path<KeyPath>,
    _: Query<NoParams>,
) -> Result<axum::Json<KeyMetadata>, ApiError> {
    let revoked = keys_of(&app)?.revoke(&owner.0, &key_id(&id)?, (app.clock)()).await?;
    let key = revoked.into_result()?;
    Ok(axum::Json(KeyMetadata::new(&app, key)))
}
