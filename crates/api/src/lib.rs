//! The REST API of owners: one router for each of the two functions behind it, and the OpenAPI document of both.
//!
//! A request comes through [`lambda`], its owner through [`auth`]; [`routes`] has one module a resource. What is wrong
//! with a request is a [`problem::ApiError`]. What owners do with uploads is in `eventpulse-aws`; here is only how it is
//! asked for and told.

pub mod auth;
pub mod cursor;
mod etag;
mod extract;
pub mod lambda;
pub mod model;
pub mod openapi;
pub mod problem;
pub mod routes;
pub mod state;

pub use routes::{manage, query};
