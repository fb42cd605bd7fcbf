//! The Lambda function behind the reading part of the REST API.

#[tokio::main(flavor = "current_thread")]
async fn main() {}
