//! Handles one invocation.

use std::time::Duration;

use eventpulse_aws::environment::ConfigError;
use eventpulse_aws::workflows::notify::{self, Notifier};
use eventpulse_aws::workflows::synthetic_check;
use eventpulse_aws::{Services, clock};
use lambda_runtime::{Error, LambdaEvent};

use crate::event::Event;

/// The budget of an invocation by the stream. It is short, so that the next records do not wait; the schedule handles the
/// rest.
const STREAM_BUDGET: Duration = Duration::from_secs(3);
/// The budget of an invocation by the schedule. With one last notice after it, it ends before the timeout of the function.
const SCHEDULE_BUDGET: Duration = Duration::from_secs(45);

/// The services of the function.
pub struct Dependencies {
    /// For the synthetic check.
    pub services: Services,
    /// For notices. The function that only starts the synthetic check lacks its configuration.
    pub notifier: Result<Notifier, ConfigError>,
}

/// Handles an event. After an error, Lambda delivers the event again.
pub async fn handle(dependencies: &Dependencies, event: LambdaEvent<serde_json::Value>) -> Result<(), Error> {
    let handled = handle_event(dependencies, event.payload).await;
    if let Err(error) = &handled {
        tracing::error!(error = error.to_string(), request_id = event.context.request_id, "the invocation failed");
    }
    handled
}

async fn handle_event(dependencies: &Dependencies, event: serde_json::Value) -> Result<(), Error> {
    match Event::parse(event)? {
        Event::SyntheticCheck => {
            let mut random = [0; 10];
            getrandom::fill(&mut random)?;
            let upload_id = synthetic_check::start(&dependencies.services, clock(), random).await?;
            tracing::info!(upload_id = upload_id.as_str(), "the synthetic check started");
            if synthetic_check::has_recent_message(&dependencies.services, clock()).await? {
                tracing::info!("the synthetic query passed");
            } else {
                tracing::warn!("the synthetic query found no message of the last 15 minutes");
            }
        }
        Event::Schedule => notify::handle_schedule(notifier(dependencies)?, SCHEDULE_BUDGET, clock).await?,
        Event::Occurrences(owners) => {
            let notifier = notifier(dependencies)?;
            let failed = notify::handle_occurrences(notifier, &owners, STREAM_BUDGET, clock).await;
            if !failed.is_empty() {
                return Err(
                    format!("could not fold the occurrences of {} of {} owners", failed.len(), owners.len()).into()
                );
            }
        }
    }
    Ok(())
}

fn notifier(dependencies: &Dependencies) -> Result<&Notifier, ConfigError> {
    dependencies.notifier.as_ref().map_err(Clone::clone)
}
