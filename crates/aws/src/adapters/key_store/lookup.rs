//! The reads of the authorizer: the secret that a device sent, by its digest, and the tombstone of its owner.

use aws_sdk_dynamodb::Client;
use eventpulse_core::device::key::Credential;
use eventpulse_core::id::OwnerId;

use super::items::{credential_of, secret_pk};
use super::tombstone;
use crate::adapters::dynamodb::item::s;
use crate::environment::{ConfigError, Environment};
use crate::error::{Error, Kind};

/// The table of keys, for checking one secret at a time.
#[derive(Debug, Clone)]
pub struct CredentialLookup {
    client: Client,
    table: String,
}

impl CredentialLookup {
    /// Creates an adapter over an SDK client.
    #[must_use]
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Creates an adapter over the table that `KEYS_TABLE` of the process's environment names.
    ///
    /// # Errors
    /// Returns a [`ConfigError`] if the variable is missing.
    pub async fn from_env() -> Result<Self, ConfigError> {
        let mut environment = Environment::of_process();
        let table = environment.required("KEYS_TABLE");
        let table = environment.finish(Some(table))?;
        Ok(Self::new(Client::new(&crate::sdk_config().await), table))
    }

    /// Reads the credential of the secret with this digest. Returns `None` for an unknown secret.
    ///
    /// The read is consistent, so that a key stops working as soon as its revocation was answered.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn look_up(&self, digest: &str) -> Result<Option<Credential>, Error> {
        let get = self.client.get_item().table_name(&self.table).key("pk", s(secret_pk(digest))).consistent_read(true);
        let output = get.send().await.map_err(|error| Error::sdk("GetItem", self.table.as_str(), error))?;
        let corrupt = |error| Error::new("GetItem", self.table.as_str(), Kind::Corrupt).with_source(error);
        output.item.map(credential_of).transpose().map_err(corrupt)
    }

    /// Returns whether an owner is offboarded. The read is consistent.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn is_offboarded(&self, owner: &OwnerId) -> Result<bool, Error> {
        tombstone::exists(&self.client, &self.table, owner).await
    }
}
