//! The two kinds of messages in the failure queue: what Lambda's on-failure destination writes about an event that it
//! invoked in vain, and the event itself, where EventBridge could not deliver it.

#[cfg(test)]
mod tests;

use std::fmt;

use aws_lambda_events::sqs::SqsMessage;
use eventpulse_aws::workflows::delivery::{Delivery, ObjectCreated};
use eventpulse_aws::workflows::failed_delivery::FailedDelivery;
use serde_json::Value;

/// The most characters of a reason: it goes into the history and into the notice.
const MAX_REASON_CHARS: usize = 300;

/// Why a message cannot be read.
#[derive(Debug)]
pub struct Unreadable(String);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads a message.
///
/// # Errors
/// When it is of neither kind.
pub fn parse(message: &SqsMessage) -> Result<FailedDelivery, Unreadable> {
    let body = message.body.as_deref().unwrap_or_default();
    let mut body: Value = serde_json::from_str(body).map_err(|error| Unreadable(format!("the body: {error}")))?;
    let id = message.message_id.as_deref().unwrap_or_default();
    let (delivery, reason, deaths) = match body.get_mut("requestPayload").map(Value::take) {
        // https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
        Some(event) => (delivery(event, id)?, reason(&body), deaths(&body)),
        // https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
        None => (delivery(body, id)?, not_delivered(message), 0),
    };
    Ok(FailedDelivery { delivery, reason: reason.chars().take(MAX_REASON_CHARS).collect(), deaths })
}

fn delivery(mut event: Value, message_id: &str) -> Result<Delivery, Unreadable> {
    let id = event.get("id").and_then(Value::as_str).unwrap_or(message_id).to_owned();
    let detail = event.get_mut("detail").map(Value::take).unwrap_or_default();
    let created: ObjectCreated =
        serde_json::from_value(detail).map_err(|error| Unreadable(format!("the event's detail: {error}")))?;
    Ok(created.delivery(&id))
}

fn text<'b>(body: &'b Value, pointer: &str) -> Option<&'b str> {
    body.pointer(pointer).and_then(Value::as_str)
}

/// What the last invocation said, and, if it is not that all retries were used up, why there was no other.
fn reason(body: &Value) -> String {
    let condition = text(body, "/requestContext/condition").filter(|condition| *condition != "RetriesExhausted");
    let message = text(body, "/responsePayload/errorMessage").map(without_ids);
    let said: Vec<&str> =
        [condition, text(body, "/responsePayload/errorType"), message].into_iter().flatten().collect();
    if said.is_empty() { "no reason given".to_owned() } else { said.join(": ") }
}

/// An error message of Lambda's without the ids and the time that it begins with: they differ from one attempt to the
/// next, and mean nothing to an owner.
fn without_ids(message: &str) -> &str {
    if let Some(rest) = message.strip_prefix("RequestId: ") {
        let said = rest.split_once(' ').map_or(rest, |(_, said)| said);
        return said.strip_prefix("Error: ").unwrap_or(said);
    }
    // 2025-02-28T12:53:11.801Z <request id> Task timed out after 900.00 seconds
    match message.find(" Task timed out after ") {
        Some(at) if message.starts_with("20") => message[at..].trim_start(),
        _ => message,
    }
}

/// How many invocations died of the event. Lambda tells how the last one ended and how many there were.
fn deaths(body: &Value) -> u32 {
    let failed = text(body, "/responseContext/functionError").is_some();
    let (kind, message) = (text(body, "/responsePayload/errorType"), text(body, "/responsePayload/errorMessage"));
    if !failed || !is_death(kind, message.unwrap_or_default()) {
        return 0;
    }
    let invocations = body.pointer("/requestContext/approximateInvokeCount").and_then(Value::as_u64).unwrap_or(0);
    u32::try_from(invocations).unwrap_or(u32::MAX)
}

/// Whether this is said of a function that died at work: it took too long, or too much memory, or crashed. One that
/// erred did not die, and one that does not even start says nothing about the event. (Lambda has changed these names
/// before; a name that is not known yet is no death, so that the upload is `failed` and an operator looks.)
fn is_death(error_type: Option<&str>, message: &str) -> bool {
    match error_type {
        Some("Sandbox.Timedout" | "Runtime.OutOfMemory") => true,
        // `main` returned an error: the environment is not what it should be.
        Some("Runtime.ExitError") => !message.ends_with("exit status 1"),
        Some(_) => false,
        None => {
            message.contains("Task timed out after") || message.ends_with("Process exited before completing request")
        }
    }
}

fn not_delivered(message: &SqsMessage) -> String {
    let attribute =
        |name: &str| message.message_attributes.get(name).and_then(|attribute| attribute.string_value.as_deref());
    let said: Vec<&str> = ["EventBridge could not deliver the event"]
        .into_iter()
        .chain(["ERROR_CODE", "ERROR_MESSAGE"].into_iter().filter_map(attribute))
        .collect();
    said.join(": ")
}
