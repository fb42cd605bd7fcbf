//! The Lambda function that tells owners. The stream of the table of notices and a schedule invoke it.

use eventpulse_aws::logs;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logs::init_from_env();
    run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<(), Error> {
    tracing::info!(event = %event.payload, "an event came");
    Ok(())
}
