//! API keys: created, listed, rotated and revoked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use eventpulse_cli::BoxError;
use serde_json::{Value, json};

use super::{KEY_CACHE, acknowledged, key, send};
use crate::TestResult;
use crate::poll::{SOON, found, poll};
use crate::world::{World, reading};

/// Returns a message that was not sent before.
fn body() -> Value {
    static SECOND: AtomicU32 = AtomicU32::new(0);
    reading("keys", SECOND.fetch_add(1, Ordering::Relaxed), 1.0)
}

/// Waits until the gateway refuses a key. Its cache keeps a decision for [`KEY_CACHE`].
pub async fn refused(world: &World, secret: &str) -> TestResult {
    poll(SOON, async || {
        let reply = send(world, secret, &body()).await?;
        let is_refused = reply.status == 403;
        found(is_refused.then_some(()), || format!("the key still works, with a cache of {} s", KEY_CACHE.as_secs()))
    })
    .await
}

pub async fn created_keys_are_listed_without_their_secret(world: Arc<World>) -> TestResult {
    let (user, other) = (world.user(), world.user());
    let (key_id, first) = key(&world, &user, "standard").await?;
    let (_, second) = key(&world, &user, "standard").await?;
    let listed = world.get(&user, "/keys").await?;
    assert_eq!(listed["keys"].as_array().map(Vec::len), Some(2));
    for secret in [&first, &second] {
        assert!(!listed.to_string().contains(secret.as_str()), "the list contains no secret");
    }
    let path = format!("/keys/{key_id}");
    for (method, path) in [("GET", &path), ("DELETE", &path), ("POST", &format!("{path}/rotate"))] {
        world.call(&other, method, path, json!({})).await?.problem(404, "not-found")?;
    }
    assert_eq!(world.get(&other, "/keys").await?["keys"], json!([]));
    let data = world.get(&user, "/health").await?["data"].clone();
    assert_eq!(data["url"], format!("{}/data", world.output("DeviceApiUrl")));
    assert_eq!(data["key_cache_seconds"], json!(KEY_CACHE.as_secs()));
    Ok(())
}

pub async fn revoked_key_is_refused_within_the_cache_time(world: Arc<World>) -> TestResult {
    let user = world.user();
    let (key_id, secret) = key(&world, &user, "standard").await?;
    acknowledged(send(&world, &secret, &body()).await?)?;
    let path = format!("/keys/{key_id}");
    for call in ["first", "repeated"] {
        let revoked = world.call(&user, "DELETE", &path, Value::Null).await?.expect(200)?;
        assert_eq!(revoked["state"], "revoked", "{call}");
    }
    refused(&world, &secret).await?;
    world.call(&user, "POST", &format!("{path}/rotate"), json!({})).await?.problem(409, "conflict")?;
    Ok(())
}

pub async fn rotated_key_replaces_the_old_secret(world: Arc<World>) -> TestResult {
    let user = world.user();
    let (key_id, old) = key(&world, &user, "standard").await?;
    acknowledged(send(&world, &old, &body()).await?)?;
    let rotated = world.call(&user, "POST", &format!("/keys/{key_id}/rotate"), json!({})).await?.expect(200)?;
    assert_eq!(rotated["key_id"], json!(key_id));
    let new = rotated["api_key"].as_str().ok_or("no key")?;
    acknowledged(send(&world, new, &body()).await?)?;
    refused(&world, &old).await?;
    acknowledged(send(&world, new, &body()).await?)?;
    Ok(())
}

pub async fn rotated_key_keeps_the_old_secret_on_request_until_it_is_revoked(world: Arc<World>) -> TestResult {
    let user = world.user();
    let (key_id, old) = key(&world, &user, "standard").await?;
    let (marker_id, marker) = key(&world, &user, "standard").await?;
    let rotate = format!("/keys/{key_id}/rotate");
    let rotated = world.call(&user, "POST", &rotate, json!({ "keep_old_seconds": 3600 })).await?.expect(200)?;
    let new = rotated["api_key"].as_str().unwrap_or_default().to_owned();
    acknowledged(send(&world, &new, &body()).await?)?;
    // Once the gateway refuses a key revoked after the rotation, its cache holds no decision from before the rotation.
    acknowledged(send(&world, &marker, &body()).await?)?;
    world.call(&user, "DELETE", &format!("/keys/{marker_id}"), Value::Null).await?.expect(200)?;
    refused(&world, &marker).await?;
    acknowledged(send(&world, &old, &body()).await?)?;
    world.call(&user, "DELETE", &format!("/keys/{key_id}"), Value::Null).await?.expect(200)?;
    for secret in [&old, &new] {
        refused(&world, secret).await?;
    }
    let states = states(&world.get(&user, "/keys").await?)?;
    assert_eq!(states, ["revoked", "revoked"]);
    Ok(())
}

fn states(listed: &Value) -> Result<Vec<Value>, BoxError> {
    Ok(listed["keys"].as_array().ok_or("no list")?.iter().map(|key| key["state"].clone()).collect())
}
