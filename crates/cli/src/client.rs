//! A client of the REST API. It knows the API's URL and the signed-in user, and nothing about AWS.

pub mod amount;
pub mod api;
pub mod download;
pub mod error;
pub mod http;
pub mod media;
pub mod profile;
pub mod send;
pub mod sign_in;
pub mod text;
pub mod validate;

#[cfg(test)]
mod tests;
