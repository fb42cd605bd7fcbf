//! DynamoDB: the notices table. One partition per owner, `pk = owner#<owner>`; `sk` is
//!
//! - `outbox`: the [`Outbox`](eventpulse_core::notification::outbox::Outbox) and the number of its changes, `revision`.
//!   Each change is conditional on it;
//! - `occurrence#<time>#<upload>#<revision>`: an occurrence that is not yet folded;
//! - `problem#<kind of upload>#<id>`: a problem. The attribute `awaits` exists while it awaits an upload that passes;
//! - `pending#<time>#<kind>#<problem>`: a pending notice;
//! - `digest#<number>#<problem>`: the counts of a problem for one digest;
//! - `profile#<kind of upload>`: see [`profile`];
//! - `subscription`: see [`subscription_store`](crate::adapters::subscription_store);
//! - `unreadable#<sort key>`: an item that cannot be read, set aside so that it does not block the others.
//!
//! One item belongs to no owner: the publish lease, `pk = sk = publish_lease`, with `free_at` in microseconds since 1970.
//!
//! The index `by_due` has the partition key `due` and the sort key `due_at`. Outboxes with a notice that is due are in the
//! partition `outbox`, occurrences in one of `occurrence#0` to `occurrence#15`, problems that become quiet or whose records
//! expire in `problem`. Items expire by `expires_at`.

mod due;
mod occurrences;
mod outbox;
pub mod profile;
mod publish_lease;
mod table;

pub use outbox::{AwaitingProblems, Changes, MAX_CHANGES, StoredOutbox};
pub use publish_lease::PublishLease;
pub(crate) use table::owner_pk;
pub use table::{Keyed, NoticeStore, Page, owner_of_pk};
