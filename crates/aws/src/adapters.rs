//! Adapters: one module for each table, bucket, topic, queue and gateway. They translate and retry, and decide nothing.
//!
//! No adapter uses [`workflows`](crate::workflows).

pub mod chunk_store;
pub(crate) mod dynamodb;
pub mod key_gateway;
pub mod key_store;
pub mod notice_store;
pub mod notice_topic;
pub mod object_store;
pub mod page;
pub mod subscription_store;
pub mod upload_store;
pub mod usage_store;
pub mod waiting_queue;
