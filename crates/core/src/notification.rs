//! Notification: occurrences become problems, and problems become notices to the owner.
//!
//! [`problem_fold`] folds [`occurrence`]s into [`problem`]s and [`pending`] notices. A problem knows its
//! [`open_records`], the [`closing`] of the others, and its [`failing_sources`], of which each is a [`source`]; the
//! [`policy`] holds the periods. [`outbox`] decides when a notice is due, [`schedule`] and [`pacing`] order the notices of
//! all owners. [`rendering`] writes their text and JSON. [`subscription`] tracks the owner's e-mail subscription.

pub mod closing;
pub mod failing_sources;
pub mod kind;
pub mod occurrence;
pub mod open_records;
pub mod outbox;
pub mod pacing;
pub mod pending;
pub mod policy;
pub mod problem;
pub mod problem_fold;
pub mod profile;
pub mod rendering;
pub mod schedule;
pub mod source;
pub mod subscription;
