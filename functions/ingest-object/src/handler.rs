//! One event, one delivery.

use std::time::Instant;

use aws_lambda_events::eventbridge::EventBridgeEvent;
use eventpulse_aws::workflows::delivery::ObjectCreated;
use eventpulse_aws::workflows::process_upload::{DeliveryOutcome, process_upload};
use eventpulse_aws::{Services, clock, logs};
use lambda_runtime::{Diagnostic, LambdaEvent};
use tracing::Instrument;

/// Takes a delivery to its end. An error makes Lambda invoke again, and, the third time, tell the failure queue.
pub async fn handle(
    services: &Services,
    event: LambdaEvent<EventBridgeEvent<ObjectCreated>>,
) -> Result<(), Diagnostic> {
    let begun = Instant::now();
    let EventBridgeEvent { id, detail, .. } = event.payload;
    let delivery = detail.delivery(&id.unwrap_or_else(|| event.context.request_id.clone()));
    let span = logs::delivery_span(&delivery.correlation_id, &event.context.request_id, delivery.size);
    let work = async {
        let duration_ms = || u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        match process_upload(services, &delivery, clock).await {
            Ok(DeliveryOutcome::Settled(upload)) => {
                let (accepted, rejected) = (upload.accepted(), upload.rejected());
                let state = upload.state().as_str();
                tracing::info!(state, accepted, rejected, duration_ms = duration_ms(), "the upload is settled");
                Ok(())
            }
            Ok(DeliveryOutcome::LateVersionRemoved(_)) => {
                tracing::info!(duration_ms = duration_ms(), "nothing was processed");
                Ok(())
            }
            Ok(DeliveryOutcome::Ignored) => {
                tracing::info!("a folder marker is no upload");
                Ok(())
            }
            Err(error) => {
                tracing::error!(error = error.chain(), duration_ms = duration_ms(), "the delivery failed");
                Err(Diagnostic { error_type: format!("{:?}", error.kind), error_message: error.to_string() })
            }
        }
    };
    work.instrument(span).await
}
