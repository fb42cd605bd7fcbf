//! Creates, rotates and revokes the keys of devices.

use std::time::Duration;

use aws_config::SdkConfig;
use eventpulse_core::device::key::{ApiKey, KeyId, KeyState, UsagePlan};
use eventpulse_core::device::key_commands::{self, Key, KeyRandom, KeyRefusal};
use eventpulse_core::id::OwnerId;
use eventpulse_core::time::Timestamp;

use super::conflict_retry::ConflictRetry;
use crate::adapters::key_gateway::KeyGateway;
use crate::adapters::key_store::{KeyStore, KeyWrite};
use crate::config::KeysConfig;
use crate::environment::{ConfigError, Environment};
use crate::error::{Error, Kind};

/// The number of keys listed at a time.
const PAGE: usize = 100;

/// The result of a command on a key.
#[derive(Debug, Clone, PartialEq)]
pub enum KeyOutcome<T> {
    /// The command is performed.
    Done(T),
    /// Nothing changed.
    Refused(KeyRefusal),
}

impl<T> KeyOutcome<T> {
    /// Returns the result of a performed command.
    ///
    /// # Errors
    /// Returns the refusal.
    pub fn into_result(self) -> Result<T, KeyRefusal> {
        match self {
            Self::Done(value) => Ok(value),
            Self::Refused(refusal) => Err(refusal),
        }
    }
}

/// The keys of devices: their table, and the API Gateway keys behind them.
#[derive(Debug, Clone)]
pub struct Keys {
    store: KeyStore,
    gateway: KeyGateway,
}

impl Keys {
    /// Creates the workflow over SDK clients of one SDK configuration.
    #[must_use]
    pub fn new(config: KeysConfig, sdk: &SdkConfig) -> Self {
        let KeysConfig { keys_table, standard_plan_id, fast_plan_id } = config;
        let gateway = KeyGateway::new(aws_sdk_apigateway::Client::new(sdk), standard_plan_id, fast_plan_id);
        Self { store: KeyStore::new(aws_sdk_dynamodb::Client::new(sdk), keys_table), gateway }
    }

    /// Creates the workflow from the process's environment, over SDK clients of one SDK configuration.
    ///
    /// # Errors
    /// Returns a [`ConfigError`] with every variable that is missing.
    pub fn from_env(sdk: &SdkConfig) -> Result<Self, ConfigError> {
        let config = KeysConfig::read(Environment::of_process())?;
        Ok(Self::new(config, sdk))
    }

    /// Returns the table, for reads.
    #[must_use]
    pub fn store(&self) -> &KeyStore {
        &self.store
    }

    /// Creates a key. Its secret is in no other answer.
    ///
    /// The API Gateway key is created first, because it opens nothing by itself: only the authorizer hands its value to
    /// the gateway, and only for a secret that is in the table. So every key that works is listed. A crash between the
    /// two leaves an unused API Gateway key; the other order would leave a listed key that does not work. For the same
    /// reason nothing is undone if DynamoDB does not answer: the key may exist, and its owner can see and revoke it.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn create(
        &self,
        owner: &OwnerId,
        name: Option<&str>,
        plan: UsagePlan,
        now: Timestamp,
        random: &KeyRandom,
    ) -> Result<KeyOutcome<(Key, ApiKey)>, Error> {
        let (active_keys, is_offboarded) =
            tokio::try_join!(self.store.count_active(owner), self.store.is_offboarded(owner))?;
        if is_offboarded {
            return Ok(KeyOutcome::Refused(KeyRefusal::OwnerOffboarded));
        }
        let draft = match key_commands::create(owner, name, plan, active_keys, now, random) {
            Ok(draft) => draft,
            Err(refusal) => return Ok(KeyOutcome::Refused(refusal)),
        };
        let usage_key_id = self.gateway.create(&draft.key_id, draft.plan, &draft.usage_key).await?;
        let (change, secret) = draft.complete(usage_key_id);
        match self.store.write(&change).await? {
            KeyWrite::Done => Ok(KeyOutcome::Done((change.key, secret))),
            KeyWrite::Conflict => Err(Error::new("create key", change.key.key_id.as_str(), Kind::Contended)),
        }
    }

    /// Replaces the secret of a key. The replaced secret works for `overlap` more, and as long again as the gateway
    /// caches the authorizer's answers.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn rotate(
        &self,
        owner: &OwnerId,
        id: &KeyId,
        overlap: Duration,
        now: Timestamp,
        random: [u8; 32],
    ) -> Result<KeyOutcome<(Key, ApiKey)>, Error> {
        let (key, is_offboarded) = tokio::try_join!(self.store.get(owner, id), self.store.is_offboarded(owner))?;
        if is_offboarded {
            return Ok(KeyOutcome::Refused(KeyRefusal::OwnerOffboarded));
        }
        let Some(key) = key else { return Ok(KeyOutcome::Refused(KeyRefusal::NotFound)) };
        let secret = ApiKey::new(random);
        let change = match key_commands::rotate(key, &secret, now, overlap) {
            Ok(change) => change,
            Err(refusal) => return Ok(KeyOutcome::Refused(refusal)),
        };
        Ok(match self.store.write(&change).await? {
            KeyWrite::Done => KeyOutcome::Done((change.key, secret)),
            // No retry: of two concurrent rotations, one would end the secret that the other returned.
            KeyWrite::Conflict => KeyOutcome::Refused(KeyRefusal::ChangedMeanwhile),
        })
    }

    /// Revokes a key with all its secrets.
    ///
    /// The table is written first, which ends the key; the API Gateway key is deleted after that. A call that failed in
    /// between can be repeated, and completes the rest.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn revoke(&self, owner: &OwnerId, id: &KeyId, now: Timestamp) -> Result<KeyOutcome<Key>, Error> {
        let Some((key, is_repeated)) = self.revoke_in_store(owner, id, now).await? else {
            return Ok(KeyOutcome::Refused(KeyRefusal::NotFound));
        };
        match self.gateway.delete(&key.usage_key_id).await {
            // An earlier call deleted the gateway's key: without its tag, IAM does not know that it was ours.
            Err(error) if is_repeated && error.kind == Kind::Denied => {}
            deleted => deleted?,
        }
        Ok(KeyOutcome::Done(key))
    }

    /// Revokes a key, whoever its owner is: for the operator.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn revoke_of_any_owner(&self, id: &KeyId, now: Timestamp) -> Result<KeyOutcome<Key>, Error> {
        match self.store.get_of_any_owner(id).await? {
            Some(key) => self.revoke(&key.owner, id, now).await,
            None => Ok(KeyOutcome::Refused(KeyRefusal::NotFound)),
        }
    }

    /// Ends the access of an owner: no key works any more, and none can be created. Returns the keys that this call
    /// revoked. A call that failed can be repeated, and completes the rest.
    ///
    /// The tombstone is written first: it also ends the keys that the index does not list yet.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn offboard(&self, owner: &OwnerId, now: Timestamp) -> Result<Vec<Key>, Error> {
        self.store.offboard(owner, now).await?;
        let (mut revoked, mut after) = (Vec::new(), None);
        loop {
            let page = self.store.list(owner, PAGE, after.as_deref()).await?;
            for key in page.items.into_iter().filter(|key| key.state == KeyState::Active) {
                if let KeyOutcome::Done(key) = self.revoke(owner, &key.key_id, now).await? {
                    revoked.push(key);
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(revoked);
            }
        }
    }

    /// Returns the revoked key, and whether an earlier call revoked it; `None` if the owner has no such key.
    async fn revoke_in_store(&self, owner: &OwnerId, id: &KeyId, now: Timestamp) -> Result<Option<(Key, bool)>, Error> {
        let mut tries = ConflictRetry::COMMAND.tries();
        while tries.next().await {
            let Some(key) = self.store.get(owner, id).await? else { return Ok(None) };
            let Some(change) = key_commands::revoke(key.clone(), now) else { return Ok(Some((key, true))) };
            if self.store.write(&change).await? == KeyWrite::Done {
                return Ok(Some((change.key, false)));
            }
        }
        Err(tries.exhausted("revoke key", id.as_str()))
    }
}
