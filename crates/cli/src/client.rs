//! A client of the REST API. It knows the API's URL and the signed-in user, and nothing about AWS.

pub mod amount;
pub mod api;
pub mod download;
pub mod error;
pub mod http;
pub mod media;
pub mod profile;
pub mod retry;
pub mod send;
pub mod sign_in;
pub mod text;
pub mod validate;

#[cfg(test)]
pub(crate) mod scripted;
#[cfg(test)]
mod tests;
