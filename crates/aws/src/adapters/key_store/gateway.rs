//! API Gateway: a key of its own behind each of ours, so that its usage plan limits and counts the calls of that one.

use aws_sdk_apigateway::Client;
use eventpulse_core::device::key::{KeyId, UsageKey, UsagePlan};

use crate::error::{Error, Kind};

/// The gateway's keys, and the usage plans that they go into.
#[derive(Debug, Clone)]
pub(super) struct Gateway {
    client: Client,
    standard_plan_id: String,
    fast_plan_id: String,
}

impl Gateway {
    pub(super) fn new(client: Client, standard_plan_id: String, fast_plan_id: String) -> Self {
        Self { client, standard_plan_id, fast_plan_id }
    }

    /// Makes a key in the usage plan; answers its id.
    pub(super) async fn create(&self, key_id: &KeyId, plan: UsagePlan, value: &UsageKey) -> Result<String, Error> {
        let create = self.client.create_api_key().name(format!("eventpulse-{key_id}")).value(value.reveal());
        let created = create.enabled(true).send().await;
        let created = created.map_err(|error| Error::sdk("CreateApiKey", key_id.as_str(), error))?;
        let id = created.id.ok_or_else(|| Error::new("CreateApiKey", key_id.as_str(), Kind::Corrupt))?;
        let plan_id = match plan {
            UsagePlan::Standard => &self.standard_plan_id,
            UsagePlan::Fast => &self.fast_plan_id,
        };
        let attach = self.client.create_usage_plan_key().usage_plan_id(plan_id).key_id(&id).key_type("API_KEY");
        if let Err(error) = attach.send().await {
            // What is left when this fails too has no plan, and nobody knows its value.
            if let Err(error) = self.delete(&id).await {
                tracing::warn!(%key_id, error = error.chain(), "a gateway key without a plan is left");
            }
            return Err(Error::sdk("CreateUsagePlanKey", key_id.as_str(), error));
        }
        Ok(id)
    }

    /// Deletes a key, if it is still there.
    pub(super) async fn delete(&self, id: &str) -> Result<(), Error> {
        let deleted = self.client.delete_api_key().api_key(id).send().await;
        match deleted.map_err(|error| Error::sdk("DeleteApiKey", id, error)) {
            Err(error) if error.kind != Kind::Missing => Err(error),
            _ => Ok(()),
        }
    }
}
