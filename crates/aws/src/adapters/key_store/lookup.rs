//! What the authorizer reads: one item, by the digest of what a device sent.

use aws_sdk_dynamodb::Client;
use eventpulse_core::device::key::Credential;

use super::items::{credential_of, secret_pk};
use crate::adapters::dynamodb::item::s;
use crate::config::ConfigError;
use crate::error::{Error, Kind};

/// The table of keys, for reading one secret at a time.
#[derive(Debug, Clone)]
pub struct CredentialLookup {
    client: Client,
    table: String,
}

impl CredentialLookup {
    /// Over an SDK client.
    #[must_use]
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// From `KEYS_TABLE` of the process's environment.
    ///
    /// # Errors
    /// When the variable is missing.
    #[allow(clippy::disallowed_methods)] // read once, where the process begins
    pub async fn from_env() -> Result<Self, ConfigError> {
        let table = std::env::var("KEYS_TABLE").ok().filter(|table| !table.is_empty());
        let table = table.ok_or_else(|| ConfigError(vec!["KEYS_TABLE".to_owned()]))?;
        Ok(Self::new(Client::new(&crate::sdk_config().await), table))
    }

    /// What is known of the secret of this digest. One consistent GetItem, so that a key is dead as soon as its
    /// revocation was answered.
    ///
    /// # Errors
    /// When DynamoDB does not answer or refuses, or what is stored cannot be read.
    pub async fn look_up(&self, digest: &str) -> Result<Option<Credential>, Error> {
        let get = self.client.get_item().table_name(&self.table).key("pk", s(secret_pk(digest))).consistent_read(true);
        let output = get.send().await.map_err(|error| Error::sdk("GetItem", self.table.as_str(), error))?;
        let Some(item) = output.item else { return Ok(None) };
        let corrupt = || Error::new("GetItem", self.table.as_str(), Kind::Corrupt);
        credential_of(&item).map(Some).ok_or_else(corrupt)
    }
}
