//! The messages of `events/failure-queue.*.json`, as AWS and the emulator write them.

use std::fs;
use std::path::Path;

use aws_lambda_events::sqs::SqsEvent;
use serde_json::json;

use super::*;

const UPLOAD: &str = "uploads/up_01JN68TZC0CNV6AVKME1TPRWV5";

fn messages(file: &str) -> Vec<SqsMessage> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events").join(file);
    let event: SqsEvent = serde_json::from_slice(&fs::read(&path).expect(file)).expect(file);
    event.records
}

/// File name, reason, deaths.
type Row = (&'static str, &'static str, u32);

fn assert_all(file: &str, rows: &[Row], version_id: Option<&str>) {
    let messages = messages(file);
    assert_eq!(messages.len(), rows.len(), "{file}");
    for (index, (message, (name, reason, deaths))) in messages.iter().zip(rows).enumerate() {
        let context = format!("{file}, message {index}");
        let failed = parse(message).unwrap_or_else(|error| panic!("{context}: {error}"));
        assert_eq!((failed.reason.as_str(), failed.deaths), (*reason, *deaths), "{context}");
        assert_eq!(failed.delivery.key, format!("{UPLOAD}/{name}"), "{context}");
        assert_eq!(failed.delivery.version_id.as_deref(), version_id, "{context}");
        assert_eq!(failed.delivery.correlation_id.len(), 36, "{context}: the event's id");
        assert!(failed.delivery.bucket.starts_with("eventpulse-process-") && failed.delivery.size > 0, "{context}");
    }
}

#[test]
fn message_that_the_waiting_queue_gave_up() {
    let delivery = Delivery {
        bucket: "b".to_owned(),
        key: format!("{UPLOAD}/a.json"),
        version_id: Some("v1".to_owned()),
        size: 7,
        correlation_id: "c1".to_owned(),
    };
    let mut message = SqsMessage::default();
    message.body = Some(wait::event(&delivery).to_string());
    let failed = parse(&message).unwrap();
    assert_eq!((failed.delivery, failed.deaths), (delivery, 0));
    assert!(failed.reason.contains("waited"), "{}", failed.reason);
}

const VERSION: Option<&str> = Some("3HL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY");

#[test]
fn on_failure_destination_of_lambda() {
    let rows: [Row; 10] = [
        ("slow.ndjson", "Sandbox.Timedout: Task timed out after 900.00 seconds", 3),
        ("slow.ndjson", "Task timed out after 900.00 seconds", 3),
        ("large.json", "Runtime.ExitError: Runtime exited with error: signal: killed", 3),
        ("large.json", "Runtime.OutOfMemory: Runtime exited with error: signal: killed", 3),
        ("large.json", "Process exited before completing request", 3),
        ("reading.json", "Runtime.ExitError: Runtime exited with error: exit status 1", 0),
        ("reading.json", "Runtime.InvalidEntrypoint: fork/exec /var/task/bootstrap: exec format error", 0),
        ("reading.json", "Throttled: TransactWriteItems on eventpulse-Uploads-1XKQ: throttled", 0),
        ("reading.json", "EventAgeExceeded", 0),
        ("slow.ndjson", "EventAgeExceeded: Sandbox.Timedout: Task timed out after 900.00 seconds", 2),
    ];
    assert_all("failure-queue.destination.json", &rows, VERSION);
}

#[test]
fn dead_letters_of_eventbridge() {
    let rows: [Row; 2] = [
        (
            "reading.json",
            "EventBridge could not deliver the event: NO_PERMISSIONS: User: events.amazonaws.com is not authorized to \
             perform: lambda:InvokeFunction on the target",
            0,
        ),
        ("a b+c%2B é.json", "EventBridge could not deliver the event: THROTTLING: Rate Exceeded.", 0),
    ];
    assert_all("failure-queue.dead-letter.json", &rows, VERSION);
}

#[test]
fn on_failure_destination_of_the_emulator() {
    let rows: [Row; 3] = [
        ("a b+c%2B é.json", "Sandbox.Timedout: Task timed out after 2.00 seconds", 3),
        ("a b+c%2B é.json", "Runtime.ExitError: Runtime exited before returning a response", 3),
        ("a b+c%2B é.json", "Denied: BatchWriteItem on eventpulse-Chunks: denied", 0),
    ];
    assert_all("failure-queue.emulator.json", &rows, None);
}

fn message(body: &str) -> SqsMessage {
    let mut message = SqsMessage::default();
    message.message_id = Some("m1".to_owned());
    message.body = Some(body.to_owned());
    message
}

#[test]
fn a_message_of_neither_kind_is_unreadable() {
    for (name, body) in [
        ("empty", ""),
        ("no JSON", "hello"),
        ("another JSON", "{}"),
        ("a list", "[]"),
        ("a number", "1"),
        ("an event without its object", r#"{"detail":{"bucket":{"name":"b"}}}"#),
        ("a record without its event", r#"{"requestPayload":null,"requestContext":{}}"#),
        ("a negative size", r#"{"detail":{"bucket":{"name":"b"},"object":{"key":"k","size":-1}}}"#),
    ] {
        assert!(parse(&message(body)).is_err(), "{name}");
    }
    assert!(parse(&SqsMessage::default()).is_err(), "no body");
}

#[test]
fn a_record_with_missing_fields_is_read() {
    let event = json!({ "detail": { "bucket": { "name": "b" }, "object": { "key": "k" } } });
    for (name, response, reason, deaths) in [
        ("nothing", json!({}), "no reason given", 0),
        (
            "nulls",
            json!({ "responseContext": { "functionError": null }, "responsePayload": null }),
            "no reason given",
            0,
        ),
        (
            "other types",
            json!({ "responseContext": 7, "responsePayload": "Task timed out after 1 s" }),
            "no reason given",
            0,
        ),
        (
            "no count",
            json!({ "responseContext": { "functionError": "Unhandled" }, "responsePayload": { "errorType": "Sandbox.Timedout" } }),
            "Sandbox.Timedout",
            0,
        ),
        (
            "a count above u32",
            json!({
                "requestContext": { "approximateInvokeCount": u64::MAX },
                "responseContext": { "functionError": "Unhandled" },
                "responsePayload": { "errorMessage": "20 Task timed out after é" },
            }),
            "Task timed out after é",
            u32::MAX,
        ),
        (
            "an error of the function that mentions a timeout",
            json!({
                "requestContext": { "approximateInvokeCount": 3 },
                "responseContext": { "functionError": "Unhandled" },
                "responsePayload": { "errorType": "Unavailable", "errorMessage": "GetItem: Task timed out after 3 s" },
            }),
            "Unavailable: GetItem: Task timed out after 3 s",
            0,
        ),
    ] {
        let mut body = response;
        body["requestPayload"] = event.clone();
        let failed = parse(&message(&body.to_string())).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((failed.reason.as_str(), failed.deaths), (reason, deaths), "{name}");
        assert_eq!(failed.delivery.correlation_id, "m1", "{name}: the event has no id, the message has");
    }
}

#[test]
fn a_long_reason_is_truncated() {
    for length in [0, 100, 100_000] {
        let body = json!({
            "requestPayload": { "detail": { "bucket": { "name": "b" }, "object": { "key": "k" } } },
            "responsePayload": { "errorMessage": "é".repeat(length) },
        });
        let failed = parse(&message(&body.to_string())).expect("a record");
        assert_eq!(failed.reason.chars().count(), length.min(MAX_REASON_CHARS));
    }
}
