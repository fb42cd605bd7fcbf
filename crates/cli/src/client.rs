//! The commands that talk to the service as a person.

pub mod media;
pub mod send;
pub mod validate;
