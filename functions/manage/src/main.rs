//! The Lambda function manage of the REST API: everything but statistics and public operations, which is uploads,
//! quarantined data, validation, keys and e-mail subscriptions.

use std::sync::Arc;

use eventpulse_api::lambda::serve;
use eventpulse_api::state::{ApiConfig, App};
use eventpulse_aws::workflows::keys::Keys;
use eventpulse_aws::workflows::quotas::Quotas;
use eventpulse_aws::{Services, clock, logs, sdk_config};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    logs::init_from_env();
    let sdk = sdk_config().await;
    let (services, config) = (Services::over(&sdk)?, ApiConfig::from_env()?);
    let quotas = Quotas::new(services.usage.clone(), config.limits);
    let keys = Some(Keys::from_env(&sdk)?);
    serve(eventpulse_api::manage(Arc::new(App { services, keys, quotas, config, clock }))).await
}
