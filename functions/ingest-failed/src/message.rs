//! The kinds of messages in the failure queue: the record that Lambda's on-failure destination writes about an event, and
//! the event itself if EventBridge could not deliver it, or if processing it from the waiting queue failed repeatedly.

#[cfg(test)]
mod tests;

use std::fmt;

use aws_lambda_events::sqs::SqsMessage;
use eventpulse_aws::workflows::delivery::{Delivery, ObjectCreated};
use eventpulse_aws::workflows::failed_delivery::FailedDelivery;
use eventpulse_aws::workflows::wait;
use serde_json::Value;

/// The maximum number of characters of a reason. It goes into the history and into the notice.
const MAX_REASON_CHARS: usize = 300;

/// The reason why a message cannot be read.
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
/// [`Unreadable`] if it is of none of these kinds.
pub fn parse(message: &SqsMessage) -> Result<FailedDelivery, Unreadable> {
    let body = message.body.as_deref().unwrap_or_default();
    let mut body: Value = serde_json::from_str(body).map_err(|error| Unreadable(format!("the body: {error}")))?;
    let id = message.message_id.as_deref().unwrap_or_default();
    let (delivery, reason, deaths) = match body.get_mut("requestPayload").map(Value::take) {
        // https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
        Some(event) => (delivery(event, id)?, reason(&body), deaths(&body)),
        None if text(&body, "/source") == Some(wait::SOURCE) => {
            let reason = "processing failed repeatedly after the upload had waited for another one".to_owned();
            (delivery(body, id)?, reason, 0)
        }
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

/// Returns the error of the last invocation, preceded by the condition that ended the retries, unless they were used up.
fn reason(body: &Value) -> String {
    let condition = text(body, "/requestContext/condition").filter(|condition| *condition != "RetriesExhausted");
    let message = text(body, "/responsePayload/errorMessage").map(without_ids);
    let parts: Vec<&str> =
        [condition, text(body, "/responsePayload/errorType"), message].into_iter().flatten().collect();
    if parts.is_empty() { "no reason given".to_owned() } else { parts.join(": ") }
}

/// Returns an error message of Lambda without the ids and the time at its start. They differ between attempts, and an
/// owner cannot use them.
fn without_ids(message: &str) -> &str {
    if let Some(rest) = message.strip_prefix("RequestId: ") {
        let text = rest.split_once(' ').map_or(rest, |(_, text)| text);
        return text.strip_prefix("Error: ").unwrap_or(text);
    }
    // 2025-02-28T12:53:11.801Z <request id> Task timed out after 900.00 seconds
    match message.find(" Task timed out after ") {
        Some(start) if message.starts_with("20") => message[start..].trim_start(),
        _ => message,
    }
}

/// Returns the number of invocations that died. Lambda reports the end of the last one, and the number of all.
fn deaths(body: &Value) -> u32 {
    let failed = text(body, "/responseContext/functionError").is_some();
    let (kind, message) = (text(body, "/responsePayload/errorType"), text(body, "/responsePayload/errorMessage"));
    if !failed || !is_death(kind, message.unwrap_or_default()) {
        return 0;
    }
    let invocations = body.pointer("/requestContext/approximateInvokeCount").and_then(Value::as_u64).unwrap_or(0);
    u32::try_from(invocations).unwrap_or(u32::MAX)
}

/// Returns whether the function died at work: it timed out, ran out of memory, or crashed. A function that returned an
/// error did not die, and one that does not start says nothing about the event. Lambda has changed these names before: an
/// unknown name is not a death, so the upload becomes `failed` and an operator is alerted.
fn is_death(error_type: Option<&str>, message: &str) -> bool {
    match error_type {
        Some("Sandbox.Timedout" | "Runtime.OutOfMemory") => true,
        // `main` returned an error: the configuration is wrong.
        Some("Runtime.ExitError") => !message.ends_with("exit status 1"),
        Some(_) => false,
        None => {
            message.contains("Task timed out after") || message.ends_with("Process exited before completing request")
        }
    }
}

/// Returns the reason why EventBridge could not deliver an event.
fn not_delivered(message: &SqsMessage) -> String {
    let attribute =
        |name: &str| message.message_attributes.get(name).and_then(|attribute| attribute.string_value.as_deref());
    let parts: Vec<&str> = ["EventBridge could not deliver the event"]
        .into_iter()
        .chain(["ERROR_CODE", "ERROR_MESSAGE"].into_iter().filter_map(attribute))
        .collect();
    parts.join(": ")
}
