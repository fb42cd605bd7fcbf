//! SQS: the queue of uploads that wait for another upload with the same bytes. It delivers them again after a pause.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;

use crate::environment::{ConfigError, Environment};
use crate::error::Error;

/// The waiting queue.
#[derive(Debug, Clone)]
pub struct WaitingQueue {
    client: Client,
    url: String,
}

impl WaitingQueue {
    /// Creates an adapter to the queue of the variable `WAITING_QUEUE_URL`.
    ///
    /// # Errors
    /// Returns a [`ConfigError`] if the variable is missing.
    pub fn from_env(sdk: &SdkConfig) -> Result<Self, ConfigError> {
        let mut environment = Environment::of_process();
        let url = environment.required("WAITING_QUEUE_URL");
        environment.finish(Some(Self { client: Client::new(sdk), url }))
    }

    /// Sends a message that arrives after `pause`, to the second, at most 15 minutes.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn send(&self, body: String, pause: Duration) -> Result<(), Error> {
        let seconds = i32::try_from(pause.as_secs().min(900)).unwrap_or(900);
        let send = self.client.send_message().queue_url(&self.url).message_body(body).delay_seconds(seconds);
        send.send().await.map(|_| ()).map_err(|error| Error::sdk("SendMessage", &self.url, error))
    }
}
