//! A batch of messages; one that fails does not cost the others.

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use eventpulse_aws::workflows::failed_delivery::record_failed_delivery;
use eventpulse_aws::workflows::delivery::DeliveryOutcome;
use eventpulse_aws::{Services, clock, logs};
use lambda_runtime::{Error, LambdaEvent};
use tracing::Instrument;

use crate::message;

/// Deals with each message. What fails stays in the queue and, after five receives, goes to the dead-letter queue.
pub async fn handle(services: &Services, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
    let mut response = SqsBatchResponse::default();
    for record in event.payload.records {
        if !settle(services, &record, &event.context.request_id).await {
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = record.message_id.unwrap_or_default();
            response.batch_item_failures.push(failure);
        }
    }
    Ok(response)
}

async fn settle(services: &Services, record: &SqsMessage, request_id: &str) -> bool {
    let failed_delivery = match message::parse(record) {
        Ok(failed_delivery) => failed_delivery,
        Err(error) => {
            tracing::error!(%error, message_id = record.message_id, "a message of the failure queue cannot be read");
            return false;
        }
    };
    let delivery = &failed_delivery.delivery;
    let span = logs::delivery_span(&delivery.correlation_id, request_id, delivery.size);
    let work = async {
        match record_failed_delivery(services, &failed_delivery, clock).await {
            Ok(DeliveryOutcome::Settled(upload)) => {
                let state = upload.state().as_str();
                tracing::warn!(
                    state,
                    reason = failed_delivery.reason,
                    deaths = failed_delivery.deaths,
                    "a delivery was given up"
                );
                true
            }
            Ok(DeliveryOutcome::LateVersionRemoved(_) | DeliveryOutcome::Ignored) => true,
            Err(error) => {
                tracing::error!(error = error.chain(), "dealing with a delivery that was given up failed");
                false
            }
        }
    };
    work.instrument(span).await
}
