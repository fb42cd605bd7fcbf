//! Parses a message as API Gateway puts it on the queue: the body in base 64, and attributes, of which a client sets only
//! `idempotency_key`. The rule of the synthetic check puts its own events on the queue.

use aws_lambda_events::sqs::SqsMessage;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use eventpulse_aws::clock;
use eventpulse_aws::workflows::messages::ParsedMessage;
use eventpulse_aws::workflows::synthetic_check;
use eventpulse_core::id::{OwnerId, UploadId};
use eventpulse_core::time::Timestamp;
use serde_json::Value;

/// The reason why a message is not one of `POST /data`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMessage {
    #[error("the attribute {0} is missing")]
    Missing(&'static str),
    #[error("the attribute correlation_id is not an upload id")]
    CorrelationId,
    #[error("the attribute owner is not an owner id")]
    Owner,
    #[error("the body is not base 64")]
    Body,
}

/// Parses a message.
///
/// # Errors
/// Returns an [`InvalidMessage`] if API Gateway did not write the message.
pub fn parse(record: &SqsMessage) -> Result<ParsedMessage, InvalidMessage> {
    if let Some(message) = of_synthetic_check(record) {
        return Ok(message);
    }
    let attribute = |name: &str| {
        let value = record.message_attributes.get(name).and_then(|attribute| attribute.string_value.clone());
        value.filter(|value| !value.is_empty())
    };
    let correlation_id = attribute("correlation_id").ok_or(InvalidMessage::Missing("correlation_id"))?;
    let owner = attribute("owner").ok_or(InvalidMessage::Missing("owner"))?;
    // After a redrive, the queue's own time is that of the redrive.
    let milliseconds = |text: String| text.parse::<i64>().ok();
    let sent = attribute("posted_at").and_then(milliseconds);
    let sent = sent.or_else(|| record.attributes.get("SentTimestamp").cloned().and_then(milliseconds));
    let body = record.body.as_deref().unwrap_or_default();
    Ok(ParsedMessage {
        message_id: record.message_id.clone().unwrap_or_default(),
        upload_id: UploadId::of_message(&correlation_id).map_err(|_| InvalidMessage::CorrelationId)?,
        owner: OwnerId::parse(&owner).map_err(|_| InvalidMessage::Owner)?,
        key_id: attribute("key_id"),
        idempotency_key: attribute("idempotency_key"),
        posted_at: sent.map_or_else(clock, |sent| Timestamp::from_micros(sent.saturating_mul(1_000))),
        body: STANDARD.decode(body).map_err(|_| InvalidMessage::Body)?,
        correlation_id,
    })
}

/// Returns the message of the synthetic check, if the body is an event of its schedule. API Gateway writes no such body,
/// since its bodies are in base 64.
fn of_synthetic_check(record: &SqsMessage) -> Option<ParsedMessage> {
    let event: Value = serde_json::from_str(record.body.as_deref()?).ok()?;
    let text = |member: &str| event.get(member).and_then(Value::as_str);
    let is_of_schedule = text("source") == Some("aws.events") && text("detail-type") == Some("Scheduled Event");
    let time = Timestamp::parse(text("time").filter(|_| is_of_schedule)?)?;
    synthetic_check::message(record.message_id.as_deref().unwrap_or_default(), text("id")?, time)
}

#[cfg(test)]
mod tests {
    use aws_lambda_events::sqs::SqsEvent;

    use super::*;

    fn example() -> SqsMessage {
        let event = include_str!("../../../events/messages.json");
        serde_json::from_str::<SqsEvent>(event).unwrap().records.remove(0)
    }

    fn set_attribute(message: &mut SqsMessage, name: &str, value: &str) {
        message.message_attributes.get_mut(name).unwrap().string_value = Some(value.to_owned());
    }

    #[test]
    fn a_message_of_api_gateway_is_parsed() {
        let message = parse(&example()).unwrap();
        assert_eq!(Some(message.message_id), example().message_id);
        assert_eq!(message.upload_id.as_str(), "up_m-JKJaXmPLvHcESHA=");
        assert_eq!((message.owner.as_str(), message.key_id.as_deref()), ("u1", Some("key_01J00000000000000000000000")));
        assert_eq!(message.idempotency_key.as_deref(), Some("boot-17/42"));
        assert_eq!(message.posted_at.to_string(), "2025-02-28T12:00:00.123Z");
        let body = br#"{"device_id": "12345", "timestamp": "2025-02-28T12:00:00Z", "value": 22.5}"#;
        assert_eq!(message.body, body);
    }

    #[test]
    fn the_queue_s_time_replaces_an_invalid_time() {
        let mut message = example();
        set_attribute(&mut message, "posted_at", "$util.urlEncode(…)");
        assert_eq!(parse(&message).unwrap().posted_at.to_string(), "2025-02-28T12:16:39.999Z");
    }

    #[test]
    fn an_event_of_the_synthetic_check_is_a_message_of_its_owner() {
        let body = include_str!("../../../events/minute.json");
        let with_body = |body: String| {
            let mut record = example();
            record.message_id = Some("m".to_owned());
            record.message_attributes.clear();
            record.body = Some(body);
            record
        };
        let record = with_body(body.to_owned());
        let message = parse(&record).unwrap();
        let event: Value = serde_json::from_str(body).unwrap();
        assert_eq!((message.owner.as_str(), message.message_id.as_str()), (OwnerId::SYNTHETIC_CHECK, "m"));
        assert_eq!(message.correlation_id, event["id"].as_str().unwrap());
        let reading: Value = serde_json::from_slice(&message.body).unwrap();
        assert_eq!(reading["timestamp"], message.posted_at.to_string());

        for (name, body) in [
            ("base 64", STANDARD.encode(body)),
            ("another event", body.replace("Scheduled Event", "Object Created")),
            ("no time", body.replace("\"time\"", "\"when\"")),
        ] {
            assert!(parse(&with_body(body)).is_err(), "{name}: only the rule writes messages without attributes");
        }
    }

    #[test]
    fn other_messages_are_refused() {
        for name in ["owner", "correlation_id"] {
            let mut message = example();
            message.message_attributes.remove(name);
            assert_eq!(parse(&message).unwrap_err(), InvalidMessage::Missing(name));
        }
        let mut message = example();
        message.body = Some("{}".to_owned());
        assert_eq!(parse(&message).unwrap_err(), InvalidMessage::Body);
        for (name, value, expected) in
            [("correlation_id", "../x", InvalidMessage::CorrelationId), ("owner", "a b", InvalidMessage::Owner)]
        {
            let mut message = example();
            set_attribute(&mut message, name, value);
            assert_eq!(parse(&message).unwrap_err(), expected, "{name}");
        }
    }
}
