//! The Lambda function that tells owners what became of their uploads. The stream of the notices table invokes it, and a
//! schedule; under another role, another schedule has it test the deployment.

mod event;
mod handler;

use eventpulse_aws::workflows::notify::Notifier;
use eventpulse_aws::{Services, logs, sdk_config};
use handler::Parts;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logs::init_from_env();
    let sdk = sdk_config().await;
    let services = Services::over(&sdk)?;
    let notifier = Notifier::from_env(&services, &sdk);
    let parts = Parts { services, notifier };
    run(service_fn(|event: LambdaEvent<serde_json::Value>| handler::handle(&parts, event))).await
}
