//! The Lambda function that processes an object of the process bucket. EventBridge invokes it.

mod handler;

use aws_lambda_events::eventbridge::EventBridgeEvent;
use eventpulse_aws::workflows::delivery::ObjectCreated;
use eventpulse_aws::{Services, logs};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logs::init_from_env();
    let services = Services::from_env().await?;
    run(service_fn(|event: LambdaEvent<EventBridgeEvent<ObjectCreated>>| handler::handle(&services, event))).await
}
