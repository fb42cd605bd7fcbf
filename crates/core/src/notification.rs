//! Notification: occurrences become problems, and problems become notices to the owner.
//!
//! [`occurrence`] folds the outcomes of uploads into [`problem`]s, [`outbox`] decides when a notice is due, [`rendering`]
//! writes its text and JSON, and [`subscription`] tracks the owner's e-mail subscription.

pub mod kind;
pub mod occurrence;
pub mod outbox;
pub mod problem;
pub mod profile;
pub mod rendering;
pub mod subscription;
