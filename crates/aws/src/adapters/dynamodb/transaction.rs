//! DynamoDB's transactions.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::transact_write_items::builders::TransactWriteItemsFluentBuilder;

/// A transaction under a token of its own, which DynamoDB
/// [remembers for ten minutes](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html).
///
/// The SDK would make its tokens out of the time since the machine was started: processes that begin at one moment may come
/// to the same ones, and then DynamoDB refuses whatever the slower of them writes.
#[allow(clippy::disallowed_methods)] // the one place that begins one
pub(crate) fn transaction(client: &Client) -> TransactWriteItemsFluentBuilder {
    let mut random = [0; 16];
    let token = getrandom::fill(&mut random).ok().map(|()| format!("{:032x}", u128::from_ne_bytes(random)));
    client.transact_write_items().set_client_request_token(token)
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::Config;
    use aws_sdk_dynamodb::config::BehaviorVersion;

    use super::*;

    #[test]
    fn each_has_a_token_of_its_own() {
        let client = Client::from_conf(Config::builder().behavior_version(BehaviorVersion::latest()).build());
        let token = || transaction(&client).get_client_request_token().clone();
        let (one, two) = (token().unwrap(), token().unwrap());
        assert!(one.len() <= 36 && one != two, "{one} {two}");
    }
}
