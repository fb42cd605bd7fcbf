//! The parts that all DynamoDB adapters share: attribute values, reads of many items and transactions.

pub(crate) mod batch_get;
#[cfg(test)]
pub(crate) mod golden;
pub(crate) mod item;
pub(crate) mod transaction;
