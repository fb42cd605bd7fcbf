//! Commands on keys: create, rotate and revoke. Each takes the present state and returns the next one, or a refusal.
//!
//! A key has one current secret and may have replaced secrets that work until their ends. A command returns the key with
//! the secrets whose state changes; the caller writes both together, if the key still has the revision that was read.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::key::{ApiKey, KeyId, KeyState, UsageKey, UsagePlan};
use crate::id::OwnerId;
use crate::time::Timestamp;

/// The maximum number of active keys of an owner.
pub const MAX_ACTIVE_KEYS: usize = 100;
/// The maximum number of replaced secrets of a key that work at the same time.
pub const MAX_REPLACED: usize = 10;

/// A key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Key {
    /// The id.
    pub key_id: KeyId,
    /// The owner.
    pub owner: OwnerId,
    /// The name that the owner gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The plan, which sets its rate.
    pub plan: UsagePlan,
    /// Whether it is active or revoked.
    pub state: KeyState,
    /// The last four characters of the current secret.
    pub hint: String,
    /// The time of its creation.
    pub created_at: Timestamp,
    /// The time of its revocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// The earlier secrets that still worked after the last rotation, oldest first.
    pub replaced: Vec<ReplacedSecret>,
    /// The SHA-256 of the current secret.
    pub digest: String,
    /// The value of the API Gateway key behind it.
    pub usage_key: UsageKey,
    /// The id of the API Gateway key behind it.
    pub usage_key_id: String,
    /// The number of writes, this one included.
    pub revision: usize,
}

/// A secret that a rotation replaced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReplacedSecret {
    /// The last four characters.
    pub hint: String,
    /// The end of its validity.
    pub valid_until: Timestamp,
    /// The SHA-256.
    pub digest: String,
}

/// The state of one secret, as the authorizer reads it together with the key's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretState {
    /// The SHA-256 of the secret.
    pub digest: String,
    /// The end of its validity; `None` for the current secret.
    pub valid_until: Option<Timestamp>,
}

/// The result of a command: the key's next state, and the secrets to write with it.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyChange {
    /// The key's next state.
    pub key: Key,
    /// The secrets that are new or have a new state.
    pub secrets: Vec<SecretState>,
}

/// The reason why a command changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    /// The owner has no such key.
    #[error("you have no key with this id: GET /keys lists your keys")]
    NotFound,
    /// The owner has [`MAX_ACTIVE_KEYS`] active keys.
    #[error("you have {MAX_ACTIVE_KEYS} active keys, which is the limit: revoke one")]
    TooManyActiveKeys,
    /// The key is revoked.
    #[error("this key is revoked for good: create another")]
    Revoked,
    /// [`MAX_REPLACED`] replaced secrets of the key still work.
    #[error(
        "{MAX_REPLACED} replaced secrets of this key still work, which is the limit: wait for the first to end, or rotate \
         with a `keep_old_seconds` of 0, which ends them all"
    )]
    TooManyReplacedSecrets,
    /// Another request changed the key at the same time.
    #[error(
        "another request changed this key at the same time: look at the key, and rotate it again if that is still needed"
    )]
    ChangedMeanwhile,
    /// The operator ended the owner's access.
    #[error("the operator of this service ended your access")]
    OwnerOffboarded,
}

/// The random bytes of a new key.
#[derive(Clone)]
pub struct KeyRandom {
    /// For the id.
    pub id: [u8; 10],
    /// For the secret.
    pub secret: [u8; 32],
    /// For the value of the API Gateway key behind it.
    pub usage: [u8; 20],
}

/// A key that has no API Gateway key yet.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyDraft {
    /// The id.
    pub key_id: KeyId,
    /// The value of the API Gateway key to create.
    pub usage_key: UsageKey,
    /// The plan of the API Gateway key to create.
    pub plan: UsagePlan,
    owner: OwnerId,
    name: Option<String>,
    secret: ApiKey,
    created_at: Timestamp,
}

/// Drafts a key of an owner who has `active_keys` active ones.
///
/// # Errors
/// Returns [`KeyRefusal::TooManyActiveKeys`].
pub fn create(
    owner: &OwnerId,
    name: Option<&str>,
    plan: UsagePlan,
    active_keys: usize,
    now: Timestamp,
    random: &KeyRandom,
) -> Result<KeyDraft, KeyRefusal> {
    if active_keys >= MAX_ACTIVE_KEYS {
        return Err(KeyRefusal::TooManyActiveKeys);
    }
    Ok(KeyDraft {
        key_id: KeyId::new(now, random.id),
        usage_key: UsageKey::new(random.usage),
        plan,
        owner: owner.clone(),
        name: name.map(str::to_owned),
        secret: ApiKey::new(random.secret),
        created_at: now,
    })
}

impl KeyDraft {
    /// Completes the key with the id of its API Gateway key. Returns it with its secret.
    #[must_use]
    pub fn complete(self, usage_key_id: String) -> (KeyChange, ApiKey) {
        let Self { key_id, usage_key, plan, owner, name, secret, created_at } = self;
        let digest = secret.digest();
        let current = SecretState { digest: digest.clone(), valid_until: None };
        let key = Key {
            key_id,
            owner,
            name,
            plan,
            state: KeyState::Active,
            hint: secret.hint().to_owned(),
            created_at,
            revoked_at: None,
            replaced: Vec::new(),
            digest,
            usage_key,
            usage_key_id,
            revision: 1,
        };
        (KeyChange { key, secrets: vec![current] }, secret)
    }
}

/// Replaces the secret of a key. The replaced secret works for `overlap` more; earlier ones, for at most that long.
///
/// # Errors
/// Returns [`KeyRefusal::Revoked`] or [`KeyRefusal::TooManyReplacedSecrets`].
pub fn rotate(key: Key, secret: &ApiKey, now: Timestamp, overlap: Duration) -> Result<KeyChange, KeyRefusal> {
    if key.state == KeyState::Revoked {
        return Err(KeyRefusal::Revoked);
    }
    let until = now + overlap;
    let mut secrets = vec![SecretState { digest: secret.digest(), valid_until: None }];
    let mut replaced: Vec<ReplacedSecret> = Vec::new();
    for earlier in key.replaced.into_iter().filter(|earlier| now < earlier.valid_until) {
        let valid_until = earlier.valid_until.min(until);
        if valid_until < earlier.valid_until {
            secrets.push(SecretState { digest: earlier.digest.clone(), valid_until: Some(valid_until) });
        }
        replaced.push(ReplacedSecret { valid_until, ..earlier });
    }
    secrets.push(SecretState { digest: key.digest.clone(), valid_until: Some(until) });
    replaced.push(ReplacedSecret { hint: key.hint, valid_until: until, digest: key.digest });
    replaced.retain(|replaced| now < replaced.valid_until);
    if replaced.len() > MAX_REPLACED {
        return Err(KeyRefusal::TooManyReplacedSecrets);
    }
    let (hint, digest, revision) = (secret.hint().to_owned(), secret.digest(), key.revision + 1);
    Ok(KeyChange { key: Key { hint, digest, replaced, revision, ..key }, secrets })
}

/// Revokes a key with all its secrets that still work. Returns `None` if it is revoked already.
#[must_use]
pub fn revoke(key: Key, now: Timestamp) -> Option<KeyChange> {
    if key.state == KeyState::Revoked {
        return None;
    }
    let mut secrets = vec![SecretState { digest: key.digest.clone(), valid_until: None }];
    let working = key.replaced.iter().filter(|replaced| now < replaced.valid_until);
    secrets.extend(
        working
            .map(|replaced| SecretState { digest: replaced.digest.clone(), valid_until: Some(replaced.valid_until) }),
    );
    let revision = key.revision + 1;
    Some(KeyChange { key: Key { state: KeyState::Revoked, revoked_at: Some(now), revision, ..key }, secrets })
}

#[cfg(test)]
#[path = "key_commands_tests.rs"]
mod tests;
