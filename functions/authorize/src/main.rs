//! The Lambda authorizer: identifies the owner of a device by its API key. API Gateway invokes it and caches its
//! answer.

mod handler;

use aws_lambda_events::apigw::ApiGatewayCustomAuthorizerRequestTypeRequest;
use eventpulse_aws::adapters::key_store::CredentialLookup;
use eventpulse_aws::logs;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logs::init_from_env();
    let keys = CredentialLookup::from_env().await?;
    run(service_fn(|event: LambdaEvent<ApiGatewayCustomAuthorizerRequestTypeRequest>| handler::handle(&keys, event)))
        .await
}
