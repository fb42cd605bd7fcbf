//! DynamoDB's transactions, and the reasons why one is cancelled.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::transact_write_items::builders::TransactWriteItemsFluentBuilder;
use aws_sdk_dynamodb::types::CancellationReason;

use crate::error::{Error, Kind, is_item_too_large};

/// Begins a transaction under a token of its own, which DynamoDB
/// [remembers for ten minutes](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html).
///
/// The SDK derives its tokens from the time since the machine started: processes that start at the same moment may choose
/// the same token, and DynamoDB then refuses the slower one's write.
#[allow(clippy::disallowed_methods)] // the one place that begins one
pub(crate) fn transaction(client: &Client) -> TransactWriteItemsFluentBuilder {
    let mut random = [0; 16];
    let token = getrandom::fill(&mut random).ok().map(|()| format!("{:032x}", u128::from_ne_bytes(random)));
    client.transact_write_items().set_client_request_token(token)
}

/// Returns the reasons of a cancelled transaction, one per action; empty if the transaction failed otherwise.
pub(crate) fn reasons<R>(error: &SdkError<TransactWriteItemsError, R>) -> &[CancellationReason] {
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(canceled)) => canceled.cancellation_reasons(),
        _ => &[],
    }
}

/// Returns whether another transaction writes the same items, or DynamoDB throttles. The SDK does not retry these.
pub(crate) fn is_contended(reasons: &[CancellationReason]) -> bool {
    let codes = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];
    reasons.iter().any(|reason| reason.code().is_some_and(|code| codes.contains(&code)))
}

/// Returns the error of a transaction that failed other than by a condition.
pub(crate) fn failed<R>(target: impl Into<String>, error: SdkError<TransactWriteItemsError, R>) -> Error
where
    R: std::fmt::Debug + Send + Sync + 'static,
{
    if reasons(&error).iter().any(is_too_large) {
        return Error::new("TransactWriteItems", target, Kind::TooLarge).with_source(error);
    }
    Error::sdk("TransactWriteItems", target, error)
}

/// Returns whether DynamoDB refuses the item of this action by its size.
pub(crate) fn is_too_large(reason: &CancellationReason) -> bool {
    is_item_too_large(reason.code().unwrap_or_default(), reason.message().unwrap_or_default())
}

/// Returns whether the condition of this action did not hold.
pub(crate) fn is_refused(reason: &CancellationReason) -> bool {
    reason.code() == Some("ConditionalCheckFailed")
}

/// Returns whether another transaction writes the item of this action.
pub(crate) fn is_conflict(reason: &CancellationReason) -> bool {
    reason.code() == Some("TransactionConflict")
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::Config;
    use aws_sdk_dynamodb::config::BehaviorVersion;

    use super::*;

    #[test]
    fn each_transaction_has_its_own_token() {
        let client = Client::from_conf(Config::builder().behavior_version(BehaviorVersion::latest()).build());
        let token = || transaction(&client).get_client_request_token().clone();
        let (one, two) = (token().unwrap(), token().unwrap());
        assert!(one.len() <= 36 && one != two, "{one} {two}");
    }
}
