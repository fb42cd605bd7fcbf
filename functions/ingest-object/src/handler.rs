//! The handler: one event is one delivery.

use std::time::Instant;

use aws_lambda_events::eventbridge::EventBridgeEvent;
use eventpulse_aws::workflows::delivery::{DeliveryOutcome, ObjectCreated};
use eventpulse_aws::workflows::process_upload::process_upload;
use eventpulse_aws::{Services, clock, logs};
use lambda_runtime::{Diagnostic, LambdaEvent};
use tracing::Instrument;

/// Processes a delivery until its upload is settled.
///
/// # Errors
/// If the delivery failed: Lambda invokes again and, after the third error, sends the event to the failure queue.
pub async fn handle(
    services: &Services,
    event: LambdaEvent<EventBridgeEvent<ObjectCreated>>,
) -> Result<(), Diagnostic> {
    let started = Instant::now();
    let EventBridgeEvent { id, detail, .. } = event.payload;
    let delivery = detail.delivery(&id.unwrap_or_else(|| event.context.request_id.clone()));
    let span = logs::delivery_span(&delivery.correlation_id, &event.context.request_id, delivery.size);
    let work = async {
        let result = process_upload(services, &delivery, clock).await;
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        match result {
            Ok(DeliveryOutcome::Settled(upload)) => {
                let (accepted, rejected) = (upload.accepted(), upload.rejected());
                tracing::info!(state = upload.state().as_str(), accepted, rejected, duration_ms, "settled the upload");
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
