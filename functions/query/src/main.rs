//! The Lambda function query of the REST API: statistics and public operations. Its role may only read the tables.

use std::sync::Arc;

use eventpulse_api::lambda::serve;
use eventpulse_api::state::{ApiConfig, App};
use eventpulse_aws::workflows::quotas::Quotas;
use eventpulse_aws::{Services, clock, logs};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    logs::init_from_env();
    let (services, config) = (Services::from_env().await?, ApiConfig::from_env()?);
    let quotas = Quotas::new(services.usage.clone(), config.limits);
    serve(eventpulse_api::query(Arc::new(App { services, keys: None, quotas, config, clock }))).await
}
