//! The local mailbox: an HTTP subscriber of the notices topic, with the filter policy that an owner's e-mail
//! subscription has. What it shows is the text that SNS would mail.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::routing::post;
use axum::{Router, body::Bytes};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::client::http_client;

/// A mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The upload it is about.
    pub upload_id: String,
    /// The subject.
    pub subject: String,
    /// The text.
    pub text: String,
    /// The whole message, as machines get it.
    pub message: Value,
    /// The message attributes.
    pub attributes: Value,
}

/// Receives mails until it is dropped.
pub struct Mailbox {
    mails: Mails,
    server: JoinHandle<()>,
}

#[derive(Clone, Default)]
struct Mails(Arc<Mutex<Vec<Mail>>>);

impl Mailbox {
    /// Opens a mailbox on a free loopback port and subscribes it to the notices for some owners.
    ///
    /// # Errors
    /// When there is no port, or the topic cannot be subscribed to.
    pub async fn open(sns: &aws_sdk_sns::Client, topic_arn: &str, owners: &[&str]) -> Result<Self, crate::BoxError> {
        Self::subscribe(sns, topic_arn, Some(serde_json::json!({ "owner": owners }).to_string())).await
    }

    /// The same for everybody's notices, as an operator has it.
    ///
    /// # Errors
    /// When there is no port, or the topic cannot be subscribed to.
    pub async fn open_unfiltered(sns: &aws_sdk_sns::Client, topic_arn: &str) -> Result<Self, crate::BoxError> {
        Self::subscribe(sns, topic_arn, None).await
    }

    async fn subscribe(
        sns: &aws_sdk_sns::Client,
        topic_arn: &str,
        filter: Option<String>,
    ) -> Result<Self, crate::BoxError> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mails = Mails::default();
        let router = Router::new().route("/", post(receive)).with_state(mails.clone());
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                eprintln!("the mailbox closed: {error}");
            }
        });
        let subscribe = sns.subscribe().topic_arn(topic_arn).protocol("http").endpoint(format!("http://{address}/"));
        let filter = filter.map(|filter| [("FilterPolicy".to_owned(), filter)].into());
        subscribe.set_attributes(filter).send().await?;
        Ok(Self { mails, server })
    }

    /// The mails about an upload.
    #[must_use]
    pub fn about(&self, upload_id: &str) -> Vec<Mail> {
        let mails = self.mails.0.lock().unwrap_or_else(PoisonError::into_inner);
        mails.iter().filter(|mail| mail.upload_id == upload_id).cloned().collect()
    }

    /// All mails, in the order they came.
    #[must_use]
    pub fn all(&self) -> Vec<Mail> {
        self.mails.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// What SNS posts: <https://docs.aws.amazon.com/sns/latest/dg/http-subscription-confirmation-json.html>.
async fn receive(State(mails): State<Mails>, body: Bytes) {
    let Ok(post) = serde_json::from_slice::<Value>(&body) else { return };
    let text = |member: &str| post.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    match text("Type").as_str() {
        "SubscriptionConfirmation" => {
            if let Err(error) = confirm(&text("SubscribeURL")).await {
                eprintln!("the mailbox could not confirm its subscription: {error}");
            }
        }
        "Notification" => {
            let message: Value = serde_json::from_str(&text("Message")).unwrap_or_default();
            let member = |name: &str| message.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let mail = Mail {
                upload_id: member("upload_id"),
                subject: text("Subject"),
                text: member("text"),
                attributes: post.get("MessageAttributes").cloned().unwrap_or_default(),
                message,
            };
            mails.0.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
        }
        _ => {}
    }
}

async fn confirm(url: &str) -> Result<(), crate::BoxError> {
    http_client()?.get(url).send().await?.error_for_status()?;
    Ok(())
}
