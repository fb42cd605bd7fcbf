//! Processes a batch of messages that came by `POST /data`.
//!
//! A message is an upload, and most messages are accepted as they are. These are stored in batches: their bodies in one
//! object of the raw log per owner; their histories, claims and chunks in as few transactions as possible. Every other
//! message (a rejected, repeated or large one) is processed as a single upload: its body becomes an object, and the steps
//! of [`process_upload`](super::process_upload) follow.
//!
//! | stage | type |
//! |---|---|
//! | parsed from the queue | [`ParsedMessage`] |
//! | inspected and accepted | `PreparedMessage` |
//! | its body is in the raw log | `LoggedMessage` |
//! | stored, or handed on to be processed as a single upload | |
//! | to be delivered again | [`FailedMessage`] |

mod batch;
mod prepare;
mod raw_log;
mod single;
mod stages;

use eventpulse_core::device::precedence::{Precedence, by_precedence};
use eventpulse_core::time::Timestamp;

use crate::Services;
use crate::workflows::quotas;
use raw_log::{RawLog, write_raw_log};
pub use stages::{FailedMessage, ParsedMessage};

/// Processes messages, and returns those that must be delivered again: AWS failed, or they wait for an upload with the same
/// bytes.
///
/// Of messages with the same `Idempotency-Key`, the first acknowledged one is processed before the others, so that it gets
/// the key. If it fails, the others are delivered again, too. `log_name` names the objects of the batch in the raw log, and
/// must be used once only.
pub async fn process_messages(
    services: &Services,
    messages: Vec<ParsedMessage>,
    log_name: &str,
    clock: impl Fn() -> Timestamp + Copy,
) -> Vec<FailedMessage> {
    let Precedence { first, later } = by_precedence(messages, ParsedMessage::rank, ParsedMessage::owned_key);
    let key_holders: Vec<String> = first.iter().map(|message| message.message_id.clone()).collect();
    let mut failed = process_first(services, first, log_name, clock).await;
    let (waiting, ready): (Vec<_>, Vec<_>) = later.into_iter().partition(|later| {
        let holder = key_holders.get(later.after);
        failed.iter().any(|failed| Some(&failed.message_id) == holder)
    });
    failed.extend(waiting.into_iter().map(|later| later.message.fail()));
    let ready = ready.into_iter().map(|later| later.message).collect();
    failed.extend(single::process_singles(services, ready, clock).await);
    failed
}

/// Processes messages of which no two have the same idempotency key.
async fn process_first(
    services: &Services,
    messages: Vec<ParsedMessage>,
    log_name: &str,
    clock: impl Fn() -> Timestamp + Copy,
) -> Vec<FailedMessage> {
    let prepared = prepare::prepare_messages(&services.catalog, &services.config.default_schema, messages);
    let RawLog { logged, mut failed } = write_raw_log(services, prepared.accepted, log_name, clock()).await;
    let outcome = batch::store_in_batches(services, logged, clock).await;
    failed.extend(outcome.failed);
    let mut singles = prepared.handed_on;
    singles.extend(outcome.handed_on);
    let count = async {
        for (owner, charge) in &outcome.charges {
            quotas::count(&services.usage, owner, charge, clock()).await;
        }
    };
    failed.extend(tokio::join!(single::process_singles(services, singles, clock), count).0);
    failed
}
