//! A client of the REST API, as any client could be: it knows its URL, who is signed in, and nothing else.

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
