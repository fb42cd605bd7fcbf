//! The handler: records each failed delivery of a batch. A message that fails does not affect the others.

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use eventpulse_aws::workflows::delivery::DeliveryOutcome;
use eventpulse_aws::workflows::failed_delivery::{FailedDelivery, record_failed_delivery};
use eventpulse_aws::{Services, clock, logs};
use lambda_runtime::{Error, LambdaEvent};
use tracing::Instrument;

use crate::message;

/// Records each failed delivery. Returns the messages to keep in the queue: after five receives, they go to the
/// dead-letter queue.
pub async fn handle(services: &Services, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
    let mut response = SqsBatchResponse::default();
    for record in event.payload.records {
        if !is_recorded(services, &record, &event.context.request_id).await {
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = record.message_id.unwrap_or_default();
            response.batch_item_failures.push(failure);
        }
    }
    Ok(response)
}

/// Records the failed delivery of a message. Returns whether the message can leave the queue.
async fn is_recorded(services: &Services, record: &SqsMessage, request_id: &str) -> bool {
    let failed = match message::parse(record) {
        Ok(failed) => failed,
        Err(error) => {
            tracing::error!(%error, message_id = record.message_id, "could not read a message of the failure queue");
            return false;
        }
    };
    let FailedDelivery { delivery, reason, deaths } = &failed;
    let span = logs::delivery_span(&delivery.correlation_id, request_id, delivery.size);
    let work = async {
        match record_failed_delivery(services, &failed, clock).await {
            Ok(DeliveryOutcome::Settled(upload)) => {
                tracing::warn!(state = upload.state().as_str(), reason, deaths, "recorded a failed delivery");
                true
            }
            Ok(DeliveryOutcome::Waiting(_) | DeliveryOutcome::LateVersionRemoved(_) | DeliveryOutcome::Ignored) => true,
            Err(error) => {
                tracing::error!(error = error.chain(), "could not record a failed delivery");
                false
            }
        }
    };
    work.instrument(span).await
}
