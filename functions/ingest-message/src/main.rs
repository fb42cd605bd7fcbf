//! The Lambda function that processes batches of messages of `POST /data`. A queue invokes it.

mod handler;
mod message;

use aws_lambda_events::sqs::SqsEvent;
use eventpulse_aws::{Services, logs};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logs::init_from_env();
    let services = Services::from_env().await?;
    run(service_fn(|event: LambdaEvent<SqsEvent>| handler::handle(&services, event))).await
}
