//! A batch of messages; one that fails does not cost the others.

use std::collections::BTreeSet;
use std::time::Instant;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use eventpulse_aws::messages::ingest_messages;
use eventpulse_aws::{Services, clock};
use lambda_runtime::{Error, LambdaEvent};

use crate::message;

/// Deals with the messages. What fails stays in the queue and, after five receives, goes to the dead-letter queue.
pub async fn handle(services: &Services, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
    let begun = Instant::now();
    let records = event.payload.records;
    let (mut messages, mut ids, mut failed) = (Vec::new(), Vec::new(), BTreeSet::new());
    for record in &records {
        let id = record.message_id.clone().unwrap_or_default();
        match message::parse(record) {
            Ok(message) => {
                messages.push(message);
                ids.push(id);
            }
            Err(error) => {
                tracing::error!(%error, message_id = id, "a message of the queue did not come by POST /data");
                failed.insert(id);
            }
        }
    }
    let places = ingest_messages(services, &messages, &event.context.request_id, clock).await;
    failed.extend(places.into_iter().filter_map(|place| ids.get(place).cloned()));
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
