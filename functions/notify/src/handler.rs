//! One invocation.

use std::time::Duration;

use eventpulse_aws::environment::ConfigError;
use eventpulse_aws::workflows::notify::Notifier;
use eventpulse_aws::workflows::synthetic_check;
use eventpulse_aws::{Services, clock};
use lambda_runtime::{Error, LambdaEvent};

use crate::event::Event;

/// How long an invocation by the stream may go on to send, so that the next records do not wait for long: what is left is for
/// the minute's.
const PATIENCE_OF_STREAM: Duration = Duration::from_secs(3);
/// How long the minute's may: with the one notice that is begun at the end, it is over before the function times out.
const PATIENCE_OF_MINUTE: Duration = Duration::from_secs(45);

/// What an invocation works with.
pub struct Parts {
    /// For the synthetic check.
    pub services: Services,
    /// For all else. The function that only starts the synthetic check is not told what it needs.
    pub notifier: Result<Notifier, ConfigError>,
}

/// Deals with an event. An error has it delivered again.
pub async fn handle(parts: &Parts, event: LambdaEvent<serde_json::Value>) -> Result<(), Error> {
    let done = deal(parts, event.payload).await;
    if let Err(error) = &done {
        tracing::error!(error = error.to_string(), request_id = event.context.request_id, "the invocation failed");
    }
    done
}

async fn deal(parts: &Parts, event: serde_json::Value) -> Result<(), Error> {
    match Event::parse(event)? {
        Event::SyntheticCheck => {
            let mut random = [0; 10];
            getrandom::fill(&mut random)?;
            let upload_id = synthetic_check::begin(&parts.services, clock(), random).await?;
            tracing::info!(upload_id = upload_id.as_str(), "the synthetic check started");
        }
        Event::Minute => notifier(parts)?.sweep(PATIENCE_OF_MINUTE, clock).await?,
        Event::Seen(owners) => {
            let failed = notifier(parts)?.take(&owners, PATIENCE_OF_STREAM, clock).await;
            if !failed.is_empty() {
                return Err(format!("{} of {} owners could not be dealt with", failed.len(), owners.len()).into());
            }
        }
    }
    Ok(())
}

fn notifier(parts: &Parts) -> Result<&Notifier, ConfigError> {
    parts.notifier.as_ref().map_err(Clone::clone)
}
