//! Handles one batch of the queue. A message that fails does not fail the others.

use std::time::Instant;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use eventpulse_aws::workflows::messages::{ParsedMessage, process_messages};
use eventpulse_aws::{Services, clock};
use lambda_runtime::{Error, LambdaEvent};

use crate::message;

/// A message that was received so often may be the one that kills the function: it is processed after the others, by itself.
/// It may lose its `Idempotency-Key` to a later message of the batch, see `docs/devices.md`.
const SUSPECT_AFTER: u32 = 3;

/// The messages of an invocation.
#[derive(Default)]
struct Received {
    fresh: Vec<ParsedMessage>,
    /// The messages that were received [`SUSPECT_AFTER`] times.
    suspects: Vec<ParsedMessage>,
}

/// Processes the messages. A failed message stays in the queue and, after five receives, goes to the dead-letter queue.
pub async fn handle(services: &Services, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
    let started = Instant::now();
    let request_id = &event.context.request_id;
    let messages = event.payload.records.len();
    let mut response = SqsBatchResponse::default();
    let received = parse(event.payload.records, &mut response);
    let suspects = received.suspects.into_iter().map(|suspect| vec![suspect]);
    for (number, batch) in std::iter::once(received.fresh).chain(suspects).enumerate() {
        let log_name = format!("{request_id}-{number}");
        for failed in process_messages(services, batch, &log_name, clock).await {
            response.add_failure(failed.message_id);
        }
    }
    let failed = response.batch_item_failures.len();
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(request_id, messages, failed, duration_ms, "the batch is processed");
    Ok(response)
}

fn parse(records: Vec<SqsMessage>, response: &mut SqsBatchResponse) -> Received {
    let mut received = Received::default();
    for record in records {
        match message::parse(&record) {
            Ok(message) if receive_count(&record) < SUSPECT_AFTER => received.fresh.push(message),
            Ok(message) => received.suspects.push(message),
            Err(error) => {
                let message_id = record.message_id.unwrap_or_default();
                tracing::error!(%error, message_id, "the queue delivered a message that is not from POST /data");
                response.add_failure(message_id);
            }
        }
    }
    received.suspects.sort_by_cached_key(ParsedMessage::rank);
    received
}

fn receive_count(record: &SqsMessage) -> u32 {
    let count = record.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok());
    count.unwrap_or(1)
}
