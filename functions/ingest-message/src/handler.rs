//! A batch of messages; one that fails does not cost the others.

use std::collections::BTreeSet;
use std::time::Instant;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use eventpulse_aws::workflows::messages::{Message, process_messages};
use eventpulse_aws::{Services, clock};
use lambda_runtime::{Error, LambdaEvent};

use crate::message;

/// A message that was received so often may be what kills the function: the others are dealt with before it.
const SUSPECT_AFTER: u32 = 3;

/// Messages that are dealt with together.
#[derive(Default)]
struct Batch {
    messages: Vec<Message>,
    /// Their ids in the queue.
    ids: Vec<String>,
}

impl Batch {
    fn add(&mut self, id: String, message: Message) {
        self.ids.push(id);
        self.messages.push(message);
    }
}

fn receives(record: &SqsMessage) -> u32 {
    let count = record.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok());
    count.unwrap_or(1)
}

/// Deals with the messages. What fails stays in the queue and, after five receives, goes to the dead-letter queue.
pub async fn handle(services: &Services, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
    let begun = Instant::now();
    let records = event.payload.records;
    let (mut fresh, mut suspects, mut failed) = (Batch::default(), Vec::new(), BTreeSet::new());
    for record in &records {
        let id = record.message_id.clone().unwrap_or_default();
        match message::parse(record) {
            Ok(message) if receives(record) < SUSPECT_AFTER => fresh.add(id, message),
            Ok(message) => {
                let mut alone = Batch::default();
                alone.add(id, message);
                suspects.push(alone);
            }
            Err(error) => {
                tracing::error!(%error, message_id = id, "a message of the queue did not come by POST /data");
                failed.insert(id);
            }
        }
    }
    for (number, batch) in std::iter::once(fresh).chain(suspects).enumerate() {
        let log_name = format!("{}-{number}", event.context.request_id);
        let places = process_messages(services, &batch.messages, &log_name, clock).await;
        failed.extend(places.into_iter().filter_map(|place| batch.ids.get(place).cloned()));
    }
    let duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let request_id = &event.context.request_id;
    tracing::info!(request_id, messages = records.len(), failed = failed.len(), duration_ms, "a batch is done");
    let mut response = SqsBatchResponse::default();
    for id in failed {
        let mut failure = BatchItemFailure::default();
        failure.item_identifier = id;
        response.batch_item_failures.push(failure);
    }
    Ok(response)
}
