//! The REST API: one router for each of its two Lambda functions, and the OpenAPI document of both.
//!
//! [`lambda`] receives requests, [`auth`] identifies the owner, and [`routes`] has one module per resource. Error
//! responses are [`api_error::ApiError`]s. This crate only translates between HTTP and `eventpulse-aws`, which has the
//! workflows.

mod announced;
pub mod api_error;
pub mod auth;
pub mod cursor;
mod etag;
mod extract;
pub mod lambda;
pub mod model;
pub mod openapi;
pub mod routes;
pub mod state;

pub use routes::{manage, query};
