//! The Lambda function behind the managing part of the REST API.

#[tokio::main(flavor = "current_thread")]
async fn main() {}
