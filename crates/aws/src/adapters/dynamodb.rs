//! The parts that all DynamoDB adapters share: attribute values and transactions.

#[cfg(test)]
pub(crate) mod golden;
pub(crate) mod item;
pub(crate) mod transaction;
