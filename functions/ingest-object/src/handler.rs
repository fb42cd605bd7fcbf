//! The handler: one event is one delivery, from EventBridge or from the waiting queue.

use std::time::Instant;

use aws_lambda_events::eventbridge::EventBridgeEvent;
use aws_lambda_events::sqs::SqsEvent;
use eventpulse_aws::adapters::waiting_queue::WaitingQueue;
use eventpulse_aws::workflows::delivery::{Delivery, DeliveryOutcome, ObjectCreated};
use eventpulse_aws::workflows::process_upload::process_upload;
use eventpulse_aws::workflows::wait;
use eventpulse_aws::{Error, Services, clock, logs};
use lambda_runtime::{Diagnostic, LambdaEvent};
use serde::Deserialize;
use tracing::Instrument;

/// The input of the function.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Input {
    /// A batch of one message of the waiting queue. Its body is an event of the other form.
    Waiting(SqsEvent),
    /// An event of EventBridge.
    Created(Box<EventBridgeEvent<ObjectCreated>>),
}

/// Processes a delivery until its upload is settled, or waits for another upload with the same bytes.
///
/// # Errors
/// Fails if the delivery failed. Lambda repeats an event of EventBridge and, after the third error, sends it to the
/// failure queue. The waiting queue repeats a message and, after the fifth error, moves it to the failure queue.
pub async fn handle(services: &Services, queue: &WaitingQueue, event: LambdaEvent<Input>) -> Result<(), Diagnostic> {
    let request_id = &event.context.request_id;
    match event.payload {
        Input::Created(created) => deliver(services, queue, *created, request_id).await,
        Input::Waiting(messages) => {
            for message in messages.records {
                let body = message.body.unwrap_or_default();
                let created = serde_json::from_str(&body).map_err(|error| Diagnostic {
                    error_type: "Unreadable".to_owned(),
                    error_message: format!("a message of the waiting queue is not an event: {error}"),
                })?;
                deliver(services, queue, created, request_id).await?;
            }
            Ok(())
        }
    }
}

async fn deliver(
    services: &Services,
    queue: &WaitingQueue,
    event: EventBridgeEvent<ObjectCreated>,
    request_id: &str,
) -> Result<(), Diagnostic> {
    let delivery = event.detail.delivery(&event.id.unwrap_or_else(|| request_id.to_owned()));
    let span = logs::delivery_span(&delivery.correlation_id, request_id, delivery.size);
    let work = async {
        let started = Instant::now();
        let result = process(services, queue, &delivery).await;
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        match result {
            Ok(DeliveryOutcome::Settled(upload)) => {
                let (accepted, rejected) = (upload.accepted(), upload.rejected());
                tracing::info!(state = upload.state().as_str(), accepted, rejected, duration_ms, "settled the upload");
                Ok(())
            }
            Ok(DeliveryOutcome::Waiting(_)) => {
                tracing::info!(duration_ms, "the upload waits for another upload with the same bytes");
                Ok(())
            }
            Ok(DeliveryOutcome::LateVersionRemoved(_)) => {
                tracing::info!(duration_ms, "processed nothing: the upload has another version");
                Ok(())
            }
            Ok(DeliveryOutcome::Ignored) => {
                tracing::info!("ignored a folder marker");
                Ok(())
            }
            Err(error) => {
                tracing::error!(error = error.chain(), duration_ms, "the delivery failed");
                Err(Diagnostic { error_type: format!("{:?}", error.kind), error_message: error.to_string() })
            }
        }
    };
    work.instrument(span).await
}

async fn process(services: &Services, queue: &WaitingQueue, delivery: &Delivery) -> Result<DeliveryOutcome, Error> {
    let outcome = process_upload(services, delivery, clock).await?;
    if let DeliveryOutcome::Waiting(upload) = &outcome {
        wait::deliver_later(queue, delivery, upload, clock()).await?;
    }
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use eventpulse_aws::workflows::wait::event;
    use serde_json::json;

    use super::*;

    #[test]
    fn events_of_both_sources_are_told_apart() {
        let delivery = Delivery {
            bucket: "b".to_owned(),
            key: "uploads/a b+c%2Bé.json".to_owned(),
            version_id: Some("v1".to_owned()),
            size: 7,
            correlation_id: "c1".to_owned(),
        };
        let body = event(&delivery).to_string();
        let created: Input = serde_json::from_str(&body).unwrap();
        let Input::Created(created) = created else { panic!("{created:?}") };
        assert_eq!(created.detail.delivery("c1"), delivery);
        let message = json!({ "Records": [{ "messageId": "m", "body": body, "eventSource": "aws:sqs" }] });
        let waiting: Input = serde_json::from_value(message).unwrap();
        let Input::Waiting(waiting) = waiting else { panic!("{waiting:?}") };
        let body = waiting.records[0].body.clone().unwrap();
        let again: EventBridgeEvent<ObjectCreated> = serde_json::from_str(&body).unwrap();
        assert_eq!((again.id.as_deref(), again.detail.delivery("c1")), (Some("c1"), delivery));
    }
}
