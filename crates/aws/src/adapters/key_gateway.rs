//! API Gateway: one of its keys behind each device key, so that a usage plan limits and counts the calls of that key.

use aws_sdk_apigateway::Client;
use eventpulse_core::device::key::{KeyId, UsageKey, UsagePlan};

use crate::error::{Error, Kind};

/// The tag of each key: the id of its usage plan. The role of `manage` may delete only keys with this tag.
const PLAN_TAG: &str = "eventpulse:usage-plan";

/// The keys of API Gateway, and their usage plans.
#[derive(Debug, Clone)]
pub struct KeyGateway {
    client: Client,
    standard_plan_id: String,
    fast_plan_id: String,
}

impl KeyGateway {
    /// Creates an adapter over an SDK client and the ids of the usage plans.
    #[must_use]
    pub fn new(client: Client, standard_plan_id: String, fast_plan_id: String) -> Self {
        Self { client, standard_plan_id, fast_plan_id }
    }

    /// Creates a key in a usage plan. Returns its id.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn create(&self, key_id: &KeyId, plan: UsagePlan, value: &UsageKey) -> Result<String, Error> {
        let plan_id = match plan {
            UsagePlan::Standard => &self.standard_plan_id,
            UsagePlan::Fast => &self.fast_plan_id,
        };
        let create = self.client.create_api_key().name(format!("eventpulse-{key_id}")).value(value.reveal());
        let created = create.enabled(true).tags(PLAN_TAG, plan_id).send().await;
        let created = created.map_err(|error| Error::sdk("CreateApiKey", key_id.as_str(), error))?;
        let id = created.id.ok_or_else(|| Error::new("CreateApiKey", key_id.as_str(), Kind::Corrupt))?;
        let attach = self.client.create_usage_plan_key().usage_plan_id(plan_id).key_id(&id).key_type("API_KEY");
        if let Err(error) = attach.send().await {
            // If this fails too, a key without a plan remains, whose value is stored nowhere.
            if let Err(error) = self.delete(&id).await {
                tracing::warn!(%key_id, error = error.chain(), "could not delete an API Gateway key without a plan");
            }
            return Err(Error::sdk("CreateUsagePlanKey", key_id.as_str(), error));
        }
        Ok(id)
    }

    /// Deletes a key. Does nothing if there is no such key.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn delete(&self, id: &str) -> Result<(), Error> {
        let deleted = self.client.delete_api_key().api_key(id).send().await;
        match deleted.map_err(|error| Error::sdk("DeleteApiKey", id, error)) {
            Err(error) if error.kind != Kind::Missing => Err(error),
            _ => Ok(()),
        }
    }
}
