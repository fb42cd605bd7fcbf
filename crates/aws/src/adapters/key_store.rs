//! DynamoDB and API Gateway: the keys of devices.
//!
//! Two kinds of item. One a key, `pk = id#<key id>`: all that its owner sees of it, and the digests of its secrets; the
//! index `by_owner` lists these (the other kind has no `listed`). One a secret, `pk = key#<sha256>`: what the authorizer
//! reads, and nothing that leads back to the secret. Both are written in one transaction, under the key's `revision`.
//! Keys are read by a consistent GetItem; only lists, and the count of them, follow within moments.

mod change;
mod gateway;
mod items;
pub mod lookup;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{Put, Select, TransactWriteItem};
use eventpulse_core::device::key::{ApiKey, KeyId, KeyState, UsageKey, UsagePlan};
use eventpulse_core::id::OwnerId;
use eventpulse_core::time::Timestamp;
pub use lookup::CredentialLookup;

use crate::adapters::dynamodb::item::{Item, number, s, text};
use crate::adapters::dynamodb::transaction::transaction;
use crate::adapters::upload_store::lists::Page;
use crate::config::ConfigError;
use crate::error::{Error, Kind};
use change::{revoked, rotated};
use gateway::Gateway;
use items::{id_at, key_item, key_of, key_pk, secret_item};

/// How many active keys an owner may have.
pub const MAX_ACTIVE_KEYS: usize = 100;
/// How many replaced secrets of a key may work at once.
pub const MAX_REPLACED: usize = 10;
/// How long a revoked key is listed: 90 days.
const KEPT_REVOKED_SECONDS: i64 = 90 * 86_400;
/// How long a replaced secret stays in the table after its end. It does not work; this is for whoever looks into it.
const KEPT_REPLACED_SECONDS: i64 = 86_400;
/// How often a revocation is tried anew, when others change the key at the same time.
const MAX_ATTEMPTS: usize = 5;

/// A key.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// Its id.
    pub key_id: KeyId,
    /// Whose it is.
    pub owner: OwnerId,
    /// What the owner calls it.
    pub name: Option<String>,
    /// How much it may send.
    pub plan: UsagePlan,
    /// Whether it may be used.
    pub state: KeyState,
    /// The last four characters of its secret.
    pub hint: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Its earlier secrets that worked on after the last rotation, the oldest first.
    pub replaced: Vec<Replaced>,
    /// SHA-256 of its secret.
    digest: String,
    usage_key: UsageKey,
    usage_key_id: String,
    /// How often it was written.
    revision: usize,
}

/// A secret that another replaced.
#[derive(Debug, Clone, PartialEq)]
pub struct Replaced {
    /// Its last four characters.
    pub hint: String,
    /// Until when it works.
    pub valid_until: Timestamp,
    digest: String,
}

/// Why a call changes nothing. An answer, not an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyRefusal {
    /// There is no such key, or none of this owner's.
    NotFound,
    /// It does not stand where it would make sense. Says why, and what to do.
    Conflict(String),
}

/// What a new key is made of.
#[derive(Clone)]
pub struct Random {
    /// Of its id.
    pub id: [u8; 10],
    /// Of its secret.
    pub secret: [u8; 32],
    /// Of the gateway's key behind it.
    pub usage: [u8; 20],
}

/// What the keys take from the environment, of the one function that manages them. `template.yaml` sets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysConfig {
    /// `KEYS_TABLE`: the keys.
    pub keys_table: String,
    /// `STANDARD_PLAN_ID`: the usage plan of [`UsagePlan::Standard`].
    pub standard_plan_id: String,
    /// `FAST_PLAN_ID`: that of [`UsagePlan::Fast`].
    pub fast_plan_id: String,
}

impl KeysConfig {
    /// Reads variables wherever they are.
    ///
    /// # Errors
    /// Every variable that is missing.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut missing = Vec::new();
        let mut need = |name: &str| {
            lookup(name).filter(|value| !value.is_empty()).unwrap_or_else(|| {
                missing.push(name.to_owned());
                String::new()
            })
        };
        let config = Self {
            keys_table: need("KEYS_TABLE"),
            standard_plan_id: need("STANDARD_PLAN_ID"),
            fast_plan_id: need("FAST_PLAN_ID"),
        };
        if missing.is_empty() { Ok(config) } else { Err(ConfigError(missing)) }
    }
}

/// The keys.
#[derive(Debug, Clone)]
pub struct KeyStore {
    client: Client,
    table: String,
    gateway: Gateway,
}

/// What became of a transaction.
#[derive(PartialEq)]
enum Written {
    Done,
    /// Somebody else wrote since the key was read.
    Conflict,
}

impl KeyStore {
    /// Over SDK clients of one SDK configuration.
    #[must_use]
    pub fn new(config: KeysConfig, sdk: &SdkConfig) -> Self {
        let gateway = aws_sdk_apigateway::Client::new(sdk);
        Self {
            client: Client::new(sdk),
            table: config.keys_table,
            gateway: Gateway::new(gateway, config.standard_plan_id, config.fast_plan_id),
        }
    }

    /// From the process's environment.
    ///
    /// # Errors
    /// Every variable that is missing.
    #[allow(clippy::disallowed_methods)] // read once, where the process begins
    pub async fn from_env() -> Result<Self, ConfigError> {
        let config = KeysConfig::from_lookup(|name| std::env::var(name).ok())?;
        Ok(Self::new(config, &crate::sdk_config().await))
    }

    /// Creates a key; its secret is in no other answer.
    ///
    /// The gateway's key comes first, because it opens nothing: only the authorizer could hand it to the gateway, and
    /// does so only for a secret that is in the table. So whatever works is listed: the transaction that makes the
    /// secret work is the one that lists it. A crash between the two leaves a gateway key that nobody knows; the other
    /// way round it would leave a key that is listed as active and does not work. For the same reason nothing is
    /// undone when DynamoDB's answer fails to come: the key may be there, and then its owner can see and revoke it.
    ///
    /// # Errors
    /// When AWS does not answer, or refuses.
    pub async fn create(
        &self,
        owner: &OwnerId,
        name: Option<&str>,
        plan: UsagePlan,
        now: Timestamp,
        random: Random,
    ) -> Result<Result<(Key, ApiKey), KeyRefusal>, Error> {
        if self.count_active(owner).await? >= MAX_ACTIVE_KEYS {
            let why = format!("you have {MAX_ACTIVE_KEYS} active keys, which is as many as there may be: revoke one");
            return Ok(Err(KeyRefusal::Conflict(why)));
        }
        let (key_id, secret) = (KeyId::new(now, random.id), ApiKey::new(random.secret));
        let usage_key = UsageKey::new(random.usage);
        let usage_key_id = self.gateway.create(&key_id, plan, &usage_key).await?;
        let key = Key {
            key_id,
            owner: owner.clone(),
            name: name.map(str::to_owned),
            plan,
            state: KeyState::Active,
            hint: secret.hint().to_owned(),
            created_at: now,
            revoked_at: None,
            replaced: Vec::new(),
            digest: secret.digest(),
            usage_key,
            usage_key_id,
            revision: 1,
        };
        match self.write(&key, vec![secret_item(&key, &key.digest, None)]).await? {
            Written::Done => Ok(Ok((key, secret))),
            Written::Conflict => Err(Error::new("TransactWriteItems", self.target(&key.key_id), Kind::Contended)),
        }
    }

    /// The keys of an owner, newest first. `after` is the [`Page::next`] of the page before.
    ///
    /// # Errors
    /// When DynamoDB does not answer or refuses, or what is stored cannot be read.
    pub async fn list(&self, owner: &OwnerId, limit: usize, after: Option<&str>) -> Result<Page<Key>, Error> {
        let start = after.and_then(|after| {
            let pk = key_pk(&id_at(after)?);
            Some(
                [("pk", s(pk)), ("owner", s(owner)), ("listed", s(after))]
                    .map(|(name, at)| (name.to_owned(), at))
                    .into(),
            )
        });
        // Without a filter, a page of DynamoDB's is one of ours: 100 keys are far from its limit of 1 MB.
        let query = self.of_owner(owner).limit(i32::try_from(limit).unwrap_or(100)).set_exclusive_start_key(start);
        let page = query.send().await.map_err(|error| Error::sdk("Query", self.table.as_str(), error))?;
        let read = |item: &Item| key_of(item).ok_or_else(|| Error::new("Query", self.table.as_str(), Kind::Corrupt));
        let items = page.items().iter().map(read).collect::<Result<_, _>>()?;
        let next = page.last_evaluated_key.as_ref().and_then(|key| text(key, "listed")).map(str::to_owned);
        Ok(Page { items, next })
    }

    /// A key of this owner's.
    ///
    /// # Errors
    /// When DynamoDB does not answer or refuses, or what is stored cannot be read.
    pub async fn get(&self, owner: &OwnerId, id: &KeyId) -> Result<Option<Key>, Error> {
        let get = self.client.get_item().table_name(&self.table).key("pk", s(key_pk(id))).consistent_read(true);
        let output = get.send().await.map_err(|error| Error::sdk("GetItem", self.target(id), error))?;
        let Some(item) = output.item else { return Ok(None) };
        let key = key_of(&item).ok_or_else(|| Error::new("GetItem", self.target(id), Kind::Corrupt))?;
        Ok((key.owner == *owner).then_some(key))
    }

    /// Gives a key another secret. The present one works for `keep_old_seconds` more, and so do, at most, those before
    /// it. (The authorizer's answers are cached; an old secret may work that much longer.)
    ///
    /// # Errors
    /// When AWS does not answer, or refuses.
    pub async fn rotate(
        &self,
        owner: &OwnerId,
        id: &KeyId,
        keep_old_seconds: u32,
        now: Timestamp,
        random: [u8; 32],
    ) -> Result<Result<(Key, ApiKey), KeyRefusal>, Error> {
        let Some(old) = self.get(owner, id).await? else { return Ok(Err(KeyRefusal::NotFound)) };
        let secret = ApiKey::new(random);
        let (key, changed) = match rotated(old, &secret, now, now.plus_seconds(i64::from(keep_old_seconds))) {
            Ok(rotated) => rotated,
            Err(refused) => return Ok(Err(refused)),
        };
        let mut secrets = vec![secret_item(&key, &key.digest, None)];
        secrets.extend(changed.iter().map(|old| secret_item(&key, &old.digest, Some(old.valid_until))));
        Ok(match self.write(&key, secrets).await? {
            Written::Done => Ok((key, secret)),
            // Not tried anew: of two rotations at once, one would end the secret that the other handed out.
            Written::Conflict => Err(KeyRefusal::Conflict(
                "somebody else changed this key at the same time: look at it, and rotate it again if it is still needed"
                    .to_owned(),
            )),
        })
    }

    /// Takes a key back, with all its secrets. The table comes first: it ends the key. Deleting the gateway's key only
    /// tidies up; a call that failed in between can be repeated, and does what is left.
    ///
    /// # Errors
    /// When AWS does not answer, or refuses.
    pub async fn revoke(&self, owner: &OwnerId, id: &KeyId, now: Timestamp) -> Result<Result<Key, KeyRefusal>, Error> {
        for _ in 0..MAX_ATTEMPTS {
            let Some(old) = self.get(owner, id).await? else { return Ok(Err(KeyRefusal::NotFound)) };
            let key = match old.state {
                KeyState::Revoked => old,
                KeyState::Active => {
                    let key = revoked(old, now);
                    let mut secrets = vec![secret_item(&key, &key.digest, None)];
                    let replaced = key.replaced.iter().filter(|old| now < old.valid_until);
                    secrets.extend(replaced.map(|old| secret_item(&key, &old.digest, Some(old.valid_until))));
                    if self.write(&key, secrets).await? == Written::Conflict {
                        continue;
                    }
                    key
                }
            };
            self.gateway.delete(&key.usage_key_id).await?;
            return Ok(Ok(key));
        }
        Err(Error::new("TransactWriteItems", self.target(id), Kind::Contended))
    }

    /// How many active keys an owner has, as the index knows it: creations at the same moment may pass the limit by a
    /// few. It is there against runaway scripts; the gateway has limits of its own.
    async fn count_active(&self, owner: &OwnerId) -> Result<usize, Error> {
        let query = self.of_owner(owner).filter_expression("#state = :active").select(Select::Count);
        let query = query.expression_attribute_names("#state", "state");
        let query = query.expression_attribute_values(":active", s(KeyState::Active.as_str()));
        let (mut count, mut pages) = (0, query.into_paginator().send());
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Error::sdk("Query", self.table.as_str(), error))?;
            count += usize::try_from(page.count).unwrap_or(0);
        }
        Ok(count)
    }

    fn of_owner(&self, owner: &OwnerId) -> QueryFluentBuilder {
        let query = self.client.query().table_name(&self.table).index_name("by_owner").scan_index_forward(false);
        let query = query.key_condition_expression("#owner = :owner");
        query.expression_attribute_names("#owner", "owner").expression_attribute_values(":owner", s(owner))
    }

    /// Writes a key that has just one revision more than the one that was read, and secrets of it: all or nothing.
    async fn write(&self, key: &Key, secrets: Vec<Item>) -> Result<Written, Error> {
        let failed = |error| Error::new("TransactWriteItems", self.target(&key.key_id), Kind::Other).with_source(error);
        let head = Put::builder().table_name(&self.table).set_item(Some(key_item(key)));
        let head = match key.revision {
            1 => head.condition_expression("attribute_not_exists(pk)"),
            revision => head
                .condition_expression("#revision = :read")
                .expression_attribute_names("#revision", "revision")
                .expression_attribute_values(":read", number(revision - 1)),
        };
        let mut actions = vec![TransactWriteItem::builder().put(head.build().map_err(failed)?).build()];
        for secret in secrets {
            // A secret never goes to another key.
            let put = Put::builder().table_name(&self.table).set_item(Some(secret));
            let put = put
                .condition_expression("attribute_not_exists(pk) OR key_id = :me")
                .expression_attribute_values(":me", s(key.key_id.as_str()));
            actions.push(TransactWriteItem::builder().put(put.build().map_err(failed)?).build());
        }
        match transaction(&self.client).set_transact_items(Some(actions)).send().await {
            Ok(_) => Ok(Written::Done),
            Err(SdkError::ServiceError(error)) if is_conflict(error.err()) => Ok(Written::Conflict),
            Err(error) => Err(Error::sdk("TransactWriteItems", self.target(&key.key_id), error)),
        }
    }

    fn target(&self, id: &KeyId) -> String {
        format!("{}/{id}", self.table)
    }
}

fn is_conflict(error: &TransactWriteItemsError) -> bool {
    let TransactWriteItemsError::TransactionCanceledException(canceled) = error else { return false };
    let codes = ["ConditionalCheckFailed", "TransactionConflict"].map(Some);
    canceled.cancellation_reasons().iter().any(|reason| codes.contains(&reason.code()))
}
