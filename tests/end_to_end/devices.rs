//! Devices: from an API key to statistics, through the gateway, the queue and the function.

pub mod keys;
pub mod limits;
pub mod sending;

use std::time::Duration;

use eventpulse_cli::BoxError;
use eventpulse_cli::dev::client::User;
use serde_json::{Value, json};

use crate::http::Reply;
use crate::poll::{SOON, found, poll};
use crate::world::World;

/// The time for which a revoked key may still work on the local stack, from `LOCAL_PARAMETERS`.
pub const KEY_CACHE: Duration = Duration::from_secs(5);

/// Creates a key. Returns its id and its secret.
pub async fn key(world: &World, user: &User, plan: &str) -> Result<(String, String), BoxError> {
    let made = world.call(user, "POST", "/keys", json!({ "name": "test", "plan": plan })).await?.expect(201)?;
    let text = |name: &str| made[name].as_str().unwrap_or_default().to_owned();
    Ok((text("key_id"), text("api_key")))
}

/// Posts to the devices' API.
pub async fn post(world: &World, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Result<Reply, BoxError> {
    let mut request = world.http.post(format!("{}/data", world.output("DeviceApiUrl"))).body(body.into());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Reply::of(request.send().await?).await
}

/// Posts JSON with a key.
pub async fn send(world: &World, key: &str, body: &Value) -> Result<Reply, BoxError> {
    post(world, &[("x-api-key", key), ("content-type", "application/json")], body.to_string()).await
}

/// Returns the upload id from the reply that acknowledges a message.
pub fn acknowledged(reply: Reply) -> Result<String, BoxError> {
    let body = reply.expect(202)?;
    Ok(body["upload_id"].as_str().ok_or("no upload_id")?.to_owned())
}

/// Waits for the outcome of an acknowledged message, which may not have been taken from the queue yet.
pub async fn outcome(world: &World, user: &User, id: &str) -> Result<Value, BoxError> {
    poll(SOON, async || {
        let reply = world.call(user, "GET", &format!("/uploads/{id}"), Value::Null).await?;
        found((reply.status != 404).then_some(()), || format!("{id} is still unknown"))
    })
    .await?;
    world.outcome(user, id).await
}
