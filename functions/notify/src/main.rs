//! The Lambda function that notifies owners about their uploads. The stream of the notices table and a schedule invoke it.
//! Under another role, another schedule has it begin the synthetic check of the deployment.

mod event;
mod handler;

use eventpulse_aws::workflows::notify::Notifier;
use eventpulse_aws::{Services, logs, sdk_config};
use handler::Dependencies;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logs::init_from_env();
    let sdk = sdk_config().await;
    let services = Services::over(&sdk)?;
    let notifier = Notifier::from_env(&services, &sdk);
    let dependencies = Dependencies { services, notifier };
    run(service_fn(|event: LambdaEvent<serde_json::Value>| handler::handle(&dependencies, event))).await
}
