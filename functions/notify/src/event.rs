//! The events that invoke the function.

use std::collections::BTreeSet;

use aws_lambda_events::dynamodb::Event as StreamEvent;
use eventpulse_aws::adapters::notice_store::owner_of_pk;
use serde_json::Value;

/// An invocation.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// The stream of the notices table: new occurrences of these owners.
    Occurrences(BTreeSet<String>),
    /// The schedule, every minute.
    Schedule,
    /// The schedule of the synthetic check.
    SyntheticCheck,
}

/// An event of another kind.
#[derive(Debug, thiserror::Error)]
#[error("unknown event: expected a DynamoDB stream, a schedule, or {{\"synthetic_check\": \"start\"}}")]
pub struct UnknownEvent;

impl Event {
    /// Parses an event.
    ///
    /// # Errors
    /// [`UnknownEvent`] for any other event. Correct the trigger of the function.
    pub fn parse(event: Value) -> Result<Self, UnknownEvent> {
        if event.get("synthetic_check").and_then(Value::as_str) == Some("start") {
            return Ok(Self::SyntheticCheck);
        }
        if event.get("source").and_then(Value::as_str) == Some("aws.events") {
            return Ok(Self::Schedule);
        }
        let stream: StreamEvent = serde_json::from_value(event).map_err(|_| UnknownEvent)?;
        let mut owners = BTreeSet::new();
        for record in stream.records {
            let keys: Value = serde_json::to_value(&record.change.keys).map_err(|_| UnknownEvent)?;
            let pk = keys.pointer("/pk/S").and_then(Value::as_str).ok_or(UnknownEvent)?;
            owners.extend(owner_of_pk(pk).map(str::to_owned));
        }
        Ok(Self::Occurrences(owners))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_parsed() {
        let stream = include_str!("../../../events/notices-stream.json");
        let rows = [
            ("stream", stream, Some(Event::Occurrences(["owner-1".to_owned(), "owner-2".to_owned()].into()))),
            ("schedule", include_str!("../../../events/minute.json"), Some(Event::Schedule)),
            ("synthetic check", r#"{"synthetic_check": "start"}"#, Some(Event::SyntheticCheck)),
            ("unknown synthetic check", r#"{"synthetic_check": "stop"}"#, None),
            ("nothing", "{}", None),
            ("no object", "[]", None),
        ];
        for (name, event, expected) in rows {
            assert_eq!(Event::parse(serde_json::from_str(event).unwrap()).ok(), expected, "{name}");
        }
    }
}
