//! What all DynamoDB adapters share: item attributes and transactions.

pub(crate) mod item;
pub(crate) mod transaction;
