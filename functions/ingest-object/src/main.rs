//! The Lambda function that processes an object of the process bucket. EventBridge and the waiting queue invoke it.

mod handler;

use eventpulse_aws::adapters::waiting_queue::WaitingQueue;
use eventpulse_aws::{Services, logs, sdk_config};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logs::init_from_env();
    let sdk = sdk_config().await;
    let (services, queue) = (Services::over(&sdk)?, WaitingQueue::from_env(&sdk)?);
    run(service_fn(|event: LambdaEvent<handler::Input>| handler::handle(&services, &queue, event))).await
}
