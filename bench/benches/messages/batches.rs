//! Batches of messages in the form of SQS, generated from the example of the function's own tests.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::Failed;

/// The common properties of the messages of a batch.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    /// The number of messages.
    pub(crate) size: usize,
    /// The number of devices.
    pub(crate) devices: usize,
    /// `true` if each message has the header `Idempotency-Key`.
    pub(crate) keyed: bool,
}

/// A batch.
pub(crate) struct Batch {
    /// The event, as JSON.
    pub(crate) event: String,
    /// The ids of its messages.
    pub(crate) ids: Vec<String>,
}

/// Generates batches of distinct messages.
pub(crate) struct Batches {
    record: Value,
    made: usize,
}

/// The time between the readings of successive messages in milliseconds. 1.7 million messages fit into a day.
const STEP_MS: usize = 50;

impl Batches {
    pub(crate) fn new() -> Result<Self, Failed> {
        let mut example: Value = serde_json::from_str(include_str!("../../../events/messages.json"))?;
        let record = example.pointer_mut("/Records/0").ok_or("events/messages.json has no record")?.take();
        Ok(Self { record, made: 0 })
    }

    /// Returns `count` batches.
    pub(crate) fn make(&mut self, kind: Kind, count: usize) -> Result<Vec<Batch>, Failed> {
        (0..count).map(|_| self.batch(kind)).collect()
    }

    fn batch(&mut self, kind: Kind) -> Result<Batch, Failed> {
        let messages = (0..kind.size).map(|_| self.message(kind)).collect::<Result<Vec<_>, _>>()?;
        let (ids, records): (Vec<String>, Vec<Value>) = messages.into_iter().unzip();
        Ok(Batch { event: json!({ "Records": records }).to_string(), ids })
    }

    fn message(&mut self, kind: Kind) -> Result<(String, Value), Failed> {
        let number = self.made;
        self.made += 1;
        let (device, ms) = (number % kind.devices, number * STEP_MS);
        let (second, ms) = (ms / 1_000, ms % 1_000);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        if hour > 23 {
            return Err("too many messages for a day".into());
        }
        let value = 20.0 + (number * 7_919 % 1_000) as f64 / 100.0;
        let body = format!(
            r#"{{"device_id": "device-{device:03}", "timestamp": "2025-02-28T{hour:02}:{minute:02}:{second:02}.{ms:03}Z", "value": {value:.2}}}"#
        );
        let id = format!("{number:08x}-87a3-44ab-83d2-661975830a7d");
        let mut record = self.record.clone();
        let mut set = |pointer: &str, value: String| {
            let member = record.pointer_mut(pointer).ok_or_else(|| format!("events/messages.json has no {pointer}"))?;
            *member = Value::String(value);
            Ok::<_, Failed>(())
        };
        set("/messageId", id.clone())?;
        set("/body", STANDARD.encode(body))?;
        set("/messageAttributes/correlation_id/stringValue", correlation_id(number))?;
        set("/messageAttributes/idempotency_key/stringValue", format!("boot-17/{number}"))?;
        let attributes = record.pointer_mut("/messageAttributes").and_then(Value::as_object_mut);
        if let Some(attributes) = attributes.filter(|_| !kind.keyed) {
            attributes.remove("idempotency_key");
        }
        Ok((id, record))
    }
}

/// Returns an id in the form of API Gateway's extended request ids.
fn correlation_id(number: usize) -> String {
    format!("{number:015}=")
}
