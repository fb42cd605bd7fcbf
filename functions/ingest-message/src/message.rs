//! A message as API Gateway puts it on the queue: the body in base 64, and attributes that no client can set but for
//! `idempotency_key`.

use std::fmt;

use aws_lambda_events::sqs::SqsMessage;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use eventpulse_aws::clock;
use eventpulse_aws::workflows::messages::Message;
use eventpulse_core::id::UploadId;
use eventpulse_core::time::Timestamp;

/// Why a message cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub struct Unreadable(&'static str);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Reads a message.
///
/// # Errors
/// When it is none that API Gateway wrote.
pub fn parse(record: &SqsMessage) -> Result<Message, Unreadable> {
    let attribute = |name: &str| {
        let value = record.message_attributes.get(name).and_then(|attribute| attribute.string_value.clone());
        value.filter(|value| !value.is_empty())
    };
    let correlation_id = attribute("correlation_id").ok_or(Unreadable("it has no attribute correlation_id"))?;
    // The queue's own time is that of a redrive, if there was one.
    let milliseconds = |text: String| text.parse::<i64>().ok();
    let sent = attribute("posted_at").and_then(milliseconds);
    let sent = sent.or_else(|| record.attributes.get("SentTimestamp").cloned().and_then(milliseconds));
    Ok(Message {
        upload_id: UploadId::of_message(&correlation_id).map_err(|_| Unreadable("its correlation_id is no id"))?,
        owner: attribute("owner")
            .ok_or(Unreadable("it has no attribute owner"))?
            .parse()
            .map_err(|_| Unreadable("its attribute owner is not an owner id"))?,
        key_id: attribute("key_id"),
        idempotency_key: attribute("idempotency_key"),
        posted_at: sent.map_or_else(clock, |sent| Timestamp::from_micros(sent.saturating_mul(1_000))),
        body: STANDARD
            .decode(record.body.as_deref().unwrap_or_default())
            .map_err(|_| Unreadable("its body is not base 64"))?,
        correlation_id,
    })
}

#[cfg(test)]
mod tests {
    use aws_lambda_events::sqs::SqsEvent;

    use super::*;

    fn example() -> SqsMessage {
        let event = include_str!("../../../events/messages.json");
        serde_json::from_str::<SqsEvent>(event).unwrap().records.remove(0)
    }

    #[test]
    fn what_api_gateway_wrote() {
        let message = parse(&example()).unwrap();
        assert_eq!(message.upload_id.as_str(), "up_m-JKJaXmPLvHcESHA=");
        assert_eq!((message.owner.as_str(), message.key_id.as_deref()), ("u1", Some("key_01J00000000000000000000000")));
        assert_eq!(message.idempotency_key.as_deref(), Some("boot-17/42"));
        assert_eq!(message.posted_at.to_string(), "2025-02-28T12:00:00.123Z");
        let body = br#"{"device_id": "12345", "timestamp": "2025-02-28T12:00:00Z", "value": 22.5}"#;
        assert_eq!(message.body, body);
    }

    #[test]
    fn without_its_own_time_that_of_the_queue_counts() {
        let mut message = example();
        message.message_attributes.get_mut("posted_at").unwrap().string_value = Some("$util.urlEncode(…)".to_owned());
        assert_eq!(parse(&message).unwrap().posted_at.to_string(), "2025-02-28T12:16:39.999Z");
    }

    #[test]
    fn what_it_did_not_write() {
        for name in ["owner", "correlation_id"] {
            let mut message = example();
            message.message_attributes.remove(name);
            assert!(parse(&message).is_err(), "without {name}");
        }
        let mut message = example();
        message.body = Some("{}".to_owned());
        assert_eq!(parse(&message).unwrap_err(), Unreadable("its body is not base 64"));
        let mut message = example();
        message.message_attributes.get_mut("correlation_id").unwrap().string_value = Some("../x".to_owned());
        assert_eq!(parse(&message).unwrap_err(), Unreadable("its correlation_id is no id"));
    }
}
